/*
 * PowerKVM's "spapr" and "spapr_iommu" sections
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_REWRITE_IOMMU_H
#define TOOLS_REWRITE_IOMMU_H

#include "rewrite-edits.h"

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

#endif /* TOOLS_REWRITE_IOMMU_H */
