/*
 * Will a QEMU release load this stream?
 *
 * What unpatched releases do was measured with real binaries, or read from
 * their sources; what one with the series does is in series.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-internal.h"
#include "powerkvm.h"

/* ---- the machine ----- */

/* Which of the upstream machines to have in its place; to be freed */
static char *advise_machine(const Judge *j, const char *name)
{
    const Destination *dest = j->dest;
    MachineForm form;

    if (!dest->product && !strcmp(name, stream_machine(j->s)) &&
        origin_form(j->s, &form)) {
        return g_strdup_printf("ppc-insns rewrite --to %s --machine %s; see"
                               " ppc-insns options", j->to_id, form.like);
    }
    if (dest->product && dest->product->own_machines) {
        return g_strdup_printf("ppc-insns rewrite --to %s --machine"
                               " pseries-rhel7.3.0", j->to_id);
    }
    return g_strdup("--like pseries-X.Y, if the destination has that machine,"
                    " to say which one it is like");
}

static void judge_existence(Judge *j, const char *name)
{
    const Destination *dest = j->dest;
    MachineForm form;

    if (!j->release && !dest->product) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("%s is not a machine of upstream QEMU", name),
                  advise_machine(j, name));
        return;
    }
    if (dest->product && !dest->like && !destination_form(dest, name, &form)) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("%s is not known to have a machine %s", j->to,
                                  name),
                  advise_machine(j, name));
        return;
    }
    if (dest->product && !dest->like) {
        return;
    }
    if (dest->like) {
        judge_add(j, false, BOTH,
                  g_strdup_printf("%s is taken to be like %s, and to exist on"
                                  " the destination", name, dest->like), NULL);
        return;
    }
    if (dest->to.release > LAST_KNOWN_RELEASE) {
        g_autofree char *last = ppc_release_format(LAST_KNOWN_RELEASE);

        judge_add(j, true, BOTH,
                  g_strdup_printf("this tool does not know what %s does; the"
                                  " newest release that it knows is %s", j->to,
                                  last), NULL);
    } else if (j->release > dest->to.release) {
        g_autofree char *since = ppc_release_format(j->release);

        judge_add(j, true, BOTH,
                  g_strdup_printf("%s has no %s, which came with %s", j->to,
                                  name, since),
                  g_strdup_printf("a QEMU from %s on", since));
    } else if (!machine_exists(j->release, dest->to)) {
        bool old = j->release <= LAST_OLD_MACHINE;
        g_autofree char *oldest = ppc_release_format(
            machine_oldest(dest->to));

        /* The series brings pseries-2.1 to 2.12 back. */
        judge_add(j, true, old ? UNPATCHED : BOTH,
                  old ?
                  g_strdup_printf("%s has no %s: pseries-2.1 to 2.12 are gone"
                                  " since 9.2", j->to, name) :
                  g_strdup_printf("%s has no %s; its oldest is pseries-%s",
                                  j->to, name, oldest),
                  g_strdup("QEMU 9.1 or older"));
    }
}

/* pseries-2.4 and later begin with the machine's name, and have footers. */
static void judge_form(Judge *j, const char *name)
{
    const Stream *s = j->s;
    const Destination *dest = j->dest;
    PPCRelease to = dest->to.release;

    if (!dest->product && j->release <= PPC_RELEASE(2, 3)) {
        bool wanted = to == PPC_RELEASE(2, 4);

        if (wanted && !s->has_configuration) {
            judge_add(j, true, BOTH,
                      g_strdup_printf("%s wants a configuration section of %s,"
                                      " which only 2.4 sends", j->to, name),
                      g_strdup("another release than 2.4"));
        } else if (!wanted && s->has_configuration) {
            judge_add(j, true, BOTH,
                      g_strdup_printf("%s expects no configuration section of"
                                      " %s; only 2.4 sends one", j->to, name),
                      g_strdup_printf("ppc-insns rewrite --to %s takes it"
                                      " away%s", j->to_id,
                                      to >= PPC_RELEASE(2, 6) ?
                                      "; or -machine enforce-config-section=on"
                                      : ""));
        }
        return;
    }
    if (!s->has_configuration && j->form.configuration &&
        !dest->no_configuration) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("the stream does not name its machine; %s of"
                                  " %s expects that it does", name, j->to),
                  g_strdup("-machine pseries-2.3, or -global"
                           " migration.send-configuration=off if the source"
                           " was PowerKVM"));
    } else if (s->has_configuration &&
               (!j->form.configuration || dest->no_configuration)) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("the stream names its machine, which %s of %s"
                                  " does not expect%s", name, j->to,
                                  dest->no_configuration ?
                                  " with send-configuration=off" : ""),
                  dest->no_configuration ? g_strdup("leave that out") :
                  g_strdup_printf("ppc-insns rewrite --to %s --machine %s",
                                  j->to_id, name));
    }
}

/* Known only when RAM has been read */
static void judge_footers(Judge *j, const char *name)
{
    bool wanted = j->form.footers && !j->dest->no_footers;

    if (j->s->has_footers != wanted) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("the stream's sections have %sfooters, but %s"
                                  " of %s expects %s", wanted ? "no " : "",
                                  name, j->to, wanted ? "them" : "none"),
                  wanted ? g_strdup("-global"
                                    " migration.send-section-footer=off")
                         : g_strdup("the machine version of the source"));
    }
}

static void judge_begin(Judge *j)
{
    const char *name = judge_machine_name(j->s, j->dest);

    if (j->s->machine && strcmp(j->s->machine, name)) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("the stream names machine %s, which must be"
                                  " the destination's; that is %s",
                                  j->s->machine, name),
                  g_strdup_printf("-machine %s", j->s->machine));
    }
    judge_existence(j, name);
    if (j->release) {
        judge_form(j, name);
    }
}

static Judge judge_new(const Stream *s, const Destination *dest)
{
    const char *machine = judge_machine(s, dest);
    Judge j = {
        .s = s,
        .dest = dest,
        .reasons = judge_reasons_new(),
        .machine = machine,
        .release = machine_release(machine),
        .to = destination_name(dest),
        .to_id = destination_id(dest),
    };

    if (dest->like ||
        !destination_form(dest, judge_machine_name(s, dest), &j.form)) {
        product_machine(NULL, machine, &j.form);
    }
    return j;
}

GPtrArray *judge_start(const Stream *s, const Destination *dest)
{
    Judge j = judge_new(s, dest);

    judge_begin(&j);
    g_free(j.to);
    g_free(j.to_id);
    return j.reasons;
}

/* ---- all of it ----- */

static void judge_commands(Judge *j)
{
    const char *commands = j->s->commands->str;

    if (!*commands) {
        return;
    }
    if (strstr(commands, "SWITCHOVER_START") &&
        target_before(j->dest->to, 10, 0, 0)) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("the stream has the command"
                                  " SWITCHOVER_START, which came with 10.0; %s"
                                  " does not know it", j->to),
                  g_strdup("save it without the capability return-path"));
    } else {
        judge_add(j, false, BOTH,
                  g_strdup_printf("the stream has the commands %s, which want"
                                  " an answer; such a stream does not load from"
                                  " a file", commands),
                  g_strdup("save it without the capability return-path"));
    }
}

/* What no QEMU sends, none is known to load, either. */
static void judge_origin(Judge *j)
{
    g_autofree char *mixture = powerkvm_mixture(j->s);

    if (mixture) {
        judge_add(j, true, BOTH,
                  g_strdup_printf("it is a mixture: %s", mixture),
                  g_strdup("the stream as its source sent it"));
    }
}

GPtrArray *judge(const Stream *s, const Destination *dest)
{
    Judge j = judge_new(s, dest);
    guint i;

    judge_begin(&j);
    if (!stream_is_pseries(s)) {
        judge_add(&j, true, BOTH, g_strdup("this is not a pseries guest"),
                  NULL);
    } else if (j.release && (dest->product || j.release <= dest->to.release) &&
               dest->to.release <= LAST_KNOWN_RELEASE) {
        judge_origin(&j);
        judge_footers(&j, judge_machine_name(s, dest));
        if (!s->cpus->len) {
            judge_add(&j, true, BOTH,
                      g_strdup("there is no CPU in the stream"), NULL);
        }
        judge_cpus(&j);
        judge_caps(&j);
        judge_sections(&j);
        judge_ram(&j);
        judge_interrupts(&j);
        judge_commands(&j);
        for (i = 0; i < s->notes->len; i++) {
            judge_add(&j, false, BOTH, g_strdup_printf(
                "%s; QEMU does not mind",
                (char *)g_ptr_array_index(s->notes, i)), NULL);
        }
        if (dest->ignored) {
            judge_add(&j, false, BOTH, g_strdup_printf(
                "these options were not looked at: %s", dest->ignored), NULL);
        }
    }
    g_free(j.to);
    g_free(j.to_id);
    return j.reasons;
}
