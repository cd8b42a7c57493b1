/*
 * Compressed input, by the libraries of those who compressed it
 *
 * Each decoder takes what it can of the input, and gives what it can of the
 * output.  What ends one compressed piece may be followed by another of the
 * same kind, as with cat A.gz B.gz, or by anything else, which is not read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "decompress.h"
#include "lzop.h"
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

static const struct {
    const char *name;
    const char *magic;
    size_t magic_len;
} kinds[COMPRESSION__MAX] = {
    [COMPRESSION_NONE] = { "nothing", NULL, 0 },
    [COMPRESSION_GZIP] = { "gzip", "\x1f\x8b", 2 },
    [COMPRESSION_BZIP2] = { "bzip2", "BZh", 3 },
    [COMPRESSION_XZ] = { "xz", "\xfd" "7zXZ", 6 },      /* with the NUL */
    [COMPRESSION_LZOP] = { "lzop", LZOP_MAGIC, 9 },
    [COMPRESSION_ZSTD] = { "zstd", "\x28\xb5\x2f\xfd", 4 },
};

const char *compression_name(Compression c)
{
    return kinds[c].name;
}

Compression compression_detect(const uint8_t *p, size_t len)
{
    int c;

    for (c = COMPRESSION_NONE + 1; c < COMPRESSION__MAX; c++) {
        if (len >= kinds[c].magic_len &&
            !memcmp(p, kinds[c].magic, kinds[c].magic_len)) {
            return c;
        }
    }
    return COMPRESSION_NONE;
}

typedef enum { STEP_ON, STEP_PIECE_ENDS, STEP_FAILED } Step;

typedef struct Decoder {
    Compression kind;
    Input *below;
    uint64_t total, limit;
    bool between;               /* no piece has begun, or the last has ended */
    bool at_end;
    const char *problem;        /* why a step failed, if that is known */
    union {
#ifdef HAVE_ZLIB
        z_stream zlib;
#endif
#ifdef HAVE_BZIP2
        bz_stream bzip2;
#endif
#ifdef HAVE_LZMA
        lzma_stream lzma;
#endif
#ifdef HAVE_ZSTD
        ZSTD_DStream *zstd;
#endif
        Lzop *lzop;
        int none;
    };
} Decoder;

/*
 * A step takes from @in and gives to @out, and moves both on.  @in is empty
 * once the input has ended.
 */
typedef struct Span {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
} Span;

typedef struct DecoderClass {
    bool (*begin)(Decoder *d);              /* of each piece */
    Step (*step)(Decoder *d, Span *span);
    void (*end)(Decoder *d);                /* of each piece that began */
} DecoderClass;

#ifdef HAVE_ZLIB
static bool gzip_begin(Decoder *d)
{
    memset(&d->zlib, 0, sizeof(d->zlib));
    return inflateInit2(&d->zlib, 15 + 16) == Z_OK;
}

static Step gzip_step(Decoder *d, Span *span)
{
    z_stream *z = &d->zlib;
    int ret;

    z->next_in = (Bytef *)span->in;
    z->avail_in = MIN(span->in_len, UINT_MAX);
    z->next_out = span->out;
    z->avail_out = MIN(span->out_len, UINT_MAX);
    ret = inflate(z, Z_NO_FLUSH);
    span->in_len -= z->next_in - span->in;
    span->in = z->next_in;
    span->out_len -= z->next_out - span->out;
    span->out = z->next_out;
    d->problem = z->msg;
    return ret == Z_STREAM_END ? STEP_PIECE_ENDS :
           ret == Z_OK || ret == Z_BUF_ERROR ? STEP_ON : STEP_FAILED;
}

static void gzip_end(Decoder *d)
{
    inflateEnd(&d->zlib);
}
#endif

#ifdef HAVE_BZIP2
static bool bzip2_begin(Decoder *d)
{
    memset(&d->bzip2, 0, sizeof(d->bzip2));
    return BZ2_bzDecompressInit(&d->bzip2, 0, 0) == BZ_OK;
}

static Step bzip2_step(Decoder *d, Span *span)
{
    bz_stream *b = &d->bzip2;
    int ret;

    b->next_in = (char *)span->in;
    b->avail_in = MIN(span->in_len, UINT_MAX);
    b->next_out = (char *)span->out;
    b->avail_out = MIN(span->out_len, UINT_MAX);
    ret = BZ2_bzDecompress(b);
    span->in_len -= (uint8_t *)b->next_in - span->in;
    span->in = (uint8_t *)b->next_in;
    span->out_len -= (uint8_t *)b->next_out - span->out;
    span->out = (uint8_t *)b->next_out;
    return ret == BZ_STREAM_END ? STEP_PIECE_ENDS :
           ret == BZ_OK ? STEP_ON : STEP_FAILED;
}

static void bzip2_end(Decoder *d)
{
    BZ2_bzDecompressEnd(&d->bzip2);
}
#endif

#ifdef HAVE_LZMA
static bool xz_begin(Decoder *d)
{
    d->lzma = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&d->lzma, DECOMPRESS_MEMORY, 0) == LZMA_OK;
}

static Step xz_step(Decoder *d, Span *span)
{
    lzma_stream *l = &d->lzma;
    lzma_ret ret;

    l->next_in = span->in;
    l->avail_in = span->in_len;
    l->next_out = span->out;
    l->avail_out = span->out_len;
    ret = lzma_code(l, LZMA_RUN);
    span->in = l->next_in;
    span->in_len = l->avail_in;
    span->out = l->next_out;
    span->out_len = l->avail_out;
    if (ret == LZMA_MEMLIMIT_ERROR) {
        d->problem = "it needs more memory than this tool takes for that; use"
                     " xz -dc FILE | ppc-insns";
    }
    return ret == LZMA_STREAM_END ? STEP_PIECE_ENDS :
           ret == LZMA_OK || ret == LZMA_BUF_ERROR ? STEP_ON : STEP_FAILED;
}

static void xz_end(Decoder *d)
{
    lzma_end(&d->lzma);
}
#endif

#ifdef HAVE_ZSTD
static bool zstd_begin(Decoder *d)
{
    d->zstd = ZSTD_createDStream();
    return d->zstd &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax,
                                                26));
}

static Step zstd_step(Decoder *d, Span *span)
{
    ZSTD_inBuffer in = { span->in, span->in_len, 0 };
    ZSTD_outBuffer out = { span->out, span->out_len, 0 };
    size_t ret = ZSTD_decompressStream(d->zstd, &out, &in);

    span->in += in.pos;
    span->in_len -= in.pos;
    span->out += out.pos;
    span->out_len -= out.pos;
    if (ZSTD_isError(ret)) {
        d->problem = ZSTD_getErrorName(ret);
        return STEP_FAILED;
    }
    return ret ? STEP_ON : STEP_PIECE_ENDS;
}

static void zstd_end(Decoder *d)
{
    ZSTD_freeDStream(d->zstd);
}
#endif

#ifdef HAVE_LZO
static bool lzop_begin(Decoder *d)
{
    d->lzop = lzop_new();
    return d->lzop;
}

static Step lzop_step(Decoder *d, Span *span)
{
    int ret = lzop_decode(d->lzop, &span->in, &span->in_len, &span->out,
                          &span->out_len, &d->problem);

    return ret > 0 ? STEP_PIECE_ENDS : ret < 0 ? STEP_FAILED : STEP_ON;
}

static void lzop_end(Decoder *d)
{
    lzop_free(d->lzop);
}
#endif

/* Those that are built in */
static const DecoderClass classes[COMPRESSION__MAX] = {
#ifdef HAVE_ZLIB
    [COMPRESSION_GZIP] = { gzip_begin, gzip_step, gzip_end },
#endif
#ifdef HAVE_BZIP2
    [COMPRESSION_BZIP2] = { bzip2_begin, bzip2_step, bzip2_end },
#endif
#ifdef HAVE_LZMA
    [COMPRESSION_XZ] = { xz_begin, xz_step, xz_end },
#endif
#ifdef HAVE_LZO
    [COMPRESSION_LZOP] = { lzop_begin, lzop_step, lzop_end },
#endif
#ifdef HAVE_ZSTD
    [COMPRESSION_ZSTD] = { zstd_begin, zstd_step, zstd_end },
#endif
};

static bool decoder_fail(Decoder *d, GError **errp, const char *what)
{
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                "%s at byte 0x%" PRIx64 " of what is compressed with %s: %s",
                d->below->name, input_offset(d->below),
                compression_name(d->kind), what);
    return false;
}

/* Begins the next piece, if there is one; else we are at the end. */
static bool next_piece(Decoder *d, GError **errp)
{
    GError *err = NULL;
    size_t magic = kinds[d->kind].magic_len;
    const uint8_t *p = input_need(d->below, magic, &err);

    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    if (!p || compression_detect(p, magic) != d->kind) {
        d->at_end = true;
        return true;
    }
    if (!classes[d->kind].begin(d)) {
        return decoder_fail(d, errp, "not enough memory");
    }
    d->between = false;
    return true;
}

static ssize_t decoder_read(void *source, uint8_t *buf, size_t cap,
                            GError **errp)
{
    static const uint8_t nothing[1];
    Decoder *d = source;
    Span span = { .out = buf, .out_len = cap };

    while (span.out == buf && !d->at_end) {
        GError *err = NULL;
        size_t had;
        Step step;

        if (d->between) {
            if (!next_piece(d, errp)) {
                return -1;
            }
            continue;
        }
        span.in = input_some(d->below, &span.in_len, &err);
        if (err) {
            g_propagate_error(errp, err);
            return -1;
        }
        if (!span.in) {
            span.in = nothing;
        }
        had = span.in_len;
        step = classes[d->kind].step(d, &span);
        d->below->pos += had - span.in_len;
        input_drop(d->below);
        if (step == STEP_FAILED) {
            decoder_fail(d, errp, d->problem ? d->problem :
                         "it is damaged");
            return -1;
        }
        if (step == STEP_PIECE_ENDS) {
            classes[d->kind].end(d);
            d->between = true;
        } else if (!had && span.out == buf) {
            decoder_fail(d, errp, "it ends before it is complete; the file"
                         " was cut off");
            return -1;
        }
    }
    d->total += span.out - buf;
    if (d->total > d->limit) {
        g_autofree char *what = g_strdup_printf(
            "it expands to more than %" PRIu64 " GiB; if that is right, raise"
            " --expand-limit", d->limit >> 30);

        decoder_fail(d, errp, what);
        return -1;
    }
    return span.out - buf;
}

static void decoder_free(void *source)
{
    Decoder *d = source;

    if (!d->between) {
        classes[d->kind].end(d);
    }
    g_free(d);
}

Input *input_decompress(Input *below, Compression c, uint64_t limit,
                        GError **errp)
{
    Decoder *d;

    if (!classes[c].begin) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "%s is compressed with %s, which this ppc-insns was built"
                    " without; use %s -dc FILE | ppc-insns", below->name,
                    compression_name(c), compression_name(c));
        return NULL;
    }
    d = g_new0(Decoder, 1);
    d->kind = c;
    d->below = below;
    d->limit = limit;
    d->between = true;
    return input_filter(below->name, decoder_read, d, decoder_free);
}
