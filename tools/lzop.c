/*
 * The file format of lzop
 *
 * liblzo2 decodes a block; the file around the blocks is lzop's own.  All
 * numbers are big-endian.
 *
 *   magic (9 bytes) | u16 version | u16 version of the library
 *   | u16 version needed to extract | u8 method | u8 level | u32 flags
 *   [| u32 filter] | u32 mode | u32 time | u32 time, high | u8 size, name
 *   | u32 checksum [| u32 size, extra field | u32 checksum]
 *   blocks:  u32 size | u32 compressed size | checksums of the data
 *            | checksums of the compressed data, unless the sizes are equal
 *            | data
 *   u32 0
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "lzop.h"

#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#include "bytes.h"

enum {
    F_ADLER32_D = 0x1,
    F_ADLER32_C = 0x2,
    F_EXTRA_FIELD = 0x40,
    F_CRC32_D = 0x100,
    F_CRC32_C = 0x200,
    F_FILTER = 0x800,
};

#define HEADER_FIXED (9 + 2 + 2 + 2 + 1 + 1 + 4)
#define BLOCK_MOST (1024 * 1024)    /* lzop writes blocks of 256 KiB */

struct Lzop {
    enum { FIXED, REST, NAME, SIZE, SIZES, BLOCK, GIVE } state;
    uint32_t flags;
    uint32_t size;              /* of the block's data */
    uint32_t packed;            /* of the block in the file */
    unsigned sums;              /* how many checksums, of 4 bytes each */
    size_t need;                /* how many bytes this state is about */
    GByteArray *have;           /* of them */
    uint8_t *data;              /* the block's */
    size_t given;
};

Lzop *lzop_new(void)
{
    Lzop *l = g_new0(Lzop, 1);

    l->have = g_byte_array_new();
    l->need = HEADER_FIXED;
    return l;
}

void lzop_free(Lzop *l)
{
    g_byte_array_unref(l->have);
    g_free(l->data);
    g_free(l);
}

static void expect(Lzop *l, int state, size_t need)
{
    l->state = state;
    l->need = need;
    g_byte_array_set_size(l->have, 0);
}

/* The block's sizes are known: what else stands before its data? */
static const char *begin_block(Lzop *l)
{
    if (l->size > BLOCK_MOST || l->packed > l->size || !l->packed) {
        return "a block has a size that lzop does not write";
    }
    l->sums = !!(l->flags & F_ADLER32_D) + !!(l->flags & F_CRC32_D);
    if (l->packed < l->size) {
        l->sums += !!(l->flags & F_ADLER32_C) + !!(l->flags & F_CRC32_C);
    }
    expect(l, BLOCK, l->sums * 4 + l->packed);
    return NULL;
}

static const char *decode_block(Lzop *l)
{
    const uint8_t *p = l->have->data + l->sums * 4;
    lzo_uint len = l->size;

    g_free(l->data);
    l->data = g_malloc(l->size);
    if (l->packed == l->size) {
        memcpy(l->data, p, l->size);
    } else if (lzo1x_decompress_safe(p, l->packed, l->data, &len, NULL) !=
               LZO_E_OK || len != l->size) {
        return "a block is damaged";
    }
    /* The checksum of the data, if there is one, is the first. */
    if (l->flags & F_ADLER32_D &&
        lzo_adler32(lzo_adler32(0, NULL, 0), l->data, l->size) !=
        get_be32(l->have->data)) {
        return "a block's checksum is wrong";
    }
    l->given = 0;
    expect(l, GIVE, 0);
    return NULL;
}

/* All of what this state is about is there; NULL, or what is wrong */
static const char *advance(Lzop *l, bool *end)
{
    const uint8_t *p = l->have->data;

    switch (l->state) {
    case FIXED:
        if (get_be16(p + 9) < 0x940) {
            return "it is of a version of lzop that is too old";
        }
        if (p[15] < 1 || p[15] > 3) {
            return "it is compressed with an unknown method";
        }
        l->flags = get_be32(p + 17);
        expect(l, REST, (l->flags & F_FILTER ? 4 : 0) + 4 + 4 + 4 + 1);
        break;
    case REST:
        expect(l, NAME, p[l->need - 1] + 4u);
        break;
    case NAME:
        if (l->flags & F_EXTRA_FIELD) {
            return "it has an extra field, which lzop does not write";
        }
        expect(l, SIZE, 4);
        break;
    case SIZE:
        l->size = get_be32(p);
        if (!l->size) {
            *end = true;
            return NULL;
        }
        expect(l, SIZES, 4);
        break;
    case SIZES:
        l->packed = get_be32(p);
        return begin_block(l);
    case BLOCK:
        return decode_block(l);
    default:
        g_assert_not_reached();
    }
    return NULL;
}

int lzop_decode(Lzop *l, const uint8_t **in, size_t *in_len, uint8_t **out,
                size_t *out_len, const char **problem)
{
    while (true) {
        bool end = false;
        size_t n;

        if (l->state == GIVE) {
            n = MIN(*out_len, l->size - l->given);
            memcpy(*out, l->data + l->given, n);
            l->given += n;
            *out += n;
            *out_len -= n;
            if (l->given < l->size) {
                return 0;
            }
            expect(l, SIZE, 4);
        }
        n = MIN(*in_len, l->need - l->have->len);
        if (n) {
            g_byte_array_append(l->have, *in, n);
            *in += n;
            *in_len -= n;
        }
        if (l->have->len < l->need) {
            return 0;
        }
        *problem = advance(l, &end);
        if (*problem) {
            return -1;
        }
        if (end) {
            return 1;
        }
    }
}
#endif /* HAVE_LZO */
