/*
 * pseries machine versions that QEMU has removed
 *
 * These are the versions from pseries-2.1 to 4.2 that spapr.c does not have.
 * Each starts from the oldest version in spapr.c, and adds what every release
 * back to its own has changed.  Other files call spapr_older_than().
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qapi/error.h"
@{needs:core_headers}
#include "hw/core/boards.h"
@{else}
#include "hw/boards.h"
@{end}
#include "hw/ppc/spapr_irq.h"
#include "hw/ppc/spapr_old_machines.h"

/* Properties that a later release has removed are optional. */

static GlobalProperty props_4_2[] = {
    { "virtio-blk-device", "queue-size", "128" },
    { "virtio-blk-device", "x-enable-wce-if-config-wce", "off" },
    { "virtio-blk-device", "seg-max-adjust", "off" },
    { "virtio-scsi-device", "virtqueue_size", "128" },
    { "virtio-scsi-device", "seg_max_adjust", "off" },
    { "vhost-scsi", "virtqueue_size", "128" },
    { "vhost-scsi", "seg_max_adjust", "off" },
    { "usb-host", "suppress-remote-wake", "off" },
    { "usb-redir", "suppress-remote-wake", "off" },
    { "virtio-device", "use-disabled-flag", "false" },
};

static void options_4_2(MachineClass *mc, SpaprMachineClass *smc)
{
    smc->default_caps.caps[SPAPR_CAP_CCF_ASSIST] = SPAPR_CAP_OFF;
    smc->default_caps.caps[SPAPR_CAP_FWNMI] = SPAPR_CAP_OFF;
    mc->nvdimm_supported = false;
}

static GlobalProperty props_4_1[] = {
    { "virtio-pci", "x-pcie-flr-init", "off" },
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "pgsz", "0x11000" },
};

static GlobalProperty props_4_0[] = {
    { "VGA", "edid", "false" },
    { "secondary-vga", "edid", "false" },
    { "bochs-display", "edid", "false" },
    { "virtio-vga", "edid", "false" },
    { "virtio-gpu-device", "edid", "false" },
    { "virtio-device", "use-started", "false" },
    { "virtio-balloon-device", "qemu-4-0-config-size", "true",
      .optional = true },
};

static void options_4_0(MachineClass *mc, SpaprMachineClass *smc)
{
    smc->irq = &spapr_irq_xics;
}

static GlobalProperty props_3_1[] = {
    { "pcie-root-port", "x-speed", "2_5" },
    { "pcie-root-port", "x-width", "1" },
    { "pcie-root-port-base", "disable-acs", "true", .optional = true },
    { "memory-backend-file", "x-use-canonical-path-for-ramblock-id", "true" },
    { "memory-backend-memfd", "x-use-canonical-path-for-ramblock-id", "true" },
    { "usb-kbd", "serial", "42" },
    { "usb-mouse", "serial", "42" },
    { "usb-tablet", "serial", "42" },
    { "virtio-blk-device", "discard", "false" },
    { "virtio-blk-device", "write-zeroes", "false" },
    { "virtio-balloon-device", "qemu-4-0-config-size", "false",
      .optional = true },
};

static void options_3_1(MachineClass *mc, SpaprMachineClass *smc)
{
    mc->default_cpu_type = POWERPC_CPU_TYPE_NAME("power8_v2.0");
    smc->default_caps.caps[SPAPR_CAP_LARGE_DECREMENTER] = SPAPR_CAP_OFF;
    smc->default_caps.caps[SPAPR_CAP_CFPC] = SPAPR_CAP_BROKEN;
    smc->default_caps.caps[SPAPR_CAP_SBBC] = SPAPR_CAP_BROKEN;
    smc->default_caps.caps[SPAPR_CAP_IBS] = SPAPR_CAP_BROKEN;
}

static GlobalProperty props_2_12[] = {
    { "hda-audio", "use-timer", "false", .optional = true },
    { "cirrus-vga", "global-vmstate", "true" },
    { "VGA", "global-vmstate", "true" },
    { "vmware-svga", "global-vmstate", "true" },
    { "qxl-vga", "global-vmstate", "true" },
};

static void options_2_12(MachineClass *mc, SpaprMachineClass *smc)
{
    /* spapr_caps.c sets the value once it knows the accelerator. */
    smc->default_caps.caps[SPAPR_CAP_HPT_MAXPAGESIZE] = 0;
}

static void options_2_12_sxxm(MachineClass *mc, SpaprMachineClass *smc)
{
    smc->default_caps.caps[SPAPR_CAP_CFPC] = SPAPR_CAP_WORKAROUND;
    smc->default_caps.caps[SPAPR_CAP_SBBC] = SPAPR_CAP_WORKAROUND;
    smc->default_caps.caps[SPAPR_CAP_IBS] = SPAPR_CAP_FIXED_CCD;
}

static GlobalProperty props_2_11[] = {
    { "virtio-blk-pci", "vectors", "2" },
    { "vhost-user-blk-pci", "vectors", "2" },
    { "e1000", "migrate_tso_props", "off" },
};

static void options_2_11(MachineClass *mc, SpaprMachineClass *smc)
{
    smc->default_caps.caps[SPAPR_CAP_HTM] = SPAPR_CAP_ON;
}

static GlobalProperty props_2_10[] = {
    { "virtio-mouse-device", "wheel-axis", "false", .optional = true },
    { "virtio-tablet-device", "wheel-axis", "false", .optional = true },
};

static GlobalProperty props_2_9[] = {
    { "pci-bridge", "shpc", "off" },
    { "virtio-net-device", "x-mtu-bypass-backend", "off", .optional = true },
    { "pcie-root-port", "x-migrate-msix", "false", .optional = true },
};

static void options_2_9(MachineClass *mc, SpaprMachineClass *smc)
{
    smc->pre_2_10_has_unused_icps = true;
    smc->resize_hpt_default = SPAPR_RESIZE_HPT_DISABLED;
}

static GlobalProperty props_2_8[] = {
    { "pci-bridge", "shpc", "on" },
    { "pci-device", "x-pcie-extcap-init", "off", .optional = true },
    { "virtio-pci", "x-pcie-deverr-init", "off", .optional = true },
    { "virtio-pci", "x-pcie-lnkctl-init", "off", .optional = true },
    { "virtio-pci", "x-pcie-pm-init", "off", .optional = true },
    { "cirrus-vga", "vgamem_mb", "8" },
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "pcie-extended-configuration-space", "off" },
};

static void options_2_8(MachineClass *mc, SpaprMachineClass *smc)
{
    mc->numa_mem_align_shift = 23;
}

static GlobalProperty props_2_7[] = {
    { "virtio-pci", "page-per-vq", "on" },
    { "virtio-pci", "x-ignore-backend-features", "on", .optional = true },
    { "virtio-serial-device", "emergency-write", "off", .optional = true },
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "mem_win_size", "0xf80000000" },
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "mem64_win_size", "0" },
};

static void options_2_7(MachineClass *mc, SpaprMachineClass *smc)
{
    mc->default_cpu_type = POWERPC_CPU_TYPE_NAME("power7_v2.3");
    mc->default_machine_opts = "modern-hotplug-events=off";
}

static GlobalProperty props_2_6[] = {
    /* Not all virtio devices on PCI have a legacy mode. */
    { "virtio-pci", "disable-modern", "on", .optional = true },
    { "virtio-pci", "disable-legacy", "off", .optional = true },
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "ddw", "off" },
};

static void options_2_6(MachineClass *mc, SpaprMachineClass *smc)
{
    mc->has_hotpluggable_cpus = false;
}

static GlobalProperty props_2_5[] = {
    { "spapr-vlan", "use-rx-buffer-pools", "off" },
    { "pvscsi", "x-old-pci-configuration", "on", .optional = true },
    { "pvscsi", "x-disable-pcie", "on", .optional = true },
    { "vmxnet3", "x-old-msi-offsets", "on", .optional = true },
    { "vmxnet3", "x-disable-pcie", "on", .optional = true },
};

static GlobalProperty props_2_4[] = {
    { "e1000", "extra_mac_registers", "off", .optional = true },
    { "virtio-pci", "x-disable-pcie", "on", .optional = true },
    { "virtio-pci", "migrate-extra", "off", .optional = true },
};

static GlobalProperty props_2_3[] = {
    { "virtio-blk-pci", "any_layout", "off" },
    { "virtio-balloon-pci", "any_layout", "off" },
    { "virtio-serial-pci", "any_layout", "off" },
    { "virtio-9p-pci", "any_layout", "off" },
    { "virtio-rng-pci", "any_layout", "off" },
    { "pci-device", "x-pcie-lnksta-dllla", "off" },
    { "migration", "send-configuration", "off" },
    { "migration", "send-section-footer", "off" },
    { "migration", "store-global-state", "off" },
};

static GlobalProperty props_2_2[] = {
    { TYPE_SPAPR_PCI_HOST_BRIDGE, "mem_win_size", "0x20000000" },
};

static void options_2_2(MachineClass *mc, SpaprMachineClass *smc)
{
    mc->default_machine_opts = "modern-hotplug-events=off,suppress-vmdesc=on";
}

static GlobalProperty props_2_1[] = {
    { "intel-hda", "old_msi_addr", "on" },
    { "VGA", "qemu-extended-regs", "off" },
    { "secondary-vga", "qemu-extended-regs", "off" },
    { "virtio-scsi-pci", "any_layout", "off" },
    { "usb-mouse", "usb_version", "1" },
    { "usb-kbd", "usb_version", "1" },
    { "virtio-pci", "virtio-pci-bus-master-bug-migration", "on" },
};

typedef struct SpaprOldMachine {
    unsigned int release;
    const char *name;
    bool variant;               /* Older versions do not include it. */
    GlobalProperty *props;
    size_t nr_props;
    void (*options)(MachineClass *mc, SpaprMachineClass *smc);
} SpaprOldMachine;

#define PROPS(array) .props = (array), .nr_props = G_N_ELEMENTS(array)

/* Newest first */
static const SpaprOldMachine old_machines[] = {
    { SPAPR_RELEASE(4, 2), "4.2", PROPS(props_4_2), .options = options_4_2 },
    { SPAPR_RELEASE(4, 1), "4.1", PROPS(props_4_1) },
    { SPAPR_RELEASE(4, 0), "4.0", PROPS(props_4_0), .options = options_4_0 },
    { SPAPR_RELEASE(3, 1), "3.1", PROPS(props_3_1), .options = options_3_1 },
    { SPAPR_RELEASE(3, 0), "3.0" },
    { SPAPR_RELEASE(2, 12), "2.12", PROPS(props_2_12),
      .options = options_2_12 },
    { SPAPR_RELEASE(2, 12), "2.12-sxxm", .variant = true,
      .options = options_2_12_sxxm },
    { SPAPR_RELEASE(2, 11), "2.11", PROPS(props_2_11),
      .options = options_2_11 },
    { SPAPR_RELEASE(2, 10), "2.10", PROPS(props_2_10) },
    { SPAPR_RELEASE(2, 9), "2.9", PROPS(props_2_9), .options = options_2_9 },
    { SPAPR_RELEASE(2, 8), "2.8", PROPS(props_2_8), .options = options_2_8 },
    { SPAPR_RELEASE(2, 7), "2.7", PROPS(props_2_7), .options = options_2_7 },
    { SPAPR_RELEASE(2, 6), "2.6", PROPS(props_2_6), .options = options_2_6 },
    { SPAPR_RELEASE(2, 5), "2.5", PROPS(props_2_5) },
    { SPAPR_RELEASE(2, 4), "2.4", PROPS(props_2_4) },
    { SPAPR_RELEASE(2, 3), "2.3", PROPS(props_2_3) },
    { SPAPR_RELEASE(2, 2), "2.2", PROPS(props_2_2), .options = options_2_2 },
    { SPAPR_RELEASE(2, 1), "2.1", PROPS(props_2_1) },
};

@{needs:const_class_data}
static void old_machine_class_init(ObjectClass *oc, const void *data)
@{else}
static void old_machine_class_init(ObjectClass *oc, void *data)
@{end}
{
    const SpaprOldMachine *this = data, *old;
    MachineClass *mc = MACHINE_CLASS(oc);
    SpaprMachineClass *smc = SPAPR_MACHINE_CLASS(oc);

    spapr_oldest_class_options(mc);
    for (old = old_machines; old <= this; old++) {
        if (old->release >= spapr_oldest_release ||
            (old->variant && old != this)) {
            continue;
        }
        if (old->props) {
            compat_props_add(mc->compat_props, old->props, old->nr_props);
        }
        if (old->options) {
            old->options(mc, smc);
        }
    }
    smc->old_release = this->release;
    mc->desc = "pSeries Logical Partition (PAPR compliant), legacy";
}

static void old_machines_register_types(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(old_machines); i++) {
        const SpaprOldMachine *old = &old_machines[i];
        g_autofree char *type = g_strdup_printf(MACHINE_TYPE_NAME("pseries-%s"),
                                                old->name);
        const TypeInfo info = {
            .name = type,
            .parent = TYPE_SPAPR_MACHINE,
            .class_init = old_machine_class_init,
            .class_data = (void *)old,
        };

        if (old->release < spapr_oldest_release) {
            type_register_static(&info);
        }
    }
}

type_init(old_machines_register_types)

void spapr_old_machine_init_cpu(SpaprMachineState *spapr, PowerPCCPU *cpu)
{
    cpu->pre_2_8_migration = spapr_older_than(spapr, 2, 8);
    cpu->pre_2_10_migration = spapr_older_than(spapr, 2, 10);
    cpu->pre_3_0_migration = spapr_older_than(spapr, 3, 0);
}

bool spapr_old_machine_place_phb(SpaprMachineState *spapr, SpaprPhbState *sphb,
                                 Error **errp)
{
    const MachineState *ms = MACHINE(spapr);
    hwaddr ram_end = ms->ram_size;
    hwaddr size = sphb->mem_win_size;
    hwaddr base;
    int i;

    if (sphb->index > 255) {
        error_setg(errp, "\"index\" for PAPR PHB is too large (max 255)");
        return false;
    }

    /* 64 GiB for each PHB, from the first multiple of 1 TiB above RAM */
    if (ms->device_memory) {
        ram_end = ms->device_memory->base +
                  memory_region_size(&ms->device_memory->mr);
    }
    base = ROUND_UP(ram_end, TiB) + sphb->index * 64 * GiB;

    sphb->buid = 0x800000020000000ULL + sphb->index;
    sphb->io_win_addr = base + 2 * GiB;
    sphb->mem_win_addr = base + 2 * GiB + 512 * MiB;
    for (i = 0; i < SPAPR_PCI_DMA_MAX_WINDOWS; i++) {
        sphb->dma_liobn[i] = SPAPR_PCI_LIOBN(sphb->index, i);
    }

    /* What does not fit into the 32-bit window follows as a 64-bit one. */
    if (!sphb->mem64_win_size && size > SPAPR_PCI_MEM32_WIN_SIZE) {
        sphb->mem_win_size = SPAPR_PCI_MEM32_WIN_SIZE;
        sphb->mem64_win_size = size - SPAPR_PCI_MEM32_WIN_SIZE;
        sphb->mem64_win_addr = sphb->mem_win_addr + SPAPR_PCI_MEM32_WIN_SIZE;
    }
    return true;
}

void spapr_old_machine_map_phb(SpaprPhbState *sphb)
{
    hwaddr mem_win_end = sphb->mem_win_addr + sphb->mem_win_size;

    if (!sphb->mem64_win_size) {
        sphb->mem64_win_pciaddr = -1;
    } else if (sphb->mem64_win_addr == mem_win_end) {
        sphb->mem64_win_pciaddr = SPAPR_PCI_MEM_WIN_BUS_OFFSET +
                                  sphb->mem_win_size;
    }
}

int spapr_old_machine_irq(SpaprMachineState *spapr, int irq)
{
    if (!spapr_older_than(spapr, 3, 1)) {
        return irq;
    }
    return spapr_irq_findone(spapr, &error_fatal);
}
