/*
 * What a section of the device state consists of
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-part.h"

bool stream_part_add_field(StreamPart *part, const char *name, uint64_t each,
                           uint64_t count, size_t size, GError **errp)
{
    uint64_t left = size - part->fields_end;
    StreamField field = { name, part->fields_end, each * count };

    if (each && count > left / each) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "field '%s' of '%s' would have %" PRIu64 " times %" PRIu64
                    " bytes, but the stream has only %" PRIu64 " left; it is"
                    " damaged, or was cut off", name, part->name, count, each,
                    left);
        return false;
    }
    part->fields_end += field.size;
    g_array_append_val(part->fields, field);
    return true;
}

void stream_part_reset(StreamPart *part)
{
    part->fields_end = part->end = part->fields_at;
    if (part->fields) {
        g_array_set_size(part->fields, 0);
    } else {
        part->fields = g_array_new(false, false, sizeof(StreamField));
    }
    g_clear_pointer(&part->subsections, g_ptr_array_unref);
}

void stream_part_clear(StreamPart *part)
{
    g_free(part->name);
    g_clear_pointer(&part->fields, g_array_unref);
    g_clear_pointer(&part->subsections, g_ptr_array_unref);
}

void stream_part_free(void *part)
{
    stream_part_clear(part);
    g_free(part);
}

const StreamPart *stream_subsection(const StreamPart *part, const char *name)
{
    guint i, n = part->subsections ? part->subsections->len : 0;

    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        if (!strcmp(sub->name, name)) {
            return sub;
        }
    }
    return NULL;
}

const StreamField *stream_field(const StreamPart *part, const char *name)
{
    guint i, n = part->fields ? part->fields->len : 0;

    for (i = 0; i < n; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        if (!strcmp(f->name, name)) {
            return f;
        }
    }
    return NULL;
}
