/*
 * The CPUs in a stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-internal.h"

#define SPR_PVR 287

/* The field of that name, which 2.7.1 and later precede with mig_ */
static const StreamField *word_field(Stream *s, const StreamPart *part,
                                     const char *name)
{
    guint i;

    for (i = 0; i < part->fields->len; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        if (!strcmp(f->name, name)) {
            return f;
        }
        if (g_str_has_prefix(f->name, "env.") && !strcmp(f->name + 4, name)) {
            s->names = STREAM_NAMES_OLD;
            return f;
        }
        if (g_str_has_prefix(f->name, "mig_") && !strcmp(f->name + 4, name)) {
            s->names = STREAM_NAMES_NEW;
            return f;
        }
    }
    return NULL;
}

static bool read_cpu(Stream *s, const StreamSection *section, GError **errp)
{
    static const struct {
        const char *name;
        size_t size;
    } words[] = {
        { "msr_mask", 8 }, { "insns_flags", 8 }, { "insns_flags2", 8 },
        { "nb_BATs", 4 },
    };
    const uint8_t *buf = s->device->data;
    const StreamField *field = stream_field(&section->part, "env.spr");
    StreamCpu cpu = { .section = section };
    const StreamPart *sub;
    unsigned i, found = 0;

    stream_at(s, section->offset, "section '%s' (id %u)", section->part.name,
              section->id);
    if (!field || field->size != 8 * 1024) {
        return stream_fail(s, section->offset, errp,
                           "a CPU without 1024 special registers of 64 bits");
    }
    cpu.pvr = get_be64(buf + field->offset + 8 * SPR_PVR);
    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        field = word_field(s, &section->part, words[i].name);
        if (field && field->size == words[i].size) {
            cpu.words_at[i] = field->offset;
            found++;
        } else if (field) {
            found = G_N_ELEMENTS(words) + 1;
        }
    }
    if (found != 0 && found != G_N_ELEMENTS(words)) {
        return stream_fail(s, section->offset, errp,
                           "some of the fields msr_mask, insns_flags,"
                           " insns_flags2 and nb_BATs are missing, or have"
                           " another size");
    }
    if (found) {
        cpu.has_words = true;
        cpu.words.msr_mask = get_be64(buf + cpu.words_at[0]);
        cpu.words.insns.flags = get_be64(buf + cpu.words_at[1]);
        cpu.words.insns.flags2 = get_be64(buf + cpu.words_at[2]);
        cpu.words.nb_bats = get_be32(buf + cpu.words_at[3]);
    }
    sub = stream_subsection(&section->part, "cpu/compat");
    if (sub && sub->fields->len &&
        g_array_index(sub->fields, StreamField, 0).size == 4) {
        cpu.compat_pvr = get_be32(
            buf + g_array_index(sub->fields, StreamField, 0).offset);
    }
    cpu.in_transaction = stream_subsection(&section->part, "cpu/tm");
    g_array_append_val(s->cpus, cpu);
    return true;
}

/*
 * The interrupts of "ics" are 8 bytes each, and begin with the number of the
 * server that takes them.
 */
static bool has_odd_server(const Stream *s, const StreamPart *ics)
{
    const StreamField *field = stream_field(ics, "irqs");
    size_t at;

    for (at = 0; field && at + 8 <= field->size; at += 8) {
        if (get_be32(s->device->data + field->offset + at) % 8) {
            return true;
        }
    }
    return false;
}

bool stream_read_cpus(Stream *s, GError **errp)
{
    guint i;

    s->servers = (StreamServers) { 0 };
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (section->pieces) {
            continue;
        }
        if (!strcmp(section->vmsd, "cpu")) {
            if (!read_cpu(s, section, errp)) {
                return false;
            }
        } else if (!strcmp(section->vmsd, "icp/server")) {
            s->servers.count++;
            s->servers.before_cpus |= !s->cpus->len;
        } else if (!strcmp(section->vmsd, "ics")) {
            s->servers.odd |= has_odd_server(s, &section->part);
        }
    }
    return true;
}
