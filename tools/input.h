/*
 * Where a migration stream comes from: a file, a pipe, or memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include "qemu/osdep.h"

/*
 * Takes bytes that were read and are no longer needed here.  Returns: false
 * with @errp set if it cannot.
 */
typedef bool InputPass(void *opaque, const uint8_t *data, size_t len,
                       GError **errp);

/*
 * Where a pipe gets its bytes.  Returns: how many were put into @buf, 0 at
 * the end, -1 with @errp set on failure.
 */
typedef ssize_t InputRead(void *source, uint8_t *buf, size_t cap,
                          GError **errp);

/*
 * A window on the stream.  What stands at @data is [base, base + len) of it;
 * the next byte to read is at @pos.  A file is mapped piece by piece, so that
 * pages that are skipped are never copied; a pipe is read with large reads.
 */
typedef struct Input {
    const uint8_t *data;
    size_t pos;
    size_t len;
    uint64_t base;

    enum { INPUT_MEMORY, INPUT_FILE, INPUT_PIPE } kind;
    char *name;             /* for messages */
    int fd;
    bool close_fd;
    uint64_t size;          /* of a file, from where it is read on */
    uint64_t file_start;    /* where in the file that is */
    uint8_t *buf;           /* of a pipe */
    size_t cap;
    bool at_end;            /* of a pipe */
    InputRead *read;        /* of a pipe that is not @fd */
    void *source;
    GDestroyNotify free_source;

    InputPass *pass;        /* NULL: bytes that were read are forgotten */
    void *opaque;
    size_t passed;          /* the window's bytes before it have been passed */
    bool hold;              /* pass nothing for now */

    bool progress;          /* show on stderr how far we are */
    bool progress_shown;
    int64_t progress_next;
} Input;

/**
 * input_open:
 * @path: a file; "-" for standard input
 * @stream: read it as a pipe even if it is a file
 *
 * Returns: the input, for input_close(), or NULL with @errp set.
 */
Input *input_open(const char *path, bool stream, GError **errp);

/**
 * input_memory:
 * @data: stays the caller's, who keeps it until input_close()
 */
Input *input_memory(const uint8_t *data, size_t len);

/**
 * input_filter: an input whose bytes @read makes
 * @source: freed with @free_source in input_close()
 */
Input *input_filter(const char *name, InputRead *read, void *source,
                    GDestroyNotify free_source);

void input_close(Input *in);

/** input_offset: how many bytes of the stream have been read */
static inline uint64_t input_offset(const Input *in)
{
    return in->base + in->pos;
}

/* The slow half of input_need() */
const uint8_t *input_fill(Input *in, size_t n, GError **errp);

/**
 * input_need:
 * @n: up to 64 KiB
 *
 * Returns: the next @n bytes, without reading over them; valid until the next
 * call.  NULL if the stream ends before, or with @errp set if reading fails.
 */
static inline const uint8_t *input_need(Input *in, size_t n, GError **errp)
{
    if (G_LIKELY(in->len - in->pos >= n)) {
        return in->data + in->pos;
    }
    return input_fill(in, n, errp);
}

/* The slow half of input_skip() */
bool input_skip_far(Input *in, uint64_t n, GError **errp);

/**
 * input_skip: read over @n bytes
 *
 * Returns: false as input_need() does.
 */
static inline bool input_skip(Input *in, uint64_t n, GError **errp)
{
    if (G_LIKELY(in->len - in->pos >= n)) {
        in->pos += n;
        return true;
    }
    return input_skip_far(in, n, errp);
}

/**
 * input_some:
 * @n: how many bytes there are, at least one
 *
 * Returns: the bytes that can be had without waiting for more; NULL at the
 * end, or with @errp set if reading fails.
 */
const uint8_t *input_some(Input *in, size_t *n, GError **errp);

/** input_begin: what follows is the stream; nothing before it is passed on */
void input_begin(Input *in);

/** input_left: how many bytes follow, as far as that is known */
uint64_t input_left(const Input *in);

/** input_flush: pass on all that was read and has not been passed yet */
bool input_flush(Input *in, GError **errp);

/** input_drop: forget what was read and has not been passed yet */
void input_drop(Input *in);

/**
 * input_append:
 * @to: gets up to @n bytes of what follows, which are not passed on
 * @at_end: set to whether the stream ended before
 *
 * Returns: false with @errp set if reading fails.
 */
bool input_append(Input *in, GByteArray *to, size_t n, bool *at_end,
                  GError **errp);

/** input_drain: reads to the end, so that whoever writes can finish */
bool input_drain(Input *in, GError **errp);

#endif /* TOOLS_INPUT_H */
