/*
 * Products that shipped a QEMU of their own, and their machines
 *
 * Of PowerKVM 3.1 and 3.1.1, hostos 2.8 and RHEL 7.3 this was measured; of the
 * others, only the releases that they are made of and the names of their
 * machines are known.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "products.h"

#define BASE(major, minor, point) { PPC_RELEASE(major, minor), point }

static const Product products[] = {
    { "powerkvm-2.1.1", "PowerKVM 2.1.1", BASE(2, 1, 0),
      DIALECT_POWERKVM_211 },
    { "powerkvm-3.1", "PowerKVM 3.1", BASE(2, 3, 0), DIALECT_POWERKVM,
      .loads = true },
    { "powerkvm-3.1.1", "PowerKVM 3.1.1", BASE(2, 6, 0), DIALECT_POWERKVM,
      .loads = true },
    { "hostos-2.8", "hostos 2.8", BASE(2, 8, 0), .loads = true },
    { "rhel-7.2", "RHEL 7.2", BASE(2, 3, 0), .own_machines = true,
      .machine = "pseries-rhel7.2." },
    { "rhel-7.3", "RHEL 7.3", BASE(2, 6, 0), .loads = true,
      .own_machines = true, .machine = "pseries-rhel",
      .extra = "spapr_iommu_ex" },
    { "rhel-7.4", "RHEL 7.4", BASE(2, 9, 0), .own_machines = true,
      .machine = "pseries-rhel7.3." },
    { "rhel-7.5", "RHEL 7.5", BASE(2, 10, 0), .own_machines = true,
      .machine = "pseries-rhel7.4." },
    { "rhel-7.6", "RHEL 7.6", BASE(2, 12, 0), .own_machines = true,
      .machine = "pseries-rhel7.5." },
    { "ubuntu-xenial", "Ubuntu 16.04 (xenial)", BASE(2, 5, 0),
      .machine = "pseries-xenial" },
    { "ubuntu-yakkety", "Ubuntu 16.10 (yakkety)", BASE(2, 6, 0),
      .machine = "pseries-yakkety" },
    { "ubuntu-zesty", "Ubuntu 17.04 (zesty)", BASE(2, 8, 0),
      .machine = "pseries-zesty" },
    { "ubuntu-artful", "Ubuntu 17.10 (artful)", BASE(2, 10, 0),
      .machine = "pseries-artful" },
    { "ubuntu-bionic", "Ubuntu 18.04 (bionic)", BASE(2, 11, 1),
      .machine = "pseries-bionic" },
};

const Product *product_next(const Product *p)
{
    p = p ? p + 1 : products;
    return p < products + G_N_ELEMENTS(products) ? p : NULL;
}

const Product *product_parse(const char *id, GError **errp)
{
    g_autoptr(GString) list = g_string_new(NULL);
    const Product *p = NULL;

    while ((p = product_next(p))) {
        if (!strcmp(p->id, id)) {
            return p;
        }
        g_string_append_printf(list, "%s%s", list->len ? ", " : "", p->id);
    }
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_USAGE,
                "'%s' is not a product that this tool knows; there are %s", id,
                list->str);
    return NULL;
}

/* ---- machines ----- */

static bool same_line(const Product *a, const Product *b)
{
    size_t len = strcspn(a->id, "-");

    return !strncmp(a->id, b->id, len + 1);
}

/* Of the line of @p, up to @p, the one that brought machine @name, or NULL */
static const Product *brought_by(const Product *p, const char *name)
{
    const Product *q = NULL;

    while ((q = product_next(q)) && q <= p) {
        if (q->machine && same_line(p, q) &&
            g_str_has_prefix(name, q->machine)) {
            return q;
        }
    }
    return NULL;
}

bool product_has_name(const Product *p, const char *name)
{
    return brought_by(p, name) != NULL;
}

/* Those whose streams were loaded into other QEMUs */
static const struct {
    const char *name;
    MachineForm form;
} known[] = {
    { "pseries-rhel7.2.0", { "pseries-2.5", true, false, false, false, true } },
    { "pseries-rhel7.3.0", { "pseries-2.6", true, true, true, true, false } },
};

static void upstream_form(const char *name, MachineForm *form)
{
    PPCRelease release = machine_release(name);

    *form = (MachineForm) {
        .like = name,
        .configuration = release >= PPC_RELEASE(2, 4),
        .footers = release >= PPC_RELEASE(2, 4),
        .ddw = release >= PPC_RELEASE(2, 7),
        .modern = release >= PPC_RELEASE(2, 7),
        .page_per_vq = release <= PPC_RELEASE(2, 7),
    };
}

bool product_machine(const Product *p, const char *name, MachineForm *form)
{
    PPCRelease release = machine_release(name), newest;
    bool powerkvm = p && p->dialect == DIALECT_POWERKVM;
    const Product *by;
    size_t i;

    /* PowerKVM 3.1 was made of 2.3, but has a pseries-2.4. */
    newest = !p ? LAST_KNOWN_RELEASE :
             powerkvm ? MAX(p->base.release, PPC_RELEASE(2, 4))
                      : p->base.release;
    if (release && release <= newest && !(p && p->own_machines)) {
        upstream_form(name, form);
        if (powerkvm && release == PPC_RELEASE(2, 4)) {
            form->configuration = form->footers = false;
        }
        form->ddw |= powerkvm && release == newest;
        return true;
    }
    for (i = 0; p && p->own_machines && i < G_N_ELEMENTS(known); i++) {
        if (!strcmp(name, known[i].name)) {
            *form = known[i].form;
            return true;
        }
    }
    by = p && !p->own_machines ? brought_by(p, name) : NULL;
    if (by) {
        /* Ubuntu's: those of its QEMU, with ddw from yakkety on */
        g_autofree char *base = ppc_release_format(by->base.release);
        g_autofree char *like = g_strconcat("pseries-", base, NULL);

        upstream_form(g_intern_string(like), form);
        form->ddw |= by->base.release >= PPC_RELEASE(2, 6);
        return true;
    }
    return false;
}
