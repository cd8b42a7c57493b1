/*
 * Unit test of ppc-insns: what streams are kept in, and rewriting them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "stream-maker.h"
#include "../../tools/container.h"
#include "../../tools/rewrite.h"

static const Make plain = { .machine = "pseries-2.6" };

/* ---- what a stream is kept in ----- */

static GByteArray *libvirt_file(const char *magic, uint32_t version,
                                uint32_t xml, uint32_t compression,
                                const GByteArray *stream)
{
    GByteArray *b = g_byte_array_new();
    uint32_t words[19] = { version, xml, 1, compression };
    size_t i;

    g_byte_array_append(b, (const guint8 *)magic, 16);
    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        uint32_t word = GUINT32_TO_LE(words[i]);

        g_byte_array_append(b, (const guint8 *)&word, 4);
    }
    for (i = 0; i < MIN(xml, 100); i++) {
        byte(b, 'x');
    }
    g_byte_array_append(b, stream->data, stream->len);
    return b;
}

static void test_libvirt(void)
{
    static const struct {
        const char *magic;
        uint32_t version, xml, compression;
        const char *expected;       /* NULL: it can be read */
    } rows[] = {
        { "LibvirtQemudSave", 2, 100, 0, NULL },
        { "LibvirtQemudPart", 1, 0, 0, NULL },
        { "LibvirtQemudSave", 3, 100, 0, "version 3" },
        { "LibvirtQemudSave", 2, 1u << 30, 0, "larger than any" },
        { "LibvirtQemudSave", 2, 100, 9, "kind 9 of compression" },
        { "LibvirtQemudSave", 2, 10000000, 0, "in the domain's XML" },
    };
    g_autoptr(GByteArray) stream = make_stream(&plain);
    size_t i, len;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) b = libvirt_file(
            rows[i].magic, rows[i].version, rows[i].xml, rows[i].compression,
            stream);
        g_autoptr(GError) err = NULL;
        Container *c = container_memory(b->data, b->len, EXPAND_LIMIT, &err);
        g_autoptr(Stream) s = NULL;
        g_autoptr(GBytes) header = NULL;

        if (rows[i].expected) {
            g_assert_null(c);
            g_assert_nonnull(strstr(err->message, rows[i].expected));
            continue;
        }
        g_assert_no_error(err);
        s = stream_new(c->in);
        g_assert_true(stream_read(s, &err));
        header = container_header(c);
        g_assert_cmpuint(g_bytes_get_size(header), ==, 92 + rows[i].xml);
        g_assert_cmpmem(g_bytes_get_data(header, NULL), 16,
                        "LibvirtQemudSave", 16);
        g_assert_true(c->unfinished == (i == 1));
        g_clear_pointer(&s, stream_free);
        container_close(c);
    }

    /* Cut off in the header, or right behind it */
    for (len = 16; len < 200; len++) {
        g_autoptr(GByteArray) b = libvirt_file("LibvirtQemudSave", 2, 100, 0,
                                               stream);
        g_autofree uint8_t *copy = g_memdup2(b->data, len);
        g_autoptr(GError) err = NULL;
        Container *c = container_memory(copy, len, EXPAND_LIMIT, &err);

        if (c) {
            g_autoptr(Stream) s = stream_new(c->in);

            g_assert_cmpuint(len, >=, 192);
            g_assert_false(stream_read(s, &err));
        }
        g_assert_nonnull(err);
        container_close(c);
    }
}

/* ---- releases ----- */

static void test_targets(void)
{
    static const struct {
        const char *text;
        const char *name;       /* NULL: no release */
    } rows[] = {
        { "2.6", "2.6" }, { "2.6.2", "2.6" }, { "2.7", "2.7.0" },
        { "2.7.0", "2.7.0" }, { "2.7.1", "2.7.1" }, { "2.11", "2.11.0" },
        { "2.11.2", "2.11.1" }, { "7.2.22", "7.2" }, { "10.0", "10.0" },
        { "11.3", "11.3" }, { "2.0", NULL }, { "", NULL }, { "x", NULL },
        { "2", NULL }, { "2.7.1.1", NULL }, { "2.-7", NULL }, { "5.3", NULL },
    };
    Target t = { 0 }, last = { 0 };
    size_t i, n = 0;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        bool ok = target_parse(rows[i].text, &t, &err);
        g_autofree char *name = ok ? target_name(t) : NULL;

        g_assert_cmpstr(name, ==, rows[i].name);
        g_assert_true(ok == !err);
    }
    for (t = (Target) { 0 }; target_next(&t); last = t, n++) {
        g_assert_cmpuint(target_key(t), >, target_key(last));
    }
    g_assert_cmpuint(last.release, >=, R(10, 0));
    g_assert_cmpuint(n, >, 30);

    g_assert_cmpint(model_family("POWER5+_v2.1"), ==, PPC_FAMILY_POWER5P);
    g_assert_cmpint(model_family("power8nvl"), ==, PPC_FAMILY_POWER8);
    g_assert_cmpint(model_family("POWER10"), ==, PPC_FAMILY_POWER10);
    g_assert_cmpint(model_family("970mp"), ==, PPC_FAMILY_970);
    g_assert_cmpint(model_family("970fx"), ==, PPC_FAMILY_NONE);
    g_assert_cmpint(model_family("host"), ==, PPC_FAMILY_NONE);
    g_assert_cmpuint(machine_release("pseries-2.12-sxxm"), ==, R(2, 12));
    g_assert_cmpuint(machine_release("pc-i440fx-2.6"), ==, 0);
}

/* What no guest loses stays out of refusals. */
static void test_losses(void)
{
    PPCInsns at_2_6 = ppc_insns_at(PPC_FAMILY_POWER7, R(2, 6));
    PPCInsns at_2_7 = ppc_insns_at(PPC_FAMILY_POWER7, R(2, 7));
    PPCInsns at_7_2 = ppc_insns_at(PPC_FAMILY_POWER7, R(7, 2));
    g_autofree char *a = ppc_insns_names(groups_a_guest_can_lose(
        ppc_insns_minus(at_2_7, at_2_6)));
    g_autofree char *b = ppc_insns_names(groups_a_guest_can_lose(
        ppc_insns_minus(at_7_2, at_2_7)));

    g_assert_cmpstr(a, ==, "PPC_64BX");
    g_assert_cmpstr(b, ==, "PPC2_BCDA_ISA206");
}

/* ---- rewriting ----- */

/* What becomes of @make for @to; the error's message if it is refused */
static char *rewritten(const Make *make, const Destination *dest, bool force,
                       GByteArray **out)
{
    g_autoptr(GByteArray) b = make_stream(make);
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) err = NULL;
    Input *in;
    Stream *s = parse(b->data, b->len, &in, &err);
    GByteArray *device;

    g_assert_no_error(err);
    device = rewrite_device(s, dest, force, notes, &err);
    if (device && out) {
        *out = g_byte_array_new();
        g_byte_array_append(*out, b->data, s->device_at);
        g_byte_array_append(*out, device->data, device->len);
    }
    g_clear_pointer(&device, g_byte_array_unref);
    stream_free(s);
    input_close(in);
    return err ? g_strdup(err->message) : NULL;
}

/* It is as its vmdescription says, without a single note. */
static void check_described(const uint8_t *data, size_t len)
{
    g_autoptr(GError) err = NULL;
    Input *in;
    Stream *s = parse(data, len, &in, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(s->notes->len, ==, 0);
    stream_free(s);
    input_close(in);
}

static void test_rewrite(void)
{
    Destination to_2_6 = to_release(2, 6), to_2_7 = to_release(2, 7);
    Destination to_7_2 = to_release(7, 2), to_7_2_kvm = to_release(7, 2);
    Destination to_p7 = to_release(2, 6), to_2_5 = to_release(2, 5);
    Make htm = plain, htm_on = plain, odd = plain;
    GByteArray *there, *back;
    g_autoptr(GByteArray) same = make_stream(&plain);
    g_autofree char *lost = NULL, *older = NULL, *on = NULL, *none = NULL;

    to_7_2_kvm.kvm = true;
    to_p7.model = "POWER7";

    /* To itself nothing changes; there and back again, neither. */
    g_assert_null(rewritten(&plain, &to_2_6, false, &there));
    g_assert_cmpmem(there->data, there->len, same->data, same->len);
    g_byte_array_unref(there);

    g_assert_null(rewritten(&plain, &to_2_7, false, &there));
    g_assert_cmpuint(there->len, ==, same->len);
    g_byte_array_unref(there);

    /* "off" is put in where TCG needs it, and taken out where none knows it */
    htm.htm = 1;
    g_assert_null(rewritten(&plain, &to_7_2, false, &there));
    /* The vmdescription is one sentence longer, too. */
    g_assert_cmpuint(there->len, >, same->len + 2 + 13 + 4 + 1);
    check_described(there->data, there->len);
    g_assert_null(rewritten(&htm, &to_2_6, false, &back));
    g_assert_cmpuint(back->len, <, there->len);
    check_described(back->data, back->len);
    g_byte_array_unref(back);
    g_byte_array_unref(there);
    g_assert_null(rewritten(&plain, &to_7_2_kvm, false, &there));
    g_assert_cmpuint(there->len, ==, same->len);
    g_byte_array_unref(there);

    htm_on.htm = 2;
    on = rewritten(&htm_on, &to_2_6, false, NULL);
    g_assert_nonnull(strstr(on, "cap-htm is on"));

    lost = rewritten(&plain, &to_p7, false, NULL);
    g_assert_nonnull(strstr(lost, "PPC2_BCTAR_ISA207"));
    g_assert_null(rewritten(&plain, &to_p7, true, &there));
    g_byte_array_unref(there);

    older = rewritten(&plain, &to_2_5, false, NULL);
    g_assert_nonnull(strstr(older, "has no pseries-2.6"));

    odd.pvr = 0x00330100;
    none = rewritten(&odd, &to_2_6, false, NULL);
    g_assert_nonnull(strstr(none, "of no family"));
}

/* Version 3 of spapr_iommu, without a vmdescription and with one */
static void test_rewrite_iommu(void)
{
    Destination to_2_6 = to_release(2, 6), to_7_2 = to_release(7, 2);
    Make two = { .machine = "pseries-2.6", .no_vmdesc = true };
    Make three = two;
    g_autoptr(GByteArray) want = make_stream(&two);
    g_autoptr(GByteArray) as_is = NULL;
    GByteArray *out;

    to_7_2.kvm = true;
    three.iommu_version = 3;
    as_is = make_stream(&three);
    g_assert_null(rewritten(&three, &to_2_6, false, &out));
    g_assert_cmpmem(out->data, out->len, want->data, want->len);
    g_byte_array_unref(out);
    g_assert_null(rewritten(&three, &to_7_2, false, &out));
    g_assert_cmpuint(out->len, ==, as_is->len);
    g_byte_array_unref(out);
    three.no_vmdesc = false;
    g_assert_null(rewritten(&three, &to_2_6, false, &out));
    check_described(out->data, out->len);
    g_byte_array_unref(out);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/container/libvirt", test_libvirt);
    g_test_add_func("/releases/parse", test_targets);
    g_test_add_func("/releases/losses", test_losses);
    g_test_add_func("/rewrite/device", test_rewrite);
    g_test_add_func("/rewrite/iommu", test_rewrite_iommu);
    return g_test_run();
}
