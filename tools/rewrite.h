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
 * rewrite_form: what @dest wants around the sections, for its machine
 *
 * Of footers, that is right even while @s has not been read so far.
 *
 * Returns: false if that machine is not known, so that @s stays as it is.
 */
bool rewrite_form(const Stream *s, const Destination *dest, StreamForm *form);

/**
 * rewrite_start: pass on what the stream begins with
 * @s: of which just that was read, and held
 */
bool rewrite_start(Stream *s, const StreamForm *form, GError **errp);

/**
 * rewrite_device:
 * @s: read to its end
 * @dest: with @kvm, nothing is said about HTM
 * @force: do it though the guest may lose something
 * @notes: gets lines for the operator (char *)
 *
 * Gives each CPU the words of @dest, "spapr_iommu" and "spapr" the
 * version and the capabilities that it takes, sections the footers that its
 * machine has, and puts the vmdescription right.  Nothing else changes.
 *
 * Returns: the new device state, up to and with all that follows it, to be
 * unreferenced; NULL with @errp set, TOOL_ERROR_REFUSED if the guest would
 * lose something, or if @dest would not load the outcome.
 */
GByteArray *rewrite_device(const Stream *s, const Destination *dest,
                           bool force, GPtrArray *notes, GError **errp);

#endif /* TOOLS_REWRITE_H */
