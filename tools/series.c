/*
 * What a QEMU with the series says of a CPU's words
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "series.h"

bool series_exists(Target to)
{
    return !target_before(to, 2, 7, 0) && to.release <= LAST_KNOWN_RELEASE;
}

/* The compat version for the guest: 0 is all that the CPU has */
static PPCRelease guest_release(const Destination *dest, PPCRelease machine)
{
    if (!dest->insns_compat) {
        return machine_compat(machine);
    }
    return ppc_release_parse(dest->insns_compat);       /* "none": 0 */
}

static PPCInsns hidden(PPCFamily family, PPCRelease release)
{
    return release ? ppc_insns_hidden(family, release)
                   : (PPCInsns) { 0, 0 };
}

/* The family whose words go over the wire: the newest known to @release */
static PPCFamily wire_family(PPCFamily family, PPCRelease release)
{
    while (family > PPC_FAMILY_970 && ppc_family_since(family) > release) {
        family--;
    }
    return family;
}

static const char *what_keeps(PPCInsns lost, PPCFamily family)
{
    PPCInsns still = ppc_insns_and(
        lost, hidden(family, PPC_RELEASE_LAST_ON_WIRE));

    return ppc_insns_empty(still) ? "2.7" : "none";
}

bool series_check(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                  const Destination *dest, PPCRelease machine, uint32_t mode,
                  SeriesVerdict *verdict)
{
    PPCRelease guest = guest_release(dest, machine);
    PPCRelease wire = guest ? guest : machine_compat(machine);
    PPCInsns has = ppc_insns_at(family, dest->to.release);
    PPCInsns shown = ppc_insns_minus(has, hidden(family, guest));
    PPCInsns had = origin_had(s, cpu);
    PPCInsns may_differ = ppc_insns_or(
        ppc_insns_joined_after(family, wire),
        ppc_insns_joined_after(wire_family(family, wire), wire));
    PPCInsnsVerdict raw;

    *verdict = (SeriesVerdict) { 0 };
    ppc_insns_check(cpu->words.insns, family, wire, shown, &raw);
    verdict->missing = ppc_insns_minus(raw.more, may_differ);
    if (mode) {
        PPCInsns in_mode = ppc_insns_at(mode_family(mode),
                                        dest->to.release);

        verdict->above = ppc_insns_minus(verdict->missing, in_mode);
        verdict->missing = ppc_insns_and(verdict->missing, in_mode);
    }
    verdict->lost = groups_a_guest_can_lose(
        ppc_insns_and(ppc_insns_and(had, has), hidden(family, guest)));
    verdict->gained = groups_a_guest_can_lose(
        ppc_insns_or(raw.less, ppc_insns_minus(shown, had)));
    if (!ppc_insns_empty(verdict->lost)) {
        verdict->keep = what_keeps(verdict->lost, family);
    }
    return ppc_insns_empty(verdict->missing);
}
