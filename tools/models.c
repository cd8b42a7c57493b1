/*
 * CPU models of pseries, and what releases made of them
 *
 * Read from cpu-models.[ch], translate_init.c, cpu_init.c and compat.c of
 * 2.1.0 to 11.1.0.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "models.h"

#define K(major, minor) RELEASE_KEY(major, minor, 0)
#define ALWAYS 0
#define NEVER UINT_MAX

/* A model, or another name of one, from one release to before another */
static const struct {
    const char *name;
    uint32_t pvr;
    unsigned since, until;
} models[] = {
    { "970_v2.2", 0x00390202, ALWAYS, NEVER },
    { "970", 0x00390202, ALWAYS, NEVER },
    { "970mp_v1.0", 0x00440100, ALWAYS, NEVER },
    { "970mp_v1.1", 0x00440101, ALWAYS, NEVER },
    { "970mp", 0x00440101, ALWAYS, NEVER },
    { "power5+_v2.1", 0x003b0201, K(2, 3), NEVER },
    { "power5p_v2.1", 0x003b0201, K(9, 0), NEVER },
    { "power5+", 0x003b0201, ALWAYS, NEVER },
    { "power5gs", 0x003b0201, ALWAYS, NEVER },
    { "power7_v2.3", 0x003f0203, ALWAYS, NEVER },
    { "power7", 0x003f0203, ALWAYS, NEVER },
    { "power7+_v2.1", 0x004a0201, ALWAYS, NEVER },
    { "power7p_v2.1", 0x004a0201, K(9, 0), NEVER },
    { "power7+", 0x004a0201, ALWAYS, NEVER },
    { "power8e_v1.0", 0x004b0100, ALWAYS, K(2, 6) },
    { "power8e_v2.1", 0x004b0201, K(2, 6), K(11, 0) },
    { "power8e", 0x004b0100, ALWAYS, K(2, 6) },
    { "power8e", 0x004b0201, K(2, 6), K(11, 0) },
    { "power8_v1.0", 0x004d0100, ALWAYS, K(2, 6) },
    { "power8_v2.0", 0x004d0200, K(2, 6), NEVER },
    { "power8", 0x004d0100, ALWAYS, K(2, 6) },
    { "power8", 0x004d0200, K(2, 6), NEVER },
    { "power8nvl_v1.0", 0x004c0100, K(2, 6), K(11, 0) },
    { "power8nvl", 0x004c0100, K(2, 6), K(11, 0) },
    { "power9_v1.0", 0x004e0100, K(2, 8), K(8, 1) },
    { "power9_v1.0", 0x004e1100, K(8, 1), K(9, 0) },
    { "power9_v2.0", 0x004e1200, K(2, 11), NEVER },
    { "power9_v2.2", 0x004e1202, K(8, 1), NEVER },
    { "power9", 0x004e0100, K(2, 8), K(2, 11) },
    { "power9", 0x004e1200, K(2, 11), K(8, 1) },
    { "power9", 0x004e1202, K(8, 1), NEVER },
    { "power10_v1.0", 0x00800100, K(5, 0), K(8, 1) },
    { "power10_v1.0", 0x00801100, K(8, 1), K(9, 0) },
    { "power10_v2.0", 0x00800200, K(6, 2), K(8, 1) },
    { "power10_v2.0", 0x00801200, K(8, 1), NEVER },
    { "power10", 0x00800100, K(5, 0), K(6, 2) },
    { "power10", 0x00800200, K(6, 2), K(8, 1) },
    { "power10", 0x00801200, K(8, 1), NEVER },
    { "power11_v2.0", 0x00821200, K(9, 2), NEVER },
    { "power11", 0x00821200, K(9, 2), NEVER },
};

uint32_t model_pvr(const char *model, Target t)
{
    unsigned key = target_key(t);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(models); i++) {
        if (!g_ascii_strcasecmp(model, models[i].name) &&
            key >= models[i].since && key < models[i].until) {
            return models[i].pvr;
        }
    }
    return 0;
}

const char *model_by_pvr(uint32_t pvr)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(models); i++) {
        if (models[i].pvr == pvr) {
            return models[i].name;
        }
    }
    return NULL;
}

PPCFamily model_family(const char *model)
{
    g_autofree char *upper = NULL;
    size_t i;
    int family;

    for (i = 0; i < G_N_ELEMENTS(models); i++) {
        if (!g_ascii_strcasecmp(model, models[i].name)) {
            return ppc_family_by_pvr(models[i].pvr);
        }
    }
    upper = g_ascii_strup(model, -1);
    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        if (!strcmp(upper, ppc_family_name(family))) {
            return family;
        }
    }
    return PPC_FAMILY_NONE;
}

/* ---- do two models match? ----- */

#define PVR_BASE(pvr) ((pvr) & 0xffff0000u)
#define PVR_MAJOR(pvr) ((pvr) & 0x0f00u)

bool pvr_matches(uint32_t from, uint32_t to, Target t)
{
    PPCFamily family = ppc_family_by_pvr(to);

    if (from == to) {
        return true;
    }
    if (family < PPC_FAMILY_POWER7) {
        return false;
    }
    /* Until 21d3a78ed9 every model of a family was as good as another. */
    if (target_before(t, 7, 1, 0)) {
        return ppc_family_by_pvr(from) == family;
    }
    if (PVR_BASE(from) != PVR_BASE(to)) {
        return false;
    }
    if (family < PPC_FAMILY_POWER9) {
        return true;
    }
    if (PVR_MAJOR(from) != PVR_MAJOR(to)) {
        return false;
    }
    /* 8.1 and later tell POWER9 v2.0 from v2.2. */
    if (family == PPC_FAMILY_POWER9 && PVR_MAJOR(to) == 0x200 &&
        !target_before(t, 8, 1, 0)) {
        return ((from & 0xf) < 2 ? 0 : 2) == (to & 0xf);
    }
    return true;
}

const char *model_that_takes(uint32_t pvr, Target t)
{
    const char *found = NULL;
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(models); i++) {
        uint32_t to = models[i].pvr;

        if (model_pvr(models[i].name, t) != to) {
            continue;
        }
        if (to == pvr) {
            return models[i].name;
        }
        if (!found && pvr_matches(pvr, to, t)) {
            found = models[i].name;
        }
    }
    return found;
}

/* ---- compatibility modes, oldest first ----- */

static const struct {
    const char *name;
    uint32_t mode;
    PPCFamily family;       /* of the CPUs that are like it */
    unsigned since;
} modes[] = {
    { "power6", 0x0f000002, PPC_FAMILY_POWER5P, K(2, 9) },
    { "power7", MODE_POWER7, PPC_FAMILY_POWER7, K(2, 9) },
    { "power7+", MODE_POWER7P, PPC_FAMILY_POWER7, K(2, 9) },
    { "power8", MODE_POWER8, PPC_FAMILY_POWER8, K(2, 9) },
    { "power9", MODE_POWER9, PPC_FAMILY_POWER9, K(2, 10) },
    { "power10", MODE_POWER10, PPC_FAMILY_POWER10, K(5, 0) },
    { "power11", 0x0f000007, PPC_FAMILY_POWER11, K(9, 2) },
};

static int mode_index(uint32_t mode)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (modes[i].mode == mode) {
            return i;
        }
    }
    return -1;
}

uint32_t mode_by_name(const char *name)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!g_ascii_strcasecmp(modes[i].name, name)) {
            return modes[i].mode;
        }
    }
    return 0;
}

const char *mode_name(uint32_t mode)
{
    int i = mode_index(mode);

    return i < 0 ? NULL : modes[i].name;
}

bool mode_suits(uint32_t mode, PPCFamily family, Target t)
{
    int i = mode_index(mode);

    /* POWER7 was the first family with modes; POWER5+ has none. */
    return i >= 0 && modes[i].since <= target_key(t) &&
           family >= PPC_FAMILY_POWER7 && family >= modes[i].family;
}

bool mode_at_least(uint32_t mode, PPCFamily family, uint32_t least)
{
    int i = mode_index(least), j = mode_index(mode);

    return family >= modes[i].family && (!mode || j >= i);
}

PPCFamily mode_family(uint32_t mode)
{
    int i = mode_index(mode);

    return i < 0 ? PPC_FAMILY_NONE : modes[i].family;
}
