/*
 * The structure of a migration stream
 *
 * A stream, as QEMU 2.1 to 9.1 write it.  Numbers are big-endian; "str" is a
 * length byte and that many bytes.
 *
 *   +-------------------+
 *   | "QEVM"  version 3 |  u32, u32
 *   +-------------------+
 *   | configuration     |  pseries-2.4 and later (QEMU 2.4: 2.3, too)
 *   +-------------------+
 *   | RAM, hash table   |  START, PART ..., END: while the guest runs on
 *   +-------------------+
 *   | device state      |  FULL ...: what this tool is about
 *   +-------------------+
 *   | EOF               |  u8 0x00
 *   +-------------------+
 *   | vmdescription     |  pseries-2.3 and later: u8 0x06, u32 size, JSON
 *   +-------------------+
 *
 *   START, FULL:  u8 0x01, 0x04 | u32 id | str name | u32 instance
 *                 | u32 version | contents | footer
 *   PART, END:    u8 0x02, 0x03 | u32 id | contents | footer
 *   footer:       u8 0x7e | u32 id;  pseries-2.4 and later
 *   command:      u8 0x08 | u16 command | u16 size | contents
 *   subsection:   u8 0x05 | str name | u32 version | contents;
 *                 at the end of the contents of what its name begins with
 *
 * Everything is found by walking this structure; nothing is searched for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-internal.h"

static void section_free(void *opaque)
{
    StreamSection *section = opaque;

    stream_part_clear(&section->part);
    g_free(section);
}

static void block_clear(void *opaque)
{
    g_free(((StreamBlock *)opaque)->name);
}

Stream *stream_new(Input *in)
{
    Stream *s = g_new0(Stream, 1);

    s->in = in;
    s->device_limit = STREAM_DEVICE_LIMIT;
    s->footers_out = -1;
    s->sections = g_ptr_array_new_with_free_func(section_free);
    s->blocks = g_array_new(false, false, sizeof(StreamBlock));
    g_array_set_clear_func(s->blocks, block_clear);
    s->block_index = g_hash_table_new(g_str_hash, g_str_equal);
    s->commands = g_string_new(NULL);
    s->cpus = g_array_new(false, false, sizeof(StreamCpu));
    s->configuration = g_ptr_array_new_with_free_func(g_free);
    s->notes = g_ptr_array_new_with_free_func(g_free);
    s->where = g_strdup("the file header");
    return s;
}

void stream_free(Stream *s)
{
    g_free(s->machine);
    g_ptr_array_unref(s->sections);
    g_hash_table_unref(s->block_index);
    g_array_unref(s->blocks);
    g_string_free(s->commands, true);
    if (s->device) {
        g_byte_array_unref(s->device);
    }
    g_array_unref(s->cpus);
    g_free(s->where);
    g_ptr_array_unref(s->configuration);
    g_ptr_array_unref(s->notes);
    g_clear_pointer(&s->vmdesc, vmdesc_free);
    g_free(s);
}

bool stream_read(Stream *s, GError **errp)
{
    return stream_read_start(s, errp) && stream_read_ram(s, errp) &&
           stream_read_device(s, errp);
}

Stream *stream_reparse(const Stream *s, const StreamForm *form,
                       GByteArray *device, GError **errp)
{
    g_autoptr(Stream) copy = stream_new(s->in);
    guint i;

    copy->machine = form->configuration ? g_strdup(form->machine) : NULL;
    copy->has_configuration = form->configuration;
    copy->ignore_shared = s->ignore_shared;
    copy->has_footers = form->footers;
    copy->htab_shift = s->htab_shift;
    copy->pages_compressed = s->pages_compressed;
    copy->device_at = s->device_at;
    copy->device = device;
    g_string_assign(copy->commands, s->commands->str);
    for (i = 0; i < s->configuration->len; i++) {
        g_ptr_array_add(copy->configuration, g_strdup(
            g_ptr_array_index(s->configuration, i)));
    }
    for (i = 0; i < s->blocks->len; i++) {
        StreamBlock block = g_array_index(s->blocks, StreamBlock, i);

        block.name = g_strdup(block.name);
        g_array_append_val(copy->blocks, block);
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        StreamSection *again;

        if (section->pieces) {
            again = g_new0(StreamSection, 1);
            again->id = section->id;
            again->instance = section->instance;
            again->offset = section->offset;
            again->pieces = section->pieces;
            again->part.name = g_strdup(section->part.name);
            again->part.version = section->part.version;
            again->vmsd = again->part.name;
            g_ptr_array_add(copy->sections, again);
        }
    }
    return stream_parse_device(copy, errp) ? g_steal_pointer(&copy) : NULL;
}

bool stream_is_pseries(const Stream *s)
{
    guint i;

    if (s->machine && !g_str_has_prefix(s->machine, "pseries-")) {
        return false;
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!strcmp(section->part.name, "spapr/htab")) {
            return true;
        }
    }
    return false;
}

const StreamSection *stream_section(const Stream *s, const char *vmsd)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!strcmp(section->vmsd, vmsd)) {
            return section;
        }
    }
    return NULL;
}

const char *stream_machine(const Stream *s)
{
    if (s->machine) {
        return s->machine;
    }
    /* pseries-2.3 began to send vmdescriptions, 2.4 to name the machine. */
    return s->has_vmdesc ? "pseries-2.3" : "pseries-2.1";
}
