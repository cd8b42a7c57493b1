/*
 * Will a QEMU release load this stream?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_JUDGE_H
#define TOOLS_JUDGE_H

#include "destination.h"
#include "origin.h"
#include "series.h"

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

/** judge_machine: the upstream machine that @dest's is, or is like */
const char *judge_machine(const Stream *s, const Destination *dest);

/** judge_htm_by_default: has @dest's machine HTM unless it is told? */
bool judge_htm_by_default(const Stream *s, const Destination *dest);

/** judge_capability: what the stream says of it; -1 if nothing */
int judge_capability(const Stream *s, CapIndex cap);

/**
 * judge_virtio_of: what virtio-pci devices in the stream are
 *
 * Returns: false if there is none.
 */
bool judge_virtio_of(const Stream *s, bool *modern, bool *page_per_vq);

/** judge_has_ddw: has @dest spapr-pci-host-bridge.ddw?  If not, -global of
 *  that is ignored, with a warning.
 */
bool judge_has_ddw(const Destination *dest);

/** judge_ddw: do @dest's PCI host bridges have a second DMA window? */
bool judge_ddw(const Stream *s, const Destination *dest);

/** judge_needs_htm_off: does TCG of @dest need a stream with cap-htm=off? */
bool judge_needs_htm_off(const Stream *s, const Destination *dest);

/**
 * judge_lost:
 *
 * Returns: the groups that a guest may have been using and that @family in
 * unpatched @t does not have.
 */
PPCInsns judge_lost(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                    Target t);

#endif /* TOOLS_JUDGE_H */
