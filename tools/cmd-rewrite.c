/*
 * ppc-insns rewrite: a filter between a source and an unpatched QEMU
 *
 * What the guest still changes (RAM, hash table) passes as it comes, so that
 * this can stand in the middle of a live migration.  The device state is held
 * back until the source closes the stream, as where it ends is known only
 * then; it goes out changed, in one piece, or not at all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "commands.h"
#include "rewrite.h"

static bool write_out(void *opaque, const uint8_t *data, size_t len,
                      GError **errp)
{
    (void)opaque;
    while (len) {
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };

            poll(&fd, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_IO, errno == EPIPE ?
                        "the destination closed the stream: %s; see what it"
                        " says" : "cannot write: %s", g_strerror(errno));
            return false;
        } else if (n > 0) {
            data += n;
            len -= n;
        }
    }
    return true;
}

static bool refuse_machine(const Stream *s, const Destination *dest,
                           bool force, GError **errp)
{
    g_autoptr(GPtrArray) reasons = NULL;
    guint i;

    if (s->machine && !g_str_has_prefix(s->machine, "pseries-")) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED,
                    "this is a stream of machine %s, not of a pseries; it"
                    " needs no rewriting, and gets none", s->machine);
        return true;
    }
    reasons = judge_start(s, dest);
    for (i = 0; i < reasons->len && !force; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        if (reason->refuses && reason->who & UNPATCHED) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED, "%s%s%s",
                        reason->what, reason->advice ? "; try: " : "",
                        reason->advice ? reason->advice : "");
            return true;
        }
    }
    return false;
}

static bool rewrite(Stream *s, const Destination *dest, bool force,
                    GError **errp)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) device = NULL;
    guint i;

    /* Nothing goes out before we know that the machine is one for us. */
    s->in->hold = true;
    if (!stream_read_start(s, errp)) {
        return false;
    }
    if (rewrite_drops_configuration(s, dest)) {
        if (!write_out(NULL, s->in->data, 8, errp)) {
            return false;
        }
        input_drop(s->in);
        s->has_configuration = false;
    }
    if (refuse_machine(s, dest, force, errp)) {
        return false;
    }
    s->in->hold = false;

    if (!stream_read_ram(s, errp)) {
        return false;
    }
    if (!stream_is_pseries(s)) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED,
                    "this is no stream of a pseries, which would have a hash"
                    " table; it needs no rewriting, and gets none");
        return false;
    }
    if (!stream_read_device(s, errp)) {
        return false;
    }
    device = rewrite_device(s, dest, force, notes, errp);
    for (i = 0; i < notes->len; i++) {
        fprintf(stderr, "%sppc-insns: note: %s\n",
                s->in->progress_shown ? "\r\033[K" : "",
                (char *)g_ptr_array_index(notes, i));
    }
    return device && write_out(NULL, device->data, device->len, errp);
}

int command_rewrite(int argc, char **argv)
{
    gboolean force = false;
    int limit = 0, status = EXIT_UNREADABLE;
    g_autofree char *to = NULL, *cpu = NULL, *htm = NULL;
    const GOptionEntry options[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &to,
          "The release of the destination: 2.1 to 9.1, 2.7.1, 2.11.1",
          "RELEASE" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu,
          "The destination's -cpu (default: as in the stream)", "MODEL" },
        { "htm", 0, 0, G_OPTION_ARG_STRING, &htm,
          "Where the stream says nothing about HTM: say that it is off, as is"
          " true under TCG (default), or keep it so, for KVM", "off|keep" },
        { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Though the guest may lose groups, or the destination refuse it",
          NULL },
        { "device-limit", 0, 0, G_OPTION_ARG_INT, &limit, DEVICE_LIMIT_HELP,
          "MIB" },
        { NULL },
    };
    Destination dest = { 0 };
    GError *err = NULL;
    Input *in;

    if (!parse_options(options, "<IN >OUT", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    if (!to || argc > 1 || (htm && strcmp(htm, "off") &&
                            strcmp(htm, "keep"))) {
        fprintf(stderr, "ppc-insns: rewrite takes --to RELEASE and perhaps"
                " --htm=off or keep; it reads standard input and writes"
                " standard output\n");
        return EXIT_UNREADABLE;
    }
    if (!target_parse(to, &dest.to, &err)) {
        status = complain(NULL, err);
        g_error_free(err);
        return status;
    }
    if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)) {
        fprintf(stderr, "ppc-insns: rewrite reads and writes streams, not"
                " terminals: ppc-insns rewrite --to %s <IN >OUT\n", to);
        return EXIT_UNREADABLE;
    }
    dest.model = cpu;
    dest.kvm = htm && !strcmp(htm, "keep");

    in = input_open("-", true, &err);
    if (in) {
        g_autoptr(Stream) s = stream_new(in);

        in->pass = write_out;
        s->device_limit = device_limit(limit);
        if (rewrite(s, &dest, force, &err)) {
            status = EXIT_YES;
        }
    }
    input_close(in);
    if (err) {
        status = complain("rewrite", err);
        g_error_free(err);
    }
    return status;
}
