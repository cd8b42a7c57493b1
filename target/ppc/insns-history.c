/*
 * PowerPC instruction groups: which CPU family has which, since which release
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "insns-history.h"

#define R(major, minor) PPC_RELEASE(major, minor)

/* The groups' bits by their names; the build compares them with cpu.h's. */
#define GROUP(name, word, bit, wire_only, kept_since, gates) \
    enum { name = 1ULL << (bit) };
#include "insns-groups.h.inc"

/* What the families have in common, as they were first seen. */

#define INSNS_970                                                       \
    (PPC_INSNS_BASE | PPC_64B | PPC_MFTB | PPC_STRING | PPC_FLOAT |     \
     PPC_FLOAT_FSQRT | PPC_FLOAT_FRES | PPC_FLOAT_FRSQRTE |             \
     PPC_FLOAT_FSEL | PPC_FLOAT_STFIWX | PPC_ALTIVEC | PPC_MEM_TLBIE |  \
     PPC_MEM_TLBSYNC | PPC_MEM_SYNC | PPC_MEM_EIEIO | PPC_CACHE |       \
     PPC_CACHE_ICBI | PPC_CACHE_DCBZ | PPC_SEGMENT_64B | PPC_SLBI)

#define INSNS_POWER7                                                    \
    (INSNS_970 | PPC_ISEL | PPC_POPCNTB | PPC_FLOAT_EXT |               \
     PPC_FLOAT_FRSQRTES | PPC_POPCNTWD)

#define INSNS2_POWER7                                                   \
    (PPC2_VSX | PPC2_DFP | PPC2_DBRX | PPC2_ISA205 | PPC2_PERM_ISA206 | \
     PPC2_DIVE_ISA206 | PPC2_ATOMIC_ISA206 | PPC2_FP_CVT_ISA206 |       \
     PPC2_FP_TST_ISA206)

#define INSNS2_POWER8                                                   \
    (INSNS2_POWER7 | PPC2_VSX207 | PPC2_BCTAR_ISA207 |                  \
     PPC2_LSQ_ISA207 | PPC2_ALTIVEC_207 | PPC2_ISA207S)

/*
 * The history: which release added groups to, or removed them from, the
 * classes of which families, and the commit that did.  The first row of a
 * family holds what it had when it appeared or, if it is older than the
 * history, what it had then.
 *
 * Read from the class definitions of v2.1.0 to v6.0.0, of July 2021 (6.1),
 * and of the 5.2, 7.2 and 10.0 that Debian ships; 2.6.0, 2.7.0 and 2.7.1 were
 * checked against streams.  What came after July 2021 was seen in 7.2 or 10.0;
 * release and commit of it are as announced, the commits were not read.
 *
 * Oldest first.  To add groups to a family, add a row at the end; a test
 * prints the row that is missing.
 */

#define F(family) (1u << PPC_FAMILY_ ## family)

#define FIRST_SEEN PPC_INSNS_FIRST_SEEN
#define ADDED      PPC_INSNS_ADDED
#define REMOVED    PPC_INSNS_REMOVED

static const PPCInsnsChange history[] = {
    { R(2, 1), F(970), FIRST_SEEN, INSNS_970, 0, NULL },
    { R(2, 1), F(POWER5P), FIRST_SEEN, INSNS_970 & ~PPC_ALTIVEC, 0, NULL },
    { R(2, 1), F(POWER7), FIRST_SEEN, INSNS_POWER7, INSNS2_POWER7, NULL },
    { R(2, 1), F(POWER8), FIRST_SEEN,
      INSNS_POWER7 | PPC_64BX, INSNS2_POWER8, NULL },
    { R(2, 2), F(970) | F(POWER5P) | F(POWER7) | F(POWER8), ADDED,
      0, PPC2_FP_CVT_S64, "4171853cf4" },
    { R(2, 3), F(POWER8), ADDED, 0, PPC2_TM, "3e28c5e363" },
    { R(2, 7), F(POWER7) | F(POWER8), ADDED, PPC_64H, 0, "4e0806110c" },
    { R(2, 7), F(POWER7), ADDED, PPC_64BX, 0, "dfdd3e4362" },
    { R(2, 7), F(POWER7) | F(POWER8), ADDED, PPC_CILDST, 0, "b781537560" },
    { R(2, 7), F(POWER7) | F(POWER8), ADDED, 0, PPC2_PM_ISA206, "7778a575c7" },
    { R(2, 8), F(POWER9), FIRST_SEEN,
      INSNS_POWER7 | PPC_64BX | PPC_CILDST,
      INSNS2_POWER8 | PPC2_FP_CVT_S64 | PPC2_TM | PPC2_PM_ISA206,
      "706d64675a" },
    { R(2, 8), F(POWER9), FIRST_SEEN, 0, PPC2_ISA300, "eb640b13a3" },
    { R(2, 10), F(POWER9), REMOVED, PPC_MEM_TLBIE, 0, "c88305027d" },
    { R(2, 12), F(POWER9), ADDED, 0, PPC2_PRCNTL, "7af1e7b022" },
    { R(4, 0), F(POWER9), REMOVED, 0, PPC2_PM_ISA206, "316aed6482" },
    { R(4, 0), F(POWER9), ADDED, PPC_64H, 0, "da874d90ad" },
    { R(5, 0), F(POWER10), FIRST_SEEN,
      (INSNS_POWER7 & ~PPC_MEM_TLBIE) | PPC_64BX | PPC_64H | PPC_CILDST,
      INSNS2_POWER8 | PPC2_FP_CVT_S64 | PPC2_TM | PPC2_PRCNTL | PPC2_ISA300,
      "7d37b274ff" },
    { R(5, 2), F(POWER10), ADDED, 0, PPC2_ISA310, "9495edb08d" },
    { R(7, 0), F(POWER5P), ADDED, PPC_FLOAT_EXT, 0, "91137619c6" },
    { R(7, 0), F(POWER5P), ADDED, PPC_POPCNTB, 0, "23ab6d8813" },
    { R(7, 1), F(970) | F(POWER5P) | F(POWER7) | F(POWER8) | F(POWER9) |
      F(POWER10), ADDED,
      0, PPC2_MEM_LWSYNC, "03abfd90cf" },
    { R(7, 1), F(POWER7) | F(POWER8) | F(POWER9) | F(POWER10), ADDED,
      0, PPC2_BCDA_ISA206, "4dc5f8abdc" },
    { R(7, 1), F(POWER9) | F(POWER10), ADDED, PPC_MEM_TLBIE, 0, "016b6e1d9c" },
    { R(9, 0), F(POWER10), REMOVED, 0, PPC2_TM, "4b8732fce9" },
    { R(9, 2), F(POWER11), FIRST_SEEN,
      INSNS_POWER7 | PPC_64BX | PPC_64H | PPC_CILDST,
      INSNS2_POWER8 | PPC2_FP_CVT_S64 | PPC2_PRCNTL | PPC2_ISA300 |
      PPC2_ISA310 | PPC2_MEM_LWSYNC | PPC2_BCDA_ISA206, "c0d964076c" },
};

static const struct {
    uint16_t pvr;           /* the upper half; the lower is the revision */
    PPCFamily family;
} pvrs[] = {
    { 0x0039, PPC_FAMILY_970 },
    { 0x0044, PPC_FAMILY_970 },         /* 970MP */
    { 0x003b, PPC_FAMILY_POWER5P },
    { 0x003f, PPC_FAMILY_POWER7 },
    { 0x004a, PPC_FAMILY_POWER7 },      /* POWER7+ */
    { 0x004b, PPC_FAMILY_POWER8 },      /* POWER8E */
    { 0x004c, PPC_FAMILY_POWER8 },      /* POWER8NVL */
    { 0x004d, PPC_FAMILY_POWER8 },
    { 0x004e, PPC_FAMILY_POWER9 },
    { 0x0080, PPC_FAMILY_POWER10 },
    { 0x0082, PPC_FAMILY_POWER11 },
};

/* CPU_POWERPC_LOGICAL_*: the PVRs of compatibility modes */
static const struct {
    uint32_t pvr;
    PPCFamily family;
} modes[] = {
    { 0x0f000003, PPC_FAMILY_POWER7 },
    { 0x0f100003, PPC_FAMILY_POWER7 },  /* POWER7+ */
    { 0x0f000004, PPC_FAMILY_POWER8 },
    { 0x0f000005, PPC_FAMILY_POWER9 },
    { 0x0f000006, PPC_FAMILY_POWER10 },
    { 0x0f000007, PPC_FAMILY_POWER11 },
};

static const struct {
    const char *name;
    /*
     * What the releases up to 9.1 sent for pseries <= 2.7 besides the groups.
     * Bits that joined a msr_mask since 2.7 (MSR_TS0, MSR_TS1) were not sent.
     */
    uint64_t msr_mask;
    uint32_t nb_bats;
} families[PPC_FAMILY__MAX] = {
    [PPC_FAMILY_970]     = { "970",     0x800000000204ff36, 4 },
    [PPC_FAMILY_POWER5P] = { "POWER5P", 0x800000000204ff36, 4 },
    [PPC_FAMILY_POWER7]  = { "POWER7",  0x800000000280ff37, 0 },
    [PPC_FAMILY_POWER8]  = { "POWER8",  0x800000010280ff37, 0 },
    [PPC_FAMILY_POWER9]  = { "POWER9",  0x800000010280ff37, 0 },
    [PPC_FAMILY_POWER10] = { "POWER10", 0x800000010280ff37, 0 },
    [PPC_FAMILY_POWER11] = { "POWER11", 0x800000000280ff37, 0 },
};

static const PPCRelease releases[] = {
    R(2, 1), R(2, 2), R(2, 3), R(2, 4), R(2, 5), R(2, 6), R(2, 7), R(2, 8),
    R(2, 9), R(2, 10), R(2, 11), R(2, 12), R(3, 0), R(3, 1), R(4, 0),
    R(4, 1), R(4, 2), R(5, 0), R(5, 1), R(5, 2), R(6, 0), R(6, 1), R(6, 2),
    R(7, 0), R(7, 1), R(7, 2), R(8, 0), R(8, 1), R(8, 2), R(9, 0), R(9, 1),
    R(9, 2), R(10, 0),
};

typedef struct Group {
    const char *name;
    int word;
    int bit;
    bool wire_only;
    PPCRelease kept_since;
    const char *gates;
} Group;

static const Group groups[] = {
#define GROUP(name, word, bit, wire_only, kept_since, gates) \
    { #name, word, bit, wire_only, kept_since, gates },
#include "insns-groups.h.inc"
};

static const Group *group_at(int word, int bit)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (groups[i].word == word && groups[i].bit == bit) {
            return &groups[i];
        }
    }
    return NULL;
}

static void insns_set_bit(PPCInsns *set, int word, int bit)
{
    *(word == 1 ? &set->flags : &set->flags2) |= 1ULL << bit;
}

static bool insns_has_bit(PPCInsns set, int word, int bit)
{
    return (word == 1 ? set.flags : set.flags2) >> bit & 1;
}

PPCRelease ppc_release_parse(const char *str)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(releases); i++) {
        g_autofree char *known = ppc_release_format(releases[i]);

        if (!strcmp(str, known)) {
            return releases[i];
        }
    }
    return 0;
}

char *ppc_release_format(PPCRelease release)
{
    return g_strdup_printf("%u.%u", release >> 8, release & 0xff);
}

PPCRelease ppc_release_next(PPCRelease release)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(releases); i++) {
        if (releases[i] > release) {
            return releases[i];
        }
    }
    return 0;
}

char *ppc_release_list(void)
{
    GString *list = g_string_new(NULL);
    PPCRelease release;

    for (release = ppc_release_next(0); release;
         release = ppc_release_next(release)) {
        g_autofree char *name = ppc_release_format(release);

        g_string_append_printf(list, "%s%s", list->len ? ", " : "", name);
    }
    return g_string_free(list, false);
}

PPCFamily ppc_family_by_pvr(uint32_t pvr)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (modes[i].pvr == pvr) {
            return modes[i].family;
        }
    }
    for (i = 0; i < G_N_ELEMENTS(pvrs); i++) {
        if (pvrs[i].pvr == pvr >> 16) {
            return pvrs[i].family;
        }
    }
    return PPC_FAMILY_NONE;
}

const char *ppc_family_name(PPCFamily family)
{
    return family == PPC_FAMILY_NONE ? "unknown" : families[family].name;
}

PPCRelease ppc_family_since(PPCFamily family)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(history); i++) {
        if (history[i].families & 1u << family) {
            return history[i].release;
        }
    }
    g_assert_not_reached();
}

/* Does row @i of the history speak of @family?  None does of NONE. */
static bool row_is_of(size_t i, PPCFamily family)
{
    return family != PPC_FAMILY_NONE && history[i].families & 1u << family;
}

PPCInsns ppc_insns_at(PPCFamily family, PPCRelease release)
{
    PPCInsns set = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(history); i++) {
        PPCInsns row = { history[i].flags, history[i].flags2 };

        if (!row_is_of(i, family) || history[i].release > release) {
            continue;
        }
        set = history[i].kind == REMOVED ? ppc_insns_minus(set, row)
                                           : ppc_insns_or(set, row);
    }
    return set;
}

PPCInsns ppc_insns_joined_after(PPCFamily family, PPCRelease release)
{
    PPCInsns set = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(history); i++) {
        PPCInsns row = { history[i].flags, history[i].flags2 };

        if (row_is_of(i, family) && history[i].release > release &&
            history[i].kind == ADDED) {
            set = ppc_insns_or(set, row);
        }
    }
    return set;
}

PPCInsns ppc_insns_hidden(PPCFamily family, PPCRelease release)
{
    PPCInsns wire_only = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (groups[i].wire_only) {
            insns_set_bit(&wire_only, groups[i].word, groups[i].bit);
        }
    }
    return ppc_insns_minus(ppc_insns_joined_after(family, release), wire_only);
}

PPCInsns ppc_insns_mask(PPCRelease release)
{
    PPCInsns mask = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (groups[i].kept_since && groups[i].kept_since <= release) {
            insns_set_bit(&mask, groups[i].word, groups[i].bit);
        }
    }
    return mask;
}

PPCInsnsWire ppc_insns_wire(PPCFamily family, PPCRelease release,
                            PPCInsns own)
{
    static const PPCInsns from_host = { PPC_ALTIVEC, PPC2_VSX | PPC2_DFP };
    PPCInsnsWire wire;

    if (family == PPC_FAMILY_NONE || ppc_family_since(family) > release) {
        family = PPC_FAMILY__MAX;
        do {
            family--;
        } while (ppc_family_since(family) > release);
    }
    wire.msr_mask = families[family].msr_mask;
    wire.insns = ppc_insns_at(family, release);
    wire.nb_bats = families[family].nb_bats;
    if (release > PPC_RELEASE_LAST_ON_WIRE) {
        wire.insns = ppc_insns_and(wire.insns, ppc_insns_mask(release));
        if (release >= R(3, 0)) {
            wire.insns.flags |= PPC_MEM_TLBIE;  /* bce009645b */
        }
    }
    wire.insns = ppc_insns_minus(wire.insns, ppc_insns_minus(from_host, own));
    return wire;
}

PPCInsns ppc_insns_of_mode(uint32_t pvr)
{
    return ppc_insns_at(ppc_family_by_pvr(pvr),
                        releases[G_N_ELEMENTS(releases) - 1]);
}

bool ppc_insns_check(PPCInsns stream, PPCFamily family, PPCRelease release,
                     PPCInsns own, PPCInsnsVerdict *verdict)
{
    PPCInsns expected = ppc_insns_wire(family, release, own).insns;
    PPCInsns any = ppc_insns_joined_after(family, release);

    any.flags |= PPC_MEM_TLBIE;
    verdict->more = ppc_insns_minus(ppc_insns_minus(stream, any),
                                    ppc_insns_or(expected, own));
    verdict->less = ppc_insns_minus(ppc_insns_minus(expected, any), stream);
    verdict->less = ppc_insns_and(verdict->less, own);
    verdict->less = ppc_insns_and(verdict->less,
                                  ppc_insns_mask(PPC_RELEASE_LAST_ON_WIRE));
    return ppc_insns_empty(verdict->more) && ppc_insns_empty(verdict->less);
}

char *ppc_insns_names(PPCInsns set)
{
    GString *names = g_string_new(NULL);
    int word, bit;

    for (word = 1; word <= 2; word++) {
        for (bit = 0; bit < 64; bit++) {
            const Group *group;

            if (!insns_has_bit(set, word, bit)) {
                continue;
            }
            group = group_at(word, bit);
            if (names->len) {
                g_string_append_c(names, ' ');
            }
            if (group) {
                g_string_append(names, group->name);
            } else {
                g_string_append_printf(names, "insns_flags%s:bit%d",
                                       word == 1 ? "" : "2", bit);
            }
        }
    }
    return g_string_free(names, false);
}

const char *ppc_insns_gates(int word, int bit)
{
    const Group *group = group_at(word, bit);

    return group ? group->gates : NULL;
}

const PPCInsnsChange *ppc_insns_change(size_t n)
{
    return n < G_N_ELEMENTS(history) ? &history[n] : NULL;
}

/* The words as the operand of a C initializer: "A | B", "0" for none */
static char *insns_c_operand(uint64_t flags, uint64_t flags2)
{
    g_autofree char *names = ppc_insns_names((PPCInsns) { flags, flags2 });
    g_auto(GStrv) list = g_strsplit(names, " ", 0);

    return *names ? g_strjoinv(" | ", list) : g_strdup("0");
}

static void append_row(GString *rows, PPCFamily family, PPCRelease release,
                       const char *change, PPCInsns set)
{
    g_autofree char *flags = insns_c_operand(set.flags, 0);
    g_autofree char *flags2 = insns_c_operand(0, set.flags2);

    if (!ppc_insns_empty(set)) {
        g_string_append_printf(rows,
                               "    { R(%u, %u), F(%s), %s, %s, %s, NULL },\n",
                               release >> 8, release & 0xff,
                               ppc_family_name(family), change, flags, flags2);
    }
}

char *ppc_insns_missing_rows(PPCFamily family, PPCRelease release,
                             PPCInsns actual)
{
    PPCInsns known = ppc_insns_at(family, release);
    GString *rows = g_string_new(NULL);

    append_row(rows, family, release, "ADDED", ppc_insns_minus(actual, known));
    append_row(rows, family, release, "REMOVED",
               ppc_insns_minus(known, actual));
    return g_string_free(rows, rows->len == 0);
}
