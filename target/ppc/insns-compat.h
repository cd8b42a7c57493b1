/*
 * PowerPC instruction groups of a CPU object, by compat version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TARGET_PPC_INSNS_COMPAT_H
#define TARGET_PPC_INSNS_COMPAT_H

#include "insns-history.h"

/* Part of PowerPCCPU. */
typedef struct PPCInsnsCompat {
    /*
     * Property "insns-compat": the release that the CPU is to look like, or
     * "none".  NULL before realize unless the user sets it.
     */
    char *version;
    /*
     * Property "x-insns-compat-default": the machine version's own, for the
     * guest if there is no "insns-compat", for the wire if that is "none".
     * NULL, or later than 2.7, if its streams do not have the words.
     */
    char *machine_version;

    /* Settled in realize. */
    PPCFamily family;
    PPCRelease guest_release;       /* 0: the guest sees all the class has */
    PPCRelease wire_release;        /* 0: no words on the wire */
} PPCInsnsCompat;

/**
 * ppc_insns_compat_class_init:
 * @oc: the class TYPE_POWERPC_CPU
 *
 * Adds the read-only properties that show a CPU's effective groups
 * ("insns-flags", "insns-flags2", "insns-groups") and its wire groups
 * ("insns-wire-flags", "insns-wire-flags2", "insns-wire-groups").  Numbers are
 * the words, groups are their names.  The wire's are 0 and "" if the machine
 * version does not put them into streams.
 */
void ppc_insns_compat_class_init(ObjectClass *oc);

/**
 * ppc_insns_compat_realize:
 * @errp: set if "insns-compat" is no release that the history knows, or the
 *        CPU is of a family that has no history
 *
 * Settles the compat version and, under TCG, the effective groups.  To be
 * called first in realize, where an error leaves nothing to undo.
 */
void ppc_insns_compat_realize(PowerPCCPU *cpu, Error **errp);

/**
 * ppc_insns_compat_wire:
 *
 * Returns: what a stream of @cpu's machine version carries in the words that
 * end the "cpu" section; all 0 if there are none.
 */
PPCInsnsWire ppc_insns_compat_wire(PowerPCCPU *cpu);

#endif /* TARGET_PPC_INSNS_COMPAT_H */
