/*
 * The beginning of a stream: what it is, and of which machine
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-internal.h"

static bool wrong_magic(Stream *s, const uint8_t *p, GError **errp)
{
    static const struct {
        const char *magic;
        const char *what;
    } known[] = {
        { "\x11\x22\x33\x44", "a channel of a multifd migration, which"
          " carries RAM only; migrate without multifd" },
        { "QFI\xfb", "a disk image; the stream of a snapshot in it cannot be"
          " read from here" },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!memcmp(p, known[i].magic, strlen(known[i].magic))) {
            return stream_fail(s, 0, errp, "this is %s", known[i].what);
        }
    }
    return stream_fail(s, 0, errp, "this is not a migration stream, which"
                       " begins with 'QEVM'");
}

/*
 * configuration:  u8 0x07 | u32 size | machine's name | subsections
 *   configuration/target-page-bits   u32
 *   configuration/capabilities       u32 count | count times str
 *   configuration/uuid               16 bytes
 */
static bool read_configuration(Stream *s, GError **errp)
{
    const uint8_t *p;
    uint32_t size, i;
    unsigned subsections = 0;
    g_autoptr(GError) err = NULL;

    stream_at(s, input_offset(s->in), "the configuration section");
    s->has_configuration = true;
    p = stream_take(s, 5, errp);
    if (!p) {
        return false;
    }
    size = get_be32(p + 1);
    if (!size || size > 255) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "a machine's name of %u bytes", size);
    }
    p = stream_take(s, size, errp);
    if (!p) {
        return false;
    }
    s->machine = stream_printable(p, size);
    if (strlen(s->machine) != size || memcmp(s->machine, p, size)) {
        return stream_fail(s, input_offset(s->in) - size, errp,
                           "'%s' is not a machine's name", s->machine);
    }

    while (stream_peek(s, &err) == SUBSECTION) {
        g_autofree char *name = NULL;

        if (++subsections > STREAM_SUBSECTIONS) {
            return stream_fail(s, input_offset(s->in), errp,
                               "it has more subsections than any QEMU sends");
        }

        input_skip(s->in, 1, NULL);
        name = stream_take_name(s, errp);
        if (name) {
            g_ptr_array_add(s->configuration, g_strdup(name));
        }
        p = name ? stream_take(s, 4, errp) : NULL;
        if (!p) {
            return false;
        }
        if (get_be32(p) != 1) {
            return stream_fail(s, input_offset(s->in) - 4, errp,
                               "version %u of '%s' is not known", get_be32(p),
                               name);
        }
        if (!strcmp(name, "configuration/target-page-bits")) {
            p = stream_take(s, 4, errp);
            if (!p) {
                return false;
            }
            if (get_be32(p) != 12) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "pages of 2^%u bytes are not PowerPC's",
                                   get_be32(p));
            }
        } else if (!strcmp(name, "configuration/uuid")) {
            if (!stream_skip(s, 16, errp)) {
                return false;
            }
        } else if (!strcmp(name, "configuration/capabilities")) {
            p = stream_take(s, 4, errp);
            if (!p) {
                return false;
            }
            size = get_be32(p);
            if (size > STREAM_SUBSECTIONS) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "%u capabilities are more than there are",
                                   size);
            }
            for (i = 0; i < size; i++) {
                g_autofree char *cap = stream_take_name(s, errp);

                if (!cap) {
                    return false;
                }
                if (strcmp(cap, "x-ignore-shared")) {
                    return stream_fail(s, input_offset(s->in), errp,
                                       "the stream was made with migration"
                                       " capability '%s', which changes its"
                                       " form; migrate without it", cap);
                }
                s->ignore_shared = true;
            }
        } else {
            return stream_fail(s, input_offset(s->in), errp,
                               "subsection '%s' is not known", name);
        }
    }
    if (err) {
        g_propagate_error(errp, g_steal_pointer(&err));
        return false;
    }
    return true;
}

bool stream_read_start(Stream *s, GError **errp)
{
    const uint8_t *p = stream_take(s, 8, errp);
    GError *err = NULL;
    int type;

    if (!p) {
        return false;
    }
    if (memcmp(p, "QEVM", 4)) {
        return wrong_magic(s, p, errp);
    }
    if (get_be32(p + 4) != 3) {
        return stream_fail(s, 4, errp, "version %u of the format; QEMU 2.1 to"
                           " 9.1 write version 3", get_be32(p + 4));
    }
    type = stream_peek(s, &err);
    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    return type != SECTION_CONFIGURATION || read_configuration(s, errp);
}
