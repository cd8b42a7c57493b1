/*
 * ppc-insns check: will a QEMU release load a stream?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"

static const char *who_name(unsigned who)
{
    return who == BOTH ? "" : who == PATCHED ? " (with the series)"
                                             : " (unpatched)";
}

static void print_text(const GPtrArray *reasons, const Destination *dest)
{
    g_autofree char *name = destination_name(dest);
    guint i;

    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        printf("%s%s: %s%s%s\n", reason->refuses ? "refuses" : "note",
               series_exists(dest) ? who_name(reason->who) : "", reason->what,
               reason->advice ? "; try: " : "",
               reason->advice ? reason->advice : "");
    }
    printf(dest->product ? "%s: %s\n" : "QEMU %s, unpatched: %s\n", name,
           judge_refuses(reasons, UNPATCHED) ? "no" : "yes");
    if (series_exists(dest)) {
        printf("QEMU %s with the series: %s\n", name,
               judge_refuses(reasons, PATCHED) ? "no" : "yes");
    }
}

static void print_verdict(const GPtrArray *reasons, const char *path,
                          const Stream *s, const Destination *dest)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autofree char *name = destination_name(dest);
    guint i;

    json_builder_begin_object(b);
    json_member(b, "stream", path);
    json_member(b, "machine", dest->machine ? dest->machine
                                            : stream_machine(s));
    json_member(b, "to", name);
    json_builder_set_member_name(b, "loads");
    json_builder_add_boolean_value(b, !judge_refuses(reasons, UNPATCHED));
    json_builder_set_member_name(b, "loads_with_series");
    if (series_exists(dest)) {
        json_builder_add_boolean_value(b, !judge_refuses(reasons, PATCHED));
    } else {
        json_builder_add_null_value(b);
    }
    json_builder_set_member_name(b, "reasons");
    json_builder_begin_array(b);
    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        json_builder_begin_object(b);
        json_builder_set_member_name(b, "refuses");
        json_builder_add_boolean_value(b, reason->refuses);
        json_builder_set_member_name(b, "unpatched");
        json_builder_add_boolean_value(b, reason->who & UNPATCHED);
        json_builder_set_member_name(b, "with_series");
        json_builder_add_boolean_value(b, reason->who & PATCHED);
        json_member(b, "what", reason->what);
        json_member(b, "try", reason->advice);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
    print_json(b);
}

int command_check(int argc, char **argv)
{
    gboolean json = false, series = false, kvm = false;
    int limit = 0, expand = 0, status;
    g_autofree char *to = NULL, *cpu = NULL, *machine = NULL, *like = NULL;
    g_autofree char *from = NULL;
    g_auto(GStrv) globals = NULL;
    const GOptionEntry options[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &to,
          TO_HELP, "RELEASE" },
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, FROM_HELP, "PRODUCT" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu,
          "The destination's -cpu with its options (default: as in the"
          " stream)", "MODEL" },
        { "machine", 0, 0, G_OPTION_ARG_STRING, &machine,
          "The destination's -machine with its options (default: as in the"
          " stream)", "MACHINE" },
        { "like", 0, 0, G_OPTION_ARG_STRING, &like,
          "The upstream machine that the destination's machine is like", "MACHINE" },
        { "global", 0, 0, G_OPTION_ARG_STRING_ARRAY, &globals,
          "The destination's -global; may be given more than once",
          "DRIVER.PROPERTY=VALUE" },
        { "kvm", 0, 0, G_OPTION_ARG_NONE, &kvm,
          "The destination uses KVM, not TCG", NULL },
        { "with-series", 0, 0, G_OPTION_ARG_NONE, &series,
          "The exit status is about a QEMU with the series", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, for programs",
          NULL },
        LIMIT_OPTIONS(&limit, &expand),
        { NULL },
    };
    g_auto(Destination) dest = { 0 };
    GError *err = NULL;
    const char *path;
    Container *container;

    if (!parse_options(options, "[STREAM]", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    if (!to || argc > 2) {
        fprintf(stderr, "ppc-insns: check takes --to RELEASE and one"
                " stream\n");
        return EXIT_UNREADABLE;
    }
    path = argc > 1 ? argv[1] : "-";
    if (!destination_parse_to(&dest, to, &err) ||
        !destination_set(&dest, machine, like, cpu, globals, &err)) {
        return complain(NULL, err);
    }
    dest.kvm |= kvm;

    container = container_open(path, false, expand_limit(expand), &err);
    status = EXIT_UNREADABLE;
    if (container) {
        g_autoptr(Stream) s = stream_new(container->in);

        s->device_limit = device_limit(limit);
        if ((!from || origin_tell(s, from, &err)) && stream_read(s, &err)) {
            g_autoptr(GPtrArray) reasons = judge(s, &dest);
            bool with = series && series_exists(&dest);

            container_end_progress(container);
            if (container->unfinished) {
                fprintf(stderr, "ppc-insns: note: libvirt did not finish"
                        " writing %s, and will not restore it\n", path);
            }
            if (json) {
                print_verdict(reasons, path, s, &dest);
            } else {
                print_text(reasons, &dest);
            }
            status = judge_refuses(reasons, with ? PATCHED : UNPATCHED)
                ? EXIT_NO : EXIT_YES;
        }
    }
    container_close(container);
    if (err) {
        status = complain(path, err);
    }
    return status;
}
