/*
 * What a stream is kept in: a save file of libvirt's, compressed data
 *
 * A save file, as virsh save and virsh managedsave write it:
 *
 *   +----------------------------+
 *   | "LibvirtQemudSave"         |  "LibvirtQemudPart" while it is written
 *   +----------------------------+
 *   | 19 words                   |  u32, of the host's byte order: version,
 *   |                            |  size of the next part, guest was running,
 *   |                            |  compression, where the cookie is, 14 zeros
 *   +----------------------------+
 *   | the domain's XML, cookie   |
 *   +----------------------------+
 *   | the stream                 |  perhaps compressed
 *   +----------------------------+
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "bytes.h"
#include "tool-error.h"
#include "container.h"

#define LIBVIRT_SAVE "LibvirtQemudSave"
#define LIBVIRT_PART "LibvirtQemudPart"
#define LIBVIRT_MAGIC 16
#define LIBVIRT_HEADER 92
#define LIBVIRT_VERSION_AT 16
#define LIBVIRT_SIZE_AT 20
#define LIBVIRT_COMPRESSION_AT 28
#define LIBVIRT_VERSION 2
#define LIBVIRT_XML_MOST (16u << 20)

#define NESTED_MOST 3       /* gzip of a save file with xz in it */

/* Written on a host of the other byte order? */
static bool libvirt_swapped(const uint8_t *header)
{
    return get_le32(header + LIBVIRT_VERSION_AT) > 0xffff;
}

static uint32_t libvirt_word(const uint8_t *header, size_t at)
{
    return libvirt_swapped(header) ? get_be32(header + at)
                                   : get_le32(header + at);
}

static bool libvirt_fail(const Input *in, GError **errp, const char *what)
{
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                "the header of a libvirt save file at offset 0x0, byte 0x%"
                PRIx64 ": %s", input_offset(in), what);
    return false;
}

static bool read_libvirt(Container *c, GError **errp)
{
    GError *err = NULL;
    Input *in = c->in;
    uint32_t size, compression;
    bool at_end;

    c->libvirt = g_byte_array_new();
    if (!input_append(in, c->libvirt, LIBVIRT_HEADER, &at_end, &err)) {
        g_propagate_error(errp, err);
        return false;
    }
    if (at_end) {
        return libvirt_fail(in, errp, "the file ends in it; it was cut off");
    }
    c->unfinished = !memcmp(c->libvirt->data, LIBVIRT_PART, LIBVIRT_MAGIC);
    size = libvirt_word(c->libvirt->data, LIBVIRT_VERSION_AT);
    if (size < 1 || size > LIBVIRT_VERSION) {
        g_autofree char *what = g_strdup_printf(
            "version %u is not known; libvirt writes 1 and 2", size);

        return libvirt_fail(in, errp, what);
    }
    size = libvirt_word(c->libvirt->data, LIBVIRT_SIZE_AT);
    compression = libvirt_word(c->libvirt->data, LIBVIRT_COMPRESSION_AT);
    if (size > LIBVIRT_XML_MOST) {
        return libvirt_fail(in, errp, "the domain's XML is larger than any"
                            " that libvirt writes; the file is damaged");
    }
    if (compression >= COMPRESSION__MAX) {
        g_autofree char *what = g_strdup_printf(
            "kind %u of compression is not known; virsh save without a"
            " save_image_format, or with one of raw, gzip, bzip2, xz, lzop"
            " and zstd", compression);

        return libvirt_fail(in, errp, what);
    }
    if (!input_append(in, c->libvirt, size, &at_end, &err)) {
        g_propagate_error(errp, err);
        return false;
    }
    if (at_end) {
        return libvirt_fail(in, errp, "the file ends in the domain's XML; it"
                            " was cut off");
    }
    input_begin(in);
    return true;
}

/* Goes down to where the stream begins. */
static bool unwrap(Container *c, uint64_t limit, GError **errp)
{
    unsigned nested;

    for (nested = 0; nested < NESTED_MOST; nested++) {
        GError *err = NULL;
        const uint8_t *p = input_need(c->in, LIBVIRT_MAGIC, &err);
        Compression compression;
        Input *in;

        if (err) {
            g_propagate_error(errp, err);
            return false;
        }
        if (!p) {
            return true;        /* too short for anything; say so elsewhere */
        }
        if (!c->libvirt && (!memcmp(p, LIBVIRT_SAVE, LIBVIRT_MAGIC) ||
                            !memcmp(p, LIBVIRT_PART, LIBVIRT_MAGIC))) {
            if (!read_libvirt(c, errp)) {
                return false;
            }
            continue;
        }
        compression = compression_detect(p, LIBVIRT_MAGIC);
        if (compression == COMPRESSION_NONE) {
            return true;
        }
        in = input_decompress(c->in, compression, limit, errp);
        if (!in) {
            return false;
        }
        c->compression = compression;
        c->in = in;
        g_ptr_array_add(c->below, in);
    }
    return true;
}

static Container *container_new(Input *in, uint64_t limit, GError **errp)
{
    Container *c = g_new0(Container, 1);

    c->below = g_ptr_array_new();
    g_ptr_array_add(c->below, in);
    c->in = in;
    if (!unwrap(c, limit, errp)) {
        container_close(c);
        return NULL;
    }
    return c;
}

Container *container_open(const char *path, bool stream, uint64_t limit,
                          GError **errp)
{
    Input *in = input_open(path, stream, errp);

    return in ? container_new(in, limit, errp) : NULL;
}

Container *container_memory(const uint8_t *data, size_t len, uint64_t limit,
                            GError **errp)
{
    return container_new(input_memory(data, len), limit, errp);
}

void container_close(Container *c)
{
    guint i;

    if (!c) {
        return;
    }
    for (i = c->below->len; i > 0; i--) {
        input_close(g_ptr_array_index(c->below, i - 1));
    }
    g_ptr_array_unref(c->below);
    if (c->libvirt) {
        g_byte_array_unref(c->libvirt);
    }
    g_free(c);
}

void container_end_progress(Container *c)
{
    const Input *in = g_ptr_array_index(c->below, 0);

    if (in->progress_shown) {
        fprintf(stderr, "\r\033[K");
    }
}

GBytes *container_header(const Container *c)
{
    uint8_t *data;

    if (!c->libvirt) {
        return NULL;
    }
    data = g_malloc(c->libvirt->len);
    memcpy(data, c->libvirt->data, c->libvirt->len);
    memcpy(data, LIBVIRT_SAVE, LIBVIRT_MAGIC);
    memset(data + LIBVIRT_COMPRESSION_AT, 0, 4);
    return g_bytes_new_take(data, c->libvirt->len);
}

char *container_describe(const Container *c)
{
    const char *compression = c->compression == COMPRESSION_NONE ? NULL :
        compression_name(c->compression);

    if (c->libvirt) {
        return g_strdup_printf("libvirt save file%s%s%s",
                               c->unfinished ? ", not finished" : "",
                               compression ? ", compressed with " : "",
                               compression ? compression : "");
    }
    return compression ? g_strdup_printf("compressed with %s", compression)
                       : NULL;
}
