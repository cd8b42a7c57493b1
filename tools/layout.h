/*
 * Where the fields of a section end
 *
 * A section of the device state has no length.  What it consists of is told
 * by the vmdescription that pseries-2.3 and later send behind it, and for
 * pseries-2.1 and 2.2, which send none, by a table of what these send.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_LAYOUT_H
#define TOOLS_LAYOUT_H

#include "qemu/osdep.h"
#include <json-glib/json-glib.h>
#include "stream.h"

/**
 * vmdesc_parse:
 * @text: what claims to be a vmdescription; need not end in NUL
 *
 * Returns: the parser that holds it, to be unreferenced, NULL with @errp set
 * if it is none or larger than we are ready to hold.
 */
JsonParser *vmdesc_parse(const char *text, size_t len, GError **errp);

/**
 * vmdesc_device:
 *
 * Returns: what the vmdescription says of the section @name, @instance; NULL
 * if nothing, or if it was asked for before: no stream has a section twice, so
 * that memory is bounded by the vmdescription's size.  Belongs to the parser.
 */
JsonObject *vmdesc_device(JsonParser *parser, const char *name,
                          uint32_t instance);

/** vmdesc_subsection: what @desc says of its subsection @name, or NULL */
JsonObject *vmdesc_subsection(JsonObject *desc, const char *name);

/**
 * vmdesc_fields:
 * @desc: of the section or subsection
 * @part: its name, version and fields_at are set; gets fields and fields_end
 * @size: of the buffer that fields_at points into
 *
 * Returns: false with @errp set if the fields do not fit.
 */
bool vmdesc_fields(JsonObject *desc, StreamPart *part, size_t size,
                   GError **errp);

/**
 * layout_known:
 *
 * Returns: whether the table has that section or subsection.
 */
bool layout_known(const char *vmsd, uint32_t version);

/** layout_fields: as vmdesc_fields(), from the table */
bool layout_fields(const char *vmsd, StreamPart *part, const uint8_t *buf,
                   size_t size, GError **errp);

#endif /* TOOLS_LAYOUT_H */
