/*
 * The changes that rewrite makes, and those that it refuses to make
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "rewrite-edits.h"

/* At @at of the device state, @remove bytes give way to @insert. */
typedef struct Edit {
    size_t at;
    size_t remove;
    GBytes *insert;         /* may be NULL */
} Edit;

static void edit_clear(void *opaque)
{
    Edit *edit = opaque;

    g_clear_pointer(&edit->insert, g_bytes_unref);
}

/* What is put in at a place comes before what begins there and is removed. */
static int by_place(gconstpointer a, gconstpointer b)
{
    const Edit *one = a, *two = b;

    return one->at != two->at ? (one->at < two->at ? -1 : 1)
                              : !!one->remove - !!two->remove;
}

GArray *rewrite_edits_new(void)
{
    GArray *edits = g_array_new(false, false, sizeof(Edit));

    g_array_set_clear_func(edits, edit_clear);
    return edits;
}

void rewrite_replace(Rewrite *r, size_t at, size_t remove, const void *data,
                     size_t len)
{
    Edit edit = { at, remove, len ? g_bytes_new(data, len) : NULL };

    g_array_append_val(r->edits, edit);
}

GByteArray *rewrite_apply(const Stream *s, GArray *edits)
{
    GByteArray *out = g_byte_array_sized_new(s->device->len + 64);
    size_t at = 0;
    guint i;

    g_array_sort(edits, by_place);
    for (i = 0; i < edits->len; i++) {
        const Edit *edit = &g_array_index(edits, Edit, i);

        g_assert(edit->at >= at &&
                 edit->at + edit->remove <= s->device->len);
        g_byte_array_append(out, s->device->data + at, edit->at - at);
        if (edit->insert) {
            gsize len;
            const void *data = g_bytes_get_data(edit->insert, &len);

            g_byte_array_append(out, data, len);
        }
        at = edit->at + edit->remove;
    }
    g_byte_array_append(out, s->device->data + at, s->device->len - at);
    return out;
}

bool rewrite_refuse(GError **errp, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (errp) {
        *errp = g_error_new_valist(TOOL_ERROR, TOOL_ERROR_REFUSED, format, ap);
    }
    va_end(ap);
    return false;
}

bool rewrite_object(Rewrite *r, GError **errp, char *text)
{
    if (!r->force) {
        rewrite_refuse(errp, "%s", text);
        g_free(text);
        return false;
    }
    g_ptr_array_add(r->notes, text);
    return true;
}
