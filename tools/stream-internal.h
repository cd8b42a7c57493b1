/*
 * What the parts of the stream reader share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_STREAM_INTERNAL_H
#define TOOLS_STREAM_INTERNAL_H

#include "stream.h"

enum {
    SECTION_EOF = 0x00,
    SECTION_START = 0x01,
    SECTION_PART = 0x02,
    SECTION_END = 0x03,
    SECTION_FULL = 0x04,
    SUBSECTION = 0x05,
    SECTION_VMDESC = 0x06,
    SECTION_CONFIGURATION = 0x07,
    SECTION_COMMAND = 0x08,
    SECTION_FOOTER = 0x7e,
};

/* ---- stream-cursor.c ----- */

/* From here on, what goes wrong is in the named thing, begun at @offset. */
void stream_at(Stream *s, uint64_t offset, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Puts the place before a message, and makes that fit for a terminal. */
void stream_name_place(Stream *s, uint64_t offset, GError **errp);

/* Returns false, as its callers do. */
bool stream_fail(Stream *s, uint64_t offset, GError **errp,
                 const char *format, ...) G_GNUC_PRINTF(4, 5);

/* The stream ended, unless reading failed, which @err says then. */
bool stream_ended(Stream *s, GError *err, GError **errp);

/* The next @n bytes, read over; NULL with @errp set if there are fewer */
const uint8_t *stream_take(Stream *s, size_t n, GError **errp);

bool stream_skip(Stream *s, uint64_t n, GError **errp);

/* The byte after the last one read; -1 at the stream's end or on failure */
int stream_peek(Stream *s, GError **errp);

/* A name as messages can show it, to be freed */
char *stream_printable(const uint8_t *name, size_t len);

/* A name as the stream has it; NULL with @errp set if it has odd characters */
char *stream_take_name(Stream *s, GError **errp);

void stream_note(Stream *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- stream-device.c ----- */

/* Finds the parts of s->device. */
bool stream_parse_device(Stream *s, GError **errp);

/* ---- stream-cpu.c ----- */

/* Finds the CPUs, and what else there is one of each CPU. */
bool stream_read_cpus(Stream *s, GError **errp);

#endif /* TOOLS_STREAM_INTERNAL_H */
