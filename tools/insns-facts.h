/*
 * What people want to know of instruction groups, and QEMU does not need
 *
 * All of it comes from target/ppc/insns-history.h.inc but the list of releases
 * and what the groups stand for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_INSNS_FACTS_H
#define TOOLS_INSNS_FACTS_H

#include "../target/ppc/insns-history.h"

typedef enum PPCInsnsChangeKind {
    PPC_INSNS_FIRST_SEEN,
    PPC_INSNS_ADDED,
    PPC_INSNS_REMOVED,
} PPCInsnsChangeKind;

/* A row of the history: what changed in some families' classes */
typedef struct PPCInsnsChange {
    PPCRelease release;
    unsigned families;      /* 1u << PPCFamily each */
    PPCInsnsChangeKind kind;
    PPCInsns insns;
    const char *commit;     /* NULL: older than the history */
} PPCInsnsChange;

/** ppc_release_format: @release as "2.6"; to be freed */
char *ppc_release_format(PPCRelease release);

/** ppc_release_next: the first release after @release (0: of all), 0 if none */
PPCRelease ppc_release_next(PPCRelease release);

/** ppc_release_list: all releases as "2.1, 2.2, ..."; to be freed */
char *ppc_release_list(void);

/** ppc_insns_change: row @n of the history, from 0; NULL if there is none */
const PPCInsnsChange *ppc_insns_change(size_t n);

/** ppc_insns_gates: what the group with that name gates; NULL: no group */
const char *ppc_insns_gates(const char *name);

/** ppc_family_since: the first release that had @family; 2.1 if it is older */
PPCRelease ppc_family_since(PPCFamily family);

/** ppc_insns_joined_after: what joined the class of @family after @release */
PPCInsns ppc_insns_joined_after(PPCFamily family, PPCRelease release);

/**
 * ppc_insns_mask: the groups that pass the constant mask which @release, 2.7.1
 * or later, lays over the words of pseries-2.7 and older
 */
PPCInsns ppc_insns_mask(PPCRelease release);

#endif /* TOOLS_INSNS_FACTS_H */
