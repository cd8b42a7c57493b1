/*
 * ppc-insns: what a pseries migration stream carries, who takes it, and how
 * to make the others take it
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
      "show what is in a stream: machine, CPUs, their groups, sections" },
    { "check", command_check,
      "--to RELEASE [--cpu MODEL] [--machine MACHINE] [STREAM]",
      "say whether that QEMU will load it, and if not, why" },
    { "rewrite", command_rewrite, "--to RELEASE [--cpu MODEL] <IN >OUT",
      "filter a stream so that an unpatched QEMU of that release loads it" },
    { "options", command_options,
      "--to RELEASE [--with-series] [--libvirt] [STREAM]",
      "print the command line that the destination needs" },
    { "diff", command_diff, "STREAM STREAM",
      "show in which sections and fields two streams differ" },
    { "history", command_history,
      "[--family FAMILY] [--release RELEASE] [--json]",
      "show which family got which instruction groups, and when" },
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
    fprintf(out, "\nSTREAM is a file; without one, or for -, standard input is"
            " read.\n"
            "ppc-insns COMMAND --help lists the options; see also"
            " ppc-insns(1).\n"
            "Exit status: 0 yes, done; 1 no, refused; 2 not a stream, not"
            " readable, wrong usage.\n");
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

int complain(const char *subject, GError *err)
{
    int status = err->domain == TOOL_ERROR &&
                 err->code == TOOL_ERROR_REFUSED ? EXIT_NO : EXIT_UNREADABLE;

    if (subject) {
        fprintf(stderr, "ppc-insns: %s: %s\n", subject, err->message);
    } else {
        fprintf(stderr, "ppc-insns: %s\n", err->message);
    }
    g_error_free(err);
    return status;
}

size_t device_limit(int mib)
{
    return mib > 0 ? (size_t)mib << 20 : STREAM_DEVICE_LIMIT;
}

uint64_t expand_limit(int gib)
{
    return gib > 0 ? (uint64_t)gib << 30 : EXPAND_LIMIT;
}

int main(int argc, char **argv)
{
    size_t i;

    /* If our output is closed early, print a message instead of vanishing. */
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
    fprintf(stderr, "ppc-insns: '%s' is not a command; there are show,"
            " check, rewrite, options, diff and history\n", argv[1]);
    return EXIT_UNREADABLE;
}
