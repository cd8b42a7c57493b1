/*
 * What is in a stream, for people
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "output.h"
#include "powerkvm.h"
#include "show.h"

static bool cpus_alike(const StreamCpu *a, const StreamCpu *b)
{
    return a->pvr == b->pvr && a->compat_pvr == b->compat_pvr &&
           a->has_words == b->has_words &&
           !memcmp(&a->words.insns, &b->words.insns, sizeof(PPCInsns)) &&
           a->words.msr_mask == b->words.msr_mask &&
           a->words.nb_bats == b->words.nb_bats;
}

/* In what the words differ from those of the release that is nearest */
static void show_nearest(const StreamCpu *cpu)
{
    PPCFamily family = ppc_family_by_pvr(cpu->pvr);
    Target t = { 0 }, nearest = { 0 };
    int best = 129;
    PPCInsns more = { 0 }, less = { 0 };
    g_autofree char *name = NULL, *more_names = NULL, *less_names = NULL;

    if (family == PPC_FAMILY_NONE) {
        return;
    }
    while (target_next(&t)) {
        PPCInsns wire = target_wire(t, family).insns;
        PPCInsns plus = ppc_insns_minus(cpu->words.insns, wire);
        PPCInsns minus = ppc_insns_minus(wire, cpu->words.insns);
        int differ = __builtin_popcountll(plus.flags) +
                     __builtin_popcountll(plus.flags2) +
                     __builtin_popcountll(minus.flags) +
                     __builtin_popcountll(minus.flags2);

        if (ppc_family_since(family) <= t.release && differ < best) {
            best = differ;
            nearest = t;
            more = plus;
            less = minus;
        }
    }
    if (best == 129) {
        return;
    }
    name = target_name(nearest);
    more_names = ppc_insns_names(more);
    less_names = ppc_insns_names(less);
    printf("    no release sends just this; nearest is %s of %s, with more: %s;"
           " less: %s\n", ppc_family_name(family), name,
           *more_names ? more_names : "none",
           *less_names ? less_names : "none");
}

static void show_cpu(const Stream *s, guint first, guint last)
{
    const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, first);
    PPCInsns one = { cpu->words.insns.flags, 0 };
    PPCInsns two = { 0, cpu->words.insns.flags2 };
    g_autofree char *names = ppc_insns_names(one);
    g_autofree char *names2 = ppc_insns_names(two);
    PPCFamily own = ppc_family_by_pvr(cpu->pvr);
    g_autofree char *sent_by = NULL;
    PPCRelease patched;
    bool found = false;
    int family;

    if (first == last) {
        printf("  CPU %u: ", first);
    } else {
        printf("  CPU %u to %u, all alike: ", first, last);
    }
    printf("%s, PVR %08x\n", ppc_family_name(ppc_family_by_pvr(cpu->pvr)),
           cpu->pvr);
    if (cpu->compat_pvr) {
        const char *mode = mode_name(cpu->compat_pvr);

        printf("    in compatibility mode %s\n", mode ? mode : "unknown");
    }
    if (!cpu->has_words) {
        printf("    no groups: streams of pseries-2.8 and later do not have"
               " them\n");
        return;
    }
    sent_by = own == PPC_FAMILY_NONE ? NULL
                                     : origin_of_words(s, own, &cpu->words);
    if (sent_by) {
        printf("    what %s sends for %s\n", sent_by, ppc_family_name(own));
        found = true;
    }
    /* Other families only if it is not the CPU's own: then it tells a tale. */
    for (family = 0; !sent_by && family < PPC_FAMILY__MAX; family++) {
        g_autofree char *list = origin_of_words(s, family, &cpu->words);

        if (list) {
            printf("    what %s sends for %s\n", list,
                   ppc_family_name(family));
            found = true;
        }
    }
    patched = found ? 0 : origin_patched(own, &cpu->words);
    if (patched) {
        g_autofree char *release = ppc_release_format(patched);

        printf("    what QEMU with the series sends for %s with"
               " insns-compat=%s\n", ppc_family_name(own), release);
    } else if (!found) {
        show_nearest(cpu);
    }
    printf("    msr_mask     %016" PRIx64 ", nb_BATs %u\n",
           cpu->words.msr_mask, cpu->words.nb_bats);
    printf("    insns_flags  %016" PRIx64 "\n", cpu->words.insns.flags);
    print_wrapped(6, names);
    printf("    insns_flags2 %016" PRIx64 "\n", cpu->words.insns.flags2);
    print_wrapped(6, names2);
}

static void show_part(int indent, const StreamPart *part)
{
    guint i, n = part->subsections ? part->subsections->len : 0;

    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        printf("%*s%-*s %7u  %zu bytes\n", indent, "", 40 - indent, sub->name,
               sub->version, sub->end - sub->start);
        show_part(indent + 2, sub);
    }
}

/* ---- what else people ask for ----- */

bool show_time_base(const Stream *s, uint64_t *tb)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    const StreamField *field = spapr && !spapr->pieces ?
        stream_field(&spapr->part, "tb") : NULL;

    /* A struct: the time base, and the time of day in ns */
    if (!field || field->size != 16) {
        return false;
    }
    *tb = get_be64(s->device->data + field->offset);
    return true;
}

bool show_capability(const Stream *s, CapIndex cap, unsigned *value)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    g_autofree char *name = g_strconcat("spapr/cap/", capabilities[cap].vmsd,
                                        NULL);
    const StreamPart *sub = spapr && !spapr->pieces ?
        stream_subsection(&spapr->part, name) : NULL;

    if (!sub || sub->fields->len != 1 ||
        g_array_index(sub->fields, StreamField, 0).size != 1) {
        return false;
    }
    *value = s->device->data[g_array_index(sub->fields, StreamField,
                                           0).offset];
    return true;
}

const char *show_server_numbers(const Stream *s)
{
    const StreamServers *servers = &s->servers;

    if (!servers->count || !s->cpus->len) {
        return NULL;
    }
    if (servers->odd ||
        (servers->before_cpus && servers->count < 8 * s->cpus->len)) {
        return "0, 1, 2";
    }
    if (s->cpus->len == 1) {
        return NULL;
    }
    return servers->before_cpus ? "0, 8, 16" :
        "0, 8, 16, or 0, 1, 2 with vsmt=1";
}

/* Second DMA windows, which a destination may not have */
static void show_windows(const Stream *s)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        IommuState w;
        g_autofree char *size = NULL, *page = NULL;

        if (!powerkvm_is_window(section) ||
            !powerkvm_read_iommu(s, section, &w)) {
            continue;
        }
        if (!w.enabled || w.page_shift >= 63 ||
            w.nb_table > UINT64_MAX >> w.page_shift) {
            printf("  second DMA window 0x%x: %s\n", section->instance,
                   w.enabled ? "of an impossible size" : "not open");
            continue;
        }
        size = size_text((uint64_t)w.nb_table << w.page_shift);
        page = size_text(1ull << w.page_shift);
        printf("  second DMA window 0x%x: open, %s at 0x%" PRIx64 " of the bus"
               " in pages of %s\n", section->instance, size, w.bus_offset,
               page);
    }
}

static void show_facts(const Stream *s)
{
    const char *numbers = show_server_numbers(s);
    uint64_t tb;
    unsigned value, n = 0;
    int i;

    if (s->htab_shift) {
        g_autofree char *size = size_text(1ull << s->htab_shift);

        printf("  hash table: %s\n", size);
    } else {
        printf("  hash table: none, the guest uses radix page tables\n");
    }
    if (show_time_base(s, &tb)) {
        /* It counts at 512 MHz. */
        printf("  time base: %016" PRIx64 ", %" PRIu64 " s\n", tb,
               tb / 512000000);
    }
    if (numbers) {
        printf("  CPU numbers for interrupts: %s\n", numbers);
    }
    show_windows(s);
    for (i = 0; i < CAP__MAX; i++) {
        if (show_capability(s, i, &value)) {
            g_autofree char *text = capability_format(i, value);

            printf("%s cap-%s=%s", n++ ? "," : "  capabilities:",
                   capabilities[i].option, text);
        }
    }
    if (n) {
        printf("; the others as the machine's default\n");
    }
}

static void show_ram(const Stream *s)
{
    guint i;

    printf("  RAM:\n");
    for (i = 0; i < s->blocks->len; i++) {
        const StreamBlock *block = &g_array_index(s->blocks, StreamBlock, i);
        g_autofree char *size = size_text(block->size);

        printf("    %-44s %s\n", block->name, size);
    }
    printf("  pages sent: %" PRIu64 " full, %" PRIu64 " zero", s->pages_full,
           s->pages_zero);
    if (s->pages_xbzrle || s->pages_compressed) {
        printf(", %" PRIu64 " XBZRLE, %" PRIu64 " compressed",
               s->pages_xbzrle, s->pages_compressed);
    }
    printf("\n");
}

static void show_origin(const Origin *o)
{
    if (o->mixture) {
        printf("  sent by: nobody; it is a mixture: %s\n", o->mixture);
    } else {
        printf("  sent by: %s%s\n", o->who ? "probably " : "",
               o->who ? o->who : "no release that this tool knows");
    }
    if (o->why && o->who) {
        printf("    as %s\n", o->why);
    }
}

void show_text(const char *path, const Container *container, const Stream *s)
{
    g_autofree char *kept_in = container ? container_describe(container)
                                         : NULL;
    g_auto(Origin) origin = { 0 };
    guint i, from = 0;

    origin_find(s, &origin);
    printf("%s\n", path);
    if (kept_in) {
        printf("  kept as: %s\n", kept_in);
    }
    if (s->machine) {
        printf("  machine: %s\n", s->machine);
    } else if (!stream_is_pseries(s)) {
        printf("  machine: not named, and not a pseries\n");
    } else {
        printf("  machine: not named, as up to pseries-2.3; by its form %s\n",
               s->has_vmdesc ? "pseries-2.3" : "pseries-2.1 or 2.2");
    }
    if (stream_is_pseries(s)) {
        show_origin(&origin);
        show_facts(s);
    }
    show_ram(s);
    if (s->commands->len) {
        printf("  commands: %s\n", s->commands->str);
    }
    for (i = 1; i <= s->cpus->len; i++) {
        if (i == s->cpus->len ||
            !cpus_alike(&g_array_index(s->cpus, StreamCpu, from),
                        &g_array_index(s->cpus, StreamCpu, i))) {
            show_cpu(s, from, i - 1);
            from = i;
        }
    }
    printf("  %-38s %7s  %s\n", "section", "version", "size");
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        printf("  %-38s %7u  ", section->part.name, section->part.version);
        if (section->pieces) {
            printf("in %u pieces, from offset 0x%" PRIx64 "\n",
                   section->pieces, section->offset);
        } else {
            printf("%zu bytes at offset 0x%" PRIx64 "\n",
                   section->part.end - section->part.start, section->offset);
        }
        show_part(4, &section->part);
    }
    if (s->trailing) {
        printf("  %" PRIu64 " bytes follow the end of the stream\n",
               s->trailing);
    }
    for (i = 0; i < s->notes->len; i++) {
        printf("  note: %s; QEMU does not mind\n",
               (char *)g_ptr_array_index(s->notes, i));
    }
}
