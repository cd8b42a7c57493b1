/*
 * Will a QEMU release load these interrupt controllers?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-internal.h"

/*
 * Under TCG, releases up to 2.11.1 numbered a guest's CPUs 0, 1, 2; later ones
 * count by 8, unless vsmt says otherwise.  Up to 2.9 that can be told.
 */
static void judge_numbering(Judge *j)
{
    const StreamServers *servers = &j->s->servers;
    unsigned cpus = j->s->cpus->len;
    bool by_one = servers->before_cpus && servers->count < 8 * cpus;

    if (j->dest->vsmt > 0 && target_before(j->dest->to, 2, 11, 0)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s has no vsmt, which came with 2.11", j->to),
            g_strdup("leave that option out"));
        return;
    }
    if (cpus < 2 || j->dest->kvm || target_before(j->dest->to, 2, 11, 1)) {
        return;
    }
    if (by_one && j->dest->vsmt != 1) {
        judge_add(j, false, UNPATCHED,
            g_strdup_printf("the guest numbers its CPUs 0, 1, 2; %s counts by"
                            " 8 under TCG, so that interrupts do not reach"
                            " them", j->to),
            g_strdup("-machine vsmt=1"));
    } else if (!servers->before_cpus && servers->count && !servers->odd &&
               j->dest->vsmt == 1) {
        judge_add(j, false, BOTH,
            g_strdup("with vsmt=1 the CPUs are numbered 0, 1, 2, but the guest"
                     " may number them 0, 8, 16"),
            g_strdup("without vsmt=1"));
    }
}

/*
 * Which of XICS and XIVE the destination has: pseries-4.1 and later have both
 * by default, if the CPU can have XIVE.
 */
static void judge_controllers(Judge *j)
{
    const Destination *dest = j->dest;
    const char *mode = dest->ic_mode;
    bool has_xive = stream_section(j->s, "xive-source");
    bool has_xics = stream_section(j->s, "ics");
    bool can_xive = j->s->cpus->len &&
        mode_at_least(dest->max_compat,
                      judge_family(&g_array_index(j->s->cpus, StreamCpu, 0),
                                   dest), MODE_POWER9);

    if (mode && (target_before(dest->to, 4, 0, 0) ||
                 j->release <= PPC_RELEASE(3, 0))) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s of %s does not have ic-mode", j->machine,
                            j->to), g_strdup("leave that option out"));
        return;
    }
    if (!mode) {
        mode = j->release >= PPC_RELEASE(4, 1) ? "dual" : "xics";
    }
    if (!can_xive && !strcmp(mode, "xive")) {
        judge_add(j, true, BOTH,
            g_strdup("this CPU cannot have ic-mode=xive"),
            g_strdup("-machine ic-mode=xics"));
        return;
    }
    if (!can_xive) {
        mode = "xics";
    }
    if (has_xive && !strcmp(mode, "xics")) {
        judge_add(j, true, BOTH,
            g_strdup("the stream has a XIVE interrupt controller, which the"
                     " destination does not have"),
            can_xive ? g_strdup("-machine ic-mode=dual")
                     : g_strdup("the -cpu model and the max-cpu-compat of the"
                                " source"));
    }
    if (has_xics && !strcmp(mode, "xive")) {
        judge_add(j, true, BOTH,
            g_strdup("the stream has a XICS interrupt controller, which the"
                     " destination does not have"),
            g_strdup("-machine ic-mode=dual"));
    }
}

void judge_interrupts(Judge *j)
{
    judge_controllers(j);
    judge_numbering(j);
}
