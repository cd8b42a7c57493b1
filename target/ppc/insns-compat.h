/*
 * PowerPC instruction groups of a CPU object, by compat version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TARGET_PPC_INSNS_COMPAT_H
#define TARGET_PPC_INSNS_COMPAT_H

#include "insns-history.h"

typedef struct PPCInsnsCompat {
    char *version;          /* property "insns-compat" */
@{needs:globals_by_class}
    char *machine_version;  /* its default, set by the machine version */
@{end}

    /* Set in realize: */
    PPCFamily family;
    PPCRelease release;     /* the compat version; for "none", this QEMU's */
    PPCInsns hidden;        /* groups of the class hidden from the guest */
} PPCInsnsCompat;

/* Add "insns-groups", the names of the groups that the guest sees. */
void ppc_insns_compat_class_init(ObjectClass *oc);

/* Apply "insns-compat".  Call it where an error leaves nothing to undo. */
void ppc_insns_compat_realize(PowerPCCPU *cpu, Error **errp);

#endif /* TARGET_PPC_INSNS_COMPAT_H */
