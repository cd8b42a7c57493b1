/*
 * The commands of ppc-insns
 *
 * Each takes its own part of the command line, its name as the first word,
 * and returns the exit status.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "qemu/osdep.h"
#include "tool-error.h"
#include "container.h"
#include "judge.h"
#include "output.h"

int command_show(int argc, char **argv);
int command_check(int argc, char **argv);
int command_rewrite(int argc, char **argv);
int command_options(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_history(int argc, char **argv);

/**
 * parse_options:
 * @usage: what stands behind the command's name
 * @argv: what is left of it are the operands
 *
 * Returns: false if the command line is wrong, which has been said then.
 */
bool parse_options(const GOptionEntry *options, const char *usage,
                   int *argc, char ***argv);

/**
 * complain: says on stderr what went wrong; returns the exit status for it.
 * Takes over @err.
 */
int complain(const char *subject, GError *err);

/** device_limit: MiB as given to --device-limit in bytes */
size_t device_limit(int mib);

/** expand_limit: GiB as given to --expand-limit in bytes */
uint64_t expand_limit(int gib);

/* The options that each command has that reads a stream */
#define LIMIT_OPTIONS(limit, expand) \
    { "device-limit", 0, 0, G_OPTION_ARG_INT, (limit), \
      "Take up to MIB of device state (default: 32)", "MIB" }, \
    { "expand-limit", 0, 0, G_OPTION_ARG_INT, (expand), \
      "Compressed input may expand to GIB (default: 1024)", "GIB" }

/* What stands in one help text after another */
#define TO_HELP \
    "The destination's release, 2.1 to 11.1, 2.7.1, 2.11.1, or a product" \
    " such as powerkvm-3.1.1"
#define FROM_HELP \
    "Who sent the stream, such as rhel-7.3 or upstream (default: see show)"

#endif /* TOOLS_COMMANDS_H */
