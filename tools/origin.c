/*
 * Which QEMU a stream is from
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "origin.h"
#include "sections.h"

/* ---- releases as text ----- */

/* Releases that come one after the other make one range. */
typedef struct Ranges {
    GString *text;
    Target first, last;
} Ranges;

static void ranges_end(Ranges *r)
{
    if (r->first.release) {
        g_autofree char *from = target_name(r->first);
        g_autofree char *to = target_name(r->last);

        g_string_append_printf(r->text, "%s%s", r->text->len ? ", " : "",
                               from);
        if (target_key(r->first) != target_key(r->last)) {
            g_string_append_printf(r->text, " to %s", to);
        }
        r->first.release = 0;
    }
}

static void ranges_add(Ranges *r, Target t, bool in)
{
    if (!in) {
        ranges_end(r);
        return;
    }
    if (!r->first.release) {
        r->first = t;
    }
    r->last = t;
}

/* ---- by what is not in the words ----- */

static bool part_fits(const char *vmsd, const StreamPart *part, Target t)
{
    unsigned since;
    guint i, n = part->subsections ? part->subsections->len : 0;

    switch (section_judge(vmsd, part->version, t, &since)) {
    case SECTION_ACCEPTED:
    case SECTION_UNKNOWN:
        break;
    default:
        return false;
    }
    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        if (!part_fits(sub->name, sub, t)) {
            return false;
        }
    }
    return true;
}

/* Up to 2.9 all interrupt controllers come before the first CPU. */
static bool servers_fit(const Stream *s, Target t)
{
    return !s->servers.count || !s->cpus->len ||
           s->servers.before_cpus == target_before(t, 2, 10, 0);
}

/* Can a CPU's section of @s come from unpatched @t, but for the words? */
static bool section_fits(const Stream *s, Target t)
{
    const StreamSection *iommu = stream_section(s, "spapr_iommu");
    PPCRelease machine = machine_release(stream_machine(s));

    return (!machine || machine_exists(machine, t)) &&
           (s->names == STREAM_NAMES_UNKNOWN ||
            (s->names == STREAM_NAMES_OLD) == target_compares_words(t)) &&
           (!iommu || (iommu->part.version == 3) == target_has_iommu_v3(t));
}

/* Can @s come from unpatched @t, going by more than that? */
static bool can_be_from(const Stream *s, Target t)
{
    PPCRelease machine = machine_release(stream_machine(s));

    return section_fits(s, t) && servers_fit(s, t) &&
           (machine != PPC_RELEASE(2, 3) || !s->has_configuration ||
            t.release == PPC_RELEASE(2, 4));
}

/*
 * PowerKVM has a "spapr" of its own, version 4, and calls two fields of
 * "spapr_iommu" by names that upstream never had there.
 */
static bool is_powerkvm(const Stream *s)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    const StreamSection *iommu = stream_section(s, "spapr_iommu");

    return (spapr && !spapr->pieces && spapr->part.version == 4) ||
           (iommu && stream_field(&iommu->part, "bus_offset"));
}

char *origin_of_stream(const Stream *s)
{
    Ranges r = { g_string_new(NULL) };
    Target t = { 0 };

    if (is_powerkvm(s)) {
        g_string_append(r.text, "PowerKVM 3.1 or 3.1.1");
    } else if (s->machine && !machine_release(s->machine)) {
        g_string_append_printf(r.text, "a distribution that has %s",
                               s->machine);
    } else {
        while (target_next(&t)) {
            bool fits = can_be_from(s, t);
            guint i;

            for (i = 0; fits && i < s->sections->len; i++) {
                const StreamSection *section = g_ptr_array_index(s->sections,
                                                                 i);

                fits = part_fits(section->vmsd, &section->part, t);
            }
            for (i = 0; fits && i < s->cpus->len; i++) {
                const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, i);
                PPCFamily family = ppc_family_by_pvr(cpu->pvr);
                const char *model = model_by_pvr(cpu->pvr);

                if (cpu->has_words && family != PPC_FAMILY_NONE) {
                    PPCInsnsWire wire = target_wire(t, family);

                    fits = !memcmp(&wire.insns, &cpu->words.insns,
                                   sizeof(wire.insns));
                }
                /* Models come and go, too. */
                fits &= !model || model_pvr(model, t);
            }
            ranges_add(&r, t, fits);
        }
        ranges_end(&r);
        if (r.text->len) {
            g_string_prepend(r.text, "QEMU ");
        }
    }
    return g_string_free(r.text, !r.text->len);
}

/* ---- by the words ----- */

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
    return wire_equal(words, &wire) && section_fits(s, t);
}

char *origin_of_words(const Stream *s, PPCFamily family,
                      const PPCInsnsWire *words)
{
    Ranges r = { g_string_new(NULL) };
    Target t = { 0 };

    while (target_next(&t)) {
        ranges_add(&r, t, t.release <= LAST_OF_OLD_MACHINES &&
                   matches(s, family, words, t));
    }
    ranges_end(&r);
    return g_string_free(r.text, !r.text->len);
}

PPCRelease origin_patched(PPCFamily family, const PPCInsnsWire *words)
{
    static const PPCInsns all = { UINT64_MAX, UINT64_MAX };
    PPCRelease release = 0, found = 0;

    while (family != PPC_FAMILY_NONE &&
           (release = ppc_release_next(release)) &&
           release <= LAST_OF_OLD_MACHINES) {
        PPCInsnsWire wire = ppc_insns_wire(family, release, all);

        /* Of those that are alike, the last up to 2.7: the defaults */
        if (wire_equal(words, &wire) &&
            (!found || release <= PPC_RELEASE_LAST_ON_WIRE)) {
            found = release;
        }
    }
    return found;
}

PPCInsns origin_may_have_had(const Stream *s, const StreamCpu *cpu)
{
    PPCFamily family = ppc_family_by_pvr(cpu->pvr);
    PPCInsns had = cpu->words.insns;
    Target t = { 0 };

    while (cpu->has_words && family != PPC_FAMILY_NONE && target_next(&t)) {
        if (t.release <= LAST_OF_OLD_MACHINES &&
            matches(s, family, &cpu->words, t)) {
            had = ppc_insns_or(had, ppc_insns_at(family, t.release));
        }
    }
    return had;
}

PPCInsns origin_had(const Stream *s, const StreamCpu *cpu)
{
    PPCFamily family = ppc_family_by_pvr(cpu->pvr);
    PPCInsns had = { UINT64_MAX, UINT64_MAX };
    bool found = false;
    Target t = { 0 };

    while (cpu->has_words && family != PPC_FAMILY_NONE && target_next(&t)) {
        if (t.release <= LAST_OF_OLD_MACHINES &&
            matches(s, family, &cpu->words, t)) {
            had = ppc_insns_and(had, ppc_insns_at(family, t.release));
            found = true;
        }
    }
    return found ? ppc_insns_or(had, cpu->words.insns) : cpu->words.insns;
}
