/*
 * What the parts of rewrite share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_REWRITE_EDITS_H
#define TOOLS_REWRITE_EDITS_H

#include "rewrite.h"

typedef struct Rewrite {
    const Stream *s;
    const Destination *dest;
    bool force;
    GArray *edits;          /* of the device state */
    GPtrArray *notes;       /* for the operator (char *) */
    StreamForm form;        /* of the outcome */
} Rewrite;

/* No changes yet, for Rewrite.edits */
GArray *rewrite_edits_new(void);

/* The device state with the changes */
GByteArray *rewrite_apply(const Stream *s, GArray *edits);

/* At @at of the device state, @remove bytes give way to @len bytes @data. */
void rewrite_replace(Rewrite *r, size_t at, size_t remove, const void *data,
                     size_t len);

/* Returns false. */
bool rewrite_refuse(GError **errp, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* Refuses, or if forced only notes; takes over @text. */
bool rewrite_object(Rewrite *r, GError **errp, char *text);

#endif /* TOOLS_REWRITE_EDITS_H */
