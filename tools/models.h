/*
 * CPU models of pseries, and what releases made of them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_MODELS_H
#define TOOLS_MODELS_H

#include "releases.h"

/**
 * model_pvr:
 * @model: as given to -cpu, without options: "POWER9", "power8_v2.0"
 *
 * Returns: the PVR that it has in @t; 0 if @t has no such model for pseries.
 */
uint32_t model_pvr(const char *model, Target t);

/** model_by_pvr: the model with that PVR, or NULL */
const char *model_by_pvr(uint32_t pvr);

/**
 * model_that_takes:
 * @pvr: of a CPU in a stream
 *
 * Returns: a model of @t that loads it, the very same if there is one, or
 * NULL.
 */
const char *model_that_takes(uint32_t pvr, Target t);

/**
 * model_family:
 * @model: as given to -cpu, or the name of a family
 *
 * Returns: its family, PPC_FAMILY_NONE if there is no history of it.
 */
PPCFamily model_family(const char *model);

/**
 * pvr_matches:
 * @from: of the CPU in the stream
 * @to: of the CPU in @t
 *
 * Returns: whether @t, if it compares models, takes them for the same.
 */
bool pvr_matches(uint32_t from, uint32_t to, Target t);

/**
 * mode_by_name:
 * @name: as given to max-cpu-compat: "power8"
 *
 * Returns: the logical PVR of that compatibility mode, 0 if there is none.
 */
uint32_t mode_by_name(const char *name);

/** mode_name: "power8", or NULL if there is no such mode */
const char *mode_name(uint32_t mode);

/** mode_suits: can a CPU of @family be in @mode, in @t? */
bool mode_suits(uint32_t mode, PPCFamily family, Target t);

/** mode_at_least: is @mode, or without one @family, at least @least? */
bool mode_at_least(uint32_t mode, PPCFamily family, uint32_t least);

/** mode_family: the family that has the groups of @mode */
PPCFamily mode_family(uint32_t mode);

#define MODE_POWER7 0x0f000003u
#define MODE_POWER7P 0x0f100003u
#define MODE_POWER8 0x0f000004u
#define MODE_POWER9 0x0f000005u
#define MODE_POWER10 0x0f000006u

#endif /* TOOLS_MODELS_H */
