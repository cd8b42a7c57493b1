/*
 * Where the fields of a section end, where a stream does not describe itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "bytes.h"
#include "tool-error.h"
#include "layouts.h"

/*
 * What pseries-2.1 and 2.2 send without a vmdescription, from what
 * pseries-2.3 says of the same sections in its own, and from the definitions
 * in 2.1 to 7.2.  A field is name:bytes, times a number or an earlier field.
 */
static const struct {
    const char *vmsd;
    uint32_t version;
    const char *fields;
    Dialect dialect;        /* that it is of alone, if not upstream's */
} layouts[] = {
    { "timer", 2, "cpu_ticks_offset:8 dummy:8 cpu_clock_offset:8" },
    { "timer/icount", 1, "qemu_icount_bias:8 qemu_icount:8" },
    { "ics", 1, "nr_irqs:4 irqs:8*nr_irqs" },
    { "icp/server", 1, "xirr:4 pending_priority:1 mfrr:1" },
    { "cpu_common", 1, "halted:4 interrupt_request:4" },
    { "cpu_common/exception_index", 1, "exception_index:4" },
    { "cpu_common/crash_occurred", 1, "crash_occurred:1" },
    { "cpu", 5, "unused:8 gpr:8*32 crf:4*8 nip:8 env.spr:8*1024 spe_acc:8"
      " reserve_addr:8 msr:8 hflags_nmsr:8"
      " msr_mask:8 insns_flags:8 insns_flags2:8 nb_BATs:4" },
    { "cpu/fpu", 1, "fpr:8*32 fpscr:8" },
    { "cpu/altivec", 1, "avr:16*32 vscr:4" },
    { "cpu/vsx", 1, "vsr:8*32" },
    { "cpu/sr", 1, "sr:8*32" },
    { "cpu/slb", 1, "slb_nr:4 slb:16*64" },
    { "cpu/tm", 1, "gpr:8*32 vsr:16*64 cr_to_vrsave:8*7 vscr:4 dscr_tar:8*2" },
    { "cpu/compat", 1, "compat_pvr:4" },
    { "spapr/rtc", 1, "ns_offset:8" },
    { "spapr_vty", 1, "sdev:32 in:4 out:4 buf:16" },
    { "spapr_nvram", 1, "size:4 buf:1*size" },
    { "spapr_iommu", 2, "liobn:4 nb_table:4 bypass:1 table:8*nb_table" },
    { "spapr_iommu", 3,
      "liobn:4 nb_table:4 bypass:1 table:8*nb_table def_win:1" },
    { "spapr_iommu_ex", 1, "bus_offset:8 page_shift:4" },
    { "spapr_pci", 2, "buid:8 liobn:4 mem_win:8*2 io_win:8*2 lsi_table:4*4"
      " msi_devs_num:4 msi_devs:12*msi_devs_num" },
    { "PCIBUS", 1, "nirq:4 irq_count:4*nirq" },
    { "spapr", 2, "unused:4 rtc_offset:8 tb:16" },
    { "spapr", 3, "tb:16" },
    { "globalstate", 1, "size:4 runstate:100" },

    /* Read from PowerKVM's branches */
    { "spapr", 4, "tb:16 errinjct_token:4", DIALECT_POWERKVM },
    { "spapr_iommu", 3, "liobn:4 enabled:1 bus_offset:8 page_shift:4"
      " nb_table:4 bypass:1 migtable:8*nb_table", DIALECT_POWERKVM },
    { "cpu", 6, "unused:8 gpr:8*32 crf:4*8 nip:8 env.spr:8*1024 spe_acc:8"
      " reserve_addr:8 msr:8 hflags_nmsr:8"
      " msr_mask:8 insns_flags:8 insns_flags2:8 nb_BATs:4",
      DIALECT_POWERKVM_211 },
    { "spapr", 3, "rtc_offset:8 tb:16", DIALECT_POWERKVM_211 },
    { "spapr_iommu", 2, "liobn:4 unused:4 nb_table:4 bypass:1"
      " table:8*nb_table", DIALECT_POWERKVM_211 },
};

/* The capabilities are many, and alike. */
static const char *layout_of(const char *vmsd, uint32_t version,
                             Dialect dialect)
{
    const char *found = NULL;
    size_t i;

    if (g_str_has_prefix(vmsd, "spapr/cap/") && version == 1) {
        return "value:1";
    }
    for (i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (!strcmp(layouts[i].vmsd, vmsd) && layouts[i].version == version &&
            (!layouts[i].dialect || layouts[i].dialect == dialect)) {
            found = layouts[i].fields;      /* the dialects come last */
        }
    }
    return found;
}

bool layout_known(const char *vmsd, uint32_t version, Dialect dialect)
{
    return layout_of(vmsd, version, dialect) != NULL;
}

bool layout_fields(const char *vmsd, StreamPart *part, Dialect dialect,
                   const uint8_t *buf, size_t size, GError **errp)
{
    const char *layout = layout_of(vmsd, part->version, dialect);
    g_auto(GStrv) words = NULL;
    size_t i;

    if (!layout) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "'%s' version %u has no vmdescription here, and this tool"
                    " does not know its fields, so that nothing behind it can"
                    " be found", part->name, part->version);
        return false;
    }
    part->fields_end = part->fields_at;
    words = g_strsplit(layout, " ", 0);
    for (i = 0; words[i]; i++) {
        char *colon = strchr(words[i], ':'), *times;
        uint64_t each = g_ascii_strtoull(colon + 1, &times, 10), count = 1;
        const char *name;

        *colon = '\0';
        name = g_intern_string(words[i]);
        if (*times && g_ascii_isdigit(times[1])) {
            count = g_ascii_strtoull(times + 1, NULL, 10);
        } else if (*times) {
            const StreamField *field = stream_field(part, times + 1);

            g_assert(field && field->size == 4);
            count = get_be32(buf + field->offset);
        }
        if (!stream_part_add_field(part, name, each, count, size, errp)) {
            return false;
        }
    }
    return true;
}
