/*
 * Fuzz target: the history of the instruction groups, and what follows from it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "fuzz.h"
#include "../../tools/insns-facts.h"

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

static void check_verdict(PPCInsns stream, PPCFamily source, PPCFamily family,
                          PPCRelease release, PPCInsns own, PPCInsns mode)
{
    PPCInsns any = { -1ULL, -1ULL };
    PPCInsns later = ppc_insns_or(ppc_insns_joined_after(source, release),
                                  ppc_insns_joined_after(family, release));
    PPCInsns hard, more;
    PPCInsnsVerdict v, other;
    bool loads = ppc_insns_check(stream, source, family, release, own, mode,
                                 &v);

    CHECK(loads == ppc_insns_empty(v.missing));

    /* What is not here is the stream's and not the CPU's. */
    hard = ppc_insns_or(v.missing, v.above);
    CHECK(within(hard, ppc_insns_minus(stream, own)));
    CHECK(within(v.missing, mode));
    CHECK(ppc_insns_empty(ppc_insns_and(v.above, mode)));
    CHECK(ppc_insns_empty(ppc_insns_and(hard, later)));
    CHECK(within(v.lost, ppc_insns_minus(later, own)));
    CHECK(within(v.gained, ppc_insns_minus(own, stream)));

    /* Groups of the stream that are not here are unused or named. */
    more = ppc_insns_minus(stream, own);
    more = ppc_insns_minus(more, ppc_insns_or(hard, v.lost));
    ppc_insns_check(more, source, family, release, (PPCInsns) { 0 }, any,
                    &other);
    CHECK(ppc_insns_empty(ppc_insns_and(more, other.missing)));

    /* A stream without what is missing loads. */
    CHECK(ppc_insns_check(ppc_insns_minus(stream, v.missing), source, family,
                          release, own, mode, &other));

    /* Into a CPU that has all of it, too, and nothing is lost. */
    CHECK(ppc_insns_check(stream, source, family, release,
                          ppc_insns_or(own, ppc_insns_or(stream, v.lost)),
                          mode, &other));
    CHECK(ppc_insns_empty(other.lost) && ppc_insns_empty(other.above));

    /* The mode changes nothing but how hard it is to be without a group. */
    CHECK(ppc_insns_check(stream, source, family, release, own, any,
                          &other) == ppc_insns_empty(hard));
    CHECK(equal(other.missing, hard) && equal(other.lost, v.lost) &&
          equal(other.gained, v.gained));
}

/*
 * What any release sent of a machine version loads into the same family with
 * that version's groups.
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
    CHECK(ppc_insns_check(ppc_insns_wire(family, sender, all).insns, family,
                          family, release, own, all, &verdict));
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

/* ---- names ----- */

/* The name of each group by itself, NULL for no group */
static const char *name_of(int i)
{
    static char *names[128];

    if (!names[i]) {
        PPCInsns one = { i < 64 ? 1ULL << i : 0,
                         i < 64 ? 0 : 1ULL << (i - 64) };

        names[i] = ppc_insns_names(one);
        CHECK((ppc_insns_gates(names[i]) == NULL) ==
              g_str_has_prefix(names[i], "insns_flags"));
    }
    return g_str_has_prefix(names[i], "insns_flags") ? NULL : names[i];
}

/* The names, read back, are the set, each group once and in order. */
static void check_names(PPCInsns set)
{
    g_autofree char *names = ppc_insns_names(set);
    g_autofree char *rest = NULL;
    PPCInsns unknown = { 0 };
    GString *expected = g_string_new(NULL);
    int i;

    for (i = 0; i < 128; i++) {
        if (!has(set, i)) {
            continue;
        }
        if (name_of(i)) {
            g_string_append_printf(expected, " %s", name_of(i));
        } else if (i < 64) {
            unknown.flags |= 1ULL << i;
        } else {
            unknown.flags2 |= 1ULL << (i - 64);
        }
    }
    rest = ppc_insns_names(unknown);
    if (*rest) {
        g_string_append_printf(expected, " %s", rest);
    }
    CHECK(!strcmp(names, expected->str + (expected->len > 0)));
    g_string_free(expected, true);
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
    CHECK(!release || (!strcmp(str, text) && release >= R(2, 1)));
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
    PPCInsns mode = ppc_insns_at(bytes_u8(&bytes) % PPC_FAMILY__MAX, R(9, 2));
    g_autofree char *name = ppc_release_format(release);

    CHECK(by_pvr >= PPC_FAMILY_NONE && by_pvr < PPC_FAMILY__MAX);
    CHECK(ppc_family_by_pvr(pvr ^ 1) == by_pvr || pvr >> 20 == 0x0f0 ||
          pvr >> 20 == 0x0f1);
    CHECK(ppc_release_parse(name) == release);

    /* Far from what there is, or near by: as XOR on what there is */
    if (how & 1) {
        PPCInsns base = ppc_insns_wire(family, other, own).insns;

        stream.flags ^= base.flags;
        stream.flags2 ^= base.flags2;
    }
    if (how & 8) {
        by_pvr = bytes_u8(&bytes) % (PPC_FAMILY__MAX + 1) - 1;
    }
    if (how & 2) {
        PPCInsns base = ppc_insns_at(family, other);

        own.flags ^= base.flags;
        own.flags2 ^= base.flags2;
    }
    check_verdict(stream, by_pvr, family, release, own, mode);
    check_verdict(stream, family, family, release, own,
                  (PPCInsns) { -1ULL, -1ULL });
    check_history(family, release, other);
    if (family != PPC_FAMILY_NONE) {
        check_sender(family, release, other);
    }
    if (how & 4) {
        check_names(stream);
    }
    check_release(&bytes);
    return 0;
}
