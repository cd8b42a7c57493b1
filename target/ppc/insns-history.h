/*
 * PowerPC instruction groups: which CPU family has which, since which release
 *
 * An instruction group is one bit of insns_flags or insns_flags2.  Up to 2.7,
 * QEMU put both words on the wire and demanded that they be equal on the
 * other side, so what a family had in an old release still decides whether
 * the guests of that release can be migrated.  These functions are pure: they
 * know nothing of CPU objects, machines or streams.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TARGET_PPC_INSNS_HISTORY_H
#define TARGET_PPC_INSNS_HISTORY_H

/* A set of instruction groups */
typedef struct PPCInsns {
    uint64_t flags;     /* insns_flags */
    uint64_t flags2;    /* insns_flags2 */
} PPCInsns;

/* A QEMU release; later ones are greater, and 0 is none. */
typedef unsigned PPCRelease;
#define PPC_RELEASE(major, minor) ((PPCRelease)((major) << 8 | (minor)))

/* The last release whose machine version has the words in its streams */
#define PPC_RELEASE_LAST_ON_WIRE PPC_RELEASE(2, 7)

/* The CPU families that have a history, in order of their appearance */
typedef enum PPCFamily {
    PPC_FAMILY_970,
    PPC_FAMILY_POWER5P,
    PPC_FAMILY_POWER7,
    PPC_FAMILY_POWER8,
    PPC_FAMILY_POWER9,
    PPC_FAMILY_POWER10,
    PPC_FAMILY_POWER11,
    PPC_FAMILY__MAX,
    PPC_FAMILY_NONE = -1,
} PPCFamily;

/* What a release sends at the end of the "cpu" section */
typedef struct PPCInsnsWire {
    uint64_t msr_mask;
    PPCInsns insns;
    uint32_t nb_bats;
} PPCInsnsWire;

/* What ppc_insns_check() finds, without groups that no guest can use */
typedef struct PPCInsnsVerdict {
    PPCInsns missing;   /* the guest may be using them; this CPU lacks them */
    PPCInsns above;     /* likewise, but above the compatibility mode here */
    PPCInsns lost;      /* the source had them; later than the compat version */
    PPCInsns gained;    /* the source did not have them */
} PPCInsnsVerdict;

static inline PPCInsns ppc_insns_and(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags & b.flags, a.flags2 & b.flags2 };
}

static inline PPCInsns ppc_insns_or(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags | b.flags, a.flags2 | b.flags2 };
}

/* The groups of @a that are not in @b */
static inline PPCInsns ppc_insns_minus(PPCInsns a, PPCInsns b)
{
    return (PPCInsns) { a.flags & ~b.flags, a.flags2 & ~b.flags2 };
}

static inline bool ppc_insns_empty(PPCInsns a)
{
    return !(a.flags | a.flags2);
}

/* The release "major.minor", from 2.1 on; 0 if there can be no such release */
PPCRelease ppc_release_parse(const char *str);

/* The family of a CPU's PVR, or of the logical PVR of a compatibility mode */
PPCFamily ppc_family_by_pvr(uint32_t pvr);

/* The name as in POWERPC_FAMILY(); "unknown" for PPC_FAMILY_NONE */
const char *ppc_family_name(PPCFamily family);

/* What the class of @family had in @release; empty if it did not exist */
PPCInsns ppc_insns_at(PPCFamily family, PPCRelease release);

/* What to hide from guests if a CPU of @family should look like @release */
PPCInsns ppc_insns_hidden(PPCFamily family, PPCRelease release);

/**
 * ppc_insns_wire:
 * @own: the CPU's groups; AltiVec, VSX and DFP are sent only if they are in
 *       it, because KVM removes them from the class if the host lacks them
 *
 * Returns: what @release sends for a CPU of @family with pseries <= 2.7, or
 * for the newest family it knew if it did not know this one.  "2.7" is 2.7.0;
 * the mask came with 2.7.1.
 */
PPCInsnsWire ppc_insns_wire(PPCFamily family, PPCRelease release,
                            PPCInsns own);

/**
 * ppc_insns_check:
 * @stream: the incoming words
 * @source: family of the source's CPU
 * @family, @release: this CPU's family and compat version
 * @shown: the groups that the guest sees here
 * @mode: the groups of the compatibility mode that is set here, or all
 *
 * Returns: whether the guest can be loaded, that is, nothing is missing.
 */
bool ppc_insns_check(PPCInsns stream, PPCFamily source, PPCFamily family,
                     PPCRelease release, PPCInsns shown, PPCInsns mode,
                     PPCInsnsVerdict *verdict);

/* The names of the groups in @set, separated by spaces; free with g_free() */
char *ppc_insns_names(PPCInsns set);

#endif /* TARGET_PPC_INSNS_HISTORY_H */
