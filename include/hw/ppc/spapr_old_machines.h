/*
 * pseries machine versions that QEMU has removed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_PPC_SPAPR_OLD_MACHINES_H
#define HW_PPC_SPAPR_OLD_MACHINES_H

#include "hw/pci-host/spapr.h"
#include "hw/ppc/spapr.h"

/* The form of SpaprMachineClass.old_release; 2.12 is newer than 2.7. */
#define SPAPR_RELEASE(major, minor) ((major) * 100 + (minor))

/**
 * spapr_older_than:
 *
 * Whether this is a machine version of spapr_old_machines.c that is older than
 * that release.  It never is if QEMU itself has the machine version.
 */
static inline bool spapr_older_than(SpaprMachineState *spapr, int major,
                                    int minor)
{
    unsigned int release = SPAPR_MACHINE_GET_CLASS(spapr)->old_release;

    return release && release < SPAPR_RELEASE(major, minor);
}

/* The size of the interrupt controller up to pseries-3.0 */
#define SPAPR_OLD_NR_XIRQS 0x400

/* The oldest machine version in spapr.c, which the removed ones start from */
extern const unsigned int spapr_oldest_release;
void spapr_oldest_class_options(MachineClass *mc);

/* Tell a CPU, before it is realized, what its section in the stream is like. */
void spapr_old_machine_init_cpu(SpaprMachineState *spapr, PowerPCCPU *cpu);

/* Where pseries-2.7 and older have their PHBs, and of what size */
bool spapr_old_machine_place_phb(SpaprMachineState *spapr, SpaprPhbState *sphb,
                                 Error **errp);

/* Map the windows of such a PHB to PCI, when QEMU has its own mapping. */
void spapr_old_machine_map_phb(SpaprPhbState *sphb);

/*
 * The number of an interrupt that is @irq since 3.1: up to 3.0 it is the first
 * that is free.
 */
int spapr_old_machine_irq(SpaprMachineState *spapr, int irq);

#endif /* HW_PPC_SPAPR_OLD_MACHINES_H */
