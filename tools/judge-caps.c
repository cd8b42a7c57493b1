/*
 * Will a QEMU release load a stream with these capabilities?
 *
 * spapr_caps_post_migration() refuses a capability that is higher in the
 * stream than here.  A stream has only those that were given on the command
 * line and were not the default; the others count as the default here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-internal.h"

/* A capability's value in the stream; -1 if it does not say */
int judge_capability(const Stream *s, CapIndex cap)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    g_autofree char *name = g_strconcat("spapr/cap/", capabilities[cap].vmsd,
                                        NULL);
    const StreamPart *sub = spapr && !spapr->pieces ?
        stream_subsection(&spapr->part, name) : NULL;
    const StreamField *field = sub && sub->fields->len == 1 ?
        &g_array_index(sub->fields, StreamField, 0) : NULL;

    return field && field->size == 1 ? s->device->data[field->offset] : -1;
}

static PPCFamily first_family(const Stream *s, const Destination *dest)
{
    return s->cpus->len ?
        judge_family(&g_array_index(s->cpus, StreamCpu, 0), dest) :
        PPC_FAMILY_NONE;
}

/* Up to pseries-2.11 HTM is on by default for POWER8 and later. */
bool judge_htm_by_default(const Stream *s, const Destination *dest)
{
    return target_has_caps(dest->to) &&
           machine_release(judge_machine(s, dest)) &&
           capability_default(CAP_HTM, judge_machine(s, dest),
                              first_family(s, dest), dest->max_compat,
                              dest->to);
}

bool judge_needs_htm_off(const Stream *s, const Destination *dest)
{
    return !dest->kvm && judge_capability(s, CAP_HTM) < 0 &&
           judge_htm_by_default(s, dest);
}

/* TCG has no transactional memory, and unpatched it needs to be told so. */
static void judge_htm(Judge *j)
{
    const Destination *dest = j->dest;
    int there = judge_capability(j->s, CAP_HTM), here = dest->caps[CAP_HTM];
    bool is_default = judge_htm_by_default(j->s, dest);
    /* See "spapr_caps: Let cap-htm=off load guests that do not use HTM". */
    bool takes = dest->kvm && series_takes_htm_off(dest);

    if (there == 1) {
        if (!dest->kvm || here == 0) {
            judge_add(j, true, BOTH,
                g_strdup("the guest may be using transactional memory (cap-htm"
                         " is on in the stream), which the destination does"
                         " not have"),
                g_strdup("KVM on a host that has it"));
        } else if (here < 0 && !is_default) {
            judge_add(j, true, BOTH,
                g_strdup("cap-htm is on in the stream, but off by default"
                         " here"), g_strdup("-machine cap-htm=on"));
        }
    } else if (here == 1 && !dest->kvm) {
        judge_add(j, true, BOTH,
            g_strdup_printf("TCG in %s does not start with cap-htm=on", j->to),
            g_strdup("-machine cap-htm=off"));
    } else if (there < 0 && is_default && !dest->kvm) {
        judge_add(j, true, UNPATCHED,
            g_strdup_printf("TCG in %s needs cap-htm=off with this machine and"
                            " CPU, and then refuses a stream that does not say"
                            " so, as if HTM were on in it", j->to),
            g_strdup_printf("ppc-insns rewrite --to %s, and -machine"
                            " cap-htm=off; under KVM, say --kvm", j->to_id));
    } else if (there == 0 && is_default && here < 0 && !dest->kvm) {
        /* Told which options there are, we know that this one is not. */
        judge_add(j, dest->machine && !dest->name_only, UNPATCHED,
            g_strdup_printf("TCG does not start with cap-htm=on, which is the"
                            " default of this machine in %s", j->to),
            g_strdup("-machine cap-htm=off"));
    } else if (there < 0 && is_default && here == 0) {
        judge_add(j, true, takes ? UNPATCHED : BOTH,
            g_strdup("cap-htm is off here, and a stream that does not say so"
                     " counts as if it were on"),
            g_strdup_printf("ppc-insns rewrite --to %s, if the source's host"
                            " had no transactional memory either", j->to_id));
        if (takes) {
            judge_add(j, false, PATCHED,
                g_strdup("cap-htm=off says that the guest does not use"
                         " transactional memory, which the source may have"
                         " offered to it; QEMU warns"), NULL);
        }
    } else if (is_default && here < 0 && dest->kvm) {
        judge_add(j, false, there < 0 && takes ? UNPATCHED : BOTH,
            g_strdup_printf("a KVM host without transactional memory, as with"
                            " the kernels of most distributions, does not start"
                            " this machine in %s but with cap-htm=off, and then"
                            " wants a stream that says so", j->to),
            there < 0 ?
            g_strdup_printf("there, ppc-insns rewrite --to %s, and -machine"
                            " cap-htm=off", j->to_id) :
            g_strdup("there, -machine cap-htm=off"));
        if (there < 0 && takes) {
            judge_add(j, false, PATCHED,
                g_strdup("a KVM host without transactional memory, as with the"
                         " kernels of most distributions, does not start this"
                         " machine but with cap-htm=off, and only you can know"
                         " whether the guest uses it"),
                g_strdup("there, -machine cap-htm=off, if it does not"));
        }
    }
}

/* A guest in a transaction cannot go on without the hardware. */
static void judge_transaction(Judge *j)
{
    const Destination *dest = j->dest;
    bool has_tm = dest->kvm && dest->caps[CAP_HTM] != 0;
    guint i;

    for (i = 0; i < j->s->cpus->len; i++) {
        if (g_array_index(j->s->cpus, StreamCpu, i).in_transaction) {
            break;
        }
    }
    if (i == j->s->cpus->len) {
        return;
    }
    if (!target_before(dest->to, 4, 0, 0)) {
        judge_add(j, true, UNPATCHED,
            g_strdup_printf("the guest is in a transaction on CPU %u, and %s"
                            " loads cpu/tm over other state of that CPU", i,
                            j->to),
            g_strdup("let it run on the source for a moment and save it"
                     " again"));
    }
    if (!has_tm) {
        judge_add(j, series_takes_htm_off(dest), PATCHED,
            g_strdup_printf("the guest is in a transaction on CPU %u, and there"
                            " is no transactional memory here", i),
            g_strdup("let it run on the source for a moment and save it"
                     " again, or use a KVM host with transactional memory"));
    }
}

static void judge_cap(Judge *j, CapIndex cap, PPCFamily family)
{
    const Destination *dest = j->dest;
    const char *option = capabilities[cap].option;
    unsigned def = capability_default(cap, j->machine, family,
                                      dest->max_compat, dest->to);
    int there = judge_capability(j->s, cap), here = dest->caps[cap];
    unsigned from = there < 0 ? def : (unsigned)there;
    unsigned to = here < 0 ? def : (unsigned)here;
    g_autofree char *from_text = capability_format(cap, from);
    g_autofree char *to_text = capability_format(cap, to);

    if (!dest->kvm && capability_tcg_refuses(cap, to, family,
                                             dest->max_compat)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("TCG in %s does not start with cap-%s=%s on this"
                            " CPU", j->to, option, to_text), NULL);
    }
    if (from > to) {
        judge_add(j, true, BOTH,
            g_strdup_printf("cap-%s is %s in the stream%s, more than %s here",
                            option, from_text, there < 0 ? " (by default)"
                            : "", to_text),
            g_strdup_printf("-machine cap-%s=%s", option, from_text));
    } else if (from < to) {
        judge_add(j, false, BOTH,
            g_strdup_printf("cap-%s is %s in the stream, less than %s here;"
                            " QEMU warns", option, from_text, to_text),
            g_strdup_printf("-machine cap-%s=%s", option, from_text));
    }
}

void judge_caps(Judge *j)
{
    const Destination *dest = j->dest;
    PPCFamily family = first_family(j->s, dest);
    int i;

    if (family == PPC_FAMILY_NONE) {
        return;
    }
    for (i = 0; i < CAP__MAX; i++) {
        bool known = target_key(dest->to) >= capabilities[i].since;

        if (!known && dest->caps[i] >= 0) {
            g_autofree char *since = key_name(capabilities[i].since);

            judge_add(j, true, BOTH,
                g_strdup_printf("%s has no cap-%s, which came with %s", j->to,
                                capabilities[i].option, since),
                g_strdup("leave that option out"));
        } else if (known && i != CAP_HTM) {
            judge_cap(j, i, family);
        }
    }
    if (target_has_caps(dest->to)) {
        judge_htm(j);
    }
    judge_transaction(j);
}
