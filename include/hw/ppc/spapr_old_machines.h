/*
 * pseries machine versions that QEMU has removed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_PPC_SPAPR_OLD_MACHINES_H
#define HW_PPC_SPAPR_OLD_MACHINES_H

#include "hw/pci-host/spapr.h"
#include "hw/ppc/spapr.h"

/* The format of SpaprMachineClass.old_release; 2.12 is newer than 2.7. */
#define SPAPR_RELEASE(major, minor) ((major) * 100 + (minor))

/**
 * spapr_older_than:
 *
 * Returns: whether this machine version is one of spapr_old_machines.c and is
 * older than that release.  This is false for QEMU's own machine versions.
 */
static inline bool spapr_older_than(SpaprMachineState *spapr, int major,
                                    int minor)
{
    unsigned int release = SPAPR_MACHINE_GET_CLASS(spapr)->old_release;

    return release && release < SPAPR_RELEASE(major, minor);
}

/* The size of the interrupt controller up to pseries-3.0 */
#define SPAPR_OLD_NR_XIRQS 0x400

/* The oldest machine version in spapr.c, from which the removed ones start */
extern const unsigned int spapr_oldest_release;
void spapr_oldest_class_options(MachineClass *mc);

/* Before a CPU is realized, set the form of its section in the stream. */
void spapr_old_machine_init_cpu(SpaprMachineState *spapr, PowerPCCPU *cpu);

/* Place and size a PHB as pseries-2.7 and older do. */
bool spapr_old_machine_place_phb(SpaprMachineState *spapr, SpaprPhbState *sphb,
                                 Error **errp);

/* Map the windows of such a PHB to PCI, after QEMU has mapped its own way. */
void spapr_old_machine_map_phb(SpaprPhbState *sphb);

/*
 * The number of the interrupt that has been @irq since 3.1.  Up to 3.0 it is
 * the first free one.
 */
int spapr_old_machine_irq(SpaprMachineState *spapr, int irq);

#endif /* HW_PPC_SPAPR_OLD_MACHINES_H */
