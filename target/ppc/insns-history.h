/*
 * PowerPC instruction groups: which CPU family has which, since which release
 *
 * An instruction group is one bit of insns_flags or insns_flags2.  Up to 2.7,
 * QEMU put both words on the wire and demanded that they be equal on the
 * other side, so what a family had in an old release still decides whether
 * the guests of that release can be migrated.  This is the record of it, and
 * the pure functions on it.  Nothing here knows about CPU objects, machines
 * or streams, so that it can be tested, and used, without QEMU.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TARGET_PPC_INSNS_HISTORY_H
#define TARGET_PPC_INSNS_HISTORY_H

/* A set of instruction groups, in the two words that CPUs and streams use. */
typedef struct PPCInsns {
    uint64_t flags;     /* insns_flags */
    uint64_t flags2;    /* insns_flags2 */
} PPCInsns;

/*
 * A QEMU release as major << 8 | minor, so that later releases are greater.
 * 0 is no release.
 */
typedef unsigned PPCRelease;
#define PPC_RELEASE(major, minor) ((PPCRelease)((major) << 8 | (minor)))

/* The last release whose machine version has the words in its streams. */
#define PPC_RELEASE_LAST_ON_WIRE PPC_RELEASE(2, 7)

/* The CPU families whose history is known, in order of their appearance. */
typedef enum PPCFamily {
    PPC_FAMILY_970,
    PPC_FAMILY_POWER5P,
    PPC_FAMILY_POWER7,
    PPC_FAMILY_POWER8,
    PPC_FAMILY_POWER9,
    PPC_FAMILY_POWER10,
    PPC_FAMILY_POWER11,
    PPC_FAMILY__MAX,
    PPC_FAMILY_NONE = -1,   /* a CPU that has no history */
} PPCFamily;

/* What a release sent of a CPU at the end of its "cpu" section. */
typedef struct PPCInsnsWire {
    uint64_t msr_mask;
    PPCInsns insns;
    uint32_t nb_bats;
} PPCInsnsWire;

/* What ppc_insns_check() found.  The sets exclude what may differ. */
typedef struct PPCInsnsVerdict {
    PPCInsns more;      /* the stream's CPU had them, this one has not */
    PPCInsns less;      /* this CPU has them, the stream's had not */
} PPCInsnsVerdict;

/* What a row of the history says of the groups that it names */
typedef enum PPCInsnsChangeKind {
    PPC_INSNS_FIRST_SEEN,
    PPC_INSNS_ADDED,
    PPC_INSNS_REMOVED,
} PPCInsnsChangeKind;

/* A row of the history: what changed in some families' classes */
typedef struct PPCInsnsChange {
    PPCRelease release;
    unsigned families;      /* 1u << PPCFamily each */
    PPCInsnsChangeKind kind;
    uint64_t flags;
    uint64_t flags2;
    const char *commit;     /* NULL: older than the history */
} PPCInsnsChange;

static inline PPCInsns ppc_insns_and(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags & b.flags, a.flags2 & b.flags2 };
}

static inline PPCInsns ppc_insns_or(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags | b.flags, a.flags2 | b.flags2 };
}

/* The groups of @a that are not in @b. */
static inline PPCInsns ppc_insns_minus(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags & ~b.flags, a.flags2 & ~b.flags2 };
}

static inline bool ppc_insns_empty(PPCInsns a)
{
    return !(a.flags | a.flags2);
}

/**
 * ppc_release_parse:
 * @str: "2.6"; a bare "major.minor" of a release that the history covers
 *
 * Returns: the release; 0 if @str does not name one.
 */
PPCRelease ppc_release_parse(const char *str);

/**
 * ppc_release_format:
 *
 * Returns: @release as "2.6", to be freed with g_free().
 */
char *ppc_release_format(PPCRelease release);

/**
 * ppc_release_next:
 *
 * Returns: the first release after @release that the history covers, 0 if
 * there is none.  0 as @release gives the oldest.
 */
PPCRelease ppc_release_next(PPCRelease release);

/**
 * ppc_release_list:
 *
 * Returns: all the releases that the history covers as "2.1, 2.2, ...", to
 * be freed with g_free().
 */
char *ppc_release_list(void);

/**
 * ppc_family_by_pvr:
 * @pvr: a CPU's processor version register, or one of the logical PVRs that
 *       stand for a compatibility mode
 *
 * Returns: the family, or PPC_FAMILY_NONE.  A 970FX has none: it is of the
 * 970 class, but no versioned machine takes it.
 */
PPCFamily ppc_family_by_pvr(uint32_t pvr);

/**
 * ppc_family_name:
 *
 * Returns: QEMU's name of @family, as in POWERPC_FAMILY(); for
 * PPC_FAMILY_NONE, "unknown".
 */
const char *ppc_family_name(PPCFamily family);

/**
 * ppc_family_since:
 *
 * Returns: the first release that had @family; the history's oldest release
 * if the family is older than that.
 */
PPCRelease ppc_family_since(PPCFamily family);

/**
 * ppc_insns_at:
 *
 * Returns: the groups that the class of @family had in @release, none if
 * that release did not know it.
 */
PPCInsns ppc_insns_at(PPCFamily family, PPCRelease release);

/**
 * ppc_insns_joined_after:
 *
 * Returns: the groups that joined @family in a release after @release.  What
 * the family had when it appeared never joined it, so that a family younger
 * than @release is taken back to its beginning, but no further.
 */
PPCInsns ppc_insns_joined_after(PPCFamily family, PPCRelease release);

/**
 * ppc_insns_hidden:
 *
 * Returns: the groups that a guest on a CPU of @family must not see if that
 * CPU is to look like @release: ppc_insns_joined_after() without those that
 * matter on the wire only.
 */
PPCInsns ppc_insns_hidden(PPCFamily family, PPCRelease release);

/**
 * ppc_insns_wire:
 * @family: PPC_FAMILY_NONE, or a family that @release did not know, counts
 *          as the newest that it knew
 * @own: the CPU's own groups; PPC_ALTIVEC, PPC2_VSX and PPC2_DFP, which KVM
 *       takes from a class if the host lacks them, are sent only if among them
 *
 * Returns: what @release sent of a CPU of @family with a machine version
 * that has the words in its streams.  Releases after 2.7 laid a constant mask
 * over them; so did 2.7.1, but not 2.7.0, which "2.7" stands for.
 */
PPCInsnsWire ppc_insns_wire(PPCFamily family, PPCRelease release,
                            PPCInsns own);

/**
 * ppc_insns_mask:
 *
 * Returns: the groups that pass the constant mask of @release.
 */
PPCInsns ppc_insns_mask(PPCRelease release);

/**
 * ppc_insns_of_mode:
 * @pvr: the logical PVR of a compatibility mode
 *
 * Returns: the groups that the family of that mode has in the newest release,
 * none if the mode is older than the history's families.
 */
PPCInsns ppc_insns_of_mode(uint32_t pvr);

/**
 * ppc_insns_check:
 * @stream: what came in
 * @family, @release: this CPU's family, and the release that it looks like
 * @own: the groups that this CPU has
 * @verdict: what is more and what is less in the stream
 *
 * Compares @stream with what @release sends of this CPU.  Groups that joined
 * the family after @release do not count, on either side: every later release
 * sent its own for one and the same machine version.  Nor does PPC_MEM_TLBIE,
 * which left POWER9 and came back.  A group that this CPU has is not "more";
 * one that it has not (a POWER10 sends POWER8's words), or that the constant
 * mask of 2.7.1 to 9.1 drops, is not "less".
 *
 * Returns: true if there is neither more nor less.
 */
bool ppc_insns_check(PPCInsns stream, PPCFamily family, PPCRelease release,
                     PPCInsns own, PPCInsnsVerdict *verdict);

/**
 * ppc_insns_names:
 *
 * Returns: the names of the groups in @set, separated by blanks, in order of
 * word and bit; a bit that is no group as "insns_flags:bit10".  To be freed
 * with g_free().
 */
char *ppc_insns_names(PPCInsns set);

/**
 * ppc_insns_gates:
 * @word: 1 or 2
 * @bit: 0 to 63
 *
 * Returns: what the group gates, NULL if the bit is no group.
 */
const char *ppc_insns_gates(int word, int bit);

/**
 * ppc_insns_change:
 * @n: 0 for the history's first row; rows of one release stand together
 *
 * Returns: that row, NULL if there is none.
 */
const PPCInsnsChange *ppc_insns_change(size_t n);

/**
 * ppc_insns_missing_rows:
 * @actual: the groups that the class of @family has in @release
 *
 * Returns: NULL if that is what the history says; otherwise the rows to add
 * to the history, as C text, to be freed with g_free().
 */
char *ppc_insns_missing_rows(PPCFamily family, PPCRelease release,
                             PPCInsns actual);

#endif /* TARGET_PPC_INSNS_HISTORY_H */
