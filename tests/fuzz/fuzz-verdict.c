/*
 * Fuzz target: the history of the instruction groups, and what follows from it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "fuzz.h"
#include "../../target/ppc/insns-history.h"

#define R(major, minor) PPC_RELEASE(major, minor)


static bool equal(PPCInsns a, PPCInsns b)
{
    return a.flags == b.flags && a.flags2 == b.flags2;
}

static bool within(PPCInsns a, PPCInsns b)
{
    return ppc_insns_empty(ppc_insns_minus(a, b));
}

static bool has(PPCInsns set, int i)
{
    return (i < 64 ? set.flags >> i : set.flags2 >> (i - 64)) & 1;
}

static PPCInsns bytes_insns(Bytes *b)
{
    PPCInsns set;

    set.flags = bytes_u64(b);
    set.flags2 = bytes_u64(b);
    return set;
}

/* One of the releases, in the way that others walk through them */
static PPCRelease bytes_release(Bytes *b)
{
    PPCRelease release = ppc_release_next(0);
    unsigned n = bytes_u8(b) % 40;

    while (n-- && ppc_release_next(release)) {
        release = ppc_release_next(release);
    }
    return release;
}

/* What a CPU has that looks like @compat and is of @since's QEMU */
static PPCInsns shown(PPCFamily family, PPCRelease since, PPCRelease compat)
{
    return ppc_insns_minus(ppc_insns_at(family, since),
                           ppc_insns_hidden(family, compat));
}

/* ---- the verdict ----- */

/* Each bit by itself, in the words of the header's comment */
static void check_bits(PPCInsns stream, PPCFamily family, PPCRelease release,
                       PPCInsns own, const PPCInsnsVerdict *verdict)
{
    PPCInsns sent = ppc_insns_wire(family, release, own).insns;
    PPCInsns joined = ppc_insns_joined_after(family, release);
    PPCInsns kept = ppc_insns_mask(PPC_RELEASE_LAST_ON_WIRE);
    int i;

    for (i = 0; i < 128; i++) {
        bool counts = !has(joined, i) && i != 29;   /* PPC_MEM_TLBIE */
        bool more = counts && has(stream, i) && !has(sent, i) && !has(own, i);
        bool less = counts && !has(stream, i) && has(sent, i) &&
                    has(own, i) && has(kept, i);

        CHECK(has(verdict->more, i) == more);
        CHECK(has(verdict->less, i) == less);
    }
}

static void check_verdict(PPCInsns stream, PPCFamily family,
                          PPCRelease release, PPCInsns own)
{
    PPCInsnsVerdict verdict, other;
    PPCInsns mended;
    bool same = ppc_insns_check(stream, family, release, own, &verdict);

    check_bits(stream, family, release, own, &verdict);
    CHECK(same == (ppc_insns_empty(verdict.more) &&
                   ppc_insns_empty(verdict.less)));

    /* What is more is the stream's and not the CPU's; what is less, just so. */
    CHECK(within(verdict.more, ppc_insns_minus(stream, own)));
    CHECK(within(verdict.less, ppc_insns_minus(own, stream)));

    /* A stream that is mended as the verdict says fits. */
    mended = ppc_insns_or(ppc_insns_minus(stream, verdict.more), verdict.less);
    CHECK(ppc_insns_check(mended, family, release, own, &other));

    /* So does one that is loaded into a CPU that has the groups. */
    ppc_insns_check(stream, family, release, ppc_insns_or(own, stream),
                    &other);
    CHECK(ppc_insns_empty(other.more));

    /* The stream that this CPU itself sends fits, whatever it has. */
    CHECK(ppc_insns_check(ppc_insns_wire(family, release, own).insns, family,
                          release, own, &other));
}

/*
 * What any release sent of a machine version fits the same family with that
 * version's groups: nothing is more, and less only what the sender's CPUs did
 * not have (POWER10 has no PPC2_TM from 9.0 on).
 */
static void check_sender(PPCFamily family, PPCRelease release,
                         PPCRelease sender)
{
    static const PPCInsns all = { -1ULL, -1ULL };
    PPCInsns own = shown(family, R(7, 2), release);
    PPCInsnsVerdict verdict;

    if (release > PPC_RELEASE_LAST_ON_WIRE || sender < release ||
        family > PPC_FAMILY_POWER10 || sender < ppc_family_since(family)) {
        return;
    }
    ppc_insns_check(ppc_insns_wire(family, sender, all).insns, family,
                    release, own, &verdict);
    CHECK(ppc_insns_empty(verdict.more));
    CHECK(ppc_insns_empty(ppc_insns_and(verdict.less,
                                        ppc_insns_at(family, sender))));
}

/* ---- the history ----- */

static void check_history(PPCFamily family, PPCRelease release,
                          PPCRelease later)
{
    PPCInsns before = ppc_insns_at(family, release);
    PPCInsns after = ppc_insns_at(family, later);
    PPCInsns joined = ppc_insns_joined_after(family, release);
    PPCInsns hidden = ppc_insns_hidden(family, release);
    PPCInsnsWire wire;
    PPCInsns all = { -1ULL, -1ULL };

    if (family == PPC_FAMILY_NONE) {
        CHECK(ppc_insns_empty(before) && ppc_insns_empty(joined));
        CHECK(ppc_insns_empty(hidden));
        CHECK(!strcmp(ppc_family_name(family), "unknown"));
        return;
    }
    CHECK(ppc_insns_empty(before) == (release < ppc_family_since(family)));
    CHECK(within(hidden, joined));
    CHECK(within(ppc_insns_mask(release), ppc_insns_mask(later)) ||
          later < release);
    if (release <= later) {
        CHECK(within(ppc_insns_joined_after(family, later), joined));
        if (release >= ppc_family_since(family)) {
            CHECK(within(ppc_insns_minus(after, before), joined));
            /* What is hidden leaves no more than there was. */
            CHECK(within(ppc_insns_minus(shown(family, later, release),
                                         before),
                         ppc_insns_minus(joined, hidden)));
        }
        CHECK(within(ppc_insns_minus(after, joined),
                     ppc_insns_at(family, MAX(release,
                                              ppc_family_since(family)))));
    }

    wire = ppc_insns_wire(family, release, all);
    CHECK(wire.nb_bats == 0 || wire.nb_bats == 4);
    CHECK(wire.msr_mask >> 63 && wire.insns.flags & 1);
    if (release > PPC_RELEASE_LAST_ON_WIRE) {
        PPCInsns mask = ppc_insns_mask(release);

        CHECK(within(wire.insns, mask));
        CHECK(equal(ppc_insns_and(wire.insns, mask), wire.insns));
    } else if (release >= ppc_family_since(family)) {
        CHECK(equal(wire.insns, before));
    }
}

/* The rows that are asked for make of the history what there is. */
static void check_missing_rows(PPCFamily family, PPCRelease release,
                               PPCInsns actual)
{
    PPCInsns known = ppc_insns_at(family, release);
    g_autofree char *rows = ppc_insns_missing_rows(family, release, actual);

    CHECK(!rows == equal(actual, known));
    if (rows) {
        CHECK(!strstr(rows, "ADDED") == within(actual, known));
        CHECK(!strstr(rows, "REMOVED") == within(known, actual));
        CHECK(g_str_has_suffix(rows, ", NULL },\n"));
    }
}

/* ---- names ----- */

/* The name of each group by itself, and "insns_flags:bit1" for no group */
static const char *name_of(int i)
{
    static char *names[128];

    if (!names[i]) {
        PPCInsns one = { i < 64 ? 1ULL << i : 0,
                         i < 64 ? 0 : 1ULL << (i - 64) };
        g_autofree char *bit =
            g_strdup_printf("insns_flags%s:bit%d", i < 64 ? "" : "2", i % 64);

        names[i] = ppc_insns_names(one);
        CHECK(!ppc_insns_gates(1 + i / 64, i % 64) == !strcmp(names[i], bit));
    }
    return names[i];
}

/* The names, read back, are the set, each group once and in order. */
static void check_names(PPCInsns set)
{
    g_autofree char *names = ppc_insns_names(set);
    const char *at = names;
    int i;

    for (i = 0; i < 128; i++) {
        if (has(set, i)) {
            size_t len = strlen(name_of(i));

            CHECK(!strncmp(at, name_of(i), len));
            at += len;
            CHECK(!*at || (*at == ' ' && at[1]));
            at += *at == ' ';
        }
    }
    CHECK(!*at);
}

static void check_release(Bytes *b)
{
    g_autofree char *text = NULL;
    char str[8] = "";
    PPCRelease release;
    size_t i;

    for (i = 0; i < sizeof(str) - 1; i++) {
        str[i] = bytes_u8(b);
    }
    release = ppc_release_parse(str);
    text = ppc_release_format(release);
    CHECK(!release || !strcmp(str, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes bytes = { data, size };
    unsigned how = bytes_u8(&bytes);
    PPCFamily family = bytes_u8(&bytes) % (PPC_FAMILY__MAX + 1) - 1;
    PPCRelease release = bytes_release(&bytes);
    PPCRelease other = bytes_release(&bytes);
    PPCInsns stream = bytes_insns(&bytes), own = bytes_insns(&bytes);
    uint32_t pvr = bytes_u64(&bytes);
    PPCFamily by_pvr = ppc_family_by_pvr(pvr);
    g_autofree char *name = ppc_release_format(release);

    CHECK(by_pvr >= PPC_FAMILY_NONE && by_pvr < PPC_FAMILY__MAX);
    CHECK(ppc_family_by_pvr(pvr ^ 1) == by_pvr || pvr >> 20 == 0x0f0 ||
          pvr >> 20 == 0x0f1);
    CHECK(ppc_insns_empty(ppc_insns_of_mode(pvr)) ||
          by_pvr != PPC_FAMILY_NONE);
    CHECK(ppc_release_parse(name) == release);

    /* Far from what there is, or near by: as XOR on what there is */
    if (how & 1) {
        PPCInsns base = ppc_insns_wire(family, other, own).insns;

        stream.flags ^= base.flags;
        stream.flags2 ^= base.flags2;
    }
    if (how & 2) {
        PPCInsns base = ppc_insns_at(family, other);

        own.flags ^= base.flags;
        own.flags2 ^= base.flags2;
    }
    check_verdict(stream, family, release, own);
    check_history(family, release, other);
    if (family != PPC_FAMILY_NONE) {
        check_sender(family, release, other);
        check_missing_rows(family, release, stream);
    }
    if (how & 4) {
        check_names(stream);
    }
    check_release(&bytes);
    return 0;
}
