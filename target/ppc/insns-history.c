/*
 * PowerPC instruction groups: which CPU family has which, since which release
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "insns-history.h"

#define R(major, minor) PPC_RELEASE(major, minor)
#define F(family) (1u << PPC_FAMILY_ ## family)

/* The bits of the groups, by name */
#define GROUP(name, word, bit) enum { name = 1ULL << (bit) };
#include "insns-history.h.inc"

static const struct {
    PPCRelease release;
    unsigned families;
    enum { FIRST_SEEN, ADDED, REMOVED } kind;
    PPCInsns insns;
} history[] = {
#define CHANGE(release, families, kind, flags, flags2, commit) \
    { release, families, kind, { flags, flags2 } },
#include "insns-history.h.inc"
};

static const struct {
    const char *name;
    PPCInsns insns;
} groups[] = {
#define GROUP(name, word, bit) \
    { #name, { word == 1 ? name : 0, word == 2 ? name : 0 } },
#include "insns-history.h.inc"
};

/*
 * Not hidden from guests, because the instructions existed before the group:
 * FP_CVT_S64 was split from 64B, MEM_LWSYNC only makes lwsync cheaper, ISA300
 * stood for tlbie from 2.10 to 7.0, and POWER10's PVR promises ISA310.
 */
static const PPCInsns wire_only = {
    PPC_MEM_TLBIE, PPC2_FP_CVT_S64 | PPC2_MEM_LWSYNC | PPC2_ISA310
};

/* Only for hypervisors, and so not for pseries guests */
static const PPCInsns hypervisor = {
    PPC_64H | PPC_CILDST, PPC2_PM_ISA206 | PPC2_PRCNTL
};

static const struct {
    uint32_t pvr;
    uint32_t mask;
    PPCFamily family;
} pvrs[] = {
    { 0x00390000, 0xffff0000, PPC_FAMILY_970 },
    { 0x00440000, 0xffff0000, PPC_FAMILY_970 },         /* 970MP */
    { 0x003b0000, 0xffff0000, PPC_FAMILY_POWER5P },
    { 0x003f0000, 0xffff0000, PPC_FAMILY_POWER7 },
    { 0x004a0000, 0xffff0000, PPC_FAMILY_POWER7 },      /* POWER7+ */
    { 0x004b0000, 0xffff0000, PPC_FAMILY_POWER8 },      /* POWER8E */
    { 0x004c0000, 0xffff0000, PPC_FAMILY_POWER8 },      /* POWER8NVL */
    { 0x004d0000, 0xffff0000, PPC_FAMILY_POWER8 },
    { 0x004e0000, 0xffff0000, PPC_FAMILY_POWER9 },
    { 0x00800000, 0xffff0000, PPC_FAMILY_POWER10 },
    { 0x00820000, 0xffff0000, PPC_FAMILY_POWER11 },
    /* CPU_POWERPC_LOGICAL_*: compatibility modes */
    { 0x0f000003, 0xffffffff, PPC_FAMILY_POWER7 },
    { 0x0f100003, 0xffffffff, PPC_FAMILY_POWER7 },      /* POWER7+ */
    { 0x0f000004, 0xffffffff, PPC_FAMILY_POWER8 },
    { 0x0f000005, 0xffffffff, PPC_FAMILY_POWER9 },
    { 0x0f000006, 0xffffffff, PPC_FAMILY_POWER10 },
    { 0x0f000007, 0xffffffff, PPC_FAMILY_POWER11 },
};

/* No msr_mask here has MSR_TS0 and MSR_TS1: 2.7 did not send them. */
static const struct {
    const char *name;
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

PPCRelease ppc_release_parse(const char *str)
{
    g_autofree char *plain = NULL;
    unsigned major = 0, minor = 0;

    sscanf(str, "%u.%u", &major, &minor);
    plain = g_strdup_printf("%u.%u", major, minor);
    /* 2.1 to 2.12, 3.0, 3.1, and since 4.0 three releases a year */
    if (strcmp(str, plain) || major < 2 || major > 255 ||
        (major == 2 && !minor) ||
        minor > (major == 2 ? 12 : major == 3 ? 1 : 2)) {
        return 0;
    }
    return PPC_RELEASE(major, minor);
}

PPCFamily ppc_family_by_pvr(uint32_t pvr)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(pvrs); i++) {
        if ((pvr & pvrs[i].mask) == pvrs[i].pvr) {
            return pvrs[i].family;
        }
    }
    return PPC_FAMILY_NONE;
}

const char *ppc_family_name(PPCFamily family)
{
    return family == PPC_FAMILY_NONE ? "unknown" : families[family].name;
}

/* Whether row @i of the history is about @family; none is about NONE. */
static bool row_is_of(size_t i, PPCFamily family)
{
    return family != PPC_FAMILY_NONE && history[i].families & 1u << family;
}

PPCInsns ppc_insns_at(PPCFamily family, PPCRelease release)
{
    PPCInsns set = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(history); i++) {
        if (!row_is_of(i, family) || history[i].release > release) {
            continue;
        }
        set = history[i].kind == REMOVED ?
              ppc_insns_minus(set, history[i].insns) :
              ppc_insns_or(set, history[i].insns);
    }
    return set;
}

/* What was added to @family after @release, not what it had at first */
static PPCInsns joined_after(PPCFamily family, PPCRelease release)
{
    PPCInsns set = { 0 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(history); i++) {
        if (row_is_of(i, family) && history[i].release > release &&
            history[i].kind == ADDED) {
            set = ppc_insns_or(set, history[i].insns);
        }
    }
    return set;
}

PPCInsns ppc_insns_hidden(PPCFamily family, PPCRelease release)
{
    return ppc_insns_minus(joined_after(family, release), wire_only);
}

/* 2.7.1 to 9.1 apply this constant mask to what pseries <= 2.7 sends. */
static PPCInsns constant_mask(PPCRelease release)
{
    /* 16a2497bd4: what POWER8 had in 2.6; 03abfd90cf: one more group */
    PPCInsns mask = ppc_insns_at(PPC_FAMILY_POWER8, R(2, 6));

    if (release >= R(7, 1)) {
        mask.flags2 |= PPC2_MEM_LWSYNC;
    }
    return mask;
}

PPCInsnsWire ppc_insns_wire(PPCFamily family, PPCRelease release,
                            PPCInsns own)
{
    static const PPCInsns from_host = { PPC_ALTIVEC, PPC2_VSX | PPC2_DFP };
    PPCInsnsWire wire;

    if (family == PPC_FAMILY_NONE) {
        family = PPC_FAMILY__MAX - 1;
    }
    while (ppc_insns_empty(ppc_insns_at(family, release))) {
        family--;
    }
    wire.msr_mask = families[family].msr_mask;
    wire.insns = ppc_insns_at(family, release);
    wire.nb_bats = families[family].nb_bats;
    if (release > PPC_RELEASE_LAST_ON_WIRE) {
        wire.insns = ppc_insns_and(wire.insns, constant_mask(release));
        if (release >= R(3, 0)) {
            wire.insns.flags |= PPC_MEM_TLBIE;  /* bce009645b */
        }
    }
    wire.insns = ppc_insns_minus(wire.insns, ppc_insns_minus(from_host, own));
    return wire;
}

bool ppc_insns_check(PPCInsns stream, PPCFamily source, PPCFamily family,
                     PPCRelease release, PPCInsns shown, PPCInsns mode,
                     PPCInsnsVerdict *verdict)
{
    PPCInsns unused = ppc_insns_or(wire_only, hypervisor);
    PPCInsns since_2_7 = joined_after(source, PPC_RELEASE_LAST_ON_WIRE);
    PPCInsns had = stream;
    PPCInsns later, gone;

    /* Only 7.1 and later send this.  The mask drops what else they had. */
    if (stream.flags2 & PPC2_MEM_LWSYNC) {
        had = ppc_insns_or(had, ppc_insns_and(ppc_insns_at(source, R(7, 1)),
                                              since_2_7));
    }
    /* A POWER9 sends POWER8's words, but had its own groups. */
    if (ppc_insns_empty(ppc_insns_at(source, PPC_RELEASE_LAST_ON_WIRE))) {
        had = ppc_insns_or(had, ppc_insns_minus(ppc_insns_at(source, -1),
                                                since_2_7));
    }
    had = ppc_insns_minus(had, unused);
    shown = ppc_insns_minus(shown, unused);

    /* Each release sends its own groups for the same machine version. */
    later = ppc_insns_or(joined_after(source, release),
                         joined_after(family, release));
    verdict->lost = ppc_insns_and(ppc_insns_minus(had, shown), later);
    gone = ppc_insns_minus(ppc_insns_and(had, stream), shown);
    gone = ppc_insns_minus(gone, later);
    verdict->missing = ppc_insns_and(gone, mode);
    verdict->above = ppc_insns_minus(gone, mode);
    verdict->gained = ppc_insns_minus(shown, had);
    return ppc_insns_empty(verdict->missing);
}

char *ppc_insns_names(PPCInsns set)
{
    GString *names = g_string_new(NULL);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(groups); i++) {
        PPCInsns group = groups[i].insns;

        if (!ppc_insns_empty(ppc_insns_and(set, group))) {
            g_string_append_printf(names, " %s", groups[i].name);
            set = ppc_insns_minus(set, group);
        }
    }
    /* A group without a history has no name here. */
    if (set.flags) {
        g_string_append_printf(names, " insns_flags:0x%" PRIx64, set.flags);
    }
    if (set.flags2) {
        g_string_append_printf(names, " insns_flags2:0x%" PRIx64, set.flags2);
    }
    return g_strchug(g_string_free(names, false));
}
