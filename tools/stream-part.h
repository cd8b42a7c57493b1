/*
 * What a section of the device state consists of
 *
 * The readers of descriptions and of streams both fill this in, and neither
 * needs the other for it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_STREAM_PART_H
#define TOOLS_STREAM_PART_H

#include "qemu/osdep.h"

/* A field of a section or subsection; offsets are into the device state. */
typedef struct StreamField {
    const char *name;
    size_t offset;
    size_t size;
} StreamField;

/* A subsection, or what a section of the device state consists of */
typedef struct StreamPart {
    char *name;
    uint32_t version;
    size_t start;           /* its header */
    size_t version_at;      /* in the header */
    size_t fields_at;
    size_t fields_end;      /* subsections follow */
    size_t end;
    GArray *fields;         /* of StreamField */
    GPtrArray *subsections; /* of StreamPart */
} StreamPart;

/**
 * stream_part_add_field:
 * @size: of the device state
 *
 * Adds a field of @count times @each bytes at the end of @part's fields.
 *
 * Returns: false with @errp set if the device state ends before it does.
 */
bool stream_part_add_field(StreamPart *part, const char *name, uint64_t each,
                           uint64_t count, size_t size, GError **errp);

/** stream_part_reset: forgets the fields and subsections of @part */
void stream_part_reset(StreamPart *part);

/** stream_part_clear: frees what @part holds */
void stream_part_clear(StreamPart *part);

/** stream_part_free: stream_part_clear() for a part that was allocated */
void stream_part_free(void *part);

/** stream_subsection: the one of that name right below @part, or NULL */
const StreamPart *stream_subsection(const StreamPart *part, const char *name);

/** stream_field: the first field of that name, or NULL */
const StreamField *stream_field(const StreamPart *part, const char *name);

#endif /* TOOLS_STREAM_PART_H */
