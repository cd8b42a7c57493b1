/*
 * ppc-insns show: what is in a stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"

/* The words as people and programs compare them: hexadecimal, as on the wire */
static char *hex(uint64_t value)
{
    return g_strdup_printf("%016" PRIx64, value);
}

/* ---- for programs ----- */

static void json_hex(JsonBuilder *b, const char *name, uint64_t value)
{
    g_autofree char *text = hex(value);

    json_member(b, name, text);
}

static void json_int(JsonBuilder *b, const char *name, gint64 value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_int_value(b, value);
}

static void json_bool(JsonBuilder *b, const char *name, bool value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_boolean_value(b, value);
}

static void json_part(JsonBuilder *b, const StreamPart *part)
{
    guint i, n = part->subsections ? part->subsections->len : 0;

    json_member(b, "name", part->name);
    json_int(b, "version", part->version);
    if (part->end) {
        json_int(b, "size", part->end - part->start);
    }
    json_builder_set_member_name(b, "subsections");
    json_builder_begin_array(b);
    for (i = 0; i < n; i++) {
        json_builder_begin_object(b);
        json_part(b, g_ptr_array_index(part->subsections, i));
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

static void json_cpu(JsonBuilder *b, const Stream *s, const StreamCpu *cpu)
{
    g_autofree char *pvr = g_strdup_printf("%08x", cpu->pvr);
    int family;

    json_builder_begin_object(b);
    json_int(b, "instance", cpu->section->instance);
    json_member(b, "pvr", pvr);
    json_member(b, "family", ppc_family_name(ppc_family_by_pvr(cpu->pvr)));
    if (cpu->has_words) {
        json_hex(b, "msr_mask", cpu->words.msr_mask);
        json_hex(b, "insns_flags", cpu->words.insns.flags);
        json_hex(b, "insns_flags2", cpu->words.insns.flags2);
        json_int(b, "nb_BATs", cpu->words.nb_bats);
        json_names(b, "groups", cpu->words.insns);
        json_builder_set_member_name(b, "sent_by");
        json_builder_begin_object(b);
        for (family = 0; family < PPC_FAMILY__MAX; family++) {
            g_autofree char *list = target_matches(s, family, &cpu->words);

            if (list) {
                json_member(b, ppc_family_name(family), list);
            }
        }
        json_builder_end_object(b);
    }
    json_builder_end_object(b);
}

static void show_json(JsonBuilder *b, const char *path, const Stream *s)
{
    guint i;

    json_builder_begin_object(b);
    json_member(b, "stream", path);
    json_member(b, "machine", s->machine);
    json_member(b, "machine_guessed", s->machine ? NULL : stream_machine(s));
    json_bool(b, "pseries", stream_is_pseries(s));
    json_bool(b, "configuration", s->has_configuration);
    json_bool(b, "footers", s->has_footers);
    json_bool(b, "vmdescription", s->has_vmdesc);
    json_int(b, "device_state_offset", s->device_at);
    json_int(b, "device_state_size", s->device->len);
    json_int(b, "bytes_after_the_end", s->device->len - s->end);
    json_member(b, "commands", s->commands->str);

    json_builder_set_member_name(b, "ram");
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "blocks");
    json_builder_begin_array(b);
    for (i = 0; i < s->blocks->len; i++) {
        const StreamBlock *block = &g_array_index(s->blocks, StreamBlock, i);

        json_builder_begin_object(b);
        json_member(b, "name", block->name);
        json_int(b, "size", block->size);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_int(b, "pages_full", s->pages_full);
    json_int(b, "pages_zero", s->pages_zero);
    json_int(b, "pages_xbzrle", s->pages_xbzrle);
    json_int(b, "pages_compressed", s->pages_compressed);
    json_builder_end_object(b);

    json_builder_set_member_name(b, "cpus");
    json_builder_begin_array(b);
    for (i = 0; i < s->cpus->len; i++) {
        json_cpu(b, s, &g_array_index(s->cpus, StreamCpu, i));
    }
    json_builder_end_array(b);

    json_builder_set_member_name(b, "sections");
    json_builder_begin_array(b);
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        json_builder_begin_object(b);
        json_int(b, "id", section->id);
        json_int(b, "instance", section->instance);
        json_int(b, "offset", section->offset);
        json_int(b, "pieces", section->pieces);
        json_part(b, &section->part);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
}

/* ---- for people ----- */

static bool cpus_alike(const StreamCpu *a, const StreamCpu *b)
{
    return a->pvr == b->pvr && a->has_words == b->has_words &&
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
    bool found = false;
    int family;

    if (first == last) {
        printf("  CPU %u: ", first);
    } else {
        printf("  CPU %u to %u, all alike: ", first, last);
    }
    printf("%s, PVR %08x\n", ppc_family_name(ppc_family_by_pvr(cpu->pvr)),
           cpu->pvr);
    if (!cpu->has_words) {
        printf("    no groups: streams of pseries-2.8 and later do not have"
               " them\n");
        return;
    }
    sent_by = own == PPC_FAMILY_NONE ? NULL
                                     : target_matches(s, own, &cpu->words);
    if (sent_by) {
        printf("    what %s sends for %s\n", sent_by, ppc_family_name(own));
        found = true;
    }
    /* Other families only if it is not the CPU's own: then it tells a tale. */
    for (family = 0; !sent_by && family < PPC_FAMILY__MAX; family++) {
        g_autofree char *list = target_matches(s, family, &cpu->words);

        if (list) {
            printf("    what %s sends for %s\n", list,
                   ppc_family_name(family));
            found = true;
        }
    }
    if (!found) {
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

static void show_text(const char *path, const Stream *s)
{
    guint i, from = 0;

    printf("%s\n", path);
    if (s->machine) {
        printf("  machine: %s\n", s->machine);
    } else if (!stream_is_pseries(s)) {
        printf("  machine: not named, and no pseries\n");
    } else {
        printf("  machine: not named, as up to pseries-2.3; by its form %s\n",
               s->has_vmdesc ? "pseries-2.3" : "pseries-2.1 or 2.2");
    }
    printf("  RAM:");
    for (i = 0; i < s->blocks->len; i++) {
        const StreamBlock *block = &g_array_index(s->blocks, StreamBlock, i);
        g_autofree char *size = g_format_size_full(block->size,
                                                   G_FORMAT_SIZE_IEC_UNITS);

        printf("%s %s of %s", i ? "," : "", block->name, size);
    }
    printf("\n  pages sent: %" PRIu64 " full, %" PRIu64 " zero", s->pages_full,
           s->pages_zero);
    if (s->pages_xbzrle || s->pages_compressed) {
        printf(", %" PRIu64 " XBZRLE, %" PRIu64 " compressed",
               s->pages_xbzrle, s->pages_compressed);
    }
    printf("\n");
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
    if (s->end < s->device->len) {
        printf("  %zu bytes follow the end of the stream\n",
               s->device->len - s->end);
    }
}

int command_show(int argc, char **argv)
{
    gboolean json = false;
    int limit = 0;
    const GOptionEntry options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Output for programs",
          NULL },
        { "device-limit", 0, 0, G_OPTION_ARG_INT, &limit, DEVICE_LIMIT_HELP,
          "MIB" },
        { NULL },
    };
    static const char *const standard_input[] = { "-", NULL };
    const char *const *paths;
    g_autoptr(JsonBuilder) builder = json_builder_new();
    int status = EXIT_YES;

    if (!parse_options(options, "[STREAM...]", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    paths = argc > 1 ? (const char *const *)argv + 1 : standard_input;
    json_builder_begin_array(builder);
    for (; *paths; paths++) {
        GError *err = NULL;
        Input *in = input_open(*paths, false, &err);

        if (in) {
            g_autoptr(Stream) s = stream_new(in);

            s->device_limit = device_limit(limit);
            if (stream_read(s, &err)) {
                if (in->progress_shown) {
                    fprintf(stderr, "\r\033[K");
                }
                if (json) {
                    show_json(builder, *paths, s);
                } else {
                    show_text(*paths, s);
                }
            }
        }
        input_close(in);
        if (err) {
            status = complain(*paths, err);
            g_error_free(err);
        }
    }
    json_builder_end_array(builder);
    if (json) {
        print_json(builder);
    }
    return status;
}
