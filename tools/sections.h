/*
 * Which release accepts which version of which section
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_SECTIONS_H
#define TOOLS_SECTIONS_H

#include "releases.h"

/* What a release makes of a version of a section or subsection */
typedef enum {
    SECTION_ACCEPTED,
    SECTION_UNKNOWN,        /* no release that is known here has that name */
    SECTION_LATER,          /* the name came with a later release */
    SECTION_WENT,           /* the name is gone */
    SECTION_TOO_NEW,        /* a version that this release does not take */
    SECTION_TOO_OLD,
} SectionVerdict;

/**
 * section_judge:
 * @vmsd: the section's name without the device's path, or its subsection's
 * @since: set to the first release that accepts that version, 0 if none does
 */
SectionVerdict section_judge(const char *vmsd, uint32_t version, Target t,
                             unsigned *since);

/** section_is_device: is it of a device that a build can be without? */
bool section_is_device(const char *vmsd);

#endif /* TOOLS_SECTIONS_H */
