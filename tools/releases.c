/*
 * QEMU releases: what they accept of a pseries stream, and what they send
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "releases.h"

#define SINCE(major, minor, point) ((major) << 16 | (minor) << 8 | (point))

/*
 * Sections and subsections: which version came in which release.  Read from
 * the definitions in v2.1.0 to v4.1.1 and in the 5.2, 7.2 and 10.0 that Debian
 * ships.  A release refuses what is newer; what does not stand here is not
 * judged.  2.1 stands for "not younger than that".
 */
static const struct {
    const char *vmsd;
    uint32_t version;
    unsigned since;
} sections[] = {
    { "ram", 4, SINCE(2, 1, 0) },
    { "spapr/htab", 1, SINCE(2, 1, 0) },
    { "timer", 2, SINCE(2, 1, 0) },
    { "timer/icount", 1, SINCE(2, 2, 0) },
    { "ics", 1, SINCE(2, 1, 0) },
    { "icp/server", 1, SINCE(2, 1, 0) },
    { "cpu_common", 1, SINCE(2, 1, 0) },
    { "cpu_common/exception_index", 1, SINCE(2, 2, 0) },
    { "cpu_common/crash_occurred", 1, SINCE(2, 5, 0) },
    { "cpu", 5, SINCE(2, 1, 0) },
    { "cpu/fpu", 1, SINCE(2, 1, 0) },
    { "cpu/altivec", 1, SINCE(2, 1, 0) },
    { "cpu/vsx", 1, SINCE(2, 1, 0) },
    { "cpu/sr", 1, SINCE(2, 1, 0) },
    { "cpu/tm", 1, SINCE(2, 1, 0) },
    { "cpu/slb", 1, SINCE(2, 1, 0) },
    { "cpu/compat", 1, SINCE(2, 10, 0) },
    { "spapr_cpu", 1, SINCE(3, 0, 0) },
    { "spapr_cpu/vpa", 1, SINCE(3, 0, 0) },
    { "spapr_cpu/vpa/slb_shadow", 1, SINCE(3, 0, 0) },
    { "spapr_cpu/vpa/dtl", 1, SINCE(3, 0, 0) },
    { "spapr", 2, SINCE(2, 1, 0) },
    { "spapr", 3, SINCE(2, 3, 0) },
    { "spapr_option_vector_ov5_cas", 1, SINCE(2, 8, 0) },
    { "spapr_patb_entry", 1, SINCE(2, 9, 0) },
    { "spapr_pending_events", 1, SINCE(2, 10, 0) },
    { "spapr_irq_map", 1, SINCE(3, 1, 0) },
    { "spapr_dtb", 1, SINCE(4, 0, 0) },
    { "spapr/cap/htm", 1, SINCE(2, 11, 1) },
    { "spapr/cap/vsx", 1, SINCE(2, 11, 1) },
    { "spapr/cap/dfp", 1, SINCE(2, 11, 1) },
    { "spapr/cap/cfpc", 1, SINCE(2, 11, 1) },
    { "spapr/cap/sbbc", 1, SINCE(2, 11, 1) },
    { "spapr/cap/ibs", 1, SINCE(2, 11, 1) },
    { "spapr/cap/nested_kvm_hv", 1, SINCE(3, 1, 0) },
    { "spapr/cap/large_decr", 1, SINCE(4, 0, 0) },
    { "spapr/cap/ccf_assist", 1, SINCE(4, 0, 0) },
    { "spapr/cap/hpt_maxpagesize", 1, SINCE(4, 1, 0) },
    { "spapr/rtc", 1, SINCE(2, 3, 0) },
    { "spapr_vty", 1, SINCE(2, 1, 0) },
    { "spapr_nvram", 1, SINCE(2, 2, 0) },
    { "spapr_llan", 1, SINCE(2, 1, 0) },
    { "spapr_llan/rx_pools", 1, SINCE(2, 6, 0) },
    { "spapr_vscsi", 1, SINCE(2, 1, 0) },
    { "spapr_drc", 1, SINCE(2, 10, 0) },
    { "spapr_iommu", 2, SINCE(2, 1, 0) },
    { "spapr_iommu", 3, SINCE(7, 1, 0) },
    { "spapr_iommu_ex", 1, SINCE(2, 7, 0) },
    { "spapr_pci", 2, SINCE(2, 1, 0) },
    { "PCIBUS", 1, SINCE(2, 1, 0) },
    { "globalstate", 1, SINCE(2, 4, 0) },
};

unsigned section_since(const char *vmsd, uint32_t version)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(sections); i++) {
        if (!strcmp(sections[i].vmsd, vmsd) &&
            sections[i].version == version) {
            return sections[i].since;
        }
    }
    return 0;
}

unsigned target_key(Target t)
{
    return SINCE(t.release >> 8, t.release & 0xff, t.point);
}

char *since_name(unsigned since)
{
    return since & 0xff ?
        g_strdup_printf("%u.%u.%u", since >> 16, since >> 8 & 0xff,
                        since & 0xff) :
        g_strdup_printf("%u.%u", since >> 16, since >> 8 & 0xff);
}

/* ---- releases ----- */

/* Point releases differ where a stable release took a change of the next. */
static bool has_points(PPCRelease release)
{
    return release == PPC_RELEASE(2, 7) || release == PPC_RELEASE(2, 11);
}

bool target_parse(const char *str, Target *t, GError **errp)
{
    g_auto(GStrv) part = g_strsplit(str, ".", 0);
    guint n = g_strv_length(part), i;
    guint64 number[3] = { 0 };
    g_autofree char *plain = NULL, *list = NULL;

    for (i = 0; i < n && n <= 3; i++) {
        if (!g_ascii_string_to_unsigned(part[i], 10, 0, 255, &number[i],
                                        NULL)) {
            n = 0;
        }
    }
    if (n == 2 || n == 3) {
        *t = (Target) { PPC_RELEASE(number[0], number[1]), 0 };
        plain = ppc_release_format(t->release);
        if (has_points(t->release)) {
            t->point = number[2] > 0;
        }
        if (ppc_release_parse(plain) || t->release > LAST_OF_OLD_MACHINES) {
            return true;
        }
    }
    list = ppc_release_list();
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_USAGE,
                "'%s' is no release of QEMU that this tool knows; there are %s,"
                " and 2.7.1 and 2.11.1 count apart", str, list);
    return false;
}

char *target_name(Target t)
{
    return has_points(t.release) ?
        g_strdup_printf("%u.%u.%u", t.release >> 8, t.release & 0xff,
                        t.point) :
        ppc_release_format(t.release);
}

bool target_next(Target *t)
{
    if (t->release && has_points(t->release) && !t->point) {
        t->point = 1;
        return true;
    }
    t->release = ppc_release_next(t->release);
    t->point = 0;
    return t->release && t->release <= LAST_OF_OLD_MACHINES;
}

bool target_before(Target t, unsigned major, unsigned minor, unsigned point)
{
    return target_key(t) < (unsigned)SINCE(major, minor, point);
}

bool target_compares_words(Target t)
{
    return target_before(t, 2, 7, 1);
}

PPCInsnsWire target_wire(Target t, PPCFamily family)
{
    static const PPCInsns all = { UINT64_MAX, UINT64_MAX };
    PPCInsnsWire wire = ppc_insns_wire(family, t.release, all);

    if (t.release == PPC_RELEASE_LAST_ON_WIRE && t.point) {
        wire.insns = ppc_insns_and(wire.insns, ppc_insns_mask(t.release));
    }
    return wire;
}

/* Can @s come from unpatched @t, going by what is not in the words? */
static bool can_be_from(const Stream *s, Target t)
{
    const StreamSection *iommu;

    if (!s) {
        return true;
    }
    iommu = stream_section(s, "spapr_iommu");
    return t.release >= machine_release(stream_machine(s)) &&
           (s->names == STREAM_NAMES_UNKNOWN ||
            (s->names == STREAM_NAMES_OLD) == target_compares_words(t)) &&
           (!iommu ||
            (iommu->part.version == 3) == target_has_iommu_v3(t));
}

static bool wire_equal(const PPCInsnsWire *a, const PPCInsnsWire *b)
{
    return a->msr_mask == b->msr_mask && a->nb_bats == b->nb_bats &&
           a->insns.flags == b->insns.flags &&
           a->insns.flags2 == b->insns.flags2;
}

static bool matches(const Stream *s, PPCFamily family,
                    const PPCInsnsWire *words, Target t)
{
    PPCInsnsWire wire;

    if (ppc_family_since(family) > t.release) {
        return false;
    }
    wire = target_wire(t, family);
    return wire_equal(words, &wire) && can_be_from(s, t);
}

char *target_matches(const Stream *s, PPCFamily family,
                     const PPCInsnsWire *words)
{
    GString *list = g_string_new(NULL);
    Target t = { 0 }, first = { 0 }, last = { 0 };
    bool more = true;

    while (more) {
        bool found;

        more = target_next(&t);
        found = more && matches(s, family, words, t);
        if (found && !first.release) {
            first = t;
        } else if (!found && first.release) {
            g_autofree char *from = target_name(first);
            g_autofree char *to = target_name(last);

            g_string_append_printf(list, "%s%s", list->len ? ", " : "", from);
            if (target_key(first) != target_key(last)) {
                g_string_append_printf(list, " to %s", to);
            }
            first.release = 0;
        }
        last = t;
    }
    return g_string_free(list, list->len == 0);
}

PPCInsns target_had(const Stream *s, PPCFamily family,
                    const PPCInsnsWire *words)
{
    PPCInsns had = words->insns;
    Target t = { 0 };

    while (family != PPC_FAMILY_NONE && target_next(&t)) {
        if (matches(s, family, words, t)) {
            had = ppc_insns_or(had, ppc_insns_at(family, t.release));
        }
    }
    return had;
}

PPCInsns groups_a_guest_can_lose(PPCInsns set)
{
    PPCRelease last = PPC_RELEASE_LAST_ON_WIRE;
    int family;

    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        PPCInsns joined = ppc_insns_joined_after(family, 0);

        /* Of what joined, only what matters on the wire alone is not hidden. */
        set = ppc_insns_minus(set, ppc_insns_minus(
            joined, ppc_insns_hidden(family, 0)));
        /*
         * What 2.7 added and 2.7.1 took off the wire again is for
         * hypervisors: that a guest cannot use it is why it was taken off.
         */
        set = ppc_insns_minus(set, ppc_insns_minus(
            ppc_insns_at(family, last), ppc_insns_mask(last)));
    }
    return set;
}

/* ---- CPU models and machines ----- */

PPCFamily family_by_model(const char *model)
{
    g_autofree char *upper = g_ascii_strup(model, -1);
    int family;

    if (g_str_has_prefix(upper, "970FX")) {
        return PPC_FAMILY_NONE;         /* as in ppc_family_by_pvr() */
    }
    if (g_str_has_prefix(upper, "POWER5+")) {
        upper[strlen("POWER5")] = 'P';
    }
    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        if (g_str_has_prefix(upper, ppc_family_name(family))) {
            return family;
        }
    }
    return PPC_FAMILY_NONE;
}

PPCRelease machine_release(const char *machine)
{
    g_auto(GStrv) part = NULL;

    if (!g_str_has_prefix(machine, "pseries-")) {
        return 0;
    }
    part = g_strsplit(machine + strlen("pseries-"), "-", 2);   /* -sxxm */
    return part[0] ? ppc_release_parse(part[0]) : 0;
}

PPCRelease machine_compat(PPCRelease machine)
{
    return machine > PPC_RELEASE(2, 6) ? PPC_RELEASE_LAST_ON_WIRE
                                       : PPC_RELEASE(2, 6);
}
