/*
 * The QEMU that a stream is to be loaded into
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_DESTINATION_H
#define TOOLS_DESTINATION_H

#include "products.h"

typedef struct Destination {
    Target to;
    const Product *product;     /* that it is; NULL: upstream's */
    bool series;                /* it has the series; for rewrite, options */
    bool kvm;                   /* or else TCG */
    char *machine;              /* of -machine; NULL: as in the stream */
    bool name_only;             /* of its options, nothing was told */
    char *like;                 /* the upstream machine that it is like */
    char *model;                /* of -cpu; NULL: as in the stream */
    uint32_t max_compat;        /* of max-cpu-compat=; 0: not given */
    bool max_compat_of_machine; /* not of -cpu X,compat=, up to 5.2 */
    int caps[CAP__MAX];         /* of cap-*=; -1: not given */
    int vsmt;                   /* -1: not given */
    char *ic_mode;              /* xics, xive or dual; NULL: not given */
    int ddw;                    /* of the PCI host bridge; -1: not given */
    int modern;                 /* not virtio-pci.disable-modern; -1 */
    int page_per_vq;            /* virtio-pci.page-per-vq; -1: not given */
    bool no_footers;            /* migration.send-section-footer=off */
    bool no_configuration;      /* migration.send-configuration=off */
    char *insns_compat;         /* of -cpu; NULL: not given */
    char *ignored;              /* options that do not matter here */
} Destination;

/* Nothing is known of it yet but the release. */
void destination_init(Destination *dest, Target to);

/**
 * destination_parse_to:
 * @to: a release, "2.7.1", or a product, "powerkvm-3.1.1"
 *
 * Returns: false with @errp set if it is neither, or one that nothing is known
 * of.
 */
bool destination_parse_to(Destination *dest, const char *to, GError **errp);

/** destination_id: "7.2", "powerkvm-3.1.1", as --to takes it; to be freed */
char *destination_id(const Destination *dest);

/** destination_name: "7.2", "PowerKVM 3.1.1"; to be freed */
char *destination_name(const Destination *dest);

/**
 * destination_form:
 * @name: of the machine
 *
 * Returns: false if the destination is not known to have it.
 */
bool destination_form(const Destination *dest, const char *name,
                      MachineForm *form);

void destination_clear(Destination *dest);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Destination, destination_clear)

/**
 * destination_set_machine:
 * @arg: as given to -machine: "pseries-2.6,cap-htm=off"
 *
 * Returns: false with @errp set if an option has no such value.
 */
bool destination_set_machine(Destination *dest, const char *arg,
                             GError **errp);

/** destination_set_cpu: the same of -cpu: "POWER8,insns-compat=none" */
bool destination_set_cpu(Destination *dest, const char *arg, GError **errp);

/** destination_set_global: the same of -global */
bool destination_set_global(Destination *dest, const char *arg,
                            GError **errp);

/** destination_set_like: which upstream machine @dest's is like */
bool destination_set_like(Destination *dest, const char *arg, GError **errp);

/** destination_set: all of these; any may be NULL */
bool destination_set(Destination *dest, const char *machine, const char *like,
                     const char *cpu, char **globals, GError **errp);

#endif /* TOOLS_DESTINATION_H */
