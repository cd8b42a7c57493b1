/*
 * Will a QEMU release load these CPUs?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-internal.h"

/* The PVR of the destination's CPU; 0 if it has no such model */
static uint32_t dest_pvr(const StreamCpu *cpu, const Destination *dest)
{
    const char *model;

    if (dest->model && g_ascii_strcasecmp(dest->model, "host")) {
        return model_pvr(dest->model, dest->to);
    }
    /* The model of the source, or what comes next to it; on KVM the host's */
    model = model_that_takes(cpu->pvr, dest->to);
    return model ? model_pvr(model, dest->to) : 0;
}

PPCFamily judge_family(const StreamCpu *cpu, const Destination *dest)
{
    if (dest->model && g_ascii_strcasecmp(dest->model, "host")) {
        return model_family(dest->model);
    }
    return ppc_family_by_pvr(cpu->pvr);
}

PPCInsns judge_lost(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                    Target t)
{
    PPCInsns had = { 0 };

    if (cpu->has_words) {
        had = origin_may_have_had(s, cpu);
    }
    return groups_a_guest_can_lose(
        ppc_insns_minus(had, ppc_insns_at(family, t.release)));
}

/* "a POWER8 (PVR 004d0200)"; to be freed */
static char *cpu_name(const StreamCpu *cpu)
{
    return g_strdup_printf("a %s (PVR %08x)",
                           ppc_family_name(ppc_family_by_pvr(cpu->pvr)),
                           cpu->pvr);
}

/* Up to 2.7.0: the words must be equal. */
static void judge_words(Judge *j, const StreamCpu *cpu, PPCFamily family)
{
    Target t = j->dest->to;
    PPCInsnsWire wire = target_wire(t, family);
    g_autofree char *lost = ppc_insns_names(judge_lost(j->s, cpu, family, t));
    PPCInsns more = ppc_insns_minus(cpu->words.insns, wire.insns);
    PPCInsns less = ppc_insns_minus(wire.insns, cpu->words.insns);
    g_autofree char *cpu_text = cpu_name(cpu);
    g_autofree char *more_names = ppc_insns_names(more);
    g_autofree char *less_names = ppc_insns_names(less);
    GString *what = g_string_new(NULL);

    if (*more_names) {
        g_string_append_printf(what, " has %s%s", more_names,
                               *less_names ? ", and" : "");
    }
    if (*less_names) {
        g_string_append_printf(what, " lacks %s", less_names);
    }
    if (cpu->words.msr_mask != wire.msr_mask) {
        g_string_append_printf(what, "%s msr_mask %" PRIx64 " is not %" PRIx64,
                               what->len ? ";" : "", cpu->words.msr_mask,
                               wire.msr_mask);
    }
    if (cpu->words.nb_bats != wire.nb_bats) {
        g_string_append_printf(what, "%s nb_BATs %u is not %u",
                               what->len ? ";" : "", cpu->words.nb_bats,
                               wire.nb_bats);
    }
    if (what->len) {
        judge_add(j, true, UNPATCHED,
            g_strdup_printf("%s demands that a CPU be sent as its own %s is,"
                            " but the stream's, %s,%s", j->to,
                            ppc_family_name(family), cpu_text, what->str),
            g_strdup_printf("ppc-insns rewrite --to %s%s%s", j->to_id,
                            *lost ? " --force, if the guest does not use "
                                  : "", lost));
    }
    g_string_free(what, true);
}

/* 2.7.1 and later do not look, so that the guest may find groups missing. */
static void judge_loss(Judge *j, const StreamCpu *cpu, PPCFamily family)
{
    Target t = j->dest->to;
    PPCFamily source = ppc_family_by_pvr(cpu->pvr);
    PPCInsns had = origin_may_have_had(j->s, cpu);
    PPCInsns has = ppc_insns_at(family, t.release);
    g_autofree char *lost = ppc_insns_names(judge_lost(j->s, cpu, family, t));
    g_autofree char *new = ppc_insns_names(
        groups_a_guest_can_lose(ppc_insns_minus(has, had)));

    if (*lost) {
        judge_add(j, false, UNPATCHED,
            g_strdup_printf("%s does not look at the groups: the guest loses"
                            " %s, which it may be using, without a word", j->to,
                            lost),
            family == source ? NULL
                             : g_strdup("the -cpu model of the source"));
    }
    if (*new && cpu->has_words && family == source) {
        judge_add(j, false, UNPATCHED,
            g_strdup_printf("in %s the guest will see %s, which it may not"
                            " have had", j->to, new), NULL);
    }
}

/* What lets @cpu load into another family's model, to be freed; or NULL */
static char *advise_mode(const StreamCpu *cpu, PPCFamily family,
                         const Destination *dest)
{
    PPCFamily common = MIN(family, ppc_family_by_pvr(cpu->pvr));
    g_autofree char *mode = g_ascii_strdown(ppc_family_name(common), -1);

    return common >= PPC_FAMILY_POWER7 && !dest->max_compat &&
           target_checks_pvr(dest->to) ?
        g_strdup_printf("if the guest runs in that mode, -machine"
                        " max-cpu-compat=%s", mode) : NULL;
}

/* What to do about a CPU that is of the wrong model; to be freed */
static char *advise_model(const StreamCpu *cpu, PPCFamily family,
                          const Destination *dest)
{
    const char *model = model_that_takes(cpu->pvr, dest->to);
    g_autofree char *mode = advise_mode(cpu, family, dest);

    /* KVM on POWER has just the host's CPU. */
    if (dest->kvm) {
        return mode ? g_strdup(mode) : NULL;
    }
    if (model) {
        return g_strdup_printf("-cpu %s%s%s", model, mode ? "; or, " : "",
                               mode ? mode : "");
    }
    return mode ? g_strdup(mode) : NULL;
}

static void judge_series(Judge *j, const StreamCpu *cpu, PPCFamily family,
                         uint32_t mode)
{
    SeriesVerdict v;
    g_autofree char *cpu_text = cpu_name(cpu), *missing = NULL;
    g_autofree char *above = NULL, *lost = NULL, *gained = NULL;

    series_check(j->s, cpu, family, j->dest, j->release, mode, &v);
    missing = ppc_insns_names(v.missing);
    above = ppc_insns_names(v.above);
    lost = ppc_insns_names(v.lost);
    gained = ppc_insns_names(v.gained);
    if (*missing) {
        judge_add(j, true, PATCHED,
            g_strdup_printf("%s in the stream may be using %s, which the"
                            " destination's %s lacks", cpu_text, missing,
                            ppc_family_name(family)),
            advise_model(cpu, family, j->dest));
    }
    if (*above) {
        judge_add(j, false, PATCHED,
            g_strdup_printf("%s in the stream had %s, which is above mode %s"
                            " here, and lost", cpu_text, above,
                            mode_name(mode)), NULL);
    }
    if (*lost) {
        judge_add(j, false, PATCHED,
            g_strdup_printf("%s in the stream had %s, which came after the"
                            " compat version here, and is lost", cpu_text,
                            lost),
            g_strdup_printf("insns-compat=%s with -cpu, if the guest may be"
                            " using that", v.keep));
    }
    if (*gained) {
        judge_add(j, false, PATCHED,
            g_strdup_printf("%s in the stream lacks %s, which it will have from"
                            " then on", cpu_text, gained), NULL);
    }
}

/* No release that old has the family: the guest's mode may be older. */
static void judge_no_family(Judge *j, const StreamCpu *cpu, PPCFamily family)
{
    g_autofree char *since = ppc_release_format(ppc_family_since(family));
    const char *before = family > PPC_FAMILY_POWER7 ?
        ppc_family_name(family - 1) : NULL;
    g_autofree char *mode = before ? g_ascii_strdown(before, -1) : NULL;

    judge_add(j, true, BOTH,
        g_strdup_printf("%s has no %s, which came with %s", j->to,
                        ppc_family_name(family), since),
        before && ppc_family_since(family - 1) <= j->dest->to.release &&
        !j->dest->model ?
        g_strdup_printf("a QEMU from %s on; or, if the source was started with"
                        " max-cpu-compat=%s, -cpu %s", since, mode, before) :
        g_strdup_printf("a QEMU from %s on", since));
    (void)cpu;
}

/* From 2.10 on: a CPU in a mode must be able to be in it, else be the same. */
static bool judge_pvr(Judge *j, const StreamCpu *cpu, PPCFamily family,
                      uint32_t pvr, uint32_t mode)
{
    const Destination *dest = j->dest;
    g_autofree char *cpu_text = cpu_name(cpu);
    const char *model;

    if (!target_checks_pvr(dest->to)) {
        return true;
    }
    if (mode) {
        if (!mode_suits(mode, family, dest->to)) {
            judge_add(j, true, BOTH,
                g_strdup_printf("the guest runs in mode %s, which %s in %s"
                                " cannot be in", mode_name(mode) ?
                                mode_name(mode) : "unknown",
                                ppc_family_name(family), j->to),
                g_strdup("a newer -cpu model, or a newer QEMU"));
            return false;
        }
        return true;
    }
    if (pvr_matches(cpu->pvr, pvr, dest->to)) {
        return true;
    }
    model = model_by_pvr(pvr);
    judge_add(j, true, BOTH,
        g_strdup_printf("from 2.10 on the CPU models must match: %s in the"
                        " stream, %s (PVR %08x) here", cpu_text,
                        model ? model : "another", pvr),
        advise_model(cpu, family, dest));
    return false;
}

/*
 * From 7419dc5b2b on, lxvd2x in a 970 guest is an exception that the CPU has
 * no vector for.
 */
static void judge_970(Judge *j, PPCFamily family)
{
    if (family == PPC_FAMILY_970 && !target_before(j->dest->to, 9, 1, 0)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s ends when a 970 guest executes a VSX"
                            " instruction (\"exception without defined"
                            " vector\")", j->to),
            g_strdup("QEMU 9.0 or older"));
    }
}

static void judge_cpu(Judge *j, const StreamCpu *cpu)
{
    const Destination *dest = j->dest;
    PPCFamily family = judge_family(cpu, dest);
    g_autofree char *cpu_text = cpu_name(cpu);
    uint32_t pvr = dest_pvr(cpu, dest), mode;

    if (family == PPC_FAMILY_NONE) {
        judge_add(j, true, BOTH,
            dest->model ?
            g_strdup_printf("CPU model '%s' is of no family that this tool has"
                            " a history of", dest->model) :
            g_strdup_printf("%s is of no family that this tool has a history"
                            " of", cpu_text),
            g_strdup("--cpu with 970, POWER5+, POWER7, POWER8, POWER9 or"
                     " POWER10"));
        return;
    }
    if (ppc_family_since(family) > dest->to.release) {
        judge_no_family(j, cpu, family);
        return;
    }
    if (!pvr) {
        judge_add(j, true, BOTH,
            dest->model ?
            g_strdup_printf("%s has no CPU model '%s' for pseries", j->to,
                            dest->model) :
            g_strdup_printf("%s has no CPU model that takes %s", j->to,
                            cpu_text),
            NULL);
        return;
    }
    if (dest->max_compat && dest->max_compat_of_machine &&
        target_before(dest->to, 2, 10, 0)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s has no max-cpu-compat, which came with 2.10",
                            j->to), g_strdup("-cpu MODEL,compat=MODE"));
        return;
    }
    if (dest->max_compat && !dest->max_compat_of_machine &&
        !target_before(dest->to, 6, 0, 0)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s has no compat= for -cpu, which went with 6.0",
                            j->to),
            g_strdup_printf("-machine max-cpu-compat=%s",
                            mode_name(dest->max_compat)));
        return;
    }
    if (dest->max_compat && !mode_suits(dest->max_compat, family, dest->to)) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s in %s cannot be in mode %s",
                            ppc_family_name(family), j->to,
                            mode_name(dest->max_compat)), NULL);
        return;
    }
    mode = cpu->compat_pvr ? cpu->compat_pvr : dest->max_compat;
    if (!judge_pvr(j, cpu, family, pvr, mode)) {
        return;
    }
    judge_970(j, family);
    if (cpu->has_words && target_compares_words(dest->to)) {
        judge_words(j, cpu, family);
    } else {
        judge_loss(j, cpu, family);
    }
    if (cpu->has_words && series_exists(dest)) {
        judge_series(j, cpu, family, mode);
    }
}

void judge_cpus(Judge *j)
{
    guint i;

    if (j->dest->insns_compat) {
        judge_add(j, true, UNPATCHED,
            g_strdup("only a QEMU with the series has insns-compat"),
            g_strdup("leave that option out"));
    }

    for (i = 0; i < j->s->cpus->len; i++) {
        judge_cpu(j, &g_array_index(j->s->cpus, StreamCpu, i));
    }
}
