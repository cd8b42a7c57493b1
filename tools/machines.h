/*
 * Versions of pseries, and their capabilities
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_MACHINES_H
#define TOOLS_MACHINES_H

#include "models.h"

/**
 * machine_release:
 * @machine: "pseries-2.6", "pseries-2.12-sxxm"; the whole name
 *
 * Returns: 2.6; 0 if upstream QEMU has no such machine.
 */
PPCRelease machine_release(const char *machine);

/** machine_exists: is a pseries of @release one that @t has? */
bool machine_exists(PPCRelease release, Target t);

/** machine_oldest: the oldest pseries that @t has */
PPCRelease machine_oldest(Target t);

/** machine_compat: the compat version that the series gives that machine */
PPCRelease machine_compat(PPCRelease machine);

#define LAST_OLD_MACHINE PPC_RELEASE(2, 12)

/* A capability: "cap-" @option on the command line, "spapr/cap/" @vmsd */
typedef struct Capability {
    const char *option;
    const char *vmsd;
    enum { CAP_BOOL, CAP_LEVELS, CAP_PAGE_SIZE } kind;
    const char *const *levels;
    unsigned since;             /* a RELEASE_KEY() */
} Capability;

typedef enum {
    CAP_HTM, CAP_VSX, CAP_DFP, CAP_CFPC, CAP_SBBC, CAP_IBS, CAP_HPT,
    CAP_NESTED_HV, CAP_LARGE_DECR, CAP_CCF_ASSIST, CAP_FWNMI, CAP_RPT,
    CAP_NESTED_PAPR, CAP_AIL_MODE_3, CAP_DAWR1,
    CAP__MAX,
} CapIndex;

extern const Capability capabilities[CAP__MAX];

/** capability_parse: the value of an option; -1 if it is none */
int capability_parse(CapIndex cap, const char *value);

/** capability_format: a value as the option takes it, to be freed */
char *capability_format(CapIndex cap, unsigned value);

/**
 * capability_default:
 * @family, @mode: of the CPU, and of max-cpu-compat, 0 for none
 *
 * Returns: what a capability is if the command line does not say.
 */
unsigned capability_default(CapIndex cap, const char *machine,
                            PPCFamily family, uint32_t mode, Target t);

/**
 * capability_tcg_refuses:
 *
 * Returns: whether TCG does not start with that value.
 */
bool capability_tcg_refuses(CapIndex cap, unsigned value, PPCFamily family,
                            uint32_t mode);

#endif /* TOOLS_MACHINES_H */
