/*
 * Reading a stream step by step, and saying where it went wrong
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-internal.h"

void stream_at(Stream *s, uint64_t offset, const char *format, ...)
{
    va_list ap;

    g_free(s->where);
    va_start(ap, format);
    s->where = g_strdup_vprintf(format, ap);
    va_end(ap);
    s->where_at = offset;
}

#define PRINTABLE \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789 !#$%&()*+,-./:;<=>?@[]^_{|}~"

/*
 * Every message about a stream comes through here.  What it quotes of the
 * vmdescription may be anything, also what a terminal takes for a command.
 */
void stream_name_place(Stream *s, uint64_t offset, GError **errp)
{
    g_prefix_error(errp, "%s at offset 0x%" PRIx64 ", byte 0x%" PRIx64 ": ",
                   s->where, s->where_at, offset);
    if (errp) {
        g_strcanon((*errp)->message, PRINTABLE "'\"", '?');
    }
}

/* Returns false, as its callers do. */
bool stream_fail(Stream *s, uint64_t offset, GError **errp,
                 const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (errp) {
        *errp = g_error_new_valist(TOOL_ERROR, TOOL_ERROR_FORMAT, format, ap);
    }
    va_end(ap);
    stream_name_place(s, offset, errp);
    return false;
}

/* The stream ended, unless reading failed, which @err says then. */
bool stream_ended(Stream *s, GError *err, GError **errp)
{
    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    return stream_fail(s, input_offset(s->in), errp,
                       "the stream ends before this does; it was cut off, so"
                       " save it again");
}

/* The next @n bytes, read over; NULL with @errp set if there are fewer */
const uint8_t *stream_take(Stream *s, size_t n, GError **errp)
{
    GError *err = NULL;
    const uint8_t *p = input_need(s->in, n, &err);

    if (!p) {
        stream_ended(s, err, errp);
        return NULL;
    }
    s->in->pos += n;
    return p;
}

bool stream_skip(Stream *s, uint64_t n, GError **errp)
{
    GError *err = NULL;

    return input_skip(s->in, n, &err) || stream_ended(s, err, errp);
}

/* The byte after the last one read; -1 at the stream's end or on failure */
int stream_peek(Stream *s, GError **errp)
{
    const uint8_t *p = input_need(s->in, 1, errp);

    return p ? *p : -1;
}

/* A name as messages can show it, to be freed */
char *stream_printable(const uint8_t *name, size_t len)
{
    char *text = g_malloc(len + 1);
    size_t i;

    for (i = 0; i < len; i++) {
        text[i] = name[i] ? name[i] : '?';     /* NUL would end it */
    }
    text[len] = '\0';
    g_strcanon(text, PRINTABLE, '?');
    return text;
}

/* A name as the stream has it; NULL with @errp set if it has odd characters */
char *stream_take_name(Stream *s, GError **errp)
{
    const uint8_t *p = stream_take(s, 1, errp);
    size_t len = p ? *p : 0;
    g_autofree char *name = NULL;

    p = p ? stream_take(s, len, errp) : NULL;
    if (!p) {
        return NULL;
    }
    name = stream_printable(p, len);
    if (!len || strlen(name) != len || memcmp(name, p, len)) {
        stream_fail(s, input_offset(s->in) - len, errp,
                    "a name was expected, not '%s'", name);
        return NULL;
    }
    return g_steal_pointer(&name);
}

/* What is odd, but QEMU does not mind; not more of it than anyone reads */
void stream_note(Stream *s, const char *format, ...)
{
    va_list ap;
    char *text;

    if (s->notes->len >= STREAM_NOTES) {
        return;
    }
    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_strcanon(text, PRINTABLE "'\"", '?');
    g_ptr_array_add(s->notes, text);
}
