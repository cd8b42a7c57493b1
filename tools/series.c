/*
 * What a QEMU with the series says of a CPU's words
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "series.h"

/* The groups' bits by their names */
#define GROUP(name, word, bit) enum { name = 1ULL << (bit) };
#include "../target/ppc/insns-history.h.inc"

bool series_exists(const Destination *dest)
{
    return !dest->product && !target_before(dest->to, 2, 7, 0) &&
           dest->to.release <= LAST_KNOWN_RELEASE;
}

/* The patch needs what 4.1 brought, and pseries-2.6 and 2.7. */
bool series_takes_htm_off(const Destination *dest)
{
    return series_exists(dest) && !target_before(dest->to, 4, 1, 0) &&
           target_before(dest->to, 9, 2, 0);
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

/* The insns-compat that hides nothing of @lost */
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
    /* VSX, DFP and TM: capabilities decide whether the guest may use them. */
    static const PPCInsns by_caps = { 0, PPC2_VSX | PPC2_DFP | PPC2_TM };
    PPCRelease guest = guest_release(dest, machine);
    PPCInsns has = ppc_insns_at(family, dest->to.release);
    PPCInsns hides = hidden(family, guest);
    PPCInsns shown = ppc_insns_minus(has, hides);
    PPCInsns stream = ppc_insns_minus(cpu->words.insns,
                                      ppc_insns_minus(by_caps, shown));
    PPCInsns in_mode = { UINT64_MAX, UINT64_MAX };
    PPCInsnsVerdict v;

    (void)s;
    if (mode) {
        in_mode = ppc_insns_at(mode_family(mode), LAST_KNOWN_RELEASE);
        if (dest->kvm) {
            shown = ppc_insns_and(shown, in_mode);
        }
    }
    ppc_insns_check(stream, ppc_family_by_pvr(cpu->pvr), family,
                    guest ? guest : dest->to.release, shown, in_mode, &v);
    *verdict = (SeriesVerdict) { .missing = v.missing, .above = v.above };
    if (!dest->kvm) {
        /* What this QEMU does not have at all is unpatched QEMU's loss, too. */
        verdict->lost = ppc_insns_and(v.lost, hides);
        verdict->gained = v.gained;
    }
    if (!ppc_insns_empty(verdict->lost)) {
        verdict->keep = what_keeps(verdict->lost, family);
    }
    return ppc_insns_empty(verdict->missing);
}
