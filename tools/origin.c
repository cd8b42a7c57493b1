/*
 * Which QEMU a stream is from
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "origin.h"
#include "powerkvm.h"
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

/* @extra: a section that is known, whatever @t knows; or NULL */
static bool part_fits(const char *vmsd, const StreamPart *part, Target t,
                      const char *extra)
{
    unsigned since;
    guint i, n = part->subsections ? part->subsections->len : 0;

    if (extra && !strcmp(vmsd, extra)) {
        return true;
    }
    switch (section_judge(vmsd, part->version, t, &since)) {
    case SECTION_ACCEPTED:
    case SECTION_UNKNOWN:
        break;
    default:
        return false;
    }
    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        if (!part_fits(sub->name, sub, t, extra)) {
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
           (!iommu || powerkvm_is_iommu(iommu) ||
            (iommu->part.version == 3) == target_has_iommu_v3(t));
}

/* Can @s come from unpatched @t, going by more than that? */
static bool can_be_from(const Stream *s, Target t)
{
    PPCRelease machine = machine_release(stream_machine(s));

    return section_fits(s, t) && servers_fit(s, t) &&
           (machine != PPC_RELEASE(2, 3) || !s->has_configuration ||
            t.release == PPC_RELEASE(2, 4));
}

/* Can @s be from an unpatched @t, by all that is known of it? */
static bool stream_fits(const Stream *s, Target t, const char *extra)
{
    bool fits = can_be_from(s, t);
    guint i;

    for (i = 0; fits && i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        fits = part_fits(section->vmsd, &section->part, t, extra);
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
    return fits;
}

/* "QEMU 2.4 to 2.6", to be freed; NULL if no release can have sent @s */
static char *upstream_of(const Stream *s)
{
    Ranges r = { g_string_new(NULL) };
    Target t = { 0 };

    while (target_next(&t)) {
        ranges_add(&r, t, stream_fits(s, t, NULL));
    }
    ranges_end(&r);
    if (r.text->len) {
        g_string_prepend(r.text, "QEMU ");
    }
    return g_string_free(r.text, !r.text->len);
}

/* ---- products ----- */

/* Can @p have sent @s, whose sections are of @dialect? */
static bool product_fits(const Stream *s, const Product *p, Dialect dialect)
{
    PPCRelease machine = s->machine ? machine_release(s->machine) : 0;
    MachineForm form;

    if (p->dialect != dialect) {
        return false;
    }
    if (dialect == DIALECT_POWERKVM_211) {
        return !s->machine;
    }
    if (dialect == DIALECT_POWERKVM) {
        /* pseries-2.5 came with 3.1.1; older ones are not named. */
        return !s->machine ||
               (product_machine(p, s->machine, &form) && form.configuration);
    }
    if (!s->machine || machine) {
        /* Such a machine is upstream's, or like it to the byte. */
        return false;
    }
    return product_has_name(p, s->machine) &&
           !target_before(p->base, 2, 4, 0) &&
           stream_fits(s, p->base, p->extra);
}

void origin_find(const Stream *s, Origin *o)
{
    const Product *p = NULL, *last = NULL;
    g_autofree char *mixture = powerkvm_mixture(s);
    Dialect dialect = powerkvm_dialect(s);
    GString *who = g_string_new(NULL);

    *o = (Origin) { 0 };
    if (s->from) {
        o->product = s->from;
        o->who = g_strdup(s->from->name);
        o->why = g_strdup("that is what --from says");
        o->mixture = g_steal_pointer(&mixture);
        g_string_free(who, true);
        return;
    }
    while (!mixture && !s->told && (p = product_next(p))) {
        if (product_fits(s, p, dialect)) {
            g_string_append_printf(who, "%s%s", who->len ? " or " : "",
                                   p->name);
            o->n_products++;
            last = p;
        }
    }
    if (o->n_products == 1) {
        o->product = last;
    }
    o->who = g_string_free(who, !o->n_products);
    if (mixture) {
        o->mixture = g_steal_pointer(&mixture);
    } else if (dialect == DIALECT_POWERKVM) {
        o->why = g_strdup_printf(
            "'spapr' is version 4 and 'spapr_iommu' has a field 'enabled',"
            " which only PowerKVM 3 has%s%s", s->machine ?
            "; the machine is " : "", s->machine ? s->machine : "");
        if (!o->n_products) {
            o->mixture = g_strdup_printf(
                "its sections are those of PowerKVM 3, which does not name"
                " machine %s in a stream", s->machine);
        }
    } else if (dialect == DIALECT_POWERKVM_211) {
        o->why = g_strdup("'spapr_iommu' version 2 is four bytes longer than"
                          " upstream's, and 'spapr' has the RTC's offset");
    } else if (o->n_products) {
        o->why = g_strdup_printf("the machine is %s, and all else is as in"
                                 " the QEMU of that product", s->machine);
    } else if (s->machine && !machine_release(s->machine)) {
        o->who = g_strdup_printf("a distribution that has %s", s->machine);
        o->why = g_strdup("the machine is none of those that this tool knows,"
                          " or the rest does not go with it");
    } else {
        o->upstream = true;
        o->who = upstream_of(s);
        p = product_parse("hostos-2.8", NULL);
        if (o->who && stream_fits(s, p->base, NULL)) {
            char *both = g_strdup_printf("%s, or %s", o->who, p->name);

            g_free(o->who);
            o->who = both;
        }
        o->why = o->who ? g_strdup(
            "machine, section versions and words are theirs; Debian's are the"
            " same, and so are those of others under upstream's names") : NULL;
    }
}

void origin_clear(Origin *o)
{
    g_free(o->who);
    g_free(o->why);
    g_free(o->mixture);
}

bool origin_tell(Stream *s, const char *product, GError **errp)
{
    s->from = strcmp(product, "upstream") ? product_parse(product, errp)
                                          : NULL;
    if (!s->from && strcmp(product, "upstream")) {
        return false;
    }
    s->told = true;
    s->dialect = s->from ? s->from->dialect : DIALECT_UPSTREAM;
    return true;
}

bool origin_form(const Stream *s, MachineForm *form)
{
    const Product *p = origin_product(s);

    return product_machine(p, stream_machine(s), form) ||
           product_machine(NULL, stream_machine(s), form);
}

const Product *origin_product(const Stream *s)
{
    g_auto(Origin) o = { 0 };

    origin_find(s, &o);
    return o.product;
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
