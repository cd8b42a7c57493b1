/*
 * What the parts of the judge share: what they look at, and what they say
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_JUDGE_REASONS_H
#define TOOLS_JUDGE_REASONS_H

#include "judge.h"

typedef struct Judge {
    const Stream *s;
    const Destination *dest;
    GPtrArray *reasons;     /* of Reason */
    const char *machine;    /* the upstream machine that it is about */
    PPCRelease release;     /* of that machine */
    MachineForm form;       /* of the destination's machine */
    char *to;               /* the destination's release, for a person */
    char *to_id;            /* and for the tool's --to */
} Judge;

/* Takes over @what and @advice.  One line will do for things that are alike. */
void judge_add(Judge *j, bool refuses, unsigned who, char *what,
               char *advice);

/* An empty array for Judge.reasons */
GPtrArray *judge_reasons_new(void);

/* The name that the destination calls its machine by */
const char *judge_machine_name(const Stream *s, const Destination *dest);

#endif /* TOOLS_JUDGE_REASONS_H */
