/*
 * Unit test of the PowerPC instruction groups' history
 *
 * The words are those of real streams (2.6.0, 2.7.0, 2.7.1) and of the
 * class definitions of the releases named.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "target/ppc/insns-history.h"

#define R(major, minor) PPC_RELEASE(major, minor)
#define ALL_OWN ((PPCInsns) { -1ULL, -1ULL })

#define P7_2_6  { 0x8000600fe1ff3a21, 0x10fb6 }
#define P7_2_7  { 0x8000600fe1ff7ae1, 0x50fb6 }
#define P7_7_2  { 0x8000600fe1ff7ae1, 0x650fb6 }
#define P8_2_6  { 0x8000600fe1ff3a61, 0x3fff6 }
#define P8_2_7  { 0x8000600fe1ff7ae1, 0x7fff6 }
#define P8_7_2  { 0x8000600fe1ff7ae1, 0x67fff6 }
#define P9_7_2  { 0x8000600fe1ff7ae1, 0x6bfffe }

/* What stock QEMU sends of POWER7 and POWER8 for pseries <= 2.7 */
#define P7_2_7_1  { 0x8000600fe1ff3a61, 0x10fb6 }
#define P8_2_7_1  P8_2_6
#define P7_STOCK_7_2  { 0x8000600fe1ff3a61, 0x210fb6 }
#define P8_STOCK_7_2  { 0x8000600fe1ff3a61, 0x23fff6 }

static const struct {
    PPCFamily family;
    PPCRelease release;
    PPCInsns insns;
} rows[] = {
    { PPC_FAMILY_970, R(2, 1), { 0x0000600fe1dd2221, 0 } },
    { PPC_FAMILY_970, R(2, 6), { 0x0000600fe1dd2221, 0x10000 } },
    { PPC_FAMILY_970, R(7, 2), { 0x0000600fe1dd2221, 0x210000 } },
    { PPC_FAMILY_POWER5P, R(2, 6), { 0x0000600fe0dd2221, 0x10000 } },
    { PPC_FAMILY_POWER5P, R(7, 0), { 0x0000600fe0df3221, 0x10000 } },
    { PPC_FAMILY_POWER5P, R(7, 2), { 0x0000600fe0df3221, 0x210000 } },
    { PPC_FAMILY_POWER7, R(2, 1), { 0x8000600fe1ff3a21, 0xfb6 } },
    { PPC_FAMILY_POWER7, R(2, 2), P7_2_6 },
    { PPC_FAMILY_POWER7, R(2, 6), P7_2_6 },
    { PPC_FAMILY_POWER7, R(2, 7), P7_2_7 },
    { PPC_FAMILY_POWER7, R(7, 0), P7_2_7 },
    { PPC_FAMILY_POWER7, R(7, 2), P7_7_2 },
    { PPC_FAMILY_POWER8, R(2, 1), { 0x8000600fe1ff3a61, 0xfff6 } },
    { PPC_FAMILY_POWER8, R(2, 2), { 0x8000600fe1ff3a61, 0x1fff6 } },
    { PPC_FAMILY_POWER8, R(2, 3), P8_2_6 },
    { PPC_FAMILY_POWER8, R(2, 6), P8_2_6 },
    { PPC_FAMILY_POWER8, R(2, 7), P8_2_7 },
    { PPC_FAMILY_POWER8, R(7, 2), P8_7_2 },
    { PPC_FAMILY_POWER8, R(10, 0), P8_7_2 },
    { PPC_FAMILY_POWER9, R(2, 7), { 0, 0 } },
    { PPC_FAMILY_POWER9, R(2, 8), { 0x8000600fe1ff7a61, 0xffff6 } },
    { PPC_FAMILY_POWER9, R(2, 12), { 0x8000600fc1ff7a61, 0xffffe } },
    { PPC_FAMILY_POWER9, R(5, 2), { 0x8000600fc1ff7ae1, 0xbfffe } },
    { PPC_FAMILY_POWER9, R(7, 2), P9_7_2 },
    { PPC_FAMILY_POWER10, R(5, 0), { 0x8000600fc1ff7ae1, 0xbfffe } },
    { PPC_FAMILY_POWER10, R(5, 2), { 0x8000600fc1ff7ae1, 0x1bfffe } },
    { PPC_FAMILY_POWER10, R(7, 2), { 0x8000600fe1ff7ae1, 0x7bfffe } },
    { PPC_FAMILY_POWER10, R(9, 0), { 0x8000600fe1ff7ae1, 0x79fffe } },
    { PPC_FAMILY_POWER11, R(10, 0), { 0x8000600fe1ff7ae1, 0x79fffe } },
};

static void assert_insns(PPCInsns found, PPCInsns expected)
{
    g_assert_cmphex(found.flags, ==, expected.flags);
    g_assert_cmphex(found.flags2, ==, expected.flags2);
}

static void test_rows(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *release = ppc_release_format(rows[i].release);

        g_test_message("%s in %s", ppc_family_name(rows[i].family), release);
        assert_insns(ppc_insns_at(rows[i].family, rows[i].release),
                     rows[i].insns);
    }
}

/* The table is what people edit: oldest first, with a commit for each change */
static void test_table(void)
{
    const PPCInsnsChange *change;
    PPCRelease last = 0;
    size_t n;

    for (n = 0; (change = ppc_insns_change(n)); n++) {
        g_test_message("row %zu", n);
        g_assert_true(change->release >= last);
        g_assert_true(change->families &&
                      change->families < 1u << PPC_FAMILY__MAX);
        g_assert_true(change->flags || change->flags2);
        g_assert_true(change->commit || change->release == R(2, 1));
        last = change->release;
    }
    g_assert_cmpuint(n, >, 0);
    g_assert_null(ppc_insns_change(n + 1));
}

static void test_releases(void)
{
    static const char *const unknown[] = {
        "", "2", "2.0", "2.65", "2.06", "02.6", "2.6 ", " 2.6", "2.7.1",
        "2.13", "10", "11.0", "none", "2.6\n",
    };
    g_autofree char *list = ppc_release_list();
    g_autofree char *name = ppc_release_format(R(2, 12));
    size_t i;

    g_assert_cmphex(ppc_release_parse("2.6"), ==, R(2, 6));
    g_assert_cmphex(ppc_release_parse("2.12"), ==, R(2, 12));
    g_assert_cmphex(ppc_release_parse("10.0"), ==, R(10, 0));
    for (i = 0; i < G_N_ELEMENTS(unknown); i++) {
        g_test_message("\"%s\"", unknown[i]);
        g_assert_cmphex(ppc_release_parse(unknown[i]), ==, 0);
    }

    g_assert_cmpstr(name, ==, "2.12");
    g_assert_true(R(2, 12) > R(2, 9) && R(3, 0) > R(2, 12));
    g_assert_cmphex(ppc_release_next(0), ==, R(2, 1));
    g_assert_cmphex(ppc_release_next(R(2, 12)), ==, R(3, 0));
    g_assert_true(g_str_has_prefix(list, "2.1, 2.2, "));
    g_assert_nonnull(strstr(list, "2.6, 2.7, 2.8"));
}

static void test_families(void)
{
    static const struct {
        uint32_t pvr;
        PPCFamily family;
    } cpus[] = {
        { 0x00390202, PPC_FAMILY_970 },
        { 0x00440101, PPC_FAMILY_970 },
        { 0x003c0301, PPC_FAMILY_NONE },        /* 970FX */
        { 0x003b0201, PPC_FAMILY_POWER5P },
        { 0x003f0203, PPC_FAMILY_POWER7 },
        { 0x004a0201, PPC_FAMILY_POWER7 },
        { 0x004b0201, PPC_FAMILY_POWER8 },
        { 0x004c0100, PPC_FAMILY_POWER8 },
        { 0x004d0200, PPC_FAMILY_POWER8 },
        { 0x004e1200, PPC_FAMILY_POWER9 },
        { 0x00801200, PPC_FAMILY_POWER10 },
        { 0x00821200, PPC_FAMILY_POWER11 },
        { 0x000c0209, PPC_FAMILY_NONE },        /* 7400 */
        { 0x0f000002, PPC_FAMILY_NONE },        /* mode 2.05 */
        { 0x0f100003, PPC_FAMILY_POWER7 },      /* mode 2.06+ */
        { 0x0f000004, PPC_FAMILY_POWER8 },
        { 0, PPC_FAMILY_NONE },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cpus); i++) {
        g_test_message("PVR 0x%08x", cpus[i].pvr);
        g_assert_cmpint(ppc_family_by_pvr(cpus[i].pvr), ==, cpus[i].family);
    }
    g_assert_cmpstr(ppc_family_name(PPC_FAMILY_POWER5P), ==, "POWER5P");
    g_assert_cmpstr(ppc_family_name(PPC_FAMILY_NONE), ==, "unknown");
    g_assert_cmphex(ppc_family_since(PPC_FAMILY_970), ==, R(2, 1));
    g_assert_cmphex(ppc_family_since(PPC_FAMILY_POWER9), ==, R(2, 8));
    g_assert_cmphex(ppc_family_since(PPC_FAMILY_POWER10), ==, R(5, 0));
}

static void test_hidden(void)
{
    static const struct {
        PPCFamily family;
        PPCRelease release;
        const char *names;
    } cases[] = {
        { PPC_FAMILY_POWER7, R(2, 6),
          "PPC_64BX PPC_64H PPC_CILDST PPC2_PM_ISA206 PPC2_BCDA_ISA206" },
        { PPC_FAMILY_POWER7, R(2, 7), "PPC2_BCDA_ISA206" },
        { PPC_FAMILY_POWER7, R(7, 1), "" },
        { PPC_FAMILY_POWER8, R(2, 6),
          "PPC_64H PPC_CILDST PPC2_PM_ISA206 PPC2_BCDA_ISA206" },
        { PPC_FAMILY_POWER8, R(2, 2),
          "PPC_64H PPC_CILDST PPC2_TM PPC2_PM_ISA206 PPC2_BCDA_ISA206" },
        /* PPC2_FP_CVT_S64 and PPC2_MEM_LWSYNC are for the wire only */
        { PPC_FAMILY_970, R(2, 1), "" },
        { PPC_FAMILY_POWER5P, R(2, 6), "PPC_POPCNTB PPC_FLOAT_EXT" },
        /* tlbie must not go with the group that came back in 7.1 */
        { PPC_FAMILY_POWER9, R(2, 12), "PPC_64H PPC2_BCDA_ISA206" },
        /* unknown to 2.7: what joined it later, but not what it began with */
        { PPC_FAMILY_POWER9, R(2, 7),
          "PPC_64H PPC2_PRCNTL PPC2_BCDA_ISA206" },
        { PPC_FAMILY_POWER10, R(2, 7), "PPC2_BCDA_ISA206" },
        { PPC_FAMILY_POWER10, R(5, 1), "PPC2_BCDA_ISA206" },
        { PPC_FAMILY_NONE, R(2, 6), "" },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *release = ppc_release_format(cases[i].release);
        g_autofree char *names =
            ppc_insns_names(ppc_insns_hidden(cases[i].family,
                                             cases[i].release));

        g_test_message("%s as in %s", ppc_family_name(cases[i].family),
                       release);
        g_assert_cmpstr(names, ==, cases[i].names);
    }
}

static void test_wire(void)
{
    static const struct {
        PPCFamily family;
        PPCRelease release;
        PPCInsnsWire wire;
    } cases[] = {
        { PPC_FAMILY_970, R(2, 6),
          { 0x800000000204ff36, { 0x0000600fe1dd2221, 0x10000 }, 4 } },
        { PPC_FAMILY_POWER5P, R(2, 6),
          { 0x800000000204ff36, { 0x0000600fe0dd2221, 0x10000 }, 4 } },
        { PPC_FAMILY_POWER7, R(2, 6), { 0x800000000280ff37, P7_2_6, 0 } },
        { PPC_FAMILY_POWER7, R(2, 7), { 0x800000000280ff37, P7_2_7, 0 } },
        { PPC_FAMILY_POWER8, R(2, 6), { 0x800000010280ff37, P8_2_6, 0 } },
        { PPC_FAMILY_POWER8, R(2, 7), { 0x800000010280ff37, P8_2_7, 0 } },
        /* unknown to 2.7: the newest that it knew */
        { PPC_FAMILY_POWER9, R(2, 7), { 0x800000010280ff37, P8_2_7, 0 } },
        { PPC_FAMILY_POWER10, R(2, 6), { 0x800000010280ff37, P8_2_6, 0 } },
        { PPC_FAMILY_NONE, R(2, 6), { 0x800000010280ff37, P8_2_6, 0 } },
        /* the constant mask, which is POWER8's and keeps PPC_64BX */
        { PPC_FAMILY_POWER7, R(2, 8), { 0x800000000280ff37, P7_2_7_1, 0 } },
        { PPC_FAMILY_POWER7, R(7, 2),
          { 0x800000000280ff37, P7_STOCK_7_2, 0 } },
        { PPC_FAMILY_POWER8, R(7, 2),
          { 0x800000010280ff37, P8_STOCK_7_2, 0 } },
        /* without PPC_MEM_TLBIE until 3.0 */
        { PPC_FAMILY_POWER9, R(2, 12),
          { 0x800000010280ff37, { 0x8000600fc1ff3a61, 0x3fff6 }, 0 } },
        { PPC_FAMILY_POWER9, R(3, 0),
          { 0x800000010280ff37, { 0x8000600fe1ff3a61, 0x3fff6 }, 0 } },
    };
    PPCInsns no_vsx_dfp = { -1ULL, ~(uint64_t)0x6 };
    PPCInsns no_altivec = { ~(uint64_t)0x1000000, -1ULL };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *release = ppc_release_format(cases[i].release);
        PPCInsnsWire wire = ppc_insns_wire(cases[i].family, cases[i].release,
                                           ALL_OWN);

        g_test_message("%s from %s", ppc_family_name(cases[i].family),
                       release);
        g_assert_cmphex(wire.msr_mask, ==, cases[i].wire.msr_mask);
        assert_insns(wire.insns, cases[i].wire.insns);
        g_assert_cmphex(wire.nb_bats, ==, cases[i].wire.nb_bats);
    }

    /* a KVM host may lack these; groups that it has too many do not go out */
    assert_insns(ppc_insns_wire(PPC_FAMILY_POWER8, R(2, 6), no_vsx_dfp).insns,
                 (PPCInsns) { 0x8000600fe1ff3a61, 0x3fff0 });
    assert_insns(ppc_insns_wire(PPC_FAMILY_POWER8, R(2, 6), no_altivec).insns,
                 (PPCInsns) { 0x8000600fe0ff3a61, 0x3fff6 });
}

typedef struct Case {
    const char *name;
    PPCInsns stream;
    PPCFamily family;
    PPCRelease release;
    PPCInsns own;
    const char *more;
    const char *less;
} Case;

static const Case compatible[] = {
    { "2.6.0 POWER7", P7_2_6, PPC_FAMILY_POWER7, R(2, 6), P7_2_6 },
    { "2.7.0 POWER7", P7_2_7, PPC_FAMILY_POWER7, R(2, 6), P7_2_6 },
    { "2.7.1 POWER7", P7_2_7_1, PPC_FAMILY_POWER7, R(2, 6), P7_2_6 },
    { "stock 7.2 POWER7", P7_STOCK_7_2, PPC_FAMILY_POWER7, R(2, 6), P7_2_6 },
    { "2.6.0 POWER8", P8_2_6, PPC_FAMILY_POWER8, R(2, 6), P8_2_6 },
    { "2.7.0 POWER8", P8_2_7, PPC_FAMILY_POWER8, R(2, 6), P8_2_6 },
    { "stock 7.2 POWER8", P8_STOCK_7_2, PPC_FAMILY_POWER8, R(2, 6), P8_2_6 },
    { "2.7.0 POWER7 on 2.7", P7_2_7, PPC_FAMILY_POWER7, R(2, 7), P7_2_7 },
    { "2.7.1 POWER7 on 2.7", P7_2_7_1, PPC_FAMILY_POWER7, R(2, 7), P7_2_7 },
    { "2.7.1 POWER8 on 2.7", P8_2_7_1, PPC_FAMILY_POWER8, R(2, 7), P8_2_7 },
    { "insns-compat=none", P8_STOCK_7_2, PPC_FAMILY_POWER8, R(2, 6), P8_7_2 },
    { "stock 7.2 POWER9 on 2.7", P8_STOCK_7_2, PPC_FAMILY_POWER9, R(2, 7),
      P9_7_2 },
    { "patched POWER9 on 2.7", P8_2_7, PPC_FAMILY_POWER9, R(2, 7), P9_7_2 },
    { "2.12 POWER9 on 2.7, no TLBIE", { 0x8000600fc1ff3a61, 0x3fff6 },
      PPC_FAMILY_POWER9, R(2, 7), P9_7_2 },
    { "2.6.0 POWER8 on 2.2", P8_2_6, PPC_FAMILY_POWER8, R(2, 2),
      { 0x8000600fe1ff3a61, 0x1fff6 } },
    /* it sends POWER8's words, but has no PPC2_TM, on either side */
    { "9.1 POWER10 on 2.7", { 0x8000600fe1ff3a61, 0x21fff6 },
      PPC_FAMILY_POWER10, R(2, 7), { 0x8000600fe1ff7ae1, 0x29fffe } },
    { "KVM without VSX and DFP", { 0x8000600fe1ff3a61, 0x3fff0 },
      PPC_FAMILY_POWER8, R(2, 6), { 0x8000600fe1ff3a61, 0x3fff0 } },
};

static const Case incompatible[] = {
    { "POWER8 into POWER7", P8_2_6, PPC_FAMILY_POWER7, R(2, 6), P7_2_6,
      .more = "PPC2_VSX207 PPC2_BCTAR_ISA207 PPC2_LSQ_ISA207"
              " PPC2_ALTIVEC_207 PPC2_ISA207S PPC2_TM", .less = "" },
    { "POWER7 into POWER8", P7_2_6, PPC_FAMILY_POWER8, R(2, 6), P8_2_6,
      .more = "",
      .less = "PPC_64BX PPC2_VSX207 PPC2_BCTAR_ISA207 PPC2_LSQ_ISA207"
              " PPC2_ALTIVEC_207 PPC2_ISA207S PPC2_TM" },
    { "2.6.0 POWER7 on 2.7", P7_2_6, PPC_FAMILY_POWER7, R(2, 7), P7_2_7,
      .more = "", .less = "PPC_64BX" },
    { "VSX into a KVM host without", P8_2_6, PPC_FAMILY_POWER8, R(2, 6),
      { 0x8000600fe1ff3a61, 0x3fff4 }, .more = "PPC2_VSX", .less = "" },
    { "nothing", { 0, 0 }, PPC_FAMILY_970, R(2, 6),
      { 0x0000600fe1dd2221, 0x210000 }, .more = "",
      .less = "PPC_INSNS_BASE PPC_64B PPC_MFTB PPC_STRING PPC_FLOAT"
              " PPC_FLOAT_FSQRT PPC_FLOAT_FRES PPC_FLOAT_FRSQRTE"
              " PPC_FLOAT_FSEL PPC_FLOAT_STFIWX PPC_ALTIVEC PPC_MEM_TLBSYNC"
              " PPC_MEM_SYNC PPC_MEM_EIEIO PPC_CACHE PPC_CACHE_ICBI"
              " PPC_CACHE_DCBZ PPC_SEGMENT_64B PPC_SLBI PPC2_FP_CVT_S64" },
    { "a bit that is no group", { 0x8000600fe1ff3a65, 0x8000000000010fb6 },
      PPC_FAMILY_POWER7, R(2, 6), P7_2_6,
      .more = "insns_flags:bit2 insns_flags2:bit63", .less = "" },
};

static void check_cases(const Case *cases, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        g_autofree char *more = NULL;
        g_autofree char *less = NULL;
        PPCInsnsVerdict verdict;
        const char *expected_more = cases[i].more ?: "";
        const char *expected_less = cases[i].less ?: "";
        bool same;

        g_test_message("%s", cases[i].name);
        same = ppc_insns_check(cases[i].stream, cases[i].family,
                               cases[i].release, cases[i].own, &verdict);
        more = ppc_insns_names(verdict.more);
        less = ppc_insns_names(verdict.less);
        g_assert_cmpstr(more, ==, expected_more);
        g_assert_cmpstr(less, ==, expected_less);
        g_assert_cmpint(same, ==, !*expected_more && !*expected_less);
    }
}

static void test_compatible(void)
{
    check_cases(compatible, G_N_ELEMENTS(compatible));
}

static void test_incompatible(void)
{
    check_cases(incompatible, G_N_ELEMENTS(incompatible));
}

/* Whatever comes in, a bit is judged by itself and never judged twice. */
static void test_any_bit(void)
{
    PPCFamily family;
    PPCRelease release;
    int i;

    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        PPCInsns own = ppc_insns_at(family, R(10, 0));

        for (release = R(2, 1); release; release = ppc_release_next(release)) {
            PPCInsns sent = ppc_insns_wire(family, release, own).insns;

            for (i = 0; i < 128; i++) {
                PPCInsns bit = { i < 64 ? 1ULL << i : 0,
                                 i < 64 ? 0 : 1ULL << (i - 64) };
                PPCInsns stream = { sent.flags ^ bit.flags,
                                    sent.flags2 ^ bit.flags2 };
                PPCInsnsVerdict verdict;
                PPCInsns both;

                ppc_insns_check(stream, family, release, own, &verdict);
                both = ppc_insns_or(verdict.more, verdict.less);
                g_assert_true(ppc_insns_empty(both) ||
                              (both.flags == bit.flags &&
                               both.flags2 == bit.flags2));
                g_assert_true(ppc_insns_empty(ppc_insns_and(verdict.more,
                                                            own)));
                g_assert_true(ppc_insns_empty(ppc_insns_and(verdict.less,
                                                            stream)));
            }
        }
    }
}

static void test_modes(void)
{
    g_autofree char *lost = NULL;
    PPCInsns power8 = P8_2_6;

    lost = ppc_insns_names(ppc_insns_minus(power8,
                                           ppc_insns_of_mode(0x0f000003)));
    g_assert_cmpstr(lost, ==, "PPC2_VSX207 PPC2_BCTAR_ISA207 PPC2_LSQ_ISA207"
                    " PPC2_ALTIVEC_207 PPC2_ISA207S PPC2_TM");
    g_assert_true(ppc_insns_empty(ppc_insns_of_mode(0x0f000002)));
}

static void test_names(void)
{
    g_autofree char *none = ppc_insns_names((PPCInsns) { 0, 0 });
    g_autofree char *some = ppc_insns_names((PPCInsns) { 0x4002, 0x60000 });

    g_assert_cmpstr(none, ==, "");
    g_assert_cmpstr(some, ==, "insns_flags:bit1 PPC_CILDST PPC2_TM"
                    " PPC2_PM_ISA206");
    g_assert_nonnull(strstr(ppc_insns_gates(1, 6), "lq"));
    g_assert_null(ppc_insns_gates(1, 1));
    g_assert_null(ppc_insns_gates(2, 63));
}

static void test_missing_rows(void)
{
    PPCInsns power8 = P8_7_2;
    g_autofree char *none = ppc_insns_missing_rows(PPC_FAMILY_POWER8, R(7, 2),
                                                   power8);
    g_autofree char *rows_to_add = NULL;

    g_assert_null(none);
    /* as if 03abfd90cf had just been made, and something else taken away */
    power8.flags &= ~0x20000000ULL;
    rows_to_add = ppc_insns_missing_rows(PPC_FAMILY_POWER8, R(7, 0), power8);
    g_assert_cmpstr(rows_to_add, ==,
        "    { R(7, 0), F(POWER8), ADDED, 0,"
        " PPC2_MEM_LWSYNC | PPC2_BCDA_ISA206, NULL },\n"
        "    { R(7, 0), F(POWER8), REMOVED, PPC_MEM_TLBIE, 0, NULL },\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ppc/insns-history/rows", test_rows);
    g_test_add_func("/ppc/insns-history/table", test_table);
    g_test_add_func("/ppc/insns-history/releases", test_releases);
    g_test_add_func("/ppc/insns-history/families", test_families);
    g_test_add_func("/ppc/insns-history/hidden", test_hidden);
    g_test_add_func("/ppc/insns-history/wire", test_wire);
    g_test_add_func("/ppc/insns-history/compatible", test_compatible);
    g_test_add_func("/ppc/insns-history/incompatible", test_incompatible);
    g_test_add_func("/ppc/insns-history/any-bit", test_any_bit);
    g_test_add_func("/ppc/insns-history/modes", test_modes);
    g_test_add_func("/ppc/insns-history/names", test_names);
    g_test_add_func("/ppc/insns-history/missing-rows", test_missing_rows);
    return g_test_run();
}
