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
#include <json-glib/json-glib.h>
#include "tool-error.h"
#include "judge.h"

int command_show(int argc, char **argv);
int command_check(int argc, char **argv);
int command_rewrite(int argc, char **argv);
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

/** complain: says on stderr what went wrong; returns the exit status for it */
int complain(const char *subject, const GError *err);

/** device_limit: MiB as given to --device-limit in bytes */
size_t device_limit(int mib);

/** print_json: writes what @builder has built to stdout, with a newline */
void print_json(JsonBuilder *builder);

/** json_member: adds a member that is a string, or null if @value is NULL */
void json_member(JsonBuilder *builder, const char *name, const char *value);

/** json_names: adds a member that is an array of the groups' names */
void json_names(JsonBuilder *builder, const char *name, PPCInsns set);

/** print_wrapped: writes blank-separated words, each line after @indent */
void print_wrapped(int indent, const char *words);

/* What stands in one help text after another */
#define DEVICE_LIMIT_HELP \
    "Take up to MIB of device state (default: 32)"

#endif /* TOOLS_COMMANDS_H */
