/*
 * QEMU releases: what they accept of a pseries stream, and what they send
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_RELEASES_H
#define TOOLS_RELEASES_H

#include "qemu/osdep.h"
#include "insns-facts.h"
#include "stream.h"

/* A release with its point release, where that matters: 2.7.1, 2.11.1 */
typedef struct Target {
    PPCRelease release;
    unsigned point;
} Target;

/**
 * target_parse:
 * @str: "2.6", "2.7.1"; "2.7" is 2.7.0
 *
 * Returns: false with @errp set, which lists what there is, if that is no
 * release of QEMU from 2.1 on.
 */
bool target_parse(const char *str, Target *t, GError **errp);

/** target_name: "2.6", but "2.7.0"; to be freed */
char *target_name(Target t);

/** target_next: the releases that this tool tells apart, up to 9.1, in order */
bool target_next(Target *t);

/** target_before: is @t older than @major.@minor.@point? */
bool target_before(Target t, unsigned major, unsigned minor, unsigned point);

/** target_compares_words: does @t demand that a CPU's words be its own? */
bool target_compares_words(Target t);

/** target_wire: what unpatched @t sends of a CPU of @family; see the core */
PPCInsnsWire target_wire(Target t, PPCFamily family);

/**
 * target_matches:
 * @s: what else is known of the stream, NULL for nothing
 *
 * Returns: the releases that send just @words for @family as "2.3 to 2.6,
 * 2.7.1", to be freed; NULL if none does.
 */
char *target_matches(const Stream *s, PPCFamily family,
                     const PPCInsnsWire *words);

/**
 * target_had:
 *
 * Returns: the groups that a CPU of @family may have had in a release that
 * target_matches() finds, though not all go over the wire.
 */
PPCInsns target_had(const Stream *s, PPCFamily family,
                    const PPCInsnsWire *words);

/**
 * groups_a_guest_can_lose:
 *
 * Returns: @set without groups that a pseries guest does not miss: those that
 * matter on the wire only, and those for hypervisors.
 */
PPCInsns groups_a_guest_can_lose(PPCInsns set);

/**
 * family_by_model:
 * @model: as given to -cpu: "POWER7+_v2.1", "power8,compat=power7"
 *
 * Returns: its family, PPC_FAMILY_NONE if there is no history of it.
 */
PPCFamily family_by_model(const char *model);

/**
 * machine_release:
 * @machine: "pseries-2.6"
 *
 * Returns: 2.6; 0 if it is no versioned pseries.
 */
PPCRelease machine_release(const char *machine);

/** machine_compat: the compat version that the series gives that machine */
PPCRelease machine_compat(PPCRelease machine);

/**
 * section_since:
 * @vmsd: the section's name, or its subsection's
 *
 * Returns: the first release that accepts that, packed as
 * major << 16 | minor << 8 | point; 0 if it is not known here.
 */
unsigned section_since(const char *vmsd, uint32_t version);

/** since_name: that release as text, to be freed */
char *since_name(unsigned since);

/** target_key: @t as section_since() packs it */
unsigned target_key(Target t);

/* What came, or went, when: the facts behind check and rewrite */
#define LAST_OF_OLD_MACHINES PPC_RELEASE(9, 1)
#define LAST_OLD_MACHINE PPC_RELEASE(2, 12)
#define LAST_MACHINE_WITH_HTM PPC_RELEASE(2, 11)

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

/* Of the families, those whose default for HTM is on, up to pseries-2.11 */
static inline bool family_has_htm(PPCFamily family)
{
    return family >= PPC_FAMILY_POWER8;
}

#endif /* TOOLS_RELEASES_H */
