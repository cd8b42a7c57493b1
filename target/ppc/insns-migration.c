/*
 * PowerPC instruction groups in the migration stream
 *
 * For pseries <= 2.7 the "cpu" section ends in four words that QEMU 2.7.0 and
 * older require to be equal on both sides: msr_mask, insns_flags, insns_flags2
 * and nb_BATs.  Send what the release of the compat version sent.  Load them
 * into scratch fields, and compare.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/error-report.h"
@{needs:system_headers}
#include "system/kvm.h"
@{else}
#include "sysemu/kvm.h"
@{end}
#include "hw/ppc/spapr.h"

void ppc_insns_pre_save(PowerPCCPU *cpu)
{
    CPUPPCState *env = &cpu->env;
    PPCInsns own = { env->insns_flags, env->insns_flags2 };
    PPCInsnsWire wire = { env->msr_mask, own, env->nb_BATs };

    if (cpu->insns_compat.family != PPC_FAMILY_NONE) {
        wire = ppc_insns_wire(cpu->insns_compat.family,
                              cpu->insns_compat.release, own);
    }
    cpu->mig_msr_mask = wire.msr_mask;
    cpu->mig_insns_flags = wire.insns.flags;
    cpu->mig_insns_flags2 = wire.insns.flags2;
    cpu->mig_nb_BATs = wire.nb_bats;
}

static void add_sentence(GString *text, const char *sentence, PPCInsns groups)
{
    g_autofree char *names = ppc_insns_names(groups);

    if (*names) {
        g_string_append_printf(text, " %s: %s.", sentence, names);
    }
}

/* How messages name @cpu; the caller frees it. */
static char *describe(PowerPCCPU *cpu)
{
    return g_strdup_printf("CPU %d (%s, %s)", CPU(cpu)->cpu_index,
                           ppc_family_name(cpu->insns_compat.family),
                           MACHINE_GET_CLASS(qdev_get_machine())->name);
}

static void warn_of_changes(PowerPCCPU *cpu, const PPCInsnsVerdict *v)
{
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PPCInsns hidden = ppc_insns_and(v->lost, compat->hidden);
    GString *text = g_string_new(NULL);

    add_sentence(text, "The guest loses these instruction groups, which the"
                 " source CPU had", hidden);
    if (!ppc_insns_empty(hidden)) {
        hidden = ppc_insns_and(hidden, ppc_insns_hidden(compat->family,
                                       PPC_RELEASE_LAST_ON_WIRE));
        g_string_append_printf(text, " To keep them, set the CPU property"
                               " insns-compat=%s.",
                               ppc_insns_empty(hidden) ? "2.7" : "none");
    }
    add_sentence(text, "The guest loses these instruction groups, which this"
                 " QEMU does not have",
                 ppc_insns_minus(v->lost, compat->hidden));
    add_sentence(text, "Unless the guest runs in the compatibility mode that"
                 " is set here, it loses these instruction groups", v->above);
    add_sentence(text, "The source CPU did not have these instruction groups,"
                 " so a guest that uses them may not be able to migrate back",
                 v->gained);
    if (text->len) {
        g_autofree char *here = describe(cpu);

@{lacks:warn_report}
        error_report("warning: %s:%s", here, text->str);
@{else}
        warn_report("%s:%s", here, text->str);
@{end}
    }
    g_string_free(text, true);
}

int ppc_insns_post_load(PowerPCCPU *cpu)
{
    static const PPCInsns none;
@{needs:caps}
    static const PPCInsns by_caps = { 0, PPC2_VSX | PPC2_DFP | PPC2_TM };
@{end}
    PPCInsnsCompat *compat = &cpu->insns_compat;
    CPUPPCState *env = &cpu->env;
@{lacks:compat_pvr}
    uint32_t compat_pvr = cpu->cpu_version;
@{else}
    uint32_t compat_pvr = cpu->compat_pvr;
@{end}
    PPCFamily source = ppc_family_by_pvr(env->spr[SPR_PVR]);
    PPCInsns stream = { cpu->mig_insns_flags, cpu->mig_insns_flags2 };
    PPCInsns shown = { env->insns_flags, env->insns_flags2 };
    PPCInsns mode = { -1ULL, -1ULL };
    PPCInsnsVerdict v;

@{lacks:words_always}
    if (!cpu->pre_2_8_migration) {
        return 0;                       /* The stream does not have them. */
    }
@{end}
    if (compat->family == PPC_FAMILY_NONE) {
        return 0;
    }
@{needs:caps}
    /* Capabilities decide whether the guest may use these. */
    stream = ppc_insns_minus(stream, ppc_insns_minus(by_caps, shown));
@{end}
    if (compat_pvr) {
        mode = ppc_insns_at(ppc_family_by_pvr(compat_pvr), -1);
        if (kvm_enabled() && !ppc_insns_empty(mode)) {
            shown = ppc_insns_and(shown, mode);     /* the PCR enforces that */
        }
    }

    if (!ppc_insns_check(stream, source, compat->family, compat->release,
                         shown, mode, &v)) {
        g_autofree char *here = describe(cpu);
        g_autofree char *names = ppc_insns_names(v.missing);

        error_report("%s: the guest may be using instruction groups that the"
                     " source CPU (%s) had and this CPU lacks: %s", here,
                     ppc_family_name(source), names);
        if (source == compat->family) {
            error_printf("Use a host and a QEMU that have them.\n");
        } else if (!kvm_enabled()) {
            error_printf("Use the -cpu model of the source.\n");
        }
        if (!compat_pvr && source != compat->family &&
            compat->family >= PPC_FAMILY_POWER7) {
            error_printf("If the guest runs in a compatibility mode, set that"
@{lacks:max_cpu_compat}
                         " with -cpu MODEL,compat=.\n");
@{else}
                         " with -machine max-cpu-compat.\n");
@{end}
        }
        return -EINVAL;
    }
    if (kvm_enabled()) {
        v.lost = v.gained = none;       /* The host decides what executes. */
    }
@{needs:pvr_check}
    if (source != compat->family && !compat_pvr) {
        return 0;                       /* The PVR check is about to fail. */
    }
@{end}
    /* One warning per stream is enough: its CPUs are all alike. */
    if (CPU(cpu) == first_cpu) {
        warn_of_changes(cpu, &v);
    }
    return 0;
}
