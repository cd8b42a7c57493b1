/*
 * PowerPC instruction groups in the migration stream
 *
 * Up to pseries-2.7 the "cpu" section ends in four words that QEMU 2.7.0 and
 * older demand to be equal on both sides: msr_mask, insns_flags, insns_flags2
 * and nb_BATs.  What is sent is what the release that the compat version names
 * sent.  What comes in goes into scratch fields and is judged; it never
 * becomes the guest's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "insns-migration.h"
#include "qemu/error-report.h"
#include "hw/boards.h"

/* One warning a stream is enough: its CPUs are all alike. */
static bool warned;

static void set_scratch(PowerPCCPU *cpu)
{
    PPCInsnsWire wire = ppc_insns_compat_wire(cpu);

    cpu->mig_msr_mask = wire.msr_mask;
    cpu->mig_insns_flags = wire.insns.flags;
    cpu->mig_insns_flags2 = wire.insns.flags2;
    cpu->mig_nb_BATs = wire.nb_bats;
}

int ppc_insns_pre_load(void *opaque)
{
    PowerPCCPU *cpu = opaque;

    if (CPU(cpu) == first_cpu) {
        warned = false;
    }
    set_scratch(cpu);
    return 0;
}

void ppc_insns_pre_save(PowerPCCPU *cpu)
{
    set_scratch(cpu);
}

/* The -cpu model with that PVR, as "power8_v2.0"; NULL, or to be freed */
static char *model_by_pvr(uint32_t pvr)
{
    PowerPCCPUClass *pcc = ppc_cpu_class_by_pvr(pvr);
    const char *type;

    if (!pcc) {
        return NULL;
    }
    type = object_class_get_name(OBJECT_CLASS(pcc));
    return g_strndup(type, strlen(type) - strlen(POWERPC_CPU_TYPE_SUFFIX));
}

/* "POWER8 (power8_v2.0)"; "7400_v2.9", which has no history; to be freed */
static char *cpu_name(uint32_t pvr)
{
    PPCFamily family = ppc_family_by_pvr(pvr);
    g_autofree char *model = model_by_pvr(pvr) ?:
                             g_strdup_printf("PVR 0x%08x", pvr);

    if (family == PPC_FAMILY_NONE) {
        return g_strdup(model);
    }
    return g_strdup_printf("%s (%s)", ppc_family_name(family), model);
}

/* "CPU 0, a POWER7 (power7_v2.3) of pseries-2.6"; to be freed */
static char *this_cpu(PowerPCCPU *cpu)
{
    g_autofree char *name = cpu_name(POWERPC_CPU_GET_CLASS(cpu)->pvr);

    return g_strdup_printf("CPU %d, a %s of %s", CPU(cpu)->cpu_index, name,
                           MACHINE_GET_CLASS(qdev_get_machine())->name);
}

/* What to try with a stream that was saved from a CPU with @pvr */
static void hint_what_to_try(PowerPCCPU *cpu, uint32_t pvr)
{
    PPCFamily mode = MIN(ppc_family_by_pvr(pvr), cpu->insns_compat.family);
    g_autofree char *model = model_by_pvr(pvr);

    if (pvr == POWERPC_CPU_GET_CLASS(cpu)->pvr) {
        error_printf("Try the host and the QEMU that the guest came from.\n");
        return;
    }
    if (model) {
        error_printf("Try -cpu %s here, as on the source", model);
    } else {
        error_printf("Try the source's -cpu here");
    }
    if (mode >= PPC_FAMILY_POWER7 && cpu->vhyp) {
        g_autofree char *name = g_ascii_strdown(ppc_family_name(mode), -1);

        error_printf("; or, if the guest runs in that compatibility mode,"
                     " -machine max-cpu-compat=%s", name);
    }
    error_printf(".\n");
}

int ppc_insns_check_stream(PowerPCCPU *cpu, PPCInsnsVerdict *verdict)
{
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PPCInsns stream = { cpu->mig_insns_flags, cpu->mig_insns_flags2 };
    PPCInsns own = { cpu->env.insns_flags, cpu->env.insns_flags2 };
    PPCInsns refused;

    *verdict = (PPCInsnsVerdict) { 0 };
    if (compat->wire_release) {
        ppc_insns_check(stream, compat->family, compat->wire_release, own,
                        verdict);
    }

    refused = verdict->more;
    if (cpu->compat_pvr) {
        /*
         * Whoever sets a compatibility mode on this side vouches that the
         * guest runs in it, so that it uses no group that the mode lacks.
         */
        refused = ppc_insns_and(refused, ppc_insns_of_mode(cpu->compat_pvr));
    }

    if (!ppc_insns_empty(refused)) {
        uint32_t pvr = cpu->env.spr[SPR_PVR];
        g_autofree char *here = this_cpu(cpu);
        g_autofree char *source = cpu_name(pvr);
        g_autofree char *names = ppc_insns_names(refused);

        error_report("%s: the guest may be using instruction groups that its"
                     " CPU had on the source, a %s, and that this CPU lacks:"
                     " %s", here, source, names);
        hint_what_to_try(cpu, pvr);
        return -EINVAL;
    }
    return 0;
}

void ppc_insns_warn_of_stream(PowerPCCPU *cpu, uint32_t source_pvr,
                              const PPCInsnsVerdict *verdict)
{
    bool more = !ppc_insns_empty(verdict->more);
    bool less = !ppc_insns_empty(verdict->less);

    if ((more || less) && !warned) {
        g_autofree char *here = this_cpu(cpu);
        g_autofree char *source = cpu_name(source_pvr);
        g_autofree char *above = ppc_insns_names(verdict->more);
        g_autofree char *added = ppc_insns_names(verdict->less);

        warned = true;
        warn_report("%s: the guest's CPU on the source was a %s%s%s%s%s", here,
                    source,
                    more ? "; above the compatibility mode that is set here,"
                           " and lost: " : "", above,
                    less ? "; not there, but seen by the guest from now on, so"
                           " that it may not get back: " : "", added);
    }
}

void ppc_insns_report_pvr(PowerPCCPU *cpu)
{
    uint32_t pvr = cpu->env.spr[SPR_PVR];
    g_autofree char *here = this_cpu(cpu);
    g_autofree char *source = cpu_name(pvr);

    error_report("%s: the guest's CPU on the source was a %s; the models must"
                 " match", here, source);
    hint_what_to_try(cpu, pvr);
}
