/*
 * Products that shipped a QEMU of their own, and their machines
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_PRODUCTS_H
#define TOOLS_PRODUCTS_H

#include "layouts.h"
#include "machines.h"

typedef struct Product {
    const char *id;         /* as --from and --to take it */
    const char *name;
    Target base;            /* the upstream release that it was made of */
    Dialect dialect;
    bool loads;             /* what it loads is known, so it can be a --to */
    bool own_machines;      /* and none of upstream's */
    const char *machine;    /* how the name of its newest begins, if its own */
    const char *extra;      /* a section that its base does not have; or NULL */
} Product;

/** product_next: the products in order; NULL begins, and ends */
const Product *product_next(const Product *p);

/**
 * product_parse:
 * @id: "powerkvm-3.1.1"
 *
 * Returns: NULL with @errp set, which lists them, if there is no such product.
 */
const Product *product_parse(const char *id, GError **errp);

/* What a machine is, beside its name */
typedef struct MachineForm {
    const char *like;       /* the upstream machine that it is most like */
    bool configuration;     /* the stream names it */
    bool footers;
    bool ddw;               /* PCI host bridges can have a second DMA window */
    bool modern;            /* virtio-pci devices can be modern */
    bool page_per_vq;       /* and have a page for each queue then */
} MachineForm;

/**
 * product_has_name:
 *
 * Returns: whether @p, or one of its line before it, brought a machine called
 * @name, which is not one of upstream's.
 */
bool product_has_name(const Product *p, const char *name);

/**
 * product_machine:
 * @p: NULL for upstream
 *
 * Returns: false if @p is not known to have machine @name.
 */
bool product_machine(const Product *p, const char *name, MachineForm *form);

#endif /* TOOLS_PRODUCTS_H */
