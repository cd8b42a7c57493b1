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

void ppc_insns_compat_realize(PowerPCCPU *cpu, Error **errp)
{
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PowerPCCPUClass *pcc = POWERPC_CPU_GET_CLASS(cpu);
    PPCRelease machine = 0;
    PPCInsns hidden = { 0 };

    compat->family = ppc_family_by_pvr(pcc->pvr);
    if (compat->machine_version) {
        machine = ppc_release_parse(compat->machine_version);
    }
    if (machine <= PPC_RELEASE_LAST_ON_WIRE) {
        compat->wire_release = machine;
    }

    if (!compat->version) {
        compat->version = g_strdup(machine ? compat->machine_version : "none");
        compat->guest_release = machine;
    } else if (strcmp(compat->version, "none") != 0) {
        compat->guest_release = ppc_release_parse(compat->version);
        if (!compat->guest_release) {
            g_autofree char *known = ppc_release_list();

            error_setg(errp, "insns-compat=%s is not a known version; use one"
                       " of %s, or none", compat->version, known);
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

/* The read-only properties: one getter for the numbers, one for the names. */

static PPCInsns insns_of(Object *obj, const char *property)
{
    PowerPCCPU *cpu = POWERPC_CPU(obj);

    return strstr(property, "wire") ? ppc_insns_compat_wire(cpu).insns
                                    : ppc_insns_compat_effective(cpu);
}

static void get_insns_word(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    PPCInsns insns = insns_of(obj, opaque);
    uint64_t word = g_str_has_suffix(opaque, "2") ? insns.flags2 : insns.flags;

    visit_type_uint64(v, name, &word, errp);
}

static void get_insns_groups(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    g_autofree char *groups = ppc_insns_names(insns_of(obj, opaque));

    visit_type_str(v, name, &groups, errp);
}

void ppc_insns_compat_class_init(ObjectClass *oc)
{
    static const struct {
        const char *name;
        const char *type;
        ObjectPropertyAccessor *get;
        const char *description;
    } properties[] = {
        { "insns-flags", "uint64", get_insns_word,
          "Instruction groups that the guest can execute, insns_flags" },
        { "insns-flags2", "uint64", get_insns_word,
          "Instruction groups that the guest can execute, insns_flags2" },
        { "insns-groups", "str", get_insns_groups,
          "Instruction groups that the guest can execute, by name" },
        { "insns-wire-flags", "uint64", get_insns_word,
          "insns_flags in a pseries <= 2.7 migration stream" },
        { "insns-wire-flags2", "uint64", get_insns_word,
          "insns_flags2 in a pseries <= 2.7 migration stream" },
        { "insns-wire-groups", "str", get_insns_groups,
          "Instruction groups in a pseries <= 2.7 stream, by name" },
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(properties); i++) {
        object_class_property_add(oc, properties[i].name, properties[i].type,
                                  properties[i].get, NULL, NULL,
                                  (void *)properties[i].name);
        object_class_property_set_description(oc, properties[i].name,
                                              properties[i].description);
    }
}
