/*
 * QEMU releases, and the words that each sends
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_RELEASES_H
#define TOOLS_RELEASES_H

#include "qemu/osdep.h"
#include "insns-facts.h"

/* A release with its point release, where that matters: 2.7.1, 2.11.1 */
typedef struct Target {
    PPCRelease release;
    unsigned point;
} Target;

/**
 * target_parse:
 * @str: "2.6", "2.7.1"; "2.7" is 2.7.0
 *
 * Returns: false with @errp set, which lists the releases that there are, if
 * that is not one of QEMU from 2.1 on.
 */
bool target_parse(const char *str, Target *t, GError **errp);

/** target_name: "2.6", but "2.7.0"; to be freed */
char *target_name(Target t);

/** target_next: the releases that this tool tells apart, in order */
bool target_next(Target *t);

/** target_before: is @t older than @major.@minor.@point? */
bool target_before(Target t, unsigned major, unsigned minor, unsigned point);

/** target_compares_words: does @t demand that a CPU's words be its own? */
bool target_compares_words(Target t);

/** target_wire: what unpatched @t sends of a CPU of @family; see the core */
PPCInsnsWire target_wire(Target t, PPCFamily family);

/**
 * groups_a_guest_can_lose:
 *
 * Returns: @set without groups that a pseries guest does not miss: those that
 * matter on the wire only, and those for hypervisors.
 */
PPCInsns groups_a_guest_can_lose(PPCInsns set);

/* A release in one number, so that later ones are greater; 0 is none. */
#define RELEASE_KEY(major, minor, point) \
    ((unsigned)((major) << 16 | (minor) << 8 | (point)))

/** target_key: @t as RELEASE_KEY() packs it */
unsigned target_key(Target t);

/** key_name: that release as text, to be freed */
char *key_name(unsigned key);

/* What came, or went, when */
#define LAST_OF_OLD_MACHINES PPC_RELEASE(9, 1)
#define LAST_KNOWN_RELEASE PPC_RELEASE(11, 1)

static inline bool target_has_caps(Target t)
{
    return !target_before(t, 2, 11, 1);
}

static inline bool target_checks_pvr(Target t)
{
    return !target_before(t, 2, 10, 0);
}

static inline bool target_has_iommu_v3(Target t)
{
    return !target_before(t, 7, 1, 0);
}

#endif /* TOOLS_RELEASES_H */
