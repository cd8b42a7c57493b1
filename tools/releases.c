/*
 * QEMU releases: what they accept of a pseries stream, and what they send
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "releases.h"

unsigned target_key(Target t)
{
    return RELEASE_KEY(t.release >> 8, t.release & 0xff, t.point);
}

char *key_name(unsigned key)
{
    return key & 0xff ?
        g_strdup_printf("%u.%u.%u", key >> 16, key >> 8 & 0xff, key & 0xff) :
        g_strdup_printf("%u.%u", key >> 16, key >> 8 & 0xff);
}

/* Point releases differ where a stable release took a change of the next. */
static bool has_points(PPCRelease release)
{
    return release == PPC_RELEASE(2, 7) || release == PPC_RELEASE(2, 11);
}

bool target_parse(const char *str, Target *t, GError **errp)
{
    g_auto(GStrv) part = g_strsplit(str, ".", 0);
    guint n = g_strv_length(part), i;
    guint64 number[3] = { 0 };
    g_autofree char *plain = NULL, *list = NULL;

    for (i = 0; i < n && n <= 3; i++) {
        if (!g_ascii_string_to_unsigned(part[i], 10, 0, 255, &number[i],
                                        NULL)) {
            n = 0;
        }
    }
    if (n == 2 || n == 3) {
        *t = (Target) { PPC_RELEASE(number[0], number[1]), 0 };
        plain = ppc_release_format(t->release);
        if (has_points(t->release)) {
            t->point = number[2] > 0;
        }
        if (ppc_release_parse(plain) || t->release > PPC_RELEASE(10, 0)) {
            return true;
        }
    }
    list = ppc_release_list();
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_USAGE,
                "'%s' is not a release of QEMU that this tool knows; there are"
                " %s, and 2.7.1 and 2.11.1 count apart", str, list);
    return false;
}

char *target_name(Target t)
{
    return has_points(t.release) ?
        g_strdup_printf("%u.%u.%u", t.release >> 8, t.release & 0xff,
                        t.point) :
        ppc_release_format(t.release);
}

bool target_next(Target *t)
{
    if (t->release && has_points(t->release) && !t->point) {
        t->point = 1;
        return true;
    }
    t->release = ppc_release_next(t->release);
    t->point = 0;
    return t->release && t->release <= LAST_KNOWN_RELEASE;
}

bool target_before(Target t, unsigned major, unsigned minor, unsigned point)
{
    return target_key(t) < (unsigned)RELEASE_KEY(major, minor, point);
}

bool target_compares_words(Target t)
{
    return target_before(t, 2, 7, 1);
}

PPCInsnsWire target_wire(Target t, PPCFamily family)
{
    static const PPCInsns all = { UINT64_MAX, UINT64_MAX };
    PPCInsnsWire wire = ppc_insns_wire(family, t.release, all);

    if (t.release == PPC_RELEASE_LAST_ON_WIRE && t.point) {
        wire.insns = ppc_insns_and(wire.insns, ppc_insns_mask(t.release));
    }
    return wire;
}

PPCInsns groups_a_guest_can_lose(PPCInsns set)
{
    PPCRelease last = PPC_RELEASE_LAST_ON_WIRE;
    int family;

    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        PPCInsns joined = ppc_insns_joined_after(family, 0);

        /* Of what joined, only what matters on the wire alone is not hidden. */
        set = ppc_insns_minus(set, ppc_insns_minus(
            joined, ppc_insns_hidden(family, 0)));
        /*
         * What 2.7 added and 2.7.1 took off the wire again is for
         * hypervisors: that a guest cannot use it is why it was taken off.
         */
        set = ppc_insns_minus(set, ppc_insns_minus(
            ppc_insns_at(family, last), ppc_insns_mask(last)));
    }
    return set;
}
