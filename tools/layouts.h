/*
 * Where the fields of a section end, where a stream does not describe itself
 *
 * A section of the device state has no length.  pseries-2.1 and 2.2 send no
 * vmdescription that would tell what it consists of; for them, there is a
 * table of what they send.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_LAYOUTS_H
#define TOOLS_LAYOUTS_H

#include "stream-part.h"

/* Who lays out "spapr" and "spapr_iommu" that way */
typedef enum {
    DIALECT_UPSTREAM,
    DIALECT_POWERKVM,       /* 3.1 and 3.1.1 */
    DIALECT_POWERKVM_211,   /* 2.1.1 */
    DIALECT__MAX,
} Dialect;

/** layout_known: whether the table has that section or subsection */
bool layout_known(const char *vmsd, uint32_t version, Dialect dialect);

/**
 * layout_fields:
 * @part: its name, version and fields_at are set; gets fields and fields_end
 * @buf, @size: the device state
 *
 * Returns: false with @errp set if the fields do not fit, or are not known.
 */
bool layout_fields(const char *vmsd, StreamPart *part, Dialect dialect,
                   const uint8_t *buf, size_t size, GError **errp);

#endif /* TOOLS_LAYOUTS_H */
