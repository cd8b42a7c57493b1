/*
 * ppc-insns options: the command line that a stream's destination needs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"
#include "options.h"

/* What stands in a comment is one line of it. */
static void print_comments(const Options *o, const char *begin,
                           const char *end)
{
    guint i;

    for (i = 0; i < o->comments->len; i++) {
        printf("%s%s%s\n", begin, (char *)g_ptr_array_index(o->comments, i),
               end);
    }
    printf("%sload it through: %s%s\n", begin, o->rewrite->str, end);
    for (i = 0; i < o->devices->len; i++) {
        printf("%sit has %s%s\n", begin,
               (char *)g_ptr_array_index(o->devices, i), end);
    }
    if (o->problem) {
        printf("%sbut it does not load: %s%s\n", begin, o->problem, end);
    }
}

static void print_arguments(const Options *o)
{
    guint i;

    print_comments(o, "# ", "");
    printf("-M\n%s%s\n", o->machine, o->machine_options->str);
    if (o->cpu) {
        printf("-cpu\n%s%s%s\n", o->cpu, o->insns_compat ? ",insns-compat="
                                                         : "",
               o->insns_compat ? o->insns_compat : "");
    }
    printf("-smp\n%u\n", o->smp);
    if (o->ram) {
        printf("-m\n%" PRIu64 "k\n", o->ram >> 10);
    }
    for (i = 0; i < o->globals->len; i++) {
        printf("-global\n%s\n", (char *)g_ptr_array_index(o->globals, i));
    }
}

static void print_xml_argument(const char *option, const char *value)
{
    g_autofree char *text = g_markup_escape_text(value, -1);

    printf("    <qemu:arg value='%s'/>\n    <qemu:arg value='%s'/>\n", option,
           text);
}

static void print_libvirt(const Options *o, const Destination *dest)
{
    g_autofree char *machine = g_markup_escape_text(o->machine, -1);
    g_autofree char *cpu = g_markup_escape_text(o->cpu ? o->cpu : "", -1);
    guint i;

    printf("<domain type='%s'"
           " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n",
           dest->kvm ? "kvm" : "qemu");
    for (i = 0; i < o->comments->len; i++) {
        /* Two dashes would end it. */
        g_auto(GStrv) parts = g_strsplit(g_ptr_array_index(o->comments, i),
                                         "--", 0);
        g_autofree char *text = g_strjoinv("- -", parts);

        printf("  <!-- %s -->\n", text);
    }
    if (o->ram) {
        printf("  <memory unit='KiB'>%" PRIu64 "</memory>\n", o->ram >> 10);
    }
    printf("  <vcpu>%u</vcpu>\n  <os>\n    <type arch='ppc64' machine='%s'>"
           "hvm</type>\n  </os>\n", o->smp, machine);
    if (dest->caps[CAP_HTM] == 0) {
        printf("  <features>\n    <htm state='off'/>\n  </features>\n");
    }
    if (o->cpu) {
        printf("  <cpu mode='custom' match='exact'>\n    <model"
               " fallback='forbid'>%s</model>\n  </cpu>\n", cpu);
    }
    printf("  <qemu:commandline>\n");
    if (o->machine_options->len) {
        print_xml_argument("-machine", o->machine_options->str + 1);
    }
    if (o->insns_compat) {
        g_autofree char *text = g_strconcat("powerpc64-cpu.insns-compat=",
                                            o->insns_compat, NULL);

        print_xml_argument("-global", text);
    }
    for (i = 0; i < o->globals->len; i++) {
        print_xml_argument("-global", g_ptr_array_index(o->globals, i));
    }
    printf("  </qemu:commandline>\n</domain>\n");
}

int command_options(int argc, char **argv)
{
    gboolean kvm = false, series = false, libvirt = false;
    int limit = 0, expand = 0, status = EXIT_UNREADABLE;
    g_autofree char *to = NULL, *cpu = NULL, *machine = NULL, *like = NULL;
    g_autofree char *from = NULL;
    const GOptionEntry options[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &to, TO_HELP, "RELEASE" },
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, FROM_HELP, "PRODUCT" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu,
          "The destination's -cpu (default: as in the stream)", "MODEL" },
        { "machine", 0, 0, G_OPTION_ARG_STRING, &machine,
          "The destination's machine (default: that of the stream, or the one"
          " most like it)", "MACHINE" },
        { "like", 0, 0, G_OPTION_ARG_STRING, &like,
          "The upstream machine that the destination's machine is like", "MACHINE" },
        { "kvm", 0, 0, G_OPTION_ARG_NONE, &kvm,
          "The destination uses KVM, not TCG", NULL },
        { "with-series", 0, 0, G_OPTION_ARG_NONE, &series,
          "The destination is a QEMU with the series", NULL },
        { "libvirt", 0, 0, G_OPTION_ARG_NONE, &libvirt,
          "Print XML for libvirt", NULL },
        LIMIT_OPTIONS(&limit, &expand),
        { NULL },
    };
    g_auto(Destination) dest = { 0 };
    GError *err = NULL;
    Container *container;
    const char *path;

    if (!parse_options(options, "[STREAM]", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    if (!to || argc > 2) {
        fprintf(stderr, "ppc-insns: options takes --to RELEASE and one"
                " stream\n");
        return EXIT_UNREADABLE;
    }
    path = argc > 1 ? argv[1] : "-";
    if (!destination_parse_to(&dest, to, &err) ||
        !destination_set(&dest, machine, like, cpu, NULL, &err)) {
        return complain(NULL, err);
    }
    dest.kvm |= kvm;
    dest.series = series && series_exists(&dest);

    container = container_open(path, false, expand_limit(expand), &err);
    if (container) {
        g_autoptr(Stream) s = stream_new(container->in);

        s->device_limit = device_limit(limit);
        if ((!from || origin_tell(s, from, &err)) && stream_read(s, &err)) {
            g_autoptr(Options) o = options_find(s, &dest);

            container_end_progress(container);
            if (libvirt) {
                print_libvirt(o, &dest);
            } else {
                print_arguments(o);
            }
            if (o->problem) {
                fprintf(stderr, "ppc-insns: it does not load: %s\n",
                        o->problem);
            }
            status = o->problem ? EXIT_NO : EXIT_YES;
        }
    }
    container_close(container);
    if (err) {
        status = complain(path, err);
    }
    return status;
}
