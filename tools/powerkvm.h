/*
 * PowerKVM's "spapr" and "spapr_iommu"
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_POWERKVM_H
#define TOOLS_POWERKVM_H

#include "stream.h"

/** powerkvm_dialect: whose sections @s has */
Dialect powerkvm_dialect(const Stream *s);

/**
 * powerkvm_mixture:
 *
 * Returns: what is of PowerKVM and what is not, if @s has both, to be freed;
 * else NULL.
 */
char *powerkvm_mixture(const Stream *s);

/* A "spapr_iommu" of whatever version */
typedef struct IommuState {
    bool powerkvm;          /* in the form of PowerKVM 3 */
    bool enabled;
    uint64_t bus_offset;
    uint32_t page_shift;
    uint32_t nb_table;
    const StreamField *nb_table_field;
    const StreamField *def_win;     /* in version 3 of 7.1; or NULL */
    const StreamPart *ex;           /* its spapr_iommu_ex; or NULL */
} IommuState;

/**
 * powerkvm_read_iommu:
 *
 * Returns: false if its fields are not those of any QEMU.
 */
bool powerkvm_read_iommu(const Stream *s, const StreamSection *section,
                         IommuState *state);

/** powerkvm_is_iommu: is it one, in the form of PowerKVM 3? */
bool powerkvm_is_iommu(const StreamSection *section);

/** powerkvm_is_window: is it a PCI host bridge's second DMA window? */
bool powerkvm_is_window(const StreamSection *section);

/** powerkvm_token: the token of RTAS error injection in use; 0: none is */
uint32_t powerkvm_token(const Stream *s);

#endif /* TOOLS_POWERKVM_H */
