/*
 * Unit test of ppc-insns: streams of products that shipped a QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "stream-maker.h"
#include "../../tools/options.h"
#include "../../tools/powerkvm.h"
#include "../../tools/rewrite.h"
#include "../../tools/tool-error.h"

static const Make plain = { .machine = "pseries-2.6", .powerkvm = true };
static const Make open_window = {
    .machine = "pseries-2.6", .powerkvm = true, .window = 8,
};
static const Make unnamed = { .powerkvm = true, .no_footers = true };
static const Make undescribed = {
    .powerkvm = true, .no_footers = true, .no_vmdesc = true,
};
static const Make undescribed_window = {
    .powerkvm = true, .no_footers = true, .no_vmdesc = true, .window = 3,
};

/* A stream that was made, and what it was made of */
typedef struct Made {
    GByteArray *data;
    Input *in;
    Stream *s;
} Made;

static Made made(const Make *make)
{
    Made m = { .data = make_stream(make) };
    g_autoptr(GError) err = NULL;

    m.s = parse(m.data->data, m.data->len, &m.in, &err);
    g_assert_no_error(err);
    return m;
}

static void unmake(Made *m)
{
    stream_free(m->s);
    input_close(m->in);
    g_byte_array_unref(m->data);
}

static Destination to(const char *name)
{
    Destination dest;
    g_autoptr(GError) err = NULL;

    g_assert_true(destination_parse_to(&dest, name, &err));
    g_assert_no_error(err);
    return dest;
}

/* The outcome of rewriting as a stream; NULL with @err set if refused */
static Stream *rewritten(const Stream *s, const Destination *dest, bool force,
                         GError **err)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    GByteArray *device = rewrite_device(s, dest, force, notes, err);
    StreamForm form;
    Stream *outcome;

    rewrite_form(s, dest, &form);
    outcome = device ? stream_reparse(s, &form, device, err) : NULL;
    return outcome;
}

static guint count(const Stream *s, const char *vmsd, uint32_t version)
{
    guint i, n = 0;

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        n += !strcmp(section->vmsd, vmsd) && section->part.version == version;
    }
    return n;
}

static void test_origin(void)
{
    static const struct {
        const Make *make;
        const char *who;
        const char *product;    /* NULL: more than one */
    } rows[] = {
        { &plain, "PowerKVM 3.1.1", "powerkvm-3.1.1" },
        { &open_window, "PowerKVM 3.1.1", "powerkvm-3.1.1" },
        { &unnamed, "PowerKVM 3.1 or PowerKVM 3.1.1", NULL },
        { &undescribed, "PowerKVM 3.1 or PowerKVM 3.1.1", NULL },
        { &undescribed_window, "PowerKVM 3.1 or PowerKVM 3.1.1", NULL },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        Made m = made(rows[i].make);
        g_auto(Origin) o = { 0 };

        origin_find(m.s, &o);
        g_assert_null(o.mixture);
        g_assert_cmpstr(o.who, ==, rows[i].who);
        g_assert_cmpstr(o.product ? o.product->id : NULL, ==,
                        rows[i].product);
        unmake(&m);
    }
}

static void test_there_and_back(void)
{
    static const Make *const makes[] = { &plain, &unnamed, &undescribed };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        Made m = made(makes[i]);
        g_auto(Destination) there = to("2.6"), back = to("powerkvm-3.1.1");
        g_autoptr(GError) err = NULL;
        g_autoptr(Stream) upstream = rewritten(m.s, &there, false, &err);
        g_autoptr(Stream) again = NULL;
        const StreamSection *one, *two;

        g_assert_no_error(err);
        g_assert_cmpuint(count(upstream, "spapr", 3), ==, 1);
        g_assert_cmpuint(count(upstream, "spapr_iommu", 2), ==, 1);
        g_assert_cmpuint(count(upstream, "spapr_iommu", 3), ==, 0);
        again = rewritten(upstream, &back, false, &err);
        g_assert_no_error(err);
        one = stream_section(m.s, "spapr_iommu");
        two = stream_section(again, "spapr_iommu");
        g_assert_cmpmem(m.s->device->data + one->part.start,
                        one->part.end - one->part.start,
                        again->device->data + two->part.start,
                        two->part.end - two->part.start);
        one = stream_section(m.s, "spapr");
        two = stream_section(again, "spapr");
        g_assert_cmpmem(m.s->device->data + one->part.start,
                        one->part.end - one->part.start,
                        again->device->data + two->part.start,
                        two->part.end - two->part.start);
        unmake(&m);
    }
}

/* All sections get footers, but for one that goes. */
static void test_footers(void)
{
    Made m = made(&unnamed);
    g_auto(Destination) with = to("7.2"), without = to("7.2");
    g_autoptr(GError) err = NULL;
    g_autoptr(Stream) one = NULL, two = NULL;

    g_assert_true(destination_set_machine(&with, "pseries-2.4,cap-htm=off",
                                          &err));
    one = rewritten(m.s, &with, false, &err);
    g_assert_no_error(err);
    g_assert_true(one->has_footers);
    g_assert_cmpstr(one->machine, ==, "pseries-2.4");
    g_assert_cmpuint(count(one, "spapr_iommu", 2), ==, 1);

    g_assert_true(destination_set_machine(
        &without, "pseries-2.3,cap-htm=off", &err));
    two = rewritten(one, &without, false, &err);
    g_assert_no_error(err);
    g_assert_false(two->has_footers || two->has_configuration);
    g_assert_cmpuint(one->device->len - two->device->len, ==, 5 * 4);
    unmake(&m);
}

/* Kept where there is one, else a refusal that --force does not overrule */
static void test_window(void)
{
    static const Make *const makes[] = { &open_window, &undescribed_window };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        Made m = made(makes[i]);
        g_auto(Destination) none = to("7.2"), ddw = to("7.2");
        g_auto(Destination) old = to("2.6");
        g_autoptr(GError) err = NULL;
        g_autoptr(Stream) kept = NULL;
        const StreamSection *window;
        IommuState state;

        g_assert_null(rewritten(m.s, &none, true, &err));
        g_assert_error(err, TOOL_ERROR, TOOL_ERROR_REFUSED);
        g_assert_nonnull(strstr(err->message, "second DMA window"));
        g_assert_nonnull(strstr(err->message, "ddw=on"));
        g_clear_error(&err);

        /* 2.6 ignores the option. */
        g_assert_true(destination_set_global(
            &old, "spapr-pci-host-bridge.ddw=on", &err));
        g_assert_null(rewritten(m.s, &old, true, &err));
        g_assert_error(err, TOOL_ERROR, TOOL_ERROR_REFUSED);
        g_assert_null(strstr(err->message, "ddw=on"));
        g_clear_error(&err);

        g_assert_true(destination_set_global(
            &ddw, "spapr-pci-host-bridge.ddw=on", &err));
        ddw.caps[CAP_HTM] = 0;
        kept = rewritten(m.s, &ddw, false, &err);
        g_assert_no_error(err);
        g_assert_cmpuint(count(kept, "spapr_iommu", 2), ==, 2);
        window = g_ptr_array_index(kept->sections, kept->sections->len - 2);
        g_assert_true(powerkvm_is_window(window));
        g_assert_true(powerkvm_read_iommu(kept, window, &state));
        g_assert_cmpuint(state.nb_table, ==, makes[i]->window);
        g_assert_cmphex(state.bus_offset, ==, 1ull << 59);
        g_assert_cmpuint(state.page_shift, ==, 16);
        unmake(&m);
    }
}

/* Who has spapr-pci-host-bridge.ddw, and in whom it is on by default */
static void test_ddw(void)
{
    static const struct {
        const char *to, *machine;
        bool has, by_default;
    } rows[] = {
        { "2.6", "pseries-2.6", false, false },
        { "2.7", "pseries-2.6", true, false },
        { "2.7", "pseries-2.7", true, true },
        { "7.2", "pseries-2.6", true, false },
        { "hostos-2.8", "pseries-2.6", true, false },
        { "rhel-7.3", "pseries-rhel7.2.0", true, false },
        { "rhel-7.3", "pseries-rhel7.3.0", true, true },
        { "powerkvm-3.1", "pseries-2.3", true, true },
        { "powerkvm-3.1.1", "pseries-2.6", true, true },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        Made m = made(&plain);
        g_auto(Destination) dest = to(rows[i].to);
        g_autoptr(GError) err = NULL;

        g_assert_true(destination_set_machine(&dest, rows[i].machine, &err));
        g_assert_true(judge_has_ddw(&dest) == rows[i].has);
        g_assert_true(judge_ddw(m.s, &dest) == rows[i].by_default);
        g_assert_true(destination_set_global(
            &dest, "spapr-pci-host-bridge.ddw=on", &err));
        g_assert_true(judge_ddw(m.s, &dest) == rows[i].has);
        unmake(&m);
    }
}

static void test_token(void)
{
    static const struct {
        uint32_t token;
        bool used;
    } rows[] = { { 0, false }, { 1, true }, { 2, false }, { 7, true } };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        Make make = plain;
        g_auto(Destination) dest = to("2.6");
        g_autoptr(GError) err = NULL;
        g_autoptr(Stream) kept = NULL, forced = NULL;
        Made m;

        make.token = rows[i].token;
        m = made(&make);
        kept = rewritten(m.s, &dest, false, &err);
        g_assert_true(!kept == rows[i].used);
        g_assert_true(!err || strstr(err->message, "error injection"));
        g_clear_error(&err);
        forced = rewritten(m.s, &dest, true, &err);
        g_assert_no_error(err);
        g_assert_nonnull(forced);
        unmake(&m);
    }
}

/* Upstream's version 3, where "spapr" is PowerKVM's, and the like */
static void test_mixture(void)
{
    Made m = made(&plain);
    const StreamSection *spapr = stream_section(m.s, "spapr");
    size_t at = m.s->device_at + spapr->part.version_at;
    g_auto(Destination) dest = to("7.2");
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(GError) err = NULL;
    g_auto(Origin) o = { 0 };
    Input *in;
    Stream *s;

    put_be32(m.data->data + at, 3);
    s = parse(m.data->data, m.data->len, &in, &err);
    g_assert_no_error(err);
    origin_find(s, &o);
    g_assert_nonnull(o.mixture);
    reasons = judge(s, &dest);
    g_assert_true(judge_refuses(reasons, UNPATCHED));
    g_assert_true(judge_refuses(reasons, PATCHED));
    g_assert_null(rewritten(s, &dest, true, &err));
    g_assert_error(err, TOOL_ERROR, TOOL_ERROR_REFUSED);
    stream_free(s);
    input_close(in);
    unmake(&m);
}

static void test_options(void)
{
    Made m = made(&plain);
    g_auto(Destination) dest = to("7.2");
    g_autoptr(Options) o = options_find(m.s, &dest);

    g_assert_null(o->problem);
    g_assert_cmpstr(o->machine, ==, "pseries-2.6");
    g_assert_cmpstr(o->machine_options->str, ==, ",cap-htm=off");
    g_assert_cmpuint(o->smp, ==, 1);
    g_assert_cmpuint(o->ram, ==, 0x4000);
    g_assert_cmpuint(o->globals->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(o->globals, 0), ==,
                    "spapr-pci-host-bridge.ddw=on");
    unmake(&m);
}

/* Any byte may be any other: a stream or an error, and never more. */
static void test_flipped(void)
{
    static const Make *const makes[] = { &open_window, &undescribed_window };
    size_t i, at;
    unsigned loaded = 0, refused = 0;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        g_autoptr(GByteArray) data = make_stream(makes[i]);
        size_t from = data->len > 3000 ? data->len - 3000 : 0;

        for (at = from; at < data->len; at++) {
            uint8_t was = data->data[at];
            g_autoptr(GError) err = NULL;
            Input *in;
            Stream *s;

            data->data[at] ^= 1 << at % 8;
            s = parse(data->data, data->len, &in, &err);
            if (s) {
                g_auto(Destination) dest = to("powerkvm-3.1.1");
                g_auto(Destination) other = to("7.2");
                g_autoptr(Stream) one = rewritten(s, &dest, true, NULL);
                g_autoptr(Options) o = options_find(s, &other);

                loaded++;
                stream_free(s);
            } else {
                g_assert_nonnull(err);
                refused++;
            }
            input_close(in);
            data->data[at] = was;
        }
    }
    g_assert_cmpuint(loaded, >, 100);
    g_assert_cmpuint(refused, >, 100);
}

static void test_names(void)
{
    const Product *p = NULL;
    MachineForm form;
    Destination dest;
    g_autoptr(GError) err = NULL;
    unsigned n = 0;

    while ((p = product_next(p))) {
        g_assert_true(product_parse(p->id, NULL) == p);
        n++;
    }
    g_assert_cmpuint(n, >, 10);
    g_assert_null(product_parse("rhel-7", &err));
    g_assert_error(err, TOOL_ERROR, TOOL_ERROR_USAGE);
    g_clear_error(&err);
    g_assert_false(destination_parse_to(&dest, "ubuntu-bionic", &err));
    g_assert_error(err, TOOL_ERROR, TOOL_ERROR_USAGE);

    p = product_parse("rhel-7.3", NULL);
    g_assert_true(product_machine(p, "pseries-rhel7.3.0", &form));
    g_assert_cmpstr(form.like, ==, "pseries-2.6");
    g_assert_true(form.ddw && form.modern && !form.page_per_vq);
    g_assert_false(product_machine(p, "pseries-2.6", &form));
    p = product_parse("powerkvm-3.1", NULL);
    g_assert_true(product_machine(p, "pseries-2.4", &form));
    g_assert_false(form.configuration || form.footers);
    g_assert_false(product_machine(p, "pseries-2.6", &form));
    p = product_parse("ubuntu-bionic", NULL);
    g_assert_true(product_machine(p, "pseries-yakkety", &form));
    g_assert_cmpstr(form.like, ==, "pseries-2.6");
    g_assert_true(form.ddw);
    p = product_parse("ubuntu-xenial", NULL);
    g_assert_false(product_machine(p, "pseries-yakkety", &form));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/products/names", test_names);
    g_test_add_func("/products/origin", test_origin);
    g_test_add_func("/products/there-and-back", test_there_and_back);
    g_test_add_func("/products/footers", test_footers);
    g_test_add_func("/products/window", test_window);
    g_test_add_func("/products/ddw", test_ddw);
    g_test_add_func("/products/token", test_token);
    g_test_add_func("/products/mixture", test_mixture);
    g_test_add_func("/products/options", test_options);
    g_test_add_func("/products/flipped", test_flipped);
    return g_test_run();
}
