/*
 * What the commands print, for people and for programs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include "qemu/osdep.h"
#include <json-glib/json-glib.h>
#include "../target/ppc/insns-history.h"

/** print_json: writes what @builder has built to stdout, with a newline */
void print_json(JsonBuilder *builder);

/** json_member: adds a member that is a string, or null if @value is NULL */
void json_member(JsonBuilder *builder, const char *name, const char *value);

void json_int(JsonBuilder *builder, const char *name, gint64 value);
void json_bool(JsonBuilder *builder, const char *name, bool value);

/** json_names: adds a member that is an array of the groups' names */
void json_names(JsonBuilder *builder, const char *name, PPCInsns set);

/** print_wrapped: writes blank-separated words, each line after @indent */
void print_wrapped(int indent, const char *words);

/** size_text: "1.5 MiB", to be freed */
char *size_text(uint64_t size);

#endif /* TOOLS_OUTPUT_H */
