/*
 * What people want to know of instruction groups, and QEMU does not need
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "insns-facts.h"

#define R(major, minor) PPC_RELEASE(major, minor)
#define F(family) (1u << PPC_FAMILY_ ## family)
#define FIRST_SEEN PPC_INSNS_FIRST_SEEN
#define ADDED PPC_INSNS_ADDED
#define REMOVED PPC_INSNS_REMOVED

#define GROUP(name, word, bit) enum { name = 1ULL << (bit) };
#include "../target/ppc/insns-history.h.inc"

static const PPCInsnsChange changes[] = {
#define CHANGE(release, families, kind, flags, flags2, commit) \
    { release, families, kind, { flags, flags2 }, commit },
#include "../target/ppc/insns-history.h.inc"
};

static const PPCRelease releases[] = {
    R(2, 1), R(2, 2), R(2, 3), R(2, 4), R(2, 5), R(2, 6), R(2, 7), R(2, 8),
    R(2, 9), R(2, 10), R(2, 11), R(2, 12), R(3, 0), R(3, 1), R(4, 0),
    R(4, 1), R(4, 2), R(5, 0), R(5, 1), R(5, 2), R(6, 0), R(6, 1), R(6, 2),
    R(7, 0), R(7, 1), R(7, 2), R(8, 0), R(8, 1), R(8, 2), R(9, 0), R(9, 1),
    R(9, 2), R(10, 0), R(10, 1), R(10, 2), R(11, 0), R(11, 1),
};

static const struct {
    const char *name;
    const char *gates;
} groups[] = {
    { "PPC_INSNS_BASE", "what every PowerPC has" },
    { "PPC_64B", "64-bit base: ld, std, mulld" },
    { "PPC_64BX", "lq, stq" },
    { "PPC_64H", "hrfid, for hypervisors" },
    { "PPC_MFTB", "mftb" },
    { "PPC_ISEL", "isel" },
    { "PPC_POPCNTB", "popcntb" },
    { "PPC_STRING", "lswi, lswx, stswi, stswx" },
    { "PPC_CILDST", "lwzcix, stdcix (hypervisor)" },
    { "PPC_FLOAT", "floating point" },
    { "PPC_FLOAT_EXT", "fre, frin and kin (2.0x)" },
    { "PPC_FLOAT_FSQRT", "fsqrt, fsqrts" },
    { "PPC_FLOAT_FRES", "fres" },
    { "PPC_FLOAT_FRSQRTE", "frsqrte" },
    { "PPC_FLOAT_FRSQRTES", "frsqrtes" },
    { "PPC_FLOAT_FSEL", "fsel" },
    { "PPC_FLOAT_STFIWX", "stfiwx" },
    { "PPC_ALTIVEC", "AltiVec (VMX)" },
    { "PPC_MEM_TLBIE", "tlbie, tlbiel" },
    { "PPC_MEM_TLBSYNC", "tlbsync" },
    { "PPC_MEM_SYNC", "sync" },
    { "PPC_MEM_EIEIO", "eieio" },
    { "PPC_CACHE", "dcbf, dcbst, dcbt, dcbi" },
    { "PPC_CACHE_ICBI", "icbi" },
    { "PPC_CACHE_DCBZ", "dcbz" },
    { "PPC_SEGMENT_64B", "slbmte, mtsr on 64 bits" },
    { "PPC_SLBI", "slbia, slbie" },
    { "PPC_POPCNTWD", "popcntw, popcntd" },
    { "PPC2_VSX", "VSX of ISA 2.06: lxvd2x" },
    { "PPC2_DFP", "decimal floating point: dadd" },
    { "PPC2_PRCNTL", "msgsnd, msgclr" },
    { "PPC2_DBRX", "ldbrx, stdbrx" },
    { "PPC2_ISA205", "ISA 2.05: cmpb, prtyd, lfdp" },
    { "PPC2_VSX207", "VSX of ISA 2.07: mtvsrd" },
    { "PPC2_PERM_ISA206", "bpermd" },
    { "PPC2_DIVE_ISA206", "divde, divwe" },
    { "PPC2_ATOMIC_ISA206", "lbarx, lharx, stbcx, sthcx" },
    { "PPC2_FP_CVT_ISA206", "fcfids, fctidu and kin" },
    { "PPC2_FP_TST_ISA206", "ftdiv, ftsqrt" },
    { "PPC2_BCTAR_ISA207", "bctar" },
    { "PPC2_LSQ_ISA207", "lq, stq in user mode; lqarx" },
    { "PPC2_ALTIVEC_207", "AltiVec of ISA 2.07: vaddudm" },
    { "PPC2_ISA207S", "ISA 2.07 Book III: msgsndp" },
    { "PPC2_FP_CVT_S64", "fcfid, fctid" },
    { "PPC2_TM", "transactional memory" },
    { "PPC2_PM_ISA206", "doze, nap (hypervisor)" },
    { "PPC2_ISA300", "ISA 3.0: darn, addpcis, scv" },
    { "PPC2_ISA310", "ISA 3.1: prefixed, brd" },
    { "PPC2_MEM_LWSYNC", "lwsync, a weaker barrier" },
    { "PPC2_BCDA_ISA206", "addg6s, cbcdtd, cdtbcd" },
};

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

const PPCInsnsChange *ppc_insns_change(size_t n)
{
    return n < G_N_ELEMENTS(changes) ? &changes[n] : NULL;
}

const char *ppc_insns_gates(const char *name)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!strcmp(groups[i].name, name)) {
            return groups[i].gates;
        }
    }
    return NULL;
}

PPCRelease ppc_family_since(PPCFamily family)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(changes); i++) {
        if (changes[i].families & 1u << family) {
            return changes[i].release;
        }
    }
    g_assert_not_reached();
}

PPCInsns ppc_insns_joined_after(PPCFamily family, PPCRelease release)
{
    PPCInsns set = { 0 };
    size_t i;

    for (i = 0; family != PPC_FAMILY_NONE && i < G_N_ELEMENTS(changes); i++) {
        if (changes[i].families & 1u << family && changes[i].kind == ADDED &&
            changes[i].release > release) {
            set = ppc_insns_or(set, changes[i].insns);
        }
    }
    return set;
}

PPCInsns ppc_insns_mask(PPCRelease release)
{
    PPCInsns mask = ppc_insns_at(PPC_FAMILY_POWER8, R(2, 6));

    if (release >= R(7, 1)) {
        mask.flags2 |= PPC2_MEM_LWSYNC;
    }
    return mask;
}
