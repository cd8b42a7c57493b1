/*
 * What the parts of the judge share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_JUDGE_INTERNAL_H
#define TOOLS_JUDGE_INTERNAL_H

#include "judge.h"

typedef struct Judge {
    const Stream *s;
    const Destination *dest;
    GPtrArray *reasons;     /* of Reason */
    const char *machine;    /* the upstream machine that it is about */
    PPCRelease release;     /* of that machine */
    MachineForm form;       /* of the destination's machine */
    char *to;               /* the destination's release, for a person */
} Judge;

/* Takes over @what and @advice.  One line will do for things that are alike. */
void judge_add(Judge *j, bool refuses, unsigned who, char *what,
               char *advice);

/* The parts; see their files */
void judge_cpus(Judge *j);
void judge_caps(Judge *j);
void judge_sections(Judge *j);
void judge_ram(Judge *j);
void judge_interrupts(Judge *j);

#endif /* TOOLS_JUDGE_INTERNAL_H */
