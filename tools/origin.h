/*
 * Which QEMU a stream is from
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_ORIGIN_H
#define TOOLS_ORIGIN_H

#include "machines.h"
#include "stream.h"

/** origin_of_stream: "QEMU 2.4 to 2.6", to be freed; NULL if unknown */
char *origin_of_stream(const Stream *s);

/**
 * origin_of_words:
 *
 * Returns: the unpatched releases that @s can be from and that send just
 * @words for @family, as "2.3 to 2.6, 2.7.1", to be freed; NULL if none does.
 */
char *origin_of_words(const Stream *s, PPCFamily family,
                      const PPCInsnsWire *words);

/**
 * origin_patched:
 *
 * Returns: the compat version with which a QEMU with the series sends just
 * @words for @family; 0 if with none.
 */
PPCRelease origin_patched(PPCFamily family, const PPCInsnsWire *words);

/**
 * origin_may_have_had, origin_had:
 *
 * Returns: the groups that the CPU may have had on the source, and those that
 * it had for certain, though not all of them go over the wire.
 */
PPCInsns origin_may_have_had(const Stream *s, const StreamCpu *cpu);
PPCInsns origin_had(const Stream *s, const StreamCpu *cpu);

#endif /* TOOLS_ORIGIN_H */
