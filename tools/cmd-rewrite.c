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

/*
 * @opaque: what must stand before the first byte (GBytes), NULL for nothing;
 * taken from there when it has been written
 */
static bool write_out(void *opaque, const uint8_t *data, size_t len,
                      GError **errp)
{
    GBytes **before = opaque;

    if (*before) {
        g_autoptr(GBytes) header = g_steal_pointer(before);
        gsize size;
        const uint8_t *bytes = g_bytes_get_data(header, &size);

        if (!write_out(before, bytes, size, errp)) {
            return false;
        }
    }
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
                           const StreamForm *form, bool force, GError **errp)
{
    g_autoptr(GPtrArray) reasons = NULL;
    Stream outcome = *s;    /* as far as judge_start() looks at it */
    guint i;

    if (s->machine && !g_str_has_prefix(s->machine, "pseries-")) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED,
                    "this is a stream of machine %s, not of a pseries; it"
                    " does not need to be rewritten", s->machine);
        return true;
    }
    outcome.has_configuration = form->configuration;
    outcome.machine = form->configuration ? (char *)form->machine : NULL;
    reasons = judge_start(&outcome, dest);
    for (i = 0; i < reasons->len && !force; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        if (reason->refuses &&
            reason->who & (dest->series ? PATCHED : UNPATCHED)) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED, "%s%s%s",
                        reason->what, reason->advice ? "; try: " : "",
                        reason->advice ? reason->advice : "");
            return true;
        }
    }
    return false;
}

static bool rewrite(Stream *s, const Destination *dest, bool force,
                    GBytes **before, GError **errp)
{
    StreamForm form;
    bool known;
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) device = NULL;
    guint i;

    /* Nothing goes out before we know that the machine is one for us. */
    s->in->hold = true;
    if (!stream_read_start(s, errp)) {
        return false;
    }
    known = rewrite_form(s, dest, &form);
    if (refuse_machine(s, dest, &form, force, errp) ||
        !rewrite_start(s, &form, errp)) {
        return false;
    }
    /* Whether it has footers is not known yet; what is wanted is. */
    s->footers_out = known ? form.footers : -1;
    s->in->hold = false;

    if (!stream_read_ram(s, errp)) {
        return false;
    }
    if (!stream_is_pseries(s)) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_REFUSED,
                    "this is not a stream of a pseries, which would have a hash"
                    " table; it does not need to be rewritten");
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
    /* Let the source write all that it has, or it fails. */
    return device && write_out(before, device->data, device->len, errp) &&
           input_drain(s->in, errp);
}

int command_rewrite(int argc, char **argv)
{
    gboolean force = false, series = false;
    int limit = 0, expand = 0, status = EXIT_UNREADABLE;
    g_autofree char *to = NULL, *cpu = NULL, *htm = NULL, *like = NULL;
    g_autofree char *machine = NULL, *from = NULL;
    g_auto(GStrv) globals = NULL;
    const GOptionEntry options[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &to,
          TO_HELP, "RELEASE" },
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, FROM_HELP, "PRODUCT" },
        { "machine", 0, 0, G_OPTION_ARG_STRING, &machine,
          "The destination's machine, which the stream should name",
          "MACHINE" },
        { "global", 0, 0, G_OPTION_ARG_STRING_ARRAY, &globals,
          "The destination's -global; may be given more than once",
          "DRIVER.PROPERTY=VALUE" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu,
          "The destination's -cpu (default: as in the stream)", "MODEL" },
        { "like", 0, 0, G_OPTION_ARG_STRING, &like,
          "The upstream machine that the destination's machine is like", "MACHINE" },
        { "htm", 0, 0, G_OPTION_ARG_STRING, &htm,
          "If the stream does not mention HTM: make it say off, which is true"
          " under TCG (default), or keep it as it is, for KVM", "off|keep" },
        { "with-series", 0, 0, G_OPTION_ARG_NONE, &series,
          "The destination has the series: leave the words as they are",
          NULL },
        { "force", 0, 0, G_OPTION_ARG_NONE, &force,
          "Write it even if the guest may lose groups or it may be refused",
          NULL },
        LIMIT_OPTIONS(&limit, &expand),
        { NULL },
    };
    g_auto(Destination) dest = { 0 };
    GError *err = NULL;
    Container *container;

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
    if (!destination_parse_to(&dest, to, &err) ||
        !destination_set(&dest, machine, like, cpu, globals, &err)) {
        return complain(NULL, err);
    }
    dest.series = series && series_exists(&dest);
    dest.name_only = machine && !strchr(machine, ',');
    if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)) {
        fprintf(stderr, "ppc-insns: rewrite reads and writes streams, not"
                " terminals: ppc-insns rewrite --to %s <IN >OUT\n", to);
        return EXIT_UNREADABLE;
    }
    dest.kvm = htm && !strcmp(htm, "keep");

    container = container_open("-", true, expand_limit(expand), &err);
    if (container) {
        g_autoptr(Stream) s = stream_new(container->in);
        GBytes *before = container_header(container);

        container->in->pass = write_out;
        container->in->opaque = &before;
        s->device_limit = device_limit(limit);
        if ((!from || origin_tell(s, from, &err)) &&
            rewrite(s, &dest, force, &before, &err)) {
            status = EXIT_YES;
        }
        g_clear_pointer(&before, g_bytes_unref);
        if (container->compression != COMPRESSION_NONE && !err) {
            fprintf(stderr, "ppc-insns: note: the input was compressed with"
                    " %s, the output is not\n",
                    compression_name(container->compression));
        }
    }
    container_close(container);
    if (err) {
        status = complain("rewrite", err);
    }
    return status;
}
