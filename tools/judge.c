/*
 * Will a QEMU release load this stream?
 *
 * What unpatched releases do was measured with real binaries, or read from
 * their sources; what one with the series does is in its messages and in
 * target/ppc/insns-migration.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge.h"

static void reason_free(void *opaque)
{
    Reason *reason = opaque;

    g_free(reason->what);
    g_free(reason->advice);
    g_free(reason);
}

static void add(GPtrArray *reasons, bool refuses, unsigned who, char *what,
                char *advice)
{
    Reason *reason;
    guint i;

    /* One line will do for CPUs that are all alike. */
    for (i = 0; i < reasons->len; i++) {
        const Reason *old = g_ptr_array_index(reasons, i);

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
    g_ptr_array_add(reasons, reason);
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

PPCFamily judge_family(const StreamCpu *cpu, const Destination *dest)
{
    return dest->model ? family_by_model(dest->model)
                       : ppc_family_by_pvr(cpu->pvr);
}

bool judge_has_series(Target to)
{
    return !target_before(to, 2, 7, 0) && to.release <= LAST_OF_OLD_MACHINES;
}

static const char *machine_of(const Stream *s, const Destination *dest)
{
    return dest->machine ? dest->machine : stream_machine(s);
}

PPCRelease judge_machine(const Stream *s, const Destination *dest)
{
    return machine_release(machine_of(s, dest));
}

GPtrArray *judge_start(const Stream *s, const Destination *dest)
{
    GPtrArray *reasons = g_ptr_array_new_with_free_func(reason_free);
    const char *machine = machine_of(s, dest);
    PPCRelease release = machine_release(machine);
    g_autofree char *to = target_name(dest->to);

    if (s->machine && strcmp(s->machine, machine)) {
        add(reasons, true, BOTH,
            g_strdup_printf("the stream names machine %s, which must be the"
                            " destination's; that is %s", s->machine, machine),
            g_strdup_printf("-machine %s", s->machine));
    }
    if (!release) {
        add(reasons, true, BOTH,
            g_strdup_printf("%s is no pseries version that this tool knows",
                            machine), NULL);
        return reasons;
    }
    if (release > dest->to.release) {
        g_autofree char *since = ppc_release_format(release);

        add(reasons, true, BOTH,
            g_strdup_printf("%s has no %s, which came with %s", to, machine,
                            since),
            g_strdup_printf("a QEMU from %s on", since));
    } else if (dest->to.release > LAST_OF_OLD_MACHINES) {
        if (release <= LAST_OLD_MACHINE) {
            add(reasons, true, BOTH,
                g_strdup_printf("%s has no %s: pseries-2.1 to 2.12 are gone"
                                " since 9.2", to, machine),
                g_strdup("QEMU 9.1 or older"));
        } else {
            add(reasons, true, BOTH,
                g_strdup_printf("what %s does is not known to this tool, which"
                                " ends with 9.1", to), NULL);
        }
    }

    if (release <= PPC_RELEASE(2, 3)) {
        bool wanted = dest->to.release == PPC_RELEASE(2, 4);

        if (wanted && !s->has_configuration) {
            add(reasons, true, BOTH,
                g_strdup_printf("%s wants a configuration section of %s, which"
                                " only 2.4 sends", to, machine),
                g_strdup("another release than 2.4"));
        } else if (!wanted && s->has_configuration) {
            add(reasons, true, BOTH,
                g_strdup_printf("%s expects no configuration section of %s,"
                                " which only 2.4 sends", to, machine),
                g_strdup_printf("ppc-insns rewrite --to %s takes it away%s",
                                to, dest->to.release >= PPC_RELEASE(2, 6) ?
                                "; or -machine enforce-config-section=on"
                                : ""));
        }
    }
    return reasons;
}

PPCInsns judge_lost(const Stream *s, const StreamCpu *cpu, PPCFamily family,
                    Target t)
{
    PPCInsns had = { 0 };

    if (cpu->has_words) {
        had = target_had(s, ppc_family_by_pvr(cpu->pvr), &cpu->words);
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
static void judge_words(GPtrArray *reasons, const Stream *s,
                        const StreamCpu *cpu, PPCFamily family, Target t)
{
    PPCInsnsWire wire = target_wire(t, family);
    g_autofree char *lost = ppc_insns_names(judge_lost(s, cpu, family, t));
    PPCInsns more = ppc_insns_minus(cpu->words.insns, wire.insns);
    PPCInsns less = ppc_insns_minus(wire.insns, cpu->words.insns);
    g_autofree char *cpu_text = cpu_name(cpu), *to = target_name(t);
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
        add(reasons, true, UNPATCHED,
            g_strdup_printf("%s demands that a CPU be sent as its own %s is,"
                            " but the stream's, %s,%s", to,
                            ppc_family_name(family), cpu_text, what->str),
            g_strdup_printf("ppc-insns rewrite --to %s%s%s", to,
                            *lost ? " --force, if the guest does not use "
                                  : "", lost));
    }
    g_string_free(what, true);
}

/* 2.7.1 and later do not look, so that the guest may find groups missing. */
static void judge_loss(GPtrArray *reasons, const Stream *s,
                       const StreamCpu *cpu, PPCFamily family, Target t)
{
    PPCFamily source = ppc_family_by_pvr(cpu->pvr);
    PPCInsns had = cpu->has_words ? target_had(s, source, &cpu->words)
                                  : (PPCInsns) { 0 };
    PPCInsns has = ppc_insns_at(family, t.release);
    g_autofree char *lost = ppc_insns_names(judge_lost(s, cpu, family, t));
    g_autofree char *new = ppc_insns_names(
        groups_a_guest_can_lose(ppc_insns_minus(has, had)));
    g_autofree char *to = target_name(t);

    if (*lost) {
        add(reasons, false, UNPATCHED,
            g_strdup_printf("%s does not look at the groups: the guest loses"
                            " %s, which it may be using, without a word", to,
                            lost),
            family == source ? NULL
                             : g_strdup("the -cpu model of the source"));
    }
    if (*new && cpu->has_words && family == source) {
        add(reasons, false, UNPATCHED,
            g_strdup_printf("in %s the guest will see %s, which it may not"
                            " have had", to, new), NULL);
    }
}

static void judge_series(GPtrArray *reasons, const StreamCpu *cpu,
                         PPCFamily family, Target t, PPCRelease machine)
{
    PPCRelease compat = machine_compat(machine);
    PPCInsns own = ppc_insns_minus(ppc_insns_at(family, t.release),
                                   ppc_insns_hidden(family, compat));
    static const PPCInsns any = { UINT64_MAX, UINT64_MAX };
    PPCInsnsVerdict verdict;
    g_autofree char *cpu_text = cpu_name(cpu), *more = NULL, *less = NULL;

    ppc_insns_check(cpu->words.insns, ppc_family_by_pvr(cpu->pvr), family,
                    compat, own, any, &verdict);
    more = ppc_insns_names(verdict.missing);
    less = ppc_insns_names(verdict.gained);
    if (*more) {
        g_autofree char *lower = g_ascii_strdown(ppc_family_name(family), -1);

        add(reasons, true, PATCHED,
            g_strdup_printf("%s in the stream may be using %s, which %s of"
                            " that machine lacks", cpu_text, more,
                            ppc_family_name(family)),
            target_checks_pvr(t) && family >= PPC_FAMILY_POWER7 ?
            g_strdup_printf("the -cpu model of the source; or, if the guest"
                            " runs in that mode, -machine max-cpu-compat=%s",
                            lower) :
            g_strdup("the -cpu model of the source"));
    }
    if (*less) {
        add(reasons, false, PATCHED,
            g_strdup_printf("%s in the stream lacks %s, which it will have from"
                            " then on", cpu_text, less), NULL);
    }
}

static void judge_cpu(GPtrArray *reasons, const Stream *s,
                      const StreamCpu *cpu, const Destination *dest,
                      PPCRelease machine)
{
    PPCFamily source = ppc_family_by_pvr(cpu->pvr);
    PPCFamily family = judge_family(cpu, dest);
    g_autofree char *cpu_text = cpu_name(cpu), *to = target_name(dest->to);

    if (family == PPC_FAMILY_NONE) {
        add(reasons, true, BOTH,
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
        g_autofree char *since = ppc_release_format(ppc_family_since(family));

        add(reasons, true, BOTH,
            g_strdup_printf("%s has no %s, which came with %s", to,
                            ppc_family_name(family), since),
            g_strdup_printf("a QEMU from %s on", since));
        return;
    }
    if (cpu->has_words && target_compares_words(dest->to)) {
        judge_words(reasons, s, cpu, family, dest->to);
    } else if (target_checks_pvr(dest->to) && family != source) {
        g_autofree char *mode = g_ascii_strdown(
            ppc_family_name(MIN(family, source)), -1);

        add(reasons, true, BOTH,
            g_strdup_printf("from 2.10 on the CPU models must match: %s in the"
                            " stream, %s here", cpu_text,
                            ppc_family_name(family)),
            MIN((int)family, (int)source) >= PPC_FAMILY_POWER7 ?
            g_strdup_printf("the -cpu model of the source; or, if the guest"
                            " runs in that mode, -machine max-cpu-compat=%s",
                            mode) :
            g_strdup("the -cpu model of the source"));
    } else {
        judge_loss(reasons, s, cpu, family, dest->to);
    }
    if (cpu->has_words && judge_has_series(dest->to)) {
        judge_series(reasons, cpu, family, dest->to, machine);
    }
}

/* ---- sections ----- */

/* A list of names, each once; a hostile stream may have very many of them. */
typedef struct Names {
    GString *list;
    GHashTable *seen;
} Names;

static void names_init(Names *names)
{
    names->list = g_string_new(NULL);
    names->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void names_add(Names *names, char *name)
{
    if (!g_hash_table_contains(names->seen, name)) {
        g_string_append_printf(names->list, "%s%s",
                               names->list->len ? ", " : "", name);
    }
    g_hash_table_add(names->seen, name);
}

static void names_clear(Names *names)
{
    g_string_free(names->list, true);
    g_hash_table_unref(names->seen);
}

static void judge_part(GPtrArray *reasons, Names *unknown, Names *caps,
                       const char *vmsd, const StreamPart *part, Target t)
{
    unsigned since = section_since(vmsd, part->version);
    guint i, n = part->subsections ? part->subsections->len : 0;
    g_autofree char *to = target_name(t), *from = since_name(since);

    if (!since) {
        if (g_str_has_prefix(vmsd, "spapr/cap/") && !target_has_caps(t)) {
            names_add(caps, g_strdup(vmsd));
        } else {
            names_add(unknown, g_strdup_printf("%s %u", vmsd, part->version));
        }
    } else if (target_key(t) < since) {
        g_autofree char *advice = NULL;

        if (!strcmp(vmsd, "spapr_iommu") || !strcmp(vmsd, "spapr/cap/htm")) {
            advice = g_strdup_printf("ppc-insns rewrite --to %s", to);
        } else if (g_str_has_prefix(vmsd, "spapr/cap/")) {
            advice = g_strdup("start the source with that capability's"
                              " default");
        } else {
            advice = g_strdup_printf("a QEMU from %s on", from);
        }
        add(reasons, true, BOTH,
            g_strdup_printf("%s version %u: %s does not know that, which came"
                            " with %s", vmsd, part->version, to, from),
            g_steal_pointer(&advice));
    }
    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        judge_part(reasons, unknown, caps, sub->name, sub, t);
    }
}

static void judge_sections(GPtrArray *reasons, const Stream *s, Target t)
{
    Names unknown, caps;
    guint i;

    names_init(&unknown);
    names_init(&caps);
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        judge_part(reasons, &unknown, &caps, section->vmsd, &section->part, t);
    }
    if (caps.list->len) {
        g_autofree char *to = target_name(t);

        add(reasons, true, BOTH,
            g_strdup_printf("%s: %s knows no capabilities, which came with"
                            " 2.11.1", caps.list->str, to),
            g_strdup("start the source with their defaults"));
    }
    if (unknown.list->len) {
        add(reasons, false, BOTH,
            g_strdup_printf("not judged, as this tool does not know since when"
                            " there are these versions: %s", unknown.list->str),
            NULL);
    }
    names_clear(&unknown);
    names_clear(&caps);
}

/*
 * Up to pseries-2.11 HTM is on by default for POWER8 and later, which TCG
 * refuses; with cap-htm=off it refuses a stream that does not say "off".
 */
static void judge_htm(GPtrArray *reasons, const Stream *s,
                      const Destination *dest, PPCRelease machine)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    const StreamPart *sub = spapr ?
        stream_subsection(&spapr->part, "spapr/cap/htm") : NULL;
    const StreamField *field = sub && sub->fields->len == 1 ?
        &g_array_index(sub->fields, StreamField, 0) : NULL;
    bool on = field && field->size == 1 && s->device->data[field->offset];
    bool is_default = machine <= LAST_MACHINE_WITH_HTM && s->cpus->len &&
        family_has_htm(judge_family(&g_array_index(s->cpus, StreamCpu, 0),
                                    dest));
    g_autofree char *to = target_name(dest->to);

    if (!target_has_caps(dest->to) || dest->kvm) {
        return;
    }
    if (on) {
        add(reasons, true, BOTH,
            g_strdup("the guest may be using transactional memory (cap-htm is"
                     " on in the stream), which TCG does not have"),
            g_strdup("KVM on a host that has it"));
    } else if (sub && is_default) {
        add(reasons, false, UNPATCHED,
            g_strdup_printf("TCG does not start with cap-htm=on, which is the"
                            " default of this machine in %s", to),
            g_strdup("-machine cap-htm=off"));
    } else if (is_default) {
        add(reasons, true, UNPATCHED,
            g_strdup_printf("TCG in %s needs cap-htm=off with this machine and"
                            " CPU, and then refuses a stream that does not say"
                            " so, as if HTM were on in it", to),
            g_strdup_printf("ppc-insns rewrite --to %s, and -machine"
                            " cap-htm=off; under KVM, say --kvm", to));
    }
}

GPtrArray *judge(const Stream *s, const Destination *dest)
{
    GPtrArray *reasons = judge_start(s, dest);
    PPCRelease machine = judge_machine(s, dest);
    guint i;

    if (!stream_is_pseries(s)) {
        add(reasons, true, BOTH, g_strdup("this is no pseries guest"), NULL);
        return reasons;
    }
    if (!machine || machine > dest->to.release ||
        dest->to.release > LAST_OF_OLD_MACHINES) {
        return reasons;     /* which say all that matters */
    }
    if (!s->cpus->len) {
        add(reasons, true, BOTH, g_strdup("there is no CPU in the stream"),
            NULL);
    }
    for (i = 0; i < s->cpus->len; i++) {
        judge_cpu(reasons, s, &g_array_index(s->cpus, StreamCpu, i), dest,
                  machine);
    }
    judge_sections(reasons, s, dest->to);
    judge_htm(reasons, s, dest, machine);
    if (s->commands->len) {
        add(reasons, false, BOTH,
            g_strdup_printf("the stream has the commands %s, which want an"
                            " answer, so that it does not load from a file",
                            s->commands->str),
            g_strdup("save it without the capability return-path"));
    }
    return reasons;
}
