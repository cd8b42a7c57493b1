/*
 * The command line that a stream's destination needs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "options.h"
#include "powerkvm.h"
#include "rewrite.h"
#include "sections.h"

static void comment(Options *o, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void comment(Options *o, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_ptr_array_add(o->comments, g_strdup_vprintf(format, ap));
    va_end(ap);
}

static void add_global(Options *o, Destination *dest, const char *text)
{
    guint i;

    for (i = 0; i < o->globals->len; i++) {
        if (!strcmp(g_ptr_array_index(o->globals, i), text)) {
            return;
        }
    }
    g_ptr_array_add(o->globals, g_strdup(text));
    destination_set_global(dest, text, NULL);
}

/* ---- the machine ----- */

static void find_machine(Options *o, const Stream *s, Destination *dest)
{
    MachineForm source, form;

    if (!dest->machine && !destination_form(dest, stream_machine(s), &form) &&
        origin_form(s, &source)) {
        dest->machine = g_strdup(source.like);
    }
    o->machine = g_strdup(dest->machine ? dest->machine : stream_machine(s));
    if (!s->machine && powerkvm_dialect(s) == DIALECT_POWERKVM &&
        !dest->machine) {
        comment(o, "PowerKVM's streams of pseries-2.3 and 2.4 look alike; if"
                " the source ran pseries-2.4, say --machine pseries-2.4");
    } else if (!s->machine && !s->has_vmdesc && !dest->machine) {
        comment(o, "streams of pseries-2.1 and 2.2 look alike; if the source"
                " ran pseries-2.2, say --machine pseries-2.2");
    }
}

static void find_machine_options(Options *o, const Stream *s,
                                 Destination *dest)
{
    const StreamServers *servers = &s->servers;
    bool by_one = servers->odd || (servers->before_cpus &&
                                   servers->count < 8 * s->cpus->len);
    bool has_vsmt = !target_before(dest->to, 2, 11, 1);
    CapIndex cap;

    if (judge_htm_by_default(s, dest) && !dest->kvm && !dest->series) {
        g_string_append(o->machine_options, ",cap-htm=off");
        dest->caps[CAP_HTM] = 0;
    }
    for (cap = 0; cap < CAP__MAX; cap++) {
        int value = judge_capability(s, cap);

        if (value >= 0 && cap != CAP_HTM &&
            target_key(dest->to) >= capabilities[cap].since) {
            g_autofree char *text = capability_format(cap, value);

            g_string_append_printf(o->machine_options, ",cap-%s=%s",
                                   capabilities[cap].option, text);
            dest->caps[cap] = value;
        }
    }
    /* The series has the CPUs keep their numbers. */
    if (has_vsmt && by_one && s->cpus->len > 1 && !dest->kvm &&
        (!dest->series || !servers->before_cpus) && dest->vsmt < 0) {
        g_string_append(o->machine_options, ",vsmt=1");
        dest->vsmt = 1;
    }
}

/* ---- CPUs ----- */

static void find_cpu(Options *o, const Stream *s, Destination *dest)
{
    const StreamCpu *cpu = s->cpus->len ?
        &g_array_index(s->cpus, StreamCpu, 0) : NULL;
    PPCFamily family = cpu ? judge_family(cpu, dest) : PPC_FAMILY_NONE;
    PPCFamily source = cpu ? ppc_family_by_pvr(cpu->pvr) : PPC_FAMILY_NONE;
    PPCRelease machine = machine_release(judge_machine(s, dest));
    const char *model;
    SeriesVerdict v;

    o->smp = s->cpus->len;
    if (!cpu || family == PPC_FAMILY_NONE) {
        return;
    }
    model = dest->model ? dest->model : model_that_takes(cpu->pvr, dest->to);
    o->cpu = g_strdup(model);
    if (family != source && !dest->max_compat &&
        MIN(family, source) >= PPC_FAMILY_POWER7 &&
        target_checks_pvr(dest->to)) {
        g_autofree char *mode = g_ascii_strdown(
            ppc_family_name(MIN(family, source)), -1);

        g_string_append_printf(o->machine_options, ",max-cpu-compat=%s", mode);
        dest->max_compat = mode_by_name(mode);
        dest->max_compat_of_machine = true;
    }
    if (dest->series && cpu->has_words && !dest->insns_compat && machine) {
        series_check(s, cpu, family, dest, machine, cpu->compat_pvr ?
                     cpu->compat_pvr : dest->max_compat, &v);
        if (v.keep) {
            dest->insns_compat = g_strdup(v.keep);
        }
    }
    o->insns_compat = g_strdup(dest->insns_compat);
}

/* ---- devices ----- */

static void find_windows(Options *o, const Stream *s, Destination *dest)
{
    bool wanted = false;
    MachineForm source;
    guint i;

    if (origin_form(s, &source)) {
        wanted = source.ddw;
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        IommuState state;

        if (powerkvm_is_window(section) &&
            powerkvm_read_iommu(s, section, &state)) {
            /* PowerKVM sends it even where there cannot be one. */
            wanted |= !state.powerkvm || state.enabled;
        }
    }
    if (wanted && !judge_ddw(s, dest) && dest->ddw < 0) {
        if (!judge_has_ddw(dest)) {
            comment(o, "the guest could make a second DMA window; here it"
                    " cannot");
        } else {
            add_global(o, dest, "spapr-pci-host-bridge.ddw=on");
        }
    }
}

static void find_virtio(Options *o, const Stream *s, Destination *dest)
{
    bool modern, page;
    MachineForm form;

    if (!judge_virtio_of(s, &modern, &page) ||
        !(destination_form(dest, o->machine, &form) ||
          product_machine(NULL, judge_machine(s, dest), &form))) {
        return;
    }
    if (modern != form.modern && dest->modern < 0) {
        add_global(o, dest, modern ? "virtio-pci.disable-modern=off"
                                   : "virtio-pci.disable-modern=on");
    }
    if (modern && page != form.page_per_vq && dest->page_per_vq < 0) {
        add_global(o, dest, page ? "virtio-pci.page-per-vq=on"
                                 : "virtio-pci.page-per-vq=off");
    }
}

/* "0000:00:01.0/virtio-net-pci.rom": the device, if that is one's name */
static char *rom_driver(const char *block)
{
    const char *slash = strrchr(block, '/');
    char *driver;

    if (!slash || !g_str_has_suffix(slash, ".rom")) {
        return NULL;
    }
    driver = g_strndup(slash + 1, strlen(slash + 1) - strlen(".rom"));
    if (!*driver || strspn(driver, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
                    strlen(driver)) {
        g_clear_pointer(&driver, g_free);
    }
    return driver;
}

static void find_ram(Options *o, const Stream *s, Destination *dest)
{
    guint i;

    for (i = 0; i < s->blocks->len; i++) {
        const StreamBlock *block = &g_array_index(s->blocks, StreamBlock, i);
        g_autofree char *driver = rom_driver(block->name);
        g_autofree char *text = NULL;

        if (!strcmp(block->name, "ppc_spapr.ram")) {
            o->ram = block->size;
        }
        if (!driver) {
            continue;
        }
        text = g_strdup_printf("%s.romsize=%" PRIu64, driver, block->size);
        if (!target_before(dest->to, 5, 2, 0)) {
            add_global(o, dest, text);
        } else {
            comment(o, "%s needs a romfile= of %" PRIu64 " bytes", driver,
                    block->size);
        }
    }
}

static void find_devices(Options *o, const Stream *s)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!section->pieces && (section_is_device(section->vmsd) ||
            !strcmp(section->vmsd, "spapr_vscsi") ||
            !strcmp(section->vmsd, "spapr_llan") ||
            !strcmp(section->vmsd, "spapr_vty"))) {
            g_ptr_array_add(o->devices, g_strdup(section->part.name));
        }
    }
}

/* ---- all of it ----- */

static void find_rewrite(Options *o, const Stream *s, const Destination *dest)
{
    g_autofree char *to = destination_id(dest);
    guint i;

    g_string_append_printf(o->rewrite, "ppc-insns rewrite --to %s%s", to,
                           dest->series ? " --with-series" : "");
    if (s->told) {
        g_string_append_printf(o->rewrite, " --from %s",
                               s->from ? s->from->id : "upstream");
    }
    if (dest->machine) {
        g_string_append_printf(o->rewrite, " --machine %s", dest->machine);
    }
    if (dest->like) {
        g_string_append_printf(o->rewrite, " --like %s", dest->like);
    }
    if (dest->model) {
        g_string_append_printf(o->rewrite, " --cpu %s", dest->model);
    }
    if (dest->max_compat) {
        g_string_append_printf(o->rewrite, " --machine %s%s", o->machine,
                               o->machine_options->str);
    }
    if (dest->kvm) {
        g_string_append(o->rewrite, " --htm=keep");
    }
    for (i = 0; i < o->globals->len; i++) {
        g_string_append_printf(o->rewrite, " --global %s", (char *)
                               g_ptr_array_index(o->globals, i));
    }
}

static void find_problem(Options *o, const Stream *s, const Destination *dest)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) device = rewrite_device(s, dest, false, notes, &err);

    if (!device) {
        o->problem = g_strdup(err->message);
    }
}

Options *options_find(const Stream *s, Destination *dest)
{
    Options *o = g_new0(Options, 1);
    g_auto(Origin) origin = { 0 };

    o->machine_options = g_string_new(NULL);
    o->rewrite = g_string_new(NULL);
    o->globals = g_ptr_array_new_with_free_func(g_free);
    o->comments = g_ptr_array_new_with_free_func(g_free);
    o->devices = g_ptr_array_new_with_free_func(g_free);

    origin_find(s, &origin);
    comment(o, "the stream is from %s", origin.mixture ? "nobody, a mixture" :
            origin.who ? origin.who : "no release that this tool knows");
    find_machine(o, s, dest);
    find_cpu(o, s, dest);
    find_machine_options(o, s, dest);
    find_ram(o, s, dest);
    find_windows(o, s, dest);
    find_virtio(o, s, dest);
    find_devices(o, s);
    if (powerkvm_dialect(s) == DIALECT_POWERKVM) {
        comment(o, "RTAS: until it boots again, the guest calls nmi-register"
                " and error injection by PowerKVM's numbers, which are"
                " others here");
    }
    find_rewrite(o, s, dest);
    find_problem(o, s, dest);
    return o;
}

void options_free(Options *o)
{
    g_free(o->machine);
    g_string_free(o->machine_options, true);
    g_free(o->cpu);
    g_free(o->insns_compat);
    g_ptr_array_unref(o->globals);
    g_ptr_array_unref(o->comments);
    g_ptr_array_unref(o->devices);
    g_string_free(o->rewrite, true);
    g_free(o->problem);
    g_free(o);
}
