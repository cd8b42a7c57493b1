/*
 * What is in a stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_SHOW_H
#define TOOLS_SHOW_H

#include <json-glib/json-glib.h>
#include "container.h"
#include "origin.h"

/** show_text: prints what is in @s; @container may be NULL */
void show_text(const char *path, const Container *container, const Stream *s);

/** show_json: adds what is in @s */
void show_json(JsonBuilder *b, const char *path, const Container *container,
               const Stream *s);

/** show_time_base: the guest's time base when it was stopped, if it is there */
bool show_time_base(const Stream *s, uint64_t *tb);

/** show_capability: the value of a capability, if the stream has it */
bool show_capability(const Stream *s, CapIndex cap, unsigned *value);

/** show_server_numbers: how the guest numbers its CPUs, or NULL */
const char *show_server_numbers(const Stream *s);

#endif /* TOOLS_SHOW_H */
