/*
 * PowerPC instruction groups of a CPU object, by compat version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "sysemu/kvm.h"

/* The history has the bits' values of its own: hold them against cpu.h's. */
#define GROUP(name, word, bit, wire_only, kept_since, gates) \
    QEMU_BUILD_BUG_ON(name != 1ULL << (bit));
#include "insns-groups.h.inc"

/* The release that @version names; 0, with @errp set, if there is none */
static PPCRelease parse_version(const char *property, const char *version,
                                Error **errp)
{
    PPCRelease release = ppc_release_parse(version);

    if (!release) {
        g_autofree char *known = ppc_release_list();

        error_setg(errp, "%s=%s is not a known version; use one of %s, or"
                   " none", property, version, known);
    }
    return release;
}

void ppc_insns_compat_realize(PowerPCCPU *cpu, Error **errp)
{
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PowerPCCPUClass *pcc = POWERPC_CPU_GET_CLASS(cpu);
    PPCRelease machine = 0;
    PPCInsns hidden = { 0 };

    compat->family = ppc_family_by_pvr(pcc->pvr);
    if (compat->machine_version &&
        strcmp(compat->machine_version, "none") != 0) {
        machine = parse_version("x-insns-compat-default",
                                compat->machine_version, errp);
        if (!machine) {
            return;
        }
    }
    if (machine <= PPC_RELEASE_LAST_ON_WIRE) {
        compat->wire_release = machine;
    }

    if (!compat->version) {
        compat->version = g_strdup(machine ? compat->machine_version : "none");
        compat->guest_release = machine;
    } else if (strcmp(compat->version, "none") != 0) {
        compat->guest_release = parse_version("insns-compat", compat->version,
                                              errp);
        if (!compat->guest_release) {
            return;
        }
        if (compat->family == PPC_FAMILY_NONE) {
            error_setg(errp, "insns-compat=%s: there is no history of the"
                       " instruction groups of this CPU's family (%s, PVR"
                       " 0x%08x); use insns-compat=none", compat->version,
                       object_get_typename(OBJECT(cpu)), pcc->pvr);
            return;
        }
        if (compat->wire_release) {
            compat->wire_release = compat->guest_release;
        }
    }

    /* Under KVM the host decides what executes. */
    if (compat->guest_release && !kvm_enabled()) {
        hidden = ppc_insns_hidden(compat->family, compat->guest_release);
    }
    cpu->env.insns_flags &= ~hidden.flags;
    cpu->env.insns_flags2 &= ~hidden.flags2;
}

static PPCInsns ppc_insns_compat_effective(PowerPCCPU *cpu)
{
    return (PPCInsns) { cpu->env.insns_flags, cpu->env.insns_flags2 };
}

PPCInsnsWire ppc_insns_compat_wire(PowerPCCPU *cpu)
{
    if (!cpu->insns_compat.wire_release) {
        return (PPCInsnsWire) { 0 };
    }
    return ppc_insns_wire(cpu->insns_compat.family,
                          cpu->insns_compat.wire_release,
                          ppc_insns_compat_effective(cpu));
}

/* A read-only property: of the wire's or the effective groups, one form */
typedef struct Shown {
    const char *name;
    const char *description;
    bool wire;
    enum { FLAGS, FLAGS2, NAMES } form;
} Shown;

static const Shown properties[] = {
    { "insns-flags",
      "Instruction groups that the guest can execute, insns_flags",
      false, FLAGS },
    { "insns-flags2",
      "Instruction groups that the guest can execute, insns_flags2",
      false, FLAGS2 },
    { "insns-groups",
      "Instruction groups that the guest can execute, by name",
      false, NAMES },
    { "insns-wire-flags",
      "insns_flags in a pseries <= 2.7 migration stream", true, FLAGS },
    { "insns-wire-flags2",
      "insns_flags2 in a pseries <= 2.7 migration stream", true, FLAGS2 },
    { "insns-wire-groups",
      "Instruction groups in a pseries <= 2.7 stream, by name", true, NAMES },
};

static void get_shown(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    PowerPCCPU *cpu = POWERPC_CPU(obj);
    const Shown *shown = opaque;
    PPCInsns insns = shown->wire ? ppc_insns_compat_wire(cpu).insns
                                 : ppc_insns_compat_effective(cpu);

    if (shown->form == NAMES) {
        g_autofree char *names = ppc_insns_names(insns);

        visit_type_str(v, name, &names, errp);
    } else {
        uint64_t word = shown->form == FLAGS ? insns.flags : insns.flags2;

        visit_type_uint64(v, name, &word, errp);
    }
}

void ppc_insns_compat_class_init(ObjectClass *oc)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(properties); i++) {
        object_class_property_add(oc, properties[i].name,
                                  properties[i].form == NAMES ? "str"
                                                              : "uint64",
                                  get_shown, NULL, NULL,
                                  (void *)&properties[i]);
        object_class_property_set_description(oc, properties[i].name,
                                              properties[i].description);
    }
}
