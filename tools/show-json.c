/*
 * What is in a stream, for programs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "output.h"
#include "powerkvm.h"
#include "show.h"

/* The words as people and programs compare them: hexadecimal, as on the wire */
static void json_hex(JsonBuilder *b, const char *name, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%016" PRIx64, value);

    json_member(b, name, text);
}

static void json_part(JsonBuilder *b, const StreamPart *part)
{
    guint i, n = part->subsections ? part->subsections->len : 0;

    json_member(b, "name", part->name);
    json_int(b, "version", part->version);
    if (part->end > part->start) {
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
    g_autofree char *release = NULL;
    PPCRelease patched;
    int family;

    json_builder_begin_object(b);
    json_int(b, "instance", cpu->section->instance);
    json_member(b, "pvr", pvr);
    json_member(b, "family", ppc_family_name(ppc_family_by_pvr(cpu->pvr)));
    json_member(b, "model", model_by_pvr(cpu->pvr));
    json_member(b, "compat", mode_name(cpu->compat_pvr));
    if (cpu->has_words) {
        json_hex(b, "msr_mask", cpu->words.msr_mask);
        json_hex(b, "insns_flags", cpu->words.insns.flags);
        json_hex(b, "insns_flags2", cpu->words.insns.flags2);
        json_int(b, "nb_BATs", cpu->words.nb_bats);
        json_names(b, "groups", cpu->words.insns);
        json_builder_set_member_name(b, "sent_by");
        json_builder_begin_object(b);
        for (family = 0; family < PPC_FAMILY__MAX; family++) {
            g_autofree char *list = origin_of_words(s, family, &cpu->words);

            if (list) {
                json_member(b, ppc_family_name(family), list);
            }
        }
        json_builder_end_object(b);
        patched = origin_patched(ppc_family_by_pvr(cpu->pvr), &cpu->words);
        release = patched ? ppc_release_format(patched) : NULL;
        json_member(b, "sent_by_series_with_insns_compat", release);
    }
    json_builder_end_object(b);
}

static void json_strings(JsonBuilder *b, const char *name,
                         const GPtrArray *strings)
{
    guint i;

    json_builder_set_member_name(b, name);
    json_builder_begin_array(b);
    for (i = 0; i < strings->len; i++) {
        json_builder_add_string_value(b, g_ptr_array_index(strings, i));
    }
    json_builder_end_array(b);
}

static void json_time_base(JsonBuilder *b, const Stream *s)
{
    uint64_t tb;

    json_builder_set_member_name(b, "time_base");
    if (show_time_base(s, &tb)) {
        json_builder_add_int_value(b, tb);
    } else {
        json_builder_add_null_value(b);
    }
}

static void json_capabilities(JsonBuilder *b, const Stream *s)
{
    unsigned value;
    int i;

    json_builder_set_member_name(b, "capabilities");
    json_builder_begin_object(b);
    for (i = 0; i < CAP__MAX; i++) {
        if (show_capability(s, i, &value)) {
            g_autofree char *text = capability_format(i, value);

            json_member(b, capabilities[i].option, text);
        }
    }
    json_builder_end_object(b);
}

/* Second DMA windows */
static void json_windows(JsonBuilder *b, const Stream *s)
{
    guint i;

    json_builder_set_member_name(b, "second_dma_windows");
    json_builder_begin_array(b);
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        IommuState w;

        if (!powerkvm_is_window(section) ||
            !powerkvm_read_iommu(s, section, &w)) {
            continue;
        }
        json_builder_begin_object(b);
        json_int(b, "liobn", section->instance);
        json_bool(b, "open", w.enabled);
        if (w.enabled) {
            json_hex(b, "bus_offset", w.bus_offset);
            json_int(b, "page_shift", w.page_shift);
            json_int(b, "pages", w.nb_table);
        }
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

void show_json(JsonBuilder *b, const char *path, const Container *container,
               const Stream *s)
{
    g_autofree char *kept_in = container ? container_describe(container)
                                         : NULL;
    g_auto(Origin) origin = { 0 };
    guint i;

    origin_find(s, &origin);
    json_builder_begin_object(b);
    json_member(b, "stream", path);
    json_member(b, "container", kept_in);
    json_member(b, "origin", origin.mixture ? NULL : origin.who);
    json_member(b, "origin_why", origin.why);
    json_member(b, "product", origin.product ? origin.product->id : NULL);
    json_member(b, "mixture", origin.mixture);
    json_member(b, "machine", s->machine);
    json_member(b, "machine_guessed", s->machine ? NULL : stream_machine(s));
    json_bool(b, "pseries", stream_is_pseries(s));
    json_bool(b, "configuration", s->has_configuration);
    json_bool(b, "footers", s->has_footers);
    json_bool(b, "vmdescription", s->has_vmdesc);
    json_int(b, "device_state_offset", s->device_at);
    json_int(b, "device_state_size", s->device->len);
    json_int(b, "bytes_after_the_end", s->trailing);
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

    json_int(b, "hash_table_size", s->htab_shift ? 1ll << s->htab_shift : 0);
    json_time_base(b, s);
    json_capabilities(b, s);
    json_member(b, "server_numbers", show_server_numbers(s));
    json_windows(b, s);
    json_strings(b, "notes", s->notes);

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
