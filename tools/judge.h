/*
 * Will a QEMU release load this stream?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_JUDGE_H
#define TOOLS_JUDGE_H

#include "qemu/osdep.h"
#include "releases.h"
#include "stream.h"

/* Which QEMU of the release a reason is about */
enum {
    UNPATCHED = 1,
    PATCHED = 2,            /* with the series */
    BOTH = UNPATCHED | PATCHED,
};

typedef struct Reason {
    bool refuses;           /* or else it is only worth knowing */
    unsigned who;
    char *what;             /* the reason, by name */
    char *advice;           /* what to do; may be NULL */
} Reason;

/* What the stream is to be loaded into */
typedef struct Destination {
    Target to;
    const char *model;      /* of -cpu; NULL: as in the stream */
    const char *machine;    /* of -machine; NULL: as in the stream */
    bool kvm;               /* or else TCG */
} Destination;

/**
 * judge_start:
 *
 * What can be said once the machine's name was read.
 *
 * Returns: the reasons (Reason), to be unreferenced.
 */
GPtrArray *judge_start(const Stream *s, const Destination *dest);

/**
 * judge:
 * @s: read to its end
 *
 * Returns: all reasons, those of judge_start() among them.
 */
GPtrArray *judge(const Stream *s, const Destination *dest);

/** judge_refuses: does a reason say that a QEMU of kind @who refuses? */
bool judge_refuses(const GPtrArray *reasons, unsigned who);

/** judge_family: the family that a CPU is to become in @dest */
PPCFamily judge_family(const StreamCpu *cpu, const Destination *dest);

/**
 * judge_lost:
 *
 * Returns: the groups that the guest may be using on @cpu, and that a CPU of
 * @family in @t lacks.
 */
PPCInsns judge_lost(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                    Target t);

/** judge_machine: the release of the machine that the stream is loaded into */
PPCRelease judge_machine(const Stream *s, const Destination *dest);

/** judge_has_series: is there a series for that release? */
bool judge_has_series(Target to);

#endif /* TOOLS_JUDGE_H */
