/*
 * The reasons for a verdict, and the machine that it is about
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-reasons.h"

static void reason_free(void *opaque)
{
    Reason *reason = opaque;

    g_free(reason->what);
    g_free(reason->advice);
    g_free(reason);
}

GPtrArray *judge_reasons_new(void)
{
    return g_ptr_array_new_with_free_func(reason_free);
}

void judge_add(Judge *j, bool refuses, unsigned who, char *what, char *advice)
{
    Reason *reason;
    guint i;

    for (i = 0; i < j->reasons->len; i++) {
        const Reason *old = g_ptr_array_index(j->reasons, i);

        if (old->refuses == refuses && old->who == who &&
            !strcmp(old->what, what)) {
            g_free(what);
            g_free(advice);
            return;
        }
    }
    reason = g_new0(Reason, 1);
    reason->refuses = refuses;
    reason->who = who;
    reason->what = what;
    reason->advice = advice;
    g_ptr_array_add(j->reasons, reason);
}

bool judge_refuses(const GPtrArray *reasons, unsigned who)
{
    guint i;

    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        if (reason->refuses && reason->who & who) {
            return true;
        }
    }
    return false;
}

const char *judge_machine_name(const Stream *s, const Destination *dest)
{
    return dest->machine ? dest->machine : stream_machine(s);
}

const char *judge_machine(const Stream *s, const Destination *dest)
{
    const char *name = judge_machine_name(s, dest);
    MachineForm form;

    return dest->like ? dest->like :
           destination_form(dest, name, &form) ? form.like : name;
}
