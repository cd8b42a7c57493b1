/*
 * Unit test of ppc-insns: the facts about releases, and check's verdicts
 *
 * What QEMU 7.2 does is asked of it by tests/tools/test_check_qemu.py; here is
 * what other releases were seen to do, or what their sources say.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "stream-maker.h"
#include "../../tools/judge.h"
#include "../../tools/sections.h"

static Target target(const char *text)
{
    Target t;

    g_assert_true(target_parse(text, &t, NULL));
    return t;
}

/* ---- facts ----- */

static void test_models(void)
{
    static const struct {
        const char *model, *release;
        uint32_t pvr;
    } rows[] = {
        { "POWER8", "2.5", 0x004d0100 }, { "POWER8", "2.6", 0x004d0200 },
        { "power8nvl", "2.5", 0 }, { "power8nvl", "2.6", 0x004c0100 },
        { "POWER9", "2.7.1", 0 }, { "POWER9", "2.10", 0x004e0100 },
        { "POWER9", "2.11", 0x004e1200 }, { "POWER9", "8.0", 0x004e1200 },
        { "POWER9", "8.1", 0x004e1202 }, { "POWER9_v2.0", "9.1", 0x004e1200 },
        { "POWER10", "6.1", 0x00800100 }, { "POWER10", "7.2", 0x00800200 },
        { "POWER8E", "11.1", 0 }, { "970fx", "7.2", 0 }, { "G4", "7.2", 0 },
    };
    static const struct {
        uint32_t from, to;
        const char *release;
        bool matches;
    } pairs[] = {
        { 0x004d0200, 0x004d0100, "7.2", true },        /* POWER8 v1.0 */
        { 0x004d0200, 0x004b0201, "7.0", true },        /* POWER8E */
        { 0x004d0200, 0x004b0201, "7.1", false },
        { 0x003f0203, 0x004a0201, "2.12", true },       /* POWER7+ */
        { 0x003f0203, 0x004a0201, "8.2", false },
        { 0x003f0203, 0x004d0200, "2.12", false },
        { 0x004e0100, 0x004e1200, "7.0", true },        /* POWER9 */
        { 0x004e0100, 0x004e1200, "7.2", false },
        { 0x004e1200, 0x004e1202, "8.0", true },
        { 0x004e1200, 0x004e1202, "8.1", false },
        { 0x004e1203, 0x004e1202, "8.1", true },
        { 0x00390202, 0x00440101, "7.0", false },       /* 970, 970MP */
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmphex(model_pvr(rows[i].model, target(rows[i].release)), ==,
                        rows[i].pvr);
    }
    for (i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_assert_true(pvr_matches(pairs[i].from, pairs[i].to,
                                  target(pairs[i].release)) ==
                      pairs[i].matches);
    }
    g_assert_true(mode_suits(MODE_POWER8, PPC_FAMILY_POWER9, target("2.10")));
    g_assert_false(mode_suits(MODE_POWER8, PPC_FAMILY_POWER7, target("7.2")));
    g_assert_false(mode_suits(MODE_POWER10, PPC_FAMILY_POWER10,
                              target("4.2")));
}

static void test_machines(void)
{
    g_assert_cmphex(machine_release("pseries-2.12-sxxm"), ==, R(2, 12));
    g_assert_cmphex(machine_release("pseries-2.6-foo"), ==, 0);
    g_assert_cmphex(machine_release("pseries-2.6-sxxm"), ==, 0);
    g_assert_cmphex(machine_release("pseries-rhel7.3.0"), ==, 0);
    g_assert_cmphex(machine_release("pseries-2.0"), ==, 0);
    g_assert_cmphex(machine_release("pseries-2."), ==, 0);
    g_assert_cmphex(machine_release("pc-i440fx-2.6"), ==, 0);
    g_assert_true(machine_exists(R(2, 6), target("9.1")));
    g_assert_false(machine_exists(R(2, 12), target("9.2")));
    g_assert_false(machine_exists(R(4, 2), target("11.1")));
    g_assert_cmpint(capability_parse(CAP_HPT, "64k"), ==, 16);
    g_assert_cmpint(capability_parse(CAP_HPT, "0x1000000"), ==, 24);
    g_assert_cmpint(capability_parse(CAP_HPT, "3k"), ==, -1);
    g_assert_cmpint(capability_parse(CAP_HPT, ""), ==, -1);
    g_assert_cmpint(capability_parse(CAP_IBS, "fixed-ccd"), ==, 3);
    g_assert_cmpint(capability_parse(CAP_HTM, "maybe"), ==, -1);
}

static void test_sections(void)
{
    static const struct {
        const char *vmsd;
        uint32_t version;
        const char *release;
        SectionVerdict verdict;
    } rows[] = {
        { "cpu/slb", 1, "9.1", SECTION_ACCEPTED },
        { "cpu/slb", 2, "9.1", SECTION_TOO_NEW },
        { "cpu/slb", 2, "9.2", SECTION_ACCEPTED },
        { "spapr_iommu", 3, "7.0", SECTION_TOO_NEW },
        { "spapr_iommu", 3, "7.1", SECTION_ACCEPTED },
        { "spapr_iommu", 1, "2.6", SECTION_TOO_OLD },
        { "spapr", 4, "7.2", SECTION_TOO_NEW },         /* PowerKVM's */
        { "virtio-blk", 2, "2.6", SECTION_ACCEPTED },
        { "virtio-blk", 1, "2.7.0", SECTION_TOO_OLD },
        { "e1000e", 1, "2.6", SECTION_LATER },
        { "block", 1, "9.1", SECTION_WENT },
        { "spapr/cap/htm", 1, "2.11.0", SECTION_LATER },
        { "spapr/cap/htm", 1, "2.11.1", SECTION_ACCEPTED },
        { "nothing", 1, "7.2", SECTION_UNKNOWN },
    };
    unsigned since;
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpint(section_judge(rows[i].vmsd, rows[i].version,
                                      target(rows[i].release), &since), ==,
                        rows[i].verdict);
    }
    section_judge("spapr_iommu", 3, target("2.6"), &since);
    g_assert_cmphex(since, ==, RELEASE_KEY(7, 1, 0));
}

static void test_options(void)
{
    static const struct {
        bool (*set)(Destination *dest, const char *arg, GError **errp);
        const char *arg;
        bool good;
        const char *ignored;
    } rows[] = {
        { destination_set_machine, "pseries-2.6,cap-htm=off", true, NULL },
        { destination_set_machine, "type=pseries-2.6,vsmt=1", true, NULL },
        { destination_set_machine, "pseries-2.6,usb=off", true, "usb=off" },
        { destination_set_machine, "pseries-2.6,cap-htm=2", false, NULL },
        { destination_set_machine, "pseries-2.6,cap-x=on", false, NULL },
        { destination_set_machine, "pseries-2.6,vsmt=x", false, NULL },
        { destination_set_machine, "pseries,max-cpu-compat=p8", false, NULL },
        { destination_set_machine, "pseries,ic-mode=none", false, NULL },
        { destination_set_cpu, "POWER8,insns-compat=none", true, NULL },
        { destination_set_cpu, "POWER8,insns-compat=x", false, NULL },
        { destination_set_cpu, "POWER8,pmu=on", true, "pmu=on" },
        { destination_set_global, "spapr-pci-host-bridge.ddw=on", true, NULL },
        { destination_set_global, "spapr-pci-host-bridge.ddw=x", false, NULL },
        { destination_set_global, "virtio-pci.x=y", true, "virtio-pci.x=y" },
        { destination_set_global, "nothing", false, NULL },
        { destination_set_like, "pseries-2.6", true, NULL },
        { destination_set_like, "pseries-rhel7.3.0", false, NULL },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Destination) dest = { 0 };
        g_autoptr(GError) err = NULL;

        destination_init(&dest, target("7.2"));
        g_assert_true(rows[i].set(&dest, rows[i].arg, &err) == rows[i].good);
        g_assert_true(rows[i].good == !err);
        g_assert_cmpstr(dest.ignored, ==, rows[i].ignored);
    }
}

/* ---- verdicts ----- */

/* What must be so of a stream, and of each of the two QEMUs */
typedef struct Case {
    const char *name;
    Make make;
    const char *to, *machine, *cpu, *global, *like;
    bool kvm;
    int unpatched, patched;     /* 1: yes; 0: no; -1: not looked at */
    const char *says;           /* in a reason or its advice */
} Case;

static const Case cases[] = {
    { .name = "compress", .make = { .machine = "pseries-2.6" }, .to = "2.7.1",
      .unpatched = 1, .patched = 1, .says = "capability compress" },
    { .name = "compress-gone", .make = { .machine = "pseries-2.6" },
      .to = "9.1", .unpatched = 0, .patched = 0,
      .says = "without the capability compress" },
    { .name = "ignore-shared", .make = { .machine = "pseries-2.6",
      .capability = "x-ignore-shared" }, .to = "4.0", .kvm = true,
      .unpatched = 1, .patched = 1, .says = "x-ignore-shared" },
    { .name = "ignore-shared-early", .make = { .machine = "pseries-2.6",
      .capability = "x-ignore-shared" }, .to = "2.12", .kvm = true,
      .unpatched = 0, .patched = 0, .says = "configuration/capabilities" },
    { .name = "later-device", .make = { .machine = "pseries-2.6",
      .section = "e1000e" }, .to = "2.6", .unpatched = 0, .patched = 0,
      .says = "which came with 2.7" },
    { .name = "no-such-section", .make = { .machine = "pseries-2.6",
      .section = "foo" }, .to = "2.6", .unpatched = 1, .patched = 1,
      .says = "not judged" },
    { .name = "old-style", .make = { .machine = "pseries-2.6",
      .old_style = "virtio-blk", .old_size = 8 }, .to = "2.6",
      .unpatched = 1, .patched = 1, .says = "same devices" },
    { .name = "rom", .make = { .machine = "pseries-2.6",
      .rom = "pci@1:00.0/e1000.rom" }, .to = "2.6", .unpatched = 1,
      .patched = 1, .says = "e1000.rom of 4 KiB" },
    { .name = "made-up", .make = { .machine = "pseries-2.6-foo" },
      .to = "2.6", .unpatched = 0, .patched = 0, .says = "--like" },
    { .name = "like", .make = { .machine = "pseries-rhel7.3.0" },
      .like = "pseries-2.6", .to = "2.7.1", .unpatched = 1, .patched = 1,
      .says = "like pseries-2.6" },
    { .name = "970-into-9.1", .make = { .machine = "pseries-2.6",
      .pvr = 0x00390202 }, .to = "9.1", .unpatched = 0, .patched = 0,
      .says = "970 guest" },
    { .name = "power8e-7.0", .make = { .machine = "pseries-2.6",
      .pvr = 0x004d0200, .htm = 1 }, .cpu = "POWER8E", .to = "7.0",
      .unpatched = 1, .patched = 1 },
    { .name = "power8e-7.2", .make = { .machine = "pseries-2.6", .htm = 1 },
      .cpu = "POWER8E", .to = "7.2", .unpatched = 0, .patched = 0,
      .says = "models must match" },
    { .name = "power9-in-mode", .make = { .machine = "pseries-2.6",
      .htm = 1 }, .cpu = "POWER9", .to = "7.2",
      .machine = "pseries-2.6,cap-htm=off,max-cpu-compat=power8",
      .unpatched = 1, .patched = 1 },
    { .name = "max-cpu-compat-early", .make = { .machine = "pseries-2.6" },
      .to = "2.9", .machine = "pseries-2.6,max-cpu-compat=power8",
      .unpatched = 0, .patched = 0, .says = "came with 2.10" },
    { .name = "cap-early", .make = { .machine = "pseries-2.6" }, .to = "2.6",
      .machine = "pseries-2.6,cap-htm=off", .unpatched = 0, .patched = 0,
      .says = "2.6 has no cap-htm" },
    { .name = "kvm-without-htm", .make = { .machine = "pseries-2.6" },
      .to = "7.2", .kvm = true, .unpatched = 1, .patched = 1,
      .says = "a KVM host without transactional memory" },
    { .name = "kvm-htm-off", .make = { .machine = "pseries-2.6" },
      .to = "7.2", .kvm = true, .machine = "pseries-2.6,cap-htm=off",
      .unpatched = 0, .patched = 1, .says = "ppc-insns rewrite" },
    { .name = "kvm-htm-off-4.0", .make = { .machine = "pseries-2.6" },
      .to = "4.0", .kvm = true, .machine = "pseries-2.6,cap-htm=off",
      .unpatched = 0, .patched = 0, .says = "ppc-insns rewrite" },
    { .name = "kvm-asks", .make = { .machine = "pseries-2.6" },
      .to = "7.2", .kvm = true, .unpatched = 1, .patched = 1,
      .says = "only you can know whether the guest uses it" },
    { .name = "kvm-transaction", .make = { .machine = "pseries-2.6",
      .in_transaction = true }, .to = "7.2", .kvm = true, .unpatched = 0, .patched = 1,
      .says = "over other state" },
    { .name = "kvm-transaction-htm-off", .make = { .machine = "pseries-2.6",
      .in_transaction = true }, .to = "7.2", .kvm = true,
      .machine = "pseries-2.6,cap-htm=off", .unpatched = 0, .patched = 0,
      .says = "is in a transaction on CPU 0" },
    { .name = "tcg-transaction", .make = { .machine = "pseries-2.6",
      .in_transaction = true }, .to = "3.1", .unpatched = 0, .patched = 1,
      .says = "no transactional memory here" },
    { .name = "footers", .make = { .machine = "pseries-2.6",
      .no_footers = true }, .to = "2.7.1", .unpatched = 0, .patched = 0,
      .says = "send-section-footer=off" },
    { .name = "footers-off", .make = { .machine = "pseries-2.6",
      .no_footers = true }, .to = "2.7.1", .unpatched = 1, .patched = 1,
      .global = "migration.send-section-footer=off" },
    { .name = "gone", .make = { .machine = "pseries-2.6" }, .to = "10.0",
      .unpatched = 0, .patched = -1, .says = "gone since 9.2" },
};

static void test_case(gconstpointer opaque)
{
    const Case *c = opaque;
    g_autoptr(GByteArray) b = make_stream(&c->make);
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(GError) err = NULL;
    g_auto(Destination) dest = { 0 };
    Input *in = input_memory(b->data, b->len);
    Stream *s = stream_new(in);
    GString *all = g_string_new(NULL);
    guint i;

    destination_init(&dest, target(c->to));
    g_assert_true(!c->machine ||
                  destination_set_machine(&dest, c->machine, &err));
    g_assert_true(!c->cpu || destination_set_cpu(&dest, c->cpu, &err));
    g_assert_true(!c->global ||
                  destination_set_global(&dest, c->global, &err));
    g_assert_true(!c->like || destination_set_like(&dest, c->like, &err));
    dest.kvm = c->kvm;
    stream_read(s, &err);
    g_assert_no_error(err);
    reasons = judge(s, &dest);
    for (i = 0; i < reasons->len; i++) {
        const Reason *r = g_ptr_array_index(reasons, i);

        g_string_append_printf(all, "%s %u: %s; try: %s\n",
                               r->refuses ? "refuses" : "note", r->who,
                               r->what, r->advice ? r->advice : "");
    }
    if ((c->says && !strstr(all->str, c->says)) ||
        judge_refuses(reasons, UNPATCHED) != !c->unpatched ||
        (c->patched >= 0 &&
         judge_refuses(reasons, PATCHED) != !c->patched)) {
        g_error("%s: '%s' was expected of\n%s", c->name,
                c->says ? c->says : "", all->str);
    }
    g_string_free(all, true);
    stream_free(s);
    input_close(in);
}

int main(int argc, char **argv)
{
    size_t i;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/facts/models", test_models);
    g_test_add_func("/facts/machines", test_machines);
    g_test_add_func("/facts/sections", test_sections);
    g_test_add_func("/facts/options", test_options);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/judge/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
