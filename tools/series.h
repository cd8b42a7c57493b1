/*
 * What a QEMU with the series says of a CPU's words
 *
 * All of the tool's knowledge of how the series decides is here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_SERIES_H
#define TOOLS_SERIES_H

#include "destination.h"
#include "origin.h"

typedef struct SeriesVerdict {
    PPCInsns missing;   /* the guest may be using them, and they are not here */
    PPCInsns above;     /* likewise, but above the compatibility mode here */
    PPCInsns lost;      /* the source had them; later than the compat version */
    PPCInsns gained;    /* the source did not have them */
    const char *keep;   /* the insns-compat that loses none; may be NULL */
} SeriesVerdict;

/** series_exists: is there a series for @dest? */
bool series_exists(const Destination *dest);

/**
 * series_takes_htm_off: does it take, under KVM and with cap-htm=off, a guest
 * that was offered HTM, and refuse one that is in a transaction?
 */
bool series_takes_htm_off(const Destination *dest);

/**
 * series_check:
 * @family: of the destination's CPU
 * @machine: the destination's
 * @mode: the compatibility mode that is set there, 0 for none
 *
 * Returns: whether the guest can be loaded, that is, nothing is missing.
 */
bool series_check(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                  const Destination *dest, PPCRelease machine, uint32_t mode,
                  SeriesVerdict *verdict);

#endif /* TOOLS_SERIES_H */
