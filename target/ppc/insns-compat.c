/*
 * PowerPC instruction groups of a CPU object, by compat version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "qapi/error.h"
@{needs:system_headers}
#include "system/kvm.h"
@{else}
#include "sysemu/kvm.h"
@{end}
#include "hw/ppc/spapr.h"

/* The history has its own copy of the bits. */
#define GROUP(name, word, bit) QEMU_BUILD_BUG_ON(name != 1ULL << (bit));
#include "insns-history.h.inc"

void ppc_insns_compat_realize(PowerPCCPU *cpu, Error **errp)
{
    PPCInsnsCompat *compat = &cpu->insns_compat;
    CPUPPCState *env = &cpu->env;
    unsigned major = 0, minor = 0;

    sscanf(QEMU_VERSION, "%u.%u", &major, &minor);
    compat->family = ppc_family_by_pvr(POWERPC_CPU_GET_CLASS(cpu)->pvr);
    compat->release = PPC_RELEASE(major, minor);
@{needs:globals_by_class}
    /* This QEMU would apply a default for all CPUs after what -cpu sets. */
    if (!compat->version) {
        compat->version = g_strdup(compat->machine_version);
    }
@{end}
    if (!compat->version) {
        compat->version = g_strdup("none");
    }
    if (!strcmp(compat->version, "none")) {
        return;
    }

    if (!object_dynamic_cast(qdev_get_machine(), TYPE_SPAPR_MACHINE)) {
        error_setg(errp, "insns-compat=%s works only with pseries machines;"
                   " use insns-compat=none", compat->version);
        return;
    }
    compat->release = ppc_release_parse(compat->version);
    if (!compat->release || compat->release > PPC_RELEASE(major, minor)) {
        error_setg(errp, "insns-compat=%s is not a QEMU release from 2.1 to"
                   " %u.%u; use one of these, or none", compat->version,
                   major, minor);
        return;
    }

    /* Under KVM the host decides what executes. */
    if (!kvm_enabled()) {
        compat->hidden = ppc_insns_hidden(compat->family, compat->release);
        compat->hidden.flags &= env->insns_flags;
        compat->hidden.flags2 &= env->insns_flags2;
        env->insns_flags &= ~compat->hidden.flags;
        env->insns_flags2 &= ~compat->hidden.flags2;
    }
}

static char *get_groups(Object *obj, Error **errp)
{
    CPUPPCState *env = &POWERPC_CPU(obj)->env;

    return ppc_insns_names((PPCInsns) { env->insns_flags, env->insns_flags2 });
}

void ppc_insns_compat_class_init(ObjectClass *oc)
{
@{needs:property_errp}
    object_class_property_add_str(oc, "insns-groups", get_groups, NULL, NULL);
    object_class_property_set_description(oc, "insns-groups",
        "Instruction groups that the guest sees", NULL);
@{else}
    object_class_property_add_str(oc, "insns-groups", get_groups, NULL);
    object_class_property_set_description(oc, "insns-groups",
        "Instruction groups that the guest sees");
@{end}
}
