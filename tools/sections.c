/*
 * Which release accepts which version of which section
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "sections.h"

/* From that release on, a name stands for versions @oldest to @newest. */
typedef struct Row {
    const char *vmsd;
    unsigned since;
    bool gone;
    uint32_t newest;
    uint32_t oldest;
} Row;

#define SECTION(vmsd, major, minor, point, newest, oldest) \
    { vmsd, RELEASE_KEY(major, minor, point), false, newest, oldest },
#define GONE(vmsd, major, minor, point) \
    { vmsd, RELEASE_KEY(major, minor, point), true, 0, 0 },

static const Row rows[] = {
#include "section-history.h.inc"
};

SectionVerdict section_judge(const char *vmsd, uint32_t version, Target t,
                             unsigned *since)
{
    const Row *now = NULL;
    bool known = false;
    size_t i;

    *since = 0;
    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Row *row = &rows[i];

        if (strcmp(row->vmsd, vmsd)) {
            continue;
        }
        known = true;
        if (row->since <= target_key(t)) {
            now = row;
        }
        if (!*since && !row->gone && version <= row->newest &&
            version >= row->oldest) {
            *since = row->since;
        }
    }
    if (!known) {
        return SECTION_UNKNOWN;
    }
    if (!now) {
        return SECTION_LATER;
    }
    return now->gone ? SECTION_WENT :
           version > now->newest ? SECTION_TOO_NEW :
           version < now->oldest ? SECTION_TOO_OLD : SECTION_ACCEPTED;
}

bool section_is_device(const char *vmsd)
{
    /* The machine's own, which every build has */
    static const char *const own[] = {
        "ram", "timer", "ics", "icp/server", "cpu_common", "cpu", "PCIBUS",
        "globalstate", "xive-source", "xive-tctx", "memory hotplug state",
        "block", "dirty-bitmap", NULL
    };

    return !g_strv_contains(own, vmsd) && !g_str_has_prefix(vmsd, "spapr");
}
