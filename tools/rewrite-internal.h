/*
 * What the parts of rewrite share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_REWRITE_INTERNAL_H
#define TOOLS_REWRITE_INTERNAL_H

#include "rewrite.h"

typedef struct Rewrite {
    const Stream *s;
    const Destination *dest;
    bool force;
    GArray *edits;          /* of the device state */
    GPtrArray *notes;       /* for the operator (char *) */
    StreamForm form;        /* of the outcome */
} Rewrite;

/* At @at of the device state, @remove bytes give way to @len bytes @data. */
void rewrite_replace(Rewrite *r, size_t at, size_t remove, const void *data,
                     size_t len);

/* Returns false. */
bool rewrite_refuse(GError **errp, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* Refuses, or if forced only notes; takes over @text. */
bool rewrite_object(Rewrite *r, GError **errp, char *text);

/* ---- rewrite-iommu.c ----- */

/*
 * Makes "spapr" and "spapr_iommu" what the destination takes.
 * @dropped: gets the sections that it is to leave out (StreamSection)
 */
bool rewrite_powerkvm(Rewrite *r, GPtrArray *dropped, GError **errp);

/* Is there anything of that to be done to @section? */
bool rewrite_changes_iommu(const Rewrite *r, const StreamSection *section);

/* Says in the vmdescription what rewrite_powerkvm() made of @section. */
void rewrite_describe_iommu(const Rewrite *r, const StreamSection *section,
                            VmdescPart *desc);

/* Likewise of "spapr" */
bool rewrite_changes_spapr(const Rewrite *r);
void rewrite_describe_spapr(const Rewrite *r, VmdescPart *desc);

#endif /* TOOLS_REWRITE_INTERNAL_H */
