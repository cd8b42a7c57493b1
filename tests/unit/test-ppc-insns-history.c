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
#define ALL { -1ULL, -1ULL }

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
    { PPC_FAMILY_POWER11, R(9, 1), { 0, 0 } },
    { PPC_FAMILY_POWER11, R(10, 0), { 0x8000600fe1ff7ae1, 0x79fffe } },
    { PPC_FAMILY_POWER11, R(11, 1), { 0x8000600fe1ff7ae1, 0x79fffe } },
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
        g_test_message("%s in %u.%u", ppc_family_name(rows[i].family),
                       rows[i].release >> 8, rows[i].release & 0xff);
        assert_insns(ppc_insns_at(rows[i].family, rows[i].release),
                     rows[i].insns);
    }
}

/* The table is what people edit: oldest first, with a commit for each change */
static void test_table(void)
{
#define F(family) (1u << PPC_FAMILY_ ## family)
#define GROUP(name, word, bit) enum { name = 1ULL << (bit) };
#include "target/ppc/insns-history.h.inc"
    enum { FIRST_SEEN, ADDED, REMOVED };
    static const struct {
        PPCRelease release;
        unsigned families;
        int kind;
        PPCInsns insns;
        const char *commit;
    } table[] = {
#define CHANGE(release, families, kind, flags, flags2, commit) \
        { release, families, kind, { flags, flags2 }, commit },
#include "target/ppc/insns-history.h.inc"
    };
    unsigned seen = 0;
    PPCRelease last = 0;
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(table); i++) {
        g_test_message("row %zu", i);
        g_assert_true(table[i].release >= last);
        g_assert_true(table[i].families &&
                      table[i].families < 1u << PPC_FAMILY__MAX);
        g_assert_false(ppc_insns_empty(table[i].insns));
        g_assert_true(table[i].commit || table[i].release == R(2, 1));
        if (table[i].kind == FIRST_SEEN) {
            seen |= table[i].families;
        }
        g_assert_cmphex(table[i].families & ~seen, ==, 0);
        last = table[i].release;
    }
    g_assert_cmphex(seen, ==, (1u << PPC_FAMILY__MAX) - 1);
}

static void test_releases(void)
{
    static const char *const unknown[] = {
        "", "2", "2.0", "2.65", "2.06", "02.6", "2.6 ", " 2.6", "2.7.1", "-2.6",
        "2.-6", "2.13", "3.2", "10.3", "1.7", "10", "256.0", "none", "2.6\n",
        "4294967298.6", "2.4294967302",
    };
    size_t i;

    g_assert_cmphex(ppc_release_parse("2.1"), ==, R(2, 1));
    g_assert_cmphex(ppc_release_parse("2.6"), ==, R(2, 6));
    g_assert_cmphex(ppc_release_parse("2.12"), ==, R(2, 12));
    g_assert_cmphex(ppc_release_parse("3.1"), ==, R(3, 1));
    g_assert_cmphex(ppc_release_parse("11.2"), ==, R(11, 2));
    for (i = 0; i < G_N_ELEMENTS(unknown); i++) {
        g_test_message("\"%s\"", unknown[i]);
        g_assert_cmphex(ppc_release_parse(unknown[i]), ==, 0);
    }
    g_assert_true(R(2, 12) > R(2, 9) && R(3, 0) > R(2, 12));
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
        g_autofree char *names =
            ppc_insns_names(ppc_insns_hidden(cases[i].family,
                                             cases[i].release));

        g_test_message("%s as in %u.%u", ppc_family_name(cases[i].family),
                       cases[i].release >> 8, cases[i].release & 0xff);
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
        PPCInsnsWire wire = ppc_insns_wire(cases[i].family, cases[i].release,
                                           (PPCInsns) ALL);

        g_test_message("%s from %u.%u", ppc_family_name(cases[i].family),
                       cases[i].release >> 8, cases[i].release & 0xff);
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

/*
 * What becomes of a guest.  The source's family is that of this CPU, and there
 * is no compatibility mode, unless a case says otherwise.
 */
typedef struct Case {
    const char *name;
    PPCInsns stream;
    const char *source;     /* family; NULL: as here */
    PPCFamily family;
    PPCRelease release;
    PPCInsns shown;
    PPCFamily mode;         /* 0, which is 970: none */
    const char *missing;
    const char *above;
    const char *lost;
    const char *gained;
} Case;

#define P7_HERE .family = PPC_FAMILY_POWER7, .release = R(2, 6), .shown = P7_2_6
#define P8_HERE .family = PPC_FAMILY_POWER8, .release = R(2, 6), .shown = P8_2_6
#define P9_HERE .family = PPC_FAMILY_POWER9, .release = R(2, 7), \
                .shown = { 0x8000600fe1ff7a61, 0x2bfff6 }
#define OF_POWER8 "PPC2_VSX207 PPC2_BCTAR_ISA207 PPC2_LSQ_ISA207" \
                  " PPC2_ALTIVEC_207 PPC2_ISA207S"

static const Case cases[] = {
    /* Nothing changes for the guest. */
    { "2.6.0 POWER7", .stream = P7_2_6, P7_HERE },
    { "2.6.0 POWER8", .stream = P8_2_6, P8_HERE },
    { "2.7.0 POWER8", .stream = P8_2_7, P8_HERE },
    { "2.7.1 POWER8", .stream = P8_2_7_1, P8_HERE },
    { "2.7.0 POWER7 on 2.7", .stream = P7_2_7, .family = PPC_FAMILY_POWER7,
      .release = R(2, 7), .shown = P7_2_7 },
    { "2.7.1 POWER7 on 2.7", .stream = P7_2_7_1, .family = PPC_FAMILY_POWER7,
      .release = R(2, 7), .shown = P7_2_7 },
    { "stock 7.2 POWER8, none", .stream = P8_STOCK_7_2,
      .family = PPC_FAMILY_POWER8, .release = R(7, 2), .shown = P8_7_2 },
    { "patched POWER9 on 2.7", .stream = P8_2_7, P9_HERE },
    { "2.12 POWER9 on 2.7, no TLBIE", .stream = { 0x8000600fc1ff3a61, 0x3fff6 },
      P9_HERE },
    { "2.6.0 POWER8 on 2.2", .stream = P8_2_6, .family = PPC_FAMILY_POWER8,
      .release = R(2, 2), .shown = { 0x8000600fe1ff3a61, 0x1fff6 },
      .lost = "PPC2_TM" },
    { "KVM without VSX and DFP", .stream = { 0x8000600fe1ff3a61, 0x3fff0 },
      .family = PPC_FAMILY_POWER8, .release = R(2, 6),
      .shown = { 0x8000600fe1ff3a61, 0x3fff0 } },
    /* The guest loses what is later than the compat version. */
    { "2.7.0 POWER7", .stream = P7_2_7, P7_HERE, .lost = "PPC_64BX" },
    { "2.7.1 POWER7", .stream = P7_2_7_1, P7_HERE, .lost = "PPC_64BX" },
    { "stock 7.2 POWER7", .stream = P7_STOCK_7_2, P7_HERE,
      .lost = "PPC_64BX PPC2_BCDA_ISA206" },
    { "stock 7.2 POWER8", .stream = P8_STOCK_7_2, P8_HERE,
      .lost = "PPC2_BCDA_ISA206" },
    { "stock 7.2 POWER9 on 2.7", .stream = P8_STOCK_7_2, P9_HERE,
      .lost = "PPC2_BCDA_ISA206" },
    /* It gains what the source did not have. */
    { "2.6.0 POWER7 on 2.7", .stream = P7_2_6, .family = PPC_FAMILY_POWER7,
      .release = R(2, 7), .shown = P7_2_7, .gained = "PPC_64BX" },
    { "2.6.0 POWER7, none", .stream = P7_2_6, .family = PPC_FAMILY_POWER7,
      .release = R(7, 2), .shown = P7_7_2,
      .gained = "PPC_64BX PPC2_BCDA_ISA206" },
    { "POWER7 into POWER8", .stream = P7_2_6, .source = "POWER7", P8_HERE,
      .gained = "PPC_64BX " OF_POWER8 " PPC2_TM" },
    { "nothing", .stream = { 0, 0 }, .family = PPC_FAMILY_970,
      .release = R(2, 6), .shown = { 0x0000600fe1dd2221, 0x210000 },
      .gained = "PPC_INSNS_BASE PPC_64B PPC_MFTB PPC_STRING PPC_FLOAT"
                " PPC_FLOAT_FSQRT PPC_FLOAT_FRES PPC_FLOAT_FRSQRTE"
                " PPC_FLOAT_FSEL PPC_FLOAT_STFIWX PPC_ALTIVEC PPC_MEM_TLBSYNC"
                " PPC_MEM_SYNC PPC_MEM_EIEIO PPC_CACHE PPC_CACHE_ICBI"
                " PPC_CACHE_DCBZ PPC_SEGMENT_64B PPC_SLBI" },
    /* It would lose what it may be using, unless it runs in a mode. */
    { "POWER8 into POWER7", .stream = P8_2_6, .source = "POWER8", P7_HERE,
      .missing = OF_POWER8 " PPC2_TM", .lost = "PPC_64BX" },
    { "POWER8 into POWER7, its mode", .stream = P8_2_6, .source = "POWER8",
      P7_HERE, .mode = PPC_FAMILY_POWER7, .lost = "PPC_64BX",
      .above = OF_POWER8 " PPC2_TM" },
    { "2.7.0 POWER7 into POWER9, POWER7's mode", .stream = P7_2_7,
      .source = "POWER7", P9_HERE, .mode = PPC_FAMILY_POWER7,
      .gained = OF_POWER8 " PPC2_TM PPC2_ISA300" },
    { "2.7.0 POWER8 into POWER9, POWER8's mode", .stream = P8_2_7,
      .source = "POWER8", P9_HERE, .mode = PPC_FAMILY_POWER8,
      .gained = "PPC2_ISA300" },
    { "VSX into a KVM host without", .stream = P8_2_6,
      .family = PPC_FAMILY_POWER8, .release = R(2, 6),
      .shown = { 0x8000600fe1ff3a61, 0x3fff4 }, .missing = "PPC2_VSX" },
    { "bits that are no groups", .stream = { 0x8000600fe1ff3a25,
                                             0x8000000000010fb6 },
      P7_HERE,
      .missing = "insns_flags:0x4 insns_flags2:0x8000000000000000" },
};

static PPCFamily family_of(const char *name)
{
    PPCFamily family;

    for (family = 0; strcmp(ppc_family_name(family), name); family++) {
        g_assert_cmpint(family + 1, <, PPC_FAMILY__MAX);
    }
    return family;
}

static void assert_names(PPCInsns found, const char *expected)
{
    g_autofree char *names = ppc_insns_names(found);

    g_assert_cmpstr(names, ==, expected ?: "");
}

static void test_check(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        PPCInsns mode = ALL;
        PPCInsnsVerdict v;
        bool loads;

        g_test_message("%s", c->name);
        if (c->mode) {
            mode = ppc_insns_at(c->mode, R(7, 2));
        }
        loads = ppc_insns_check(c->stream,
                                c->source ? family_of(c->source) : c->family,
                                c->family, c->release, c->shown, mode, &v);
        assert_names(v.missing, c->missing);
        assert_names(v.above, c->above);
        assert_names(v.lost, c->lost);
        assert_names(v.gained, c->gained);
        g_assert_cmpint(loads, ==, !c->missing);
    }
}

/*
 * All that can happen, against one question: does the guest lose, or gain, a
 * group that it can use?  The answer comes from what the classes have in each
 * release, which test_rows() compares with literal words, and from nothing
 * else in the code under test.
 */

/*
 * Groups that no guest uses, as they are for hypervisors (64H, CILDST, PRCNTL,
 * PM_ISA206), or not of instructions (MEM_TLBIE, FP_CVT_S64, ISA310,
 * MEM_LWSYNC)
 */
static const PPCInsns unused = {
    0x80 | 0x4000 | 0x20000000, 0x8 | 0x40000 | 0x10000 | 0x100000 | 0x200000
};

/* VSX, DFP and TM are up to capabilities; QEMU does not ask about them. */
static const PPCInsns by_caps = { 0, 0x2 | 0x4 | 0x20000 };

typedef struct Side {
    PPCRelease release;
    bool point;             /* 2.7.1 */
    PPCRelease compat;      /* 0: it is unpatched, or insns-compat=none */
} Side;

/* What the guest sees on @side */
static PPCInsns truth_shown(Side side, PPCFamily family)
{
    PPCInsns class = ppc_insns_at(family, side.release);
    PPCInsns then = ppc_insns_at(family, side.compat);
    PPCRelease release = side.compat;

    if (!side.compat) {
        return class;
    }
    /* A family that is younger than the compat version is as it was at first */
    while (ppc_insns_empty(then)) {
        then = ppc_insns_at(family, ++release);
    }
    return ppc_insns_and(class, ppc_insns_or(then, unused));
}

static PPCInsns sent(Side side, PPCFamily family)
{
    PPCRelease release = side.compat ?: side.release;

    if (side.point) {
        release++;              /* 2.8 sends what 2.7.1 did. */
    }
    return ppc_insns_wire(family, release, (PPCInsns) ALL).insns;
}

/* The newest family up to @family that the release of @compat knew */
static PPCFamily words_family(PPCFamily family, PPCRelease compat)
{
    while (ppc_insns_empty(ppc_insns_at(family, compat))) {
        family--;
    }
    return family;
}

static void check_move(Side from, PPCFamily source, Side to, PPCFamily family,
                       PPCFamily mode)
{
    PPCRelease compat = to.compat ?: to.release;
    PPCInsns can_use = ALL;
    PPCInsns had = truth_shown(from, source);
    PPCInsns shown = truth_shown(to, family);
    PPCInsns stream = sent(from, source);
    PPCInsns here, lost, gained, refuse;
    PPCInsnsVerdict v;
    bool loads;

    stream = ppc_insns_minus(stream, ppc_insns_minus(by_caps, shown));
    if (mode != PPC_FAMILY_NONE) {
        can_use = ppc_insns_at(mode, R(11, 1));
    }
    loads = ppc_insns_check(stream, source, family, compat, shown, can_use, &v);

    /*
     * What the compat version had must be here, unless this side only hides
     * it: insns-compat=none gives that back.
     */
    lost = ppc_insns_and(ppc_insns_minus(had, shown), can_use);
    lost = ppc_insns_minus(ppc_insns_minus(lost, unused), by_caps);
    here = ppc_insns_at(words_family(source, compat), compat);
    refuse = ppc_insns_minus(ppc_insns_and(lost, here),
                             ppc_insns_at(family, to.release));
    if (mode == PPC_FAMILY_NONE && source != family) {
        g_assert_true(loads || !ppc_insns_empty(lost));
        g_assert_true(!loads ||
                      ppc_insns_empty(ppc_insns_and(refuse, stream)));
        return;                 /* Unpatched QEMU refuses that for its PVR. */
    }
    g_assert_true(loads);
    g_assert_true(ppc_insns_empty(refuse));

    /* All that changes for the guest is named, and nothing else. */
    assert_insns(ppc_insns_and(v.lost, can_use), lost);
    g_assert_true(ppc_insns_empty(ppc_insns_and(v.above, can_use)));
    gained = ppc_insns_minus(ppc_insns_minus(shown, had), unused);
    assert_insns(ppc_insns_minus(v.gained, by_caps),
                 ppc_insns_minus(gained, by_caps));
}

/* The releases in which something changed, and the newest that was read */
static const PPCRelease releases[] = {
    R(2, 1), R(2, 2), R(2, 3), R(2, 7), R(2, 8), R(2, 10), R(2, 12), R(3, 0),
    R(4, 0), R(5, 0), R(5, 2), R(7, 0), R(7, 1), R(9, 0), R(9, 2), R(11, 1),
};

/* Releases that stand for those that a guest may go to */
static const PPCRelease destinations[] = {
    R(2, 7), R(2, 12), R(5, 2), R(7, 1), R(9, 0), R(11, 1),
};

/* From @from to every release, family and mode, for pseries-2.6 or 2.7 */
static unsigned check_moves(Side from, PPCFamily source, PPCRelease machine)
{
    unsigned n = 0;
    size_t i, c;

    for (i = 0; i < G_N_ELEMENTS(destinations); i++) {
        PPCRelease release = destinations[i];
        const PPCRelease compats[] = { machine, R(2, 7), 0, release };
        PPCFamily family, mode;

        for (family = 0; family < PPC_FAMILY__MAX; family++) {
            if (ppc_insns_empty(ppc_insns_at(family, release))) {
                continue;
            }
            for (c = 0; c < G_N_ELEMENTS(compats); c++) {
                Side to = { release, false, compats[c] };

                check_move(from, source, to, family, PPC_FAMILY_NONE);
                n++;
                for (mode = PPC_FAMILY_POWER7; mode <= family; mode++, n++) {
                    /* No guest on a 970 or a POWER5+ runs in a mode. */
                    if (source >= PPC_FAMILY_POWER7) {
                        check_move(from, source, to, family, mode);
                    }
                }
            }
        }
    }
    return n;
}

static void test_all_moves(void)
{
    static const PPCRelease machines[] = { R(2, 6), R(2, 7) };
    unsigned n = 0;
    size_t i, m;

    for (i = 0; i < G_N_ELEMENTS(releases); i++) {
        PPCRelease release = releases[i];
        PPCFamily family;

        for (family = 0; family < PPC_FAMILY__MAX; family++) {
            if (ppc_insns_empty(ppc_insns_at(family, release))) {
                continue;
            }
            for (m = 0; m < G_N_ELEMENTS(machines); m++) {
                g_test_message("%u.%u %s pseries-2.%u", release >> 8,
                               release & 0xff, ppc_family_name(family),
                               machines[m] & 0xff);
                if (release < machines[m] && machines[m] == R(2, 7)) {
                    continue;
                }
                n += check_moves((Side) { release, false, 0 }, family,
                                 machines[m]);
                if (release == R(2, 7)) {
                    n += check_moves((Side) { release, true, 0 }, family,
                                     machines[m]);
                }
                if (release >= R(2, 7)) {
                    n += check_moves((Side) { release, false, machines[m] },
                                     family, machines[m]);
                }
            }
        }
    }
    g_test_message("%u moves", n);
    g_assert_cmpuint(n, >, 50000);
}

/* Whatever comes in, a bit is judged by itself and never judged twice. */
static void test_any_bit(void)
{
    PPCFamily family;
    size_t r;
    int i;

    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        PPCInsns own = ppc_insns_at(family, R(10, 0));

        for (r = 0; r < G_N_ELEMENTS(releases); r++) {
            PPCRelease release = releases[r];
            PPCInsns words = ppc_insns_wire(family, release, own).insns;

            for (i = 0; i < 128; i++) {
                PPCInsns bit = { i < 64 ? 1ULL << i : 0,
                                 i < 64 ? 0 : 1ULL << (i - 64) };
                PPCInsns stream = { words.flags ^ bit.flags,
                                    words.flags2 ^ bit.flags2 };
                PPCInsns gone;
                PPCInsnsVerdict v;

                ppc_insns_check(stream, family, family, release, own,
                                (PPCInsns) ALL, &v);
                gone = ppc_insns_or(ppc_insns_or(v.missing, v.above), v.lost);
                g_assert_true(ppc_insns_empty(
                    ppc_insns_minus(gone, ppc_insns_or(bit, words))));
                g_assert_true(ppc_insns_empty(ppc_insns_and(gone, own)));
                g_assert_true(ppc_insns_empty(ppc_insns_and(v.missing,
                                                            v.lost)));
                g_assert_true(ppc_insns_empty(ppc_insns_and(v.gained, stream)));
            }
        }
    }
}

static void test_names(void)
{
    assert_names((PPCInsns) { 0, 0 }, "");
    assert_names((PPCInsns) { 0x4000, 0x60000 },
                 "PPC_CILDST PPC2_TM PPC2_PM_ISA206");
    assert_names((PPCInsns) { 0x4002, 0x8000000000000000 },
                 "PPC_CILDST insns_flags:0x2 insns_flags2:0x8000000000000000");
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
    g_test_add_func("/ppc/insns-history/check", test_check);
    g_test_add_func("/ppc/insns-history/all-moves", test_all_moves);
    g_test_add_func("/ppc/insns-history/any-bit", test_any_bit);
    g_test_add_func("/ppc/insns-history/names", test_names);
    return g_test_run();
}
