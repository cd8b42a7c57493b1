/*
 * Will a QEMU release load these sections, and this RAM?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "judge-internal.h"
#include "powerkvm.h"
#include "sections.h"

/* A list of names, each once; a hostile stream may have very many of them. */
typedef struct Names {
    GString *list;
    GHashTable *seen;
} Names;

static Names names_new(void)
{
    return (Names) {
        .list = g_string_new(NULL),
        .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
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

typedef struct Lists {
    Names unknown;      /* in no release that is known here */
    Names refused;      /* in no release with that version */
    Names caps;         /* capabilities, for a release without them */
    Names devices;
} Lists;

static char *advise_section(const Judge *j, const char *vmsd,
                            const char *since)
{
    if (!strcmp(vmsd, "spapr_iommu") || !strcmp(vmsd, "spapr/cap/htm")) {
        return g_strdup_printf("ppc-insns rewrite --to %s", j->to_id);
    }
    if (g_str_has_prefix(vmsd, "spapr/cap/")) {
        return g_strdup("start the source with that capability's default");
    }
    if (section_is_device(vmsd)) {
        return g_strdup_printf("a guest without that device, or a QEMU from %s"
                               " on", since);
    }
    return g_strdup_printf("a QEMU from %s on", since);
}

static void judge_part(Judge *j, Lists *lists, const char *vmsd,
                       const StreamPart *part)
{
    unsigned since;
    SectionVerdict verdict = section_judge(vmsd, part->version, j->dest->to,
                                           &since);
    guint i, n = part->subsections ? part->subsections->len : 0;
    g_autofree char *from = key_name(since);
    const Product *p = j->dest->product;

    if (p && p->extra && !strcmp(vmsd, p->extra)) {
        return;
    }
    if (g_str_has_prefix(vmsd, "spapr/cap/") && !target_has_caps(j->dest->to)) {
        names_add(&lists->caps, g_strdup(vmsd));
        verdict = SECTION_ACCEPTED;
    }
    switch (verdict) {
    case SECTION_ACCEPTED:
        break;
    case SECTION_UNKNOWN:
        names_add(&lists->unknown, g_strdup_printf("%s %u", vmsd,
                                                   part->version));
        break;
    case SECTION_WENT:
        judge_add(j, true, BOTH,
            g_strdup_printf("%s: %s does not know that any more", vmsd, j->to),
            g_strdup("an older QEMU"));
        break;
    case SECTION_TOO_OLD:
        judge_add(j, true, BOTH,
            g_strdup_printf("%s version %u: %s does not take one that old",
                            vmsd, part->version, j->to), NULL);
        break;
    case SECTION_LATER:
    case SECTION_TOO_NEW:
        if (!since) {
            names_add(&lists->refused, g_strdup_printf("%s %u", vmsd,
                                                       part->version));
            break;
        }
        judge_add(j, true, BOTH,
            g_strdup_printf("%s version %u: %s does not know that, which came"
                            " with %s", vmsd, part->version, j->to, from),
            advise_section(j, vmsd, from));
        break;
    }
    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        judge_part(j, lists, sub->name, sub);
    }
}

/* "spapr" and "spapr_iommu", which PowerKVM has forms of its own of */
static bool judge_powerkvm(Judge *j, const StreamSection *section)
{
    const Product *p = j->dest->product;
    bool to_powerkvm = p && p->dialect == DIALECT_POWERKVM;
    bool spapr = !strcmp(section->vmsd, "spapr"), of_powerkvm;

    if (section->pieces || (!spapr && strcmp(section->vmsd, "spapr_iommu"))) {
        return false;
    }
    of_powerkvm = spapr ? section->part.version == 4
                        : powerkvm_is_iommu(section);
    if (of_powerkvm && !to_powerkvm) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s version %u is PowerKVM's, which %s does not"
                            " take%s", section->vmsd, section->part.version,
                            j->to, spapr || section->part.version != 3 ||
                            !target_has_iommu_v3(j->dest->to) ? "" :
                            "; its own version 3 is another"),
            g_strdup_printf("ppc-insns rewrite --to %s", j->to_id));
    } else if (!of_powerkvm && to_powerkvm && !spapr) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s version %u is not as %s wants it",
                            section->vmsd, section->part.version, j->to),
            g_strdup_printf("ppc-insns rewrite --to %s", j->to_id));
    }
    return of_powerkvm || (to_powerkvm && !spapr);
}

/* ---- virtio-pci -----
 *
 * A virtio section begins with its PCI device: a version and the
 * configuration space, little-endian, of which QEMU compares what cannot
 * change ("Bad config data").  A modern device has capabilities of kind 9 in
 * it; that of kind 2 among them says how far apart the queues' bells are.
 */
enum { CONFIG_SIZE = 256, CAPABILITIES = 0x34, CAP_VENDOR = 9, CFG_NOTIFY = 2 };

static bool read_virtio(const Stream *s, const StreamSection *section,
                        bool *modern, bool *page_per_vq)
{
    const uint8_t *config = s->device->data + section->part.fields_at + 4;
    unsigned at, steps;

    if (section->pieces || !g_str_has_prefix(section->vmsd, "virtio-") ||
        section->part.end - section->part.fields_at < 4 + CONFIG_SIZE ||
        config[0] != 0xf4 || config[1] != 0x1a) {
        return false;
    }
    *modern = *page_per_vq = false;
    at = config[CAPABILITIES];
    for (steps = 0; at >= 0x40 && at + 20 <= CONFIG_SIZE && steps < 48;
         steps++) {
        if (config[at] == CAP_VENDOR) {
            *modern = true;
            if (config[at + 3] == CFG_NOTIFY && config[at + 2] >= 20) {
                /* 4096 is 0x00001000 */
                *page_per_vq = config[at + 17] == 0x10;
            }
        }
        at = config[at + 1];
    }
    return true;
}

bool judge_virtio_of(const Stream *s, bool *modern, bool *page_per_vq)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        if (read_virtio(s, g_ptr_array_index(s->sections, i), modern,
                        page_per_vq)) {
            return true;
        }
    }
    return false;
}

static void judge_virtio(Judge *j)
{
    const Destination *dest = j->dest;
    bool modern = dest->modern >= 0 ? dest->modern : j->form.modern;
    bool page = dest->page_per_vq >= 0 ? dest->page_per_vq
                                       : j->form.page_per_vq;
    guint i;

    for (i = 0; i < j->s->sections->len; i++) {
        bool is_modern, has_page;

        if (!read_virtio(j->s, g_ptr_array_index(j->s->sections, i),
                         &is_modern, &has_page)) {
            continue;
        }
        if (is_modern != modern) {
            judge_add(j, true, BOTH,
                g_strdup_printf("virtio-pci devices are %s in the stream, but"
                                " not here", is_modern ? "modern" : "legacy"),
                g_strdup_printf("-global virtio-pci.disable-modern=%s",
                                is_modern ? "off" : "on"));
        }
        if (is_modern && has_page != page) {
            judge_add(j, true, BOTH,
                g_strdup_printf("modern virtio-pci devices have %s page for"
                                " each queue in the stream, but not here",
                                has_page ? "a" : "no"),
                g_strdup_printf("-global virtio-pci.page-per-vq=%s",
                                has_page ? "on" : "off"));
        }
    }
}

bool judge_has_ddw(const Destination *dest)
{
    const Product *p = dest->product;

    return !target_before(dest->to, 2, 7, 0) ||
           (p && (p->dialect == DIALECT_POWERKVM ||
                  (p->extra && !strcmp(p->extra, "spapr_iommu_ex"))));
}

bool judge_ddw(const Stream *s, const Destination *dest)
{
    const char *name = dest->machine ? dest->machine : stream_machine(s);
    MachineForm form;

    if (dest->product && dest->product->dialect == DIALECT_POWERKVM) {
        return true;        /* the sections, at least */
    }
    if (!judge_has_ddw(dest)) {
        return false;
    }
    if (dest->ddw >= 0) {
        return dest->ddw;
    }
    if (dest->like || !destination_form(dest, name, &form)) {
        return product_machine(NULL, dest->like ? dest->like : name, &form) &&
               form.ddw;
    }
    return form.ddw;
}

/* A PCI host bridge with a second DMA window has a second spapr_iommu. */
static void judge_windows(Judge *j)
{
    bool has = judge_ddw(j->s, j->dest);
    guint i;

    for (i = 0; i < j->s->sections->len && !has; i++) {
        const StreamSection *section = g_ptr_array_index(j->s->sections, i);
        bool can = judge_has_ddw(j->dest), open;
        IommuState state;

        if (!powerkvm_is_window(section)) {
            continue;
        }
        open = powerkvm_read_iommu(j->s, section, &state) && state.enabled;
        judge_add(j, true, BOTH,
            open ?
            g_strdup_printf("the guest has opened a second DMA window (0x%x,"
                            " at 0x%" PRIx64 " of the bus), which %s of %s"
                            " does not have%s", section->instance,
                            state.bus_offset, j->machine, j->to,
                            can ? " by default" : "") :
            g_strdup_printf("a PCI host bridge in the stream has two DMA"
                            " windows; %s of %s has one%s", j->machine, j->to,
                            can ? " by default" : ""),
            can ? g_strdup("-global spapr-pci-host-bridge.ddw=on") :
            open ? g_strdup("a QEMU from 2.7 on") :
            g_strdup_printf("ppc-insns rewrite --to %s", j->to_id));
    }
}

static void judge_configuration(Judge *j)
{
    guint i;

    for (i = 0; i < j->s->configuration->len; i++) {
        const char *name = g_ptr_array_index(j->s->configuration, i);
        unsigned since;
        g_autofree char *from = NULL;

        if (section_judge(name, 1, j->dest->to, &since) != SECTION_LATER) {
            continue;
        }
        from = key_name(since);
        judge_add(j, true, BOTH,
            g_strdup_printf("%s: %s does not know that, which came with %s",
                            name, j->to, from),
            g_strdup_printf("a QEMU from %s on", from));
    }
}

void judge_sections(Judge *j)
{
    Lists lists = { names_new(), names_new(), names_new(), names_new() };
    guint i;

    for (i = 0; i < j->s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(j->s->sections, i);

        if (!judge_powerkvm(j, section)) {
            judge_part(j, &lists, section->vmsd, &section->part);
        }
        if (section_is_device(section->vmsd)) {
            names_add(&lists.devices, g_strdup(section->vmsd));
        }
    }
    judge_windows(j);
    judge_virtio(j);
    judge_configuration(j);
    if (lists.caps.list->len) {
        judge_add(j, true, BOTH,
            g_strdup_printf("%s: %s knows no capabilities, which came with"
                            " 2.11.1", lists.caps.list->str, j->to),
            strcmp(lists.caps.list->str, "spapr/cap/htm") ?
            g_strdup("start the source with their defaults") :
            g_strdup_printf("ppc-insns rewrite --to %s", j->to_id));
    }
    if (lists.refused.list->len) {
        judge_add(j, true, BOTH,
            g_strdup_printf("no release of upstream QEMU takes these versions:"
                            " %s", lists.refused.list->str),
            g_strdup("the QEMU of the distribution that the stream is from"));
    }
    if (lists.devices.list->len) {
        judge_add(j, false, BOTH,
            g_strdup_printf("the destination needs the same devices, at the"
                            " same places; a distribution's build may lack"
                            " some: %s", lists.devices.list->str), NULL);
    }
    if (lists.unknown.list->len) {
        judge_add(j, false, BOTH,
            g_strdup_printf("not judged, as no release that this tool knows"
                            " has these sections: %s",
                            lists.unknown.list->str), NULL);
    }
    names_clear(&lists.unknown);
    names_clear(&lists.refused);
    names_clear(&lists.caps);
    names_clear(&lists.devices);
}

/* ---- RAM ----- */

void judge_ram(Judge *j)
{
    const Stream *s = j->s;
    Target t = j->dest->to;
    Names roms = names_new();
    guint i;

    if (s->pages_compressed) {
        bool has = !target_before(t, 2, 4, 0) && target_before(t, 9, 1, 0);

        judge_add(j, !has, BOTH,
            g_strdup_printf("RAM has compressed pages (migration capability"
                            " compress), which %s %s", j->to, has ?
                            "takes only with that capability" :
                            "does not know"),
            has ? g_strdup("set the capability compress on the destination,"
                           " too")
                : g_strdup("save it without the capability compress"));
    }
    if (s->ignore_shared) {
        judge_add(j, false, BOTH,
            g_strdup("RAM that is shared is not in the stream (migration"
                     " capability x-ignore-shared)"),
            g_strdup("set that capability on the destination, with the same"
                     " memory files"));
    }
    for (i = 0; i < s->blocks->len; i++) {
        const StreamBlock *block = &g_array_index(s->blocks, StreamBlock, i);

        if (g_str_has_suffix(block->name, ".rom")) {
            names_add(&roms, g_strdup_printf("%s of %" PRIu64 " KiB",
                                             block->name, block->size >> 10));
        }
    }
    if (roms.list->len) {
        judge_add(j, false, BOTH,
            g_strdup_printf("ROMs of devices are RAM blocks whose sizes must be"
                            " the same here (\"Length mismatch\"): %s",
                            roms.list->str),
            g_strdup_printf("%sromfile= with a file of that size, if the"
                            " destination ships another one",
                            target_before(t, 5, 2, 0) ? "" :
                            "romsize= for the device, or "));
    }
    names_clear(&roms);
}
