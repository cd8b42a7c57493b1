/*
 * The description of the device state at the end of a stream
 *
 * pseries-2.3 and later send it.  No QEMU reads it, so that where it differs
 * from the stream, it is the stream that counts.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_VMDESC_H
#define TOOLS_VMDESC_H

#include "stream-part.h"

typedef struct Vmdesc Vmdesc;

/* What it says of a section or subsection; belongs to the Vmdesc */
typedef struct VmdescPart VmdescPart;

/**
 * vmdesc_parse:
 * @text: what claims to be a vmdescription; need not end in NUL
 *
 * Returns: the vmdescription, for vmdesc_free(); NULL with @errp set if it is
 * none or larger than we are ready to hold.
 */
Vmdesc *vmdesc_parse(const char *text, size_t len, GError **errp);

void vmdesc_free(Vmdesc *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vmdesc, vmdesc_free)

/**
 * vmdesc_device:
 * @skipped: set to how many devices stand between it and the last one
 *
 * Returns: what is said of the section @name, @instance; NULL if nothing, or
 * nothing behind what was asked for before.  So memory is bounded by the
 * vmdescription's size, however often a stream has a section.
 */
VmdescPart *vmdesc_device(Vmdesc *v, const char *name, uint32_t instance,
                          unsigned *skipped);

/**
 * vmdesc_expected:
 *
 * Returns: the name of the device that follows the last one that was asked
 * for, with @instance set; NULL if there is none.
 */
const char *vmdesc_expected(const Vmdesc *v, uint32_t *instance);

/** vmdesc_subsection: what @part says of its subsection @name, or NULL */
VmdescPart *vmdesc_subsection(VmdescPart *part, const char *name);

/** vmdesc_is_old_style: is it a section from register_savevm()? */
bool vmdesc_is_old_style(VmdescPart *part);

/** vmdesc_version_differs: does it have a version, @described, but not this? */
bool vmdesc_version_differs(VmdescPart *part, uint32_t version,
                            int64_t *described);

/**
 * vmdesc_fields:
 * @part: its name and fields_at are set; gets fields and fields_end
 * @size: of the device state
 *
 * Returns: false with @errp set if the fields do not fit.
 */
bool vmdesc_fields(VmdescPart *desc, StreamPart *part, size_t size,
                   GError **errp);

void vmdesc_set_version(VmdescPart *part, uint32_t version);

typedef struct VmdescField {
    const char *name;
    const char *type;
    size_t size;
    uint32_t array_len;     /* 0: it is not an array */
} VmdescField;

/** vmdesc_set_fields: @n fields in the place of all that there are */
void vmdesc_set_fields(VmdescPart *part, const VmdescField *fields, guint n);

void vmdesc_drop_subsection(VmdescPart *part, const char *name);

/** vmdesc_add_subsection: version 1, with @n fields */
void vmdesc_add_subsection(VmdescPart *part, const char *name,
                           const VmdescField *fields, guint n);

/** vmdesc_drop_device: once all were asked for */
void vmdesc_drop_device(Vmdesc *v, const VmdescPart *device);

/** vmdesc_text: as text of @len bytes, to be freed */
char *vmdesc_text(const Vmdesc *v, size_t *len);

#endif /* TOOLS_VMDESC_H */
