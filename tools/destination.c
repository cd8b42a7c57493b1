/*
 * The QEMU that a stream is to be loaded into
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "destination.h"

void destination_init(Destination *dest, Target to)
{
    int i;

    *dest = (Destination) { .to = to, .vsmt = -1, .ddw = -1,
                             .modern = -1, .page_per_vq = -1 };
    for (i = 0; i < CAP__MAX; i++) {
        dest->caps[i] = -1;
    }
}

bool destination_parse_to(Destination *dest, const char *to, GError **errp)
{
    const Product *p;
    Target target = { 0 };

    if (g_ascii_isdigit(*to)) {
        if (!target_parse(to, &target, errp)) {
            return false;
        }
        destination_init(dest, target);
        return true;
    }
    p = product_parse(to, errp);
    if (!p) {
        return false;
    }
    if (!p->loads) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_USAGE,
                    "what %s loads is not known; among products, powerkvm-3.1,"
                    " powerkvm-3.1.1, hostos-2.8 and rhel-7.3 can be --to",
                    p->name);
        return false;
    }
    destination_init(dest, p->base);
    dest->product = p;
    return true;
}

char *destination_id(const Destination *dest)
{
    return dest->product ? g_strdup(dest->product->id) : target_name(dest->to);
}

char *destination_name(const Destination *dest)
{
    return dest->product ? g_strdup(dest->product->name)
                         : target_name(dest->to);
}

bool destination_form(const Destination *dest, const char *name,
                      MachineForm *form)
{
    return product_machine(dest->product, name, form);
}

void destination_clear(Destination *dest)
{
    g_free(dest->machine);
    g_free(dest->like);
    g_free(dest->model);
    g_free(dest->ic_mode);
    g_free(dest->insns_compat);
    g_free(dest->ignored);
}

static bool usage(GError **errp, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

static bool usage(GError **errp, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (errp) {
        *errp = g_error_new_valist(TOOL_ERROR, TOOL_ERROR_USAGE, format, ap);
    }
    va_end(ap);
    return false;
}

/* An option that says nothing about what loads is not forgotten silently. */
static void ignore(Destination *dest, const char *option)
{
    char *all = dest->ignored ? g_strdup_printf("%s, %s", dest->ignored,
                                                option) : g_strdup(option);

    g_free(dest->ignored);
    dest->ignored = all;
}

static bool set_mode(Destination *dest, const char *value, GError **errp)
{
    dest->max_compat = mode_by_name(value);
    if (!dest->max_compat && *value) {
        return usage(errp, "'%s' is not a compatibility mode; there are"
                     " power7, power7+, power8, power9, power10 and power11",
                     value);
    }
    return true;
}

static bool set_machine_option(Destination *dest, const char *option,
                               const char *name, const char *value,
                               GError **errp)
{
    int i;

    if (!strcmp(name, "type")) {
        g_free(dest->machine);
        dest->machine = g_strdup(value);
        return true;
    }
    if (!strcmp(name, "accel")) {
        dest->kvm = g_str_has_prefix(value, "kvm");
        return true;
    }
    if (!strcmp(name, "max-cpu-compat")) {
        dest->max_compat_of_machine = true;
        return set_mode(dest, value, errp);
    }
    if (!strcmp(name, "vsmt")) {
        guint64 vsmt;

        if (!g_ascii_string_to_unsigned(value, 10, 1, 64, &vsmt, NULL)) {
            return usage(errp, "vsmt=%s is not a number of threads", value);
        }
        dest->vsmt = vsmt;
        return true;
    }
    if (!strcmp(name, "ic-mode")) {
        static const char *const values[] = { "xics", "xive", "dual", NULL };

        if (!g_strv_contains(values, value)) {
            return usage(errp, "'%s' is not a value of ic-mode", value);
        }
        g_free(dest->ic_mode);
        dest->ic_mode = g_strdup(value);
        return true;
    }
    for (i = 0; i < CAP__MAX; i++) {
        if (g_str_has_prefix(name, "cap-") &&
            !strcmp(name + 4, capabilities[i].option)) {
            dest->caps[i] = capability_parse(i, value);
            if (dest->caps[i] < 0) {
                return usage(errp, "'%s' is not a value of %s", value, name);
            }
            return true;
        }
    }
    if (g_str_has_prefix(name, "cap-")) {
        return usage(errp, "%s is not a capability of pseries", name);
    }
    ignore(dest, option);
    return true;
}

static bool set_cpu_option(Destination *dest, const char *option,
                           const char *name, const char *value, GError **errp)
{
    if (!strcmp(name, "compat")) {
        return set_mode(dest, value, errp);
    }
    if (!strcmp(name, "insns-compat")) {
        if (strcmp(value, "none") && !ppc_release_parse(value)) {
            return usage(errp, "insns-compat=%s is not a release, nor none",
                         value);
        }
        g_free(dest->insns_compat);
        dest->insns_compat = g_strdup(value);
        return true;
    }
    ignore(dest, option);
    return true;
}

typedef bool SetOption(Destination *dest, const char *option,
                       const char *name, const char *value, GError **errp);

/* The first word without "=" is for @first. */
static bool set_options(Destination *dest, const char *arg, char **first,
                        SetOption *set, GError **errp)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);
    guint i;

    for (i = 0; words[i]; i++) {
        char *equals = strchr(words[i], '=');
        g_autofree char *name = NULL;

        if (!equals && !i) {
            g_free(*first);
            *first = g_strdup(words[i]);
            continue;
        }
        if (!*words[i]) {
            continue;
        }
        name = equals ? g_strndup(words[i], equals - words[i])
                      : g_strdup(words[i]);
        if (!set(dest, words[i], name, equals ? equals + 1 : "on", errp)) {
            return false;
        }
    }
    return true;
}

bool destination_set_machine(Destination *dest, const char *arg,
                             GError **errp)
{
    if (!set_options(dest, arg, &dest->machine, set_machine_option, errp)) {
        return false;
    }
    /* The newest one that the release has */
    if (dest->machine && !strcmp(dest->machine, "pseries")) {
        g_autofree char *release = ppc_release_format(dest->to.release);

        g_free(dest->machine);
        dest->machine = g_strconcat("pseries-", release, NULL);
    }
    return true;
}

bool destination_set_cpu(Destination *dest, const char *arg, GError **errp)
{
    return set_options(dest, arg, &dest->model, set_cpu_option, errp);
}

bool destination_set_global(Destination *dest, const char *arg, GError **errp)
{
    const char *equals = strchr(arg, '=');
    const char *dot = equals ? g_strrstr_len(arg, equals - arg, ".") : NULL;
    g_autofree char *name = dot ? g_strndup(dot + 1, equals - dot - 1) : NULL;

    if (!name) {
        return usage(errp, "--global takes DRIVER.PROPERTY=VALUE, not '%s'",
                     arg);
    }
    if (g_str_has_prefix(arg, "spapr-pci-host-bridge.ddw=")) {
        dest->ddw = capability_parse(CAP_HTM, equals + 1);
        if (dest->ddw < 0) {
            return usage(errp, "'%s' is not a value of ddw", equals + 1);
        }
        return true;
    }
    if (!strcmp(name, "insns-compat")) {
        return set_cpu_option(dest, arg, name, equals + 1, errp);
    }
    if (g_str_has_prefix(arg, "virtio-pci.disable-modern=") ||
        g_str_has_prefix(arg, "virtio-pci.page-per-vq=")) {
        int value = capability_parse(CAP_HTM, equals + 1);

        if (value < 0) {
            return usage(errp, "'%s' is not a value of %s", equals + 1, name);
        }
        if (!strcmp(name, "page-per-vq")) {
            dest->page_per_vq = value;
        } else {
            dest->modern = !value;
        }
        return true;
    }
    if (!strcmp(arg, "migration.send-section-footer=off")) {
        dest->no_footers = true;
        return true;
    }
    if (!strcmp(arg, "migration.send-configuration=off")) {
        dest->no_configuration = true;
        return true;
    }
    ignore(dest, arg);
    return true;
}

bool destination_set_like(Destination *dest, const char *arg, GError **errp)
{
    if (!machine_release(arg)) {
        return usage(errp, "--like %s: that is not a pseries of upstream QEMU"
                     " either; say which of pseries-2.1 to 11.1 it is like",
                     arg);
    }
    g_free(dest->like);
    dest->like = g_strdup(arg);
    return true;
}

bool destination_set(Destination *dest, const char *machine, const char *like,
                     const char *cpu, char **globals, GError **errp)
{
    guint i;

    for (i = 0; globals && globals[i]; i++) {
        if (!destination_set_global(dest, globals[i], errp)) {
            return false;
        }
    }
    return (!machine || destination_set_machine(dest, machine, errp)) &&
           (!like || destination_set_like(dest, like, errp)) &&
           (!cpu || destination_set_cpu(dest, cpu, errp));
}
