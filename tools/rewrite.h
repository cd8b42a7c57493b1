/*
 * Make a stream what an unpatched QEMU release will load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_REWRITE_H
#define TOOLS_REWRITE_H

#include "qemu/osdep.h"
#include "judge.h"

/**
 * rewrite_drops_configuration:
 *
 * Returns: whether the configuration section must go for @dest: of pseries-2.3
 * and older 2.4 sends and wants one, and nobody else does.
 */
bool rewrite_drops_configuration(const Stream *s, const Destination *dest);

/**
 * rewrite_device:
 * @s: read to its end
 * @dest: with @kvm, nothing is said about HTM
 * @force: do it though the guest may lose something
 * @notes: gets lines for the operator (char *)
 *
 * Gives each CPU the words of @dest, "spapr_iommu" the version and
 * "spapr" the capabilities that it takes, and puts the vmdescription right.
 * Nothing else changes.
 *
 * Returns: the new device state, up to and with all that follows it, to be
 * unreferenced; NULL with @errp set, TOOL_ERROR_REFUSED if the guest would
 * lose something, or if @dest would not load the outcome.
 */
GByteArray *rewrite_device(const Stream *s, const Destination *dest,
                           bool force, GPtrArray *notes, GError **errp);

#endif /* TOOLS_REWRITE_H */
