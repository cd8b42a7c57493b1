/*
 * Where a migration stream comes from: a file, a pipe, or memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tool-error.h"
#include "input.h"

#define WINDOW (8 * 1024 * 1024)    /* of a file; a multiple of its pages */
#define BUFFER (256 * 1024)         /* of a pipe: stays in the CPU's cache */
#define MOST_NEEDED (64 * 1024)

/* How often to say how far we are, and for how long to say nothing, in us */
#define PROGRESS_INTERVAL 250000
#define PROGRESS_PATIENCE 1000000

/*
 * A mapped file that someone cuts off while we read it ends us with SIGBUS.
 * That is one more way for a file not to be readable, so say that.
 */
static void on_sigbus(int sig)
{
    static const char text[] =
        "ppc-insns: the file was cut off while it was read; try again when"
        " nobody writes to it\n";

    (void)sig;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        _exit(2);
    }
    _exit(2);
}

Input *input_open(const char *path, bool stream, GError **errp)
{
    g_autofree Input *in = g_new0(Input, 1);
    struct stat st = { 0 };
    off_t start;

    if (!strcmp(path, "-")) {
        in->fd = STDIN_FILENO;
        path = "standard input";
    } else {
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_IO, "cannot open %s: %s",
                        path, g_strerror(errno));
            return NULL;
        }
        in->close_fd = true;
    }
    if (fstat(in->fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        int error = errno;

        if (S_ISDIR(st.st_mode)) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_IO, "%s is a directory;"
                        " name the stream's file", path);
        } else {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_IO, "cannot read %s: %s",
                        path, g_strerror(error));
        }
        if (in->close_fd) {
            close(in->fd);
        }
        return NULL;
    }
    in->name = g_strdup(path);
    in->progress = isatty(STDERR_FILENO);
    in->progress_next = g_get_monotonic_time() + PROGRESS_PATIENCE;

    start = S_ISREG(st.st_mode) ? lseek(in->fd, 0, SEEK_CUR) : -1;
    if (start >= 0) {
        in->size = st.st_size > start ? st.st_size - start : 0;
    }
    if (start >= 0 && !stream) {
        struct sigaction action = { .sa_handler = on_sigbus };

        in->kind = INPUT_FILE;
        in->file_start = start;
        sigaction(SIGBUS, &action, NULL);
    } else {
        in->kind = INPUT_PIPE;
        in->cap = BUFFER;
        in->buf = g_malloc(in->cap);
        in->data = in->buf;
#ifdef F_SETPIPE_SZ
        /* A pipe that holds more means fewer switches; no matter if not. */
        fcntl(in->fd, F_SETPIPE_SZ, 1024 * 1024);
#endif
    }
    return g_steal_pointer(&in);
}

Input *input_memory(const uint8_t *data, size_t len)
{
    Input *in = g_new0(Input, 1);

    in->kind = INPUT_MEMORY;
    in->name = g_strdup("memory");
    in->data = data;
    in->len = len;
    return in;
}

Input *input_filter(const char *name, InputRead *read, void *source,
                    GDestroyNotify free_source)
{
    Input *in = g_new0(Input, 1);

    in->kind = INPUT_PIPE;
    in->name = g_strdup(name);
    in->fd = -1;
    in->cap = BUFFER;
    in->buf = g_malloc(in->cap);
    in->data = in->buf;
    in->read = read;
    in->source = source;
    in->free_source = free_source;
    return in;
}

static void unmap(Input *in)
{
    if (in->data) {
        munmap((void *)in->data, in->len);
        in->data = NULL;
    }
}

void input_close(Input *in)
{
    if (!in) {
        return;
    }
    if (in->progress_shown) {
        fprintf(stderr, "\r\033[K");
    }
    if (in->kind == INPUT_FILE) {
        unmap(in);
    }
    if (in->close_fd) {
        close(in->fd);
    }
    if (in->free_source) {
        in->free_source(in->source);
    }
    g_free(in->buf);
    g_free(in->name);
    g_free(in);
}

static void show_progress(Input *in)
{
    int64_t now;
    g_autofree char *done = NULL;

    if (!in->progress) {
        return;
    }
    now = g_get_monotonic_time();
    if (now < in->progress_next) {
        return;
    }
    in->progress_next = now + PROGRESS_INTERVAL;
    in->progress_shown = true;
    done = g_format_size_full(input_offset(in), G_FORMAT_SIZE_IEC_UNITS);
    if (in->size) {
        g_autofree char *all = g_format_size_full(in->size,
                                                  G_FORMAT_SIZE_IEC_UNITS);

        fprintf(stderr, "\r%s: %s of %s (%u %%)\033[K", in->name, done, all,
                (unsigned)(input_offset(in) * 100 / in->size));
    } else {
        fprintf(stderr, "\r%s: %s\033[K", in->name, done);
    }
    fflush(stderr);
}

static void read_error(Input *in, GError **errp)
{
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_IO,
                "cannot read %s at offset 0x%" PRIx64 ": %s", in->name,
                input_offset(in), g_strerror(errno));
}

/* Moves the window of a file to @offset of the stream. */
static bool map_at(Input *in, uint64_t offset, GError **errp)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    uint64_t at = in->file_start + offset;
    uint64_t from = at & ~(page - 1);
    uint64_t end = MIN(from + WINDOW, in->file_start + in->size);
    void *data;

    unmap(in);
    if (from < in->file_start) {
        /* The mapping begins before the stream does. */
        uint64_t lead = in->file_start - from;

        in->base = 0 - lead;
    } else {
        in->base = from - in->file_start;
    }
    in->pos = at - from;
    in->len = end > from ? end - from : 0;
    if (!in->len) {
        in->pos = 0;
        in->base = offset;
        return true;
    }
    data = mmap(NULL, in->len, PROT_READ, MAP_SHARED, in->fd, from);
    if (data == MAP_FAILED) {
        in->len = in->pos = 0;
        read_error(in, errp);
        return false;
    }
    in->data = data;
    show_progress(in);
    return true;
}

bool input_flush(Input *in, GError **errp)
{
    size_t from = in->passed;

    in->passed = in->pos;
    return !in->pass || from == in->pos ||
           in->pass(in->opaque, in->data + from, in->pos - from, errp);
}

void input_drop(Input *in)
{
    in->passed = in->pos;
}

static ssize_t read_fd(Input *in, GError **errp)
{
    ssize_t got;

    do {
        got = read(in->fd, in->buf + in->len, in->cap - in->len);
        if (got < 0 && errno == EAGAIN) {
            /* The other side of a socket may have made it so. */
            struct pollfd fd = { .fd = in->fd, .events = POLLIN };

            poll(&fd, 1, -1);
            errno = EINTR;
        }
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        read_error(in, errp);
    }
    return got;
}

/* Reads what a pipe has, at least one byte unless it has ended. */
static bool read_some(Input *in, GError **errp)
{
    size_t keep;
    ssize_t got;

    if (!in->hold && !input_flush(in, errp)) {
        return false;
    }
    keep = in->hold ? MIN(in->passed, in->pos) : in->pos;
    memmove(in->buf, in->buf + keep, in->len - keep);
    in->base += keep;
    in->len -= keep;
    in->pos -= keep;
    in->passed -= MIN(in->passed, keep);
    if (in->len == in->cap) {
        /* Only while holding, that is for a few headers */
        in->cap *= 2;
        in->buf = g_realloc(in->buf, in->cap);
    }
    in->data = in->buf;
    got = in->read ? in->read(in->source, in->buf + in->len,
                              in->cap - in->len, errp) : read_fd(in, errp);
    if (got < 0) {
        return false;
    }
    in->at_end = got == 0;
    in->len += got;
    show_progress(in);
    return true;
}

const uint8_t *input_fill(Input *in, size_t n, GError **errp)
{
    g_assert(n <= MOST_NEEDED);
    switch (in->kind) {
    case INPUT_MEMORY:
        break;
    case INPUT_FILE:
        if (in->size - input_offset(in) >= n &&
            !map_at(in, input_offset(in), errp)) {
            return NULL;
        }
        break;
    case INPUT_PIPE:
        while (in->len - in->pos < n && !in->at_end) {
            if (!read_some(in, errp)) {
                return NULL;
            }
        }
        break;
    }
    return in->len - in->pos >= n ? in->data + in->pos : NULL;
}

bool input_skip_far(Input *in, uint64_t n, GError **errp)
{
    bool enough;

    /* If there are fewer, all kinds end where the stream does. */
    switch (in->kind) {
    case INPUT_MEMORY:
        in->pos = in->len;
        return false;
    case INPUT_FILE:
        enough = in->size - input_offset(in) >= n;
        return map_at(in, enough ? input_offset(in) + n : in->size, errp) &&
               enough;
    case INPUT_PIPE:
        while (n) {
            size_t step = MIN(n, in->len - in->pos);

            in->pos += step;
            n -= step;
            if (n) {
                if (in->at_end || !read_some(in, errp)) {
                    return false;
                }
            }
        }
        return true;
    }
    g_assert_not_reached();
}

const uint8_t *input_some(Input *in, size_t *n, GError **errp)
{
    const uint8_t *p = input_need(in, 1, errp);

    *n = p ? in->len - in->pos : 0;
    return p;
}

void input_begin(Input *in)
{
    uint64_t offset = input_offset(in);

    in->base -= offset;
    in->file_start += offset;
    in->size -= MIN(in->size, offset);
    in->passed = in->pos;
}

uint64_t input_left(const Input *in)
{
    return in->kind == INPUT_FILE ? in->size - input_offset(in)
                                  : in->len - in->pos;
}

bool input_append(Input *in, GByteArray *to, size_t n, bool *at_end,
                  GError **errp)
{
    *at_end = false;
    in->hold = false;
    if (!input_flush(in, errp)) {
        return false;
    }
    while (n) {
        GError *err = NULL;
        size_t got;
        const uint8_t *p = input_some(in, &got, &err);

        if (!p) {
            *at_end = true;
            if (err) {
                g_propagate_error(errp, err);
                return false;
            }
            return true;
        }
        got = MIN(got, n);
        g_byte_array_append(to, p, got);
        in->pos += got;
        n -= got;
        input_drop(in);
    }
    return true;
}

bool input_drain(Input *in, GError **errp)
{
    GError *err = NULL;
    size_t n;

    while (input_some(in, &n, &err)) {
        in->pos += n;
        input_drop(in);
    }
    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    return true;
}
