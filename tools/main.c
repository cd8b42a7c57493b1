/*
 * ppc-insns: what a pseries migration stream carries, who takes it, and how
 * to make those take it that do not
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <signal.h>
#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *what;
} commands[] = {
    { "show", command_show, "[--json] [STREAM...]",
      "what is in a stream: machine, CPUs, their groups, sections" },
    { "check", command_check,
      "--to RELEASE [--cpu MODEL] [--machine M] [STREAM]",
      "whether that QEMU will load it, and if not, why" },
    { "rewrite", command_rewrite, "--to RELEASE [--cpu MODEL] <IN >OUT",
      "a filter: make it what that QEMU, unpatched, will load" },
    { "history", command_history,
      "[--family FAMILY] [--release RELEASE] [--json]",
      "which family got which instruction groups, when" },
};

static void help(FILE *out)
{
    size_t i;

    fprintf(out, "Usage: ppc-insns COMMAND [OPTION...]\n\n"
            "Reads migration streams of QEMU's pseries machines.\n\n");
    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(out, "  %s %s\n      %s\n", commands[i].name,
                commands[i].usage, commands[i].what);
    }
    fprintf(out, "\nA STREAM is a file; none, or -, is standard input.\n"
            "ppc-insns COMMAND --help lists the options; see also"
            " ppc-insns(1).\n"
            "Exit status: 0 yes, done; 1 no, refused; 2 not a stream, not"
            " readable, usage.\n");
}

bool parse_options(const GOptionEntry *options, const char *usage, int *argc,
                   char ***argv)
{
    GOptionContext *context = g_option_context_new(usage);
    GError *err = NULL;
    bool ok;

    g_option_context_add_main_entries(context, options, NULL);
    ok = g_option_context_parse(context, argc, argv, &err);
    if (!ok) {
        fprintf(stderr, "ppc-insns: %s\n", err->message);
        g_error_free(err);
    }
    g_option_context_free(context);
    return ok;
}

int complain(const char *subject, const GError *err)
{
    if (subject) {
        fprintf(stderr, "ppc-insns: %s: %s\n", subject, err->message);
    } else {
        fprintf(stderr, "ppc-insns: %s\n", err->message);
    }
    return err->domain == TOOL_ERROR && err->code == TOOL_ERROR_REFUSED ?
        EXIT_NO : EXIT_UNREADABLE;
}

size_t device_limit(int mib)
{
    return mib > 0 ? (size_t)mib << 20 : STREAM_DEVICE_LIMIT;
}

void print_json(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *text = NULL;

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, true);
    text = json_generator_to_data(generator, NULL);
    printf("%s\n", text);
}

void json_member(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    if (value) {
        json_builder_add_string_value(builder, value);
    } else {
        json_builder_add_null_value(builder);
    }
}

void json_names(JsonBuilder *builder, const char *name, PPCInsns set)
{
    g_autofree char *names = ppc_insns_names(set);
    g_auto(GStrv) list = g_strsplit(names, " ", 0);
    guint i;

    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (i = 0; *names && list[i]; i++) {
        json_builder_add_string_value(builder, list[i]);
    }
    json_builder_end_array(builder);
}

void print_wrapped(int indent, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words, " ", 0);
    int column = 0;
    guint i;

    for (i = 0; list[i]; i++) {
        int len = strlen(list[i]);

        if (column && column + 1 + len > 78) {
            printf("\n");
            column = 0;
        }
        column += column ? printf(" %s", list[i])
                         : printf("%*s%s", indent, "", list[i]);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    size_t i;

    /* Who closes our output early shall read a message, not just vanish. */
    signal(SIGPIPE, SIG_IGN);
    g_set_prgname("ppc-insns");

    if (argc < 2) {
        help(stderr);
        return EXIT_UNREADABLE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        !strcmp(argv[1], "help")) {
        help(stdout);
        return EXIT_YES;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("ppc-insns %s\n", PPC_INSNS_VERSION);
        return EXIT_YES;
    }
    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            int status;
            g_autofree char *name = g_strconcat("ppc-insns ", argv[1], NULL);

            g_set_prgname(name);
            status = commands[i].run(argc - 1, argv + 1);
            if ((fflush(stdout) == EOF || ferror(stdout)) &&
                status != EXIT_UNREADABLE) {
                fprintf(stderr, "ppc-insns: cannot write the output\n");
                status = EXIT_UNREADABLE;
            }
            return status;
        }
    }
    fprintf(stderr, "ppc-insns: '%s' is no command; there are show, check,"
            " rewrite and history\n", argv[1]);
    return EXIT_UNREADABLE;
}
