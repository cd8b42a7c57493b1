/*
 * Unit test of ppc-insns: reading streams
 *
 * Most of it works on a small stream that is made here, so that every byte of
 * it can be cut off or changed.  With a file in PPC_INSNS_STREAM (a recorded
 * stream, uncompressed), its device state is changed byte by byte, too.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <unistd.h>
#include "../../tools/tool-error.h"
#include "../../tools/rewrite.h"
#include "stream-maker.h"

static const Make plain = { .machine = "pseries-2.6" };

/*
 * Reads what may be damaged, and if @use, does with it what can be done.
 * Whatever is wrong must be said with its place.
 */
static bool survive(const uint8_t *data, size_t len, bool use)
{
    Destination dests[] = { to_release(2, 6), to_release(7, 2) };
    GError *err = NULL;
    Input *in;
    Stream *s = parse(data, len, &in, &err);
    size_t i;

    if (!s) {
        g_assert_nonnull(err);
        g_assert_nonnull(strstr(err->message, "at offset 0x"));
        g_error_free(err);
        input_close(in);
        return false;
    }
    for (i = 0; use && i < G_N_ELEMENTS(dests); i++) {
        g_autoptr(GPtrArray) reasons = judge(s, &dests[i]);
        g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GByteArray) out = rewrite_device(s, &dests[i], i, notes,
                                                   &err);

        g_assert_true(reasons && (out || err));
        g_clear_error(&err);
    }
    stream_free(s);
    input_close(in);
    return true;
}

/* ---- what is right -----*/

static void test_plain(void)
{
    static const Make makes[] = {
        { .machine = "pseries-2.6" },
        { .no_footers = true },
        { .no_footers = true, .no_vmdesc = true },
        { .machine = "pseries-2.3", .no_footers = true },
        { .machine = "pseries-2.6", .no_vmdesc = true },
        { .machine = "pseries-2.6", .command = 2 },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        g_autoptr(GByteArray) b = make_stream(&makes[i]);
        g_autoptr(GError) err = NULL;
        Input *in;
        Stream *s = parse(b->data, b->len, &in, &err);
        const StreamCpu *cpu;
        g_autofree char *list = NULL;

        g_assert_no_error(err);
        g_assert_cmpstr(s->machine, ==, makes[i].machine);
        g_assert_true(stream_is_pseries(s));
        g_assert_cmpint(s->has_footers, ==, !makes[i].no_footers);
        g_assert_cmpint(s->has_vmdesc, ==, !makes[i].no_vmdesc);
        g_assert_cmpuint(s->blocks->len, ==, 2);
        g_assert_cmpuint(s->pages_full, ==, 1);
        g_assert_cmpuint(s->pages_zero, ==, 2);
        g_assert_cmpuint(s->pages_xbzrle, ==, 1);
        g_assert_cmpuint(s->pages_compressed, ==, 1);
        g_assert_cmpuint(s->sections->len, ==, 6);
        g_assert_cmpuint(s->trailing, ==, 0);
        g_assert_cmpuint(s->notes->len, ==, 0);
        g_assert_cmpuint(s->cpus->len, ==, 1);
        cpu = &g_array_index(s->cpus, StreamCpu, 0);
        g_assert_cmphex(cpu->pvr, ==, 0x004d0200);
        g_assert_true(cpu->has_words);
        g_assert_nonnull(stream_subsection(&cpu->section->part, "cpu/vsx"));
        list = origin_of_words(s, PPC_FAMILY_POWER8, &cpu->words);
        g_assert_nonnull(list);
        if (makes[i].machine && !makes[i].no_vmdesc) {
            g_assert_true(g_str_has_suffix(list, "2.6"));
        }
        stream_free(s);
        input_close(in);
    }
}

/* Through a pipe, a few bytes at a time: RAM passes, the rest is held. */
static bool collect(void *opaque, const uint8_t *data, size_t len,
                    GError **errp)
{
    (void)errp;
    g_byte_array_append(opaque, data, len);
    return true;
}

static gpointer feed(gpointer opaque)
{
    int *fd = ((void **)opaque)[0];
    GByteArray *b = ((void **)opaque)[1];
    size_t at, n;

    for (at = 0; at < b->len; at += n) {
        n = MIN(1 + at % 7, b->len - at);
        g_assert_cmpint(write(*fd, b->data + at, n), ==, n);
    }
    close(*fd);
    return NULL;
}

static void test_pipe(void)
{
    g_autoptr(GByteArray) b = make_stream(&plain);
    g_autoptr(GByteArray) passed = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    int fds[2];
    void *args[2] = { &fds[1], b };
    GThread *thread;
    g_autofree char *path = NULL;
    Input *in;
    Stream *s;

    g_assert_cmpint(pipe(fds), ==, 0);
    thread = g_thread_new("feed", feed, args);
    path = g_strdup_printf("/dev/fd/%d", fds[0]);
    in = input_open(path, true, &err);
    g_assert_no_error(err);
    in->pass = collect;
    in->opaque = passed;
    s = stream_new(in);
    g_assert_true(stream_read(s, &err));
    g_assert_no_error(err);
    g_thread_join(thread);
    g_assert_cmpuint(passed->len, ==, s->device_at);
    g_byte_array_append(passed, s->device->data, s->device->len);
    g_assert_cmpmem(passed->data, passed->len, b->data, b->len);
    stream_free(s);
    input_close(in);
    close(fds[0]);
}

/* ---- what is wrong ----- */

static void test_truncated(void)
{
    static const Make makes[] = {
        { .machine = "pseries-2.6" },
        { .no_footers = true, .no_vmdesc = true },
    };
    size_t i, len;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        g_autoptr(GByteArray) b = make_stream(&makes[i]);
        g_autofree char *vmdesc = make_vmdesc(&makes[i]);

        for (len = 0; len < b->len; len++) {
            /* A copy, so that the sanitizer sees a step beyond its end */
            g_autofree uint8_t *copy = g_memdup2(b->data, len);
            bool whole = survive(copy, len, true);

            /* Without a vmdescription it is one all the same. */
            g_assert_true(!whole || len == b->len - 5 - strlen(vmdesc));
        }
    }
}

static void test_flipped(void)
{
    static const Make makes[] = {
        { .machine = "pseries-2.6", .htm = 1, },
        { .no_footers = true, .no_vmdesc = true, .iommu_version = 3 },
    };
    size_t i, at;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        g_autoptr(GByteArray) b = make_stream(&makes[i]);

        for (at = 0; at < b->len; at++) {
            uint8_t flip = at % 2 ? 0xff : 1 << at / 2 % 8;

            b->data[at] ^= flip;
            survive(b->data, b->len, at % 5 == 0);
            b->data[at] ^= flip;
        }
    }
}

static bool in_long_field(const StreamPart *part, size_t at)
{
    guint i;

    for (i = 0; i < part->fields->len; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        if (f->size > 1024 && at >= f->offset && at < f->offset + f->size) {
            return at % (f->size < 20000 ? 31 : 9973);
        }
    }
    return false;
}

static void test_recorded_flipped(void)
{
    StreamForm form;
    const char *path = g_getenv("PPC_INSNS_STREAM");
    g_autoptr(GError) err = NULL;
    g_autofree char *data = NULL;
    size_t len, at, tried = 0, wrong = 0;
    Input *in;
    Stream *s;
    guint i = 0;

    g_file_get_contents(path, &data, &len, &err);
    g_assert_no_error(err);
    s = parse((uint8_t *)data, len, &in, &err);
    g_assert_no_error(err);
    while (i < s->sections->len &&
           ((StreamSection *)g_ptr_array_index(s->sections, i))->pieces) {
        i++;
    }
    form = (StreamForm) { s->has_configuration, s->machine, s->has_footers };
    for (at = 0; at < s->device->len; at++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        GByteArray *copy;
        Stream *other;

        while (at >= section->part.end && i + 1 < s->sections->len) {
            section = g_ptr_array_index(s->sections, ++i);
        }
        /* In a long array one byte is like another. */
        if (in_long_field(&section->part, at)) {
            continue;
        }
        copy = g_byte_array_new();
        g_byte_array_append(copy, s->device->data, s->device->len);
        copy->data[at] ^= 1 << at % 8;
        other = stream_reparse(s, &form, copy, &err);
        if (other) {
            stream_free(other);
        } else {
            g_assert_nonnull(strstr(err->message, "at offset 0x"));
            g_clear_error(&err);
            wrong++;
        }
        tried++;
    }
    g_test_message("%zu bytes changed, %zu were noticed", tried, wrong);
    g_assert_cmpuint(wrong, >, 0);
    stream_free(s);
    input_close(in);
}

static const struct {
    const char *name;
    Make make;
    const char *expected;
} wrong[] = {
    { "capability", { .machine = "pseries-2.6", .capability = "multifd" },
      "migration capability 'multifd'" },
    { "mapped-ram", { .machine = "pseries-2.6", .capability = "mapped-ram" },
      "migration capability 'mapped-ram'" },
    { "machine-name", { .machine = "pseries-2.6\n" }, "not a machine's name" },
    { "postcopy", { .machine = "pseries-2.6", .command = 3 },
      "POSTCOPY_ADVISE" },
    { "packaged", { .machine = "pseries-2.6", .command = 7 }, "PACKAGED" },
    { "multifd", { .machine = "pseries-2.6", .ram_flags = 0x200 },
      "multifd" },
    { "rdma", { .machine = "pseries-2.6", .ram_flags = 0x80 }, "RDMA" },
    { "ram-flags", { .machine = "pseries-2.6", .ram_flags = 0x800 },
      "unknown kind" },
    { "ram-block", { .machine = "pseries-2.6", .ram_flags = 2,
                     .ram_block = "pc.ram", .ram_data = "", 1 },
      "'pc.ram', which the stream did not announce" },
    { "ram-address", { .machine = "pseries-2.6", .ram_flags = 2,
                       .ram_block = "vga", .ram_address = 0x2000,
                       .ram_data = "", 1 },
      "a page at 0x2000 of a RAM block of 0x2000 bytes" },
    { "xbzrle", { .machine = "pseries-2.6", .ram_flags = 0x60,
                  .ram_data = "\1\x20\0", 3 }, "XBZRLE page" },
    { "compressed", { .machine = "pseries-2.6", .ram_flags = 0x120,
                      .ram_data = "\0\1\0\0", 4 }, "compressed page" },
    { "ram-sizes", { .machine = "pseries-2.6", .ram_flags = 4,
                     .ram_address = 0x1000,
                     .ram_data = "\1x\0\0\0\0\0\0\x20\0", 10 },
      "RAM block 'x'" },
    { "htab", { .machine = "pseries-2.6", .htab_index = 1 << 14 },
      "hash table" },
    { "block-migration", { .machine = "pseries-2.6", .piece = "block" },
      "capability block" },
    { "unknown-piece", { .machine = "pseries-2.6", .piece = "vfio" },
      "cannot read" },
    { "unknown-section-2.1", { .no_vmdesc = true, .no_footers = true,
                               .section = "foo" },
      "does not know version 1 of this section" },
    { "vmdesc-overflow", { .machine = "pseries-2.6", .section = "foo",
                           .vmdesc = "{\"devices\":["
        DESC_DEVICE("timer", 2, DESC_FIELD("a", 3, 8) "]") ","
        DESC_DEVICE("cpu", 7,
            DESC_FIELD("a", 4611686018427387904, 4) "]") "]}" },
      "does not know version 1 of this section" },
    { "dirty-bitmap", { .machine = "pseries-2.6", .piece = "dirty-bitmap" },
      "capability dirty-bitmaps" },
    { "newer-command", { .machine = "pseries-2.6", .command = 12 },
      "command 12 is not known" },
};

static void test_wrong(gconstpointer opaque)
{
    size_t i = GPOINTER_TO_UINT(opaque);
    g_autoptr(GByteArray) b = make_stream(&wrong[i].make);
    g_autoptr(GError) err = NULL;
    Input *in;
    Stream *s = parse(b->data, b->len, &in, &err);

    g_assert_null(s);
    if (!strstr(err->message, wrong[i].expected) ||
        !strstr(err->message, "at offset 0x")) {
        g_error("%s: '%s' is not in: %s", wrong[i].name, wrong[i].expected,
                err->message);
    }
    input_close(in);
}

static void test_not_a_stream(void)
{
    static const struct {
        const char *data;
        const char *expected;
    } rows[] = {
        { "", "the stream ends" },
        { "QEVM", "the stream ends" },
        { "QEVM\0\0\0\2", "version 2" },
        { "\x11\x22\x33\x44\0\0\0\1", "multifd" },
        { "hello, world", "not a migration stream" },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        Input *in;
        /* None has zeros at its end that matter. */
        size_t len = MAX(strlen(rows[i].data), i < 2 ? 0 : 8);

        g_assert_null(parse((const uint8_t *)rows[i].data, len, &in, &err));
        g_assert_nonnull(strstr(err->message, rows[i].expected));
        input_close(in);
    }
}

/* What differs from the vmdescription, which no QEMU reads */
static const struct {
    const char *name;
    Make make;
    const char *expected;       /* NULL: no note */
    bool opaque;
} odd[] = {
    { "old-style", { .machine = "pseries-2.6", .old_style = "slirp",
                     .old_size = 8 }, NULL, true },
    { "old-style-no-footers", { .machine = "pseries-2.3", .no_footers = true,
                                .old_style = "pci@8:00.0/virtio-blk",
                                .old_size = 8 }, NULL, true },
    { "old-style-no-size", { .machine = "pseries-2.6", .old_style = "slirp",
                             .old_size = -1 }, "not as long", true },
    { "old-style-short", { .machine = "pseries-2.6", .old_style = "slirp",
                           .old_size = 7 }, "not as long", true },
    { "old-style-long", { .machine = "pseries-2.6", .old_style = "slirp",
                          .old_size = 4000 }, "not as long", true },
    { "old-style-no-footers-long", { .no_footers = true, .old_style = "slirp",
                                     .old_size = 9 }, "not as long", true },
    { "unknown-section", { .machine = "pseries-2.6", .section = "foo" },
      "does not have section 'foo'", true },
    { "version", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 1,
            DESC_FIELD("a", 3, 8) "]") "]}" }, "version 2, but 1", false },
    { "short", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 2,
            DESC_FIELD("a", 1, 8) "]") "]}" }, "not as long", false },
    { "negative", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 2,
            DESC_FIELD("a", 1, -8) "]") "]}" }, "not as long", false },
    { "not-json", { .machine = "pseries-2.6", .vmdesc = "{\"a\" 1}" },
      "cannot be used: the vmdescription at offset", false },
    { "before", { .machine = "pseries-2.6", .vmdesc = "6{\"devices\":[]}" },
      "cannot be used", false },
    { "behind", { .machine = "pseries-2.6", .vmdesc =
      "{\"devices\":[]} {}" }, "is not one JSON object", false },
    { "no-devices", { .machine = "pseries-2.6", .vmdesc = "{}" },
      "lists no devices", false },
    { "skipped", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("foo", 2, "]") ","
            DESC_DEVICE("timer", 2, DESC_FIELD("a", 3, 8) "]") "]}" },
      "1 sections before 'timer'", false },
};

static void test_odd(gconstpointer opaque)
{
    size_t i = GPOINTER_TO_UINT(opaque);
    g_autoptr(GByteArray) b = make_stream(&odd[i].make);
    g_autoptr(GError) err = NULL;
    Input *in;
    Stream *s = parse(b->data, b->len, &in, &err);
    bool found = false;
    guint n, opaque_ones = 0;

    g_assert_no_error(err);
    for (n = 0; n < s->notes->len; n++) {
        found |= odd[i].expected && strstr(g_ptr_array_index(s->notes, n),
                                           odd[i].expected);
    }
    g_assert_true(found == (odd[i].expected != NULL));
    g_assert_true(odd[i].expected || !s->notes->len);
    for (n = 0; n < s->sections->len; n++) {
        const StreamSection *section = g_ptr_array_index(s->sections, n);

        if (section->opaque) {
            opaque_ones++;
            g_assert_cmpuint(section->part.fields_end -
                             section->part.fields_at, ==,
                             odd[i].make.section ? 4 : 8);
        }
    }
    g_assert_cmpuint(opaque_ones, ==, odd[i].opaque);
    stream_free(s);
    input_close(in);
}

/* Bytes after the stream do not matter, however many they are. */
static void test_trailing(void)
{
    static const Make makes[] = {
        { .machine = "pseries-2.6" },
        { .machine = "pseries-2.3", .no_footers = true },
        { .no_footers = true, .no_vmdesc = true },
    };
    static const size_t sizes[] = { 1, 5, 512, 5000000, 40000000 };
    size_t i, n;
    int fill;

    for (i = 0; i < G_N_ELEMENTS(makes); i++) {
        for (n = 0; n < G_N_ELEMENTS(sizes); n++) {
            /* Much of it is much the same. */
            for (fill = 0; fill < (n < 3 ? 256 : 1); fill += 51) {
                g_autoptr(GByteArray) b = make_stream(&makes[i]);
                size_t len = b->len;
                g_autoptr(GError) err = NULL;
                Input *in;
                Stream *s;

                g_byte_array_set_size(b, len + sizes[n]);
                memset(b->data + len, fill, sizes[n]);
                s = parse(b->data, b->len, &in, &err);
                g_assert_no_error(err);
                g_assert_cmpuint(s->trailing, ==, sizes[n]);
                g_assert_cmpuint(s->device_at + s->device->len, ==, len);
                stream_free(s);
                input_close(in);
            }
        }
    }
}

/* JSON that is too much for a recursive parser, or for the memory */
static void test_vmdesc_bomb(void)
{
    g_autofree char *brackets = g_strnfill(100000, '[');
    g_autofree char *deep = g_strconcat("{\"a\":", brackets, "}", NULL);
    GString *wide = g_string_new("{\"a\":[");
    Make make = plain;
    int i;

    make.vmdesc = deep;
    for (i = 0; i < 2; i++) {
        g_autoptr(GByteArray) b = make_stream(&make);
        g_autoptr(GError) err = NULL;
        Input *in;
        Stream *s = parse(b->data, b->len, &in, &err);

        g_assert_no_error(err);
        g_assert_cmpuint(s->notes->len, ==, 1);
        g_assert_nonnull(strstr(g_ptr_array_index(s->notes, 0),
                                i ? "longer than any" : "nested deeper"));
        stream_free(s);
        input_close(in);
        while (wide->len < 2 * STREAM_VMDESC_VALUES + 10) {
            g_string_append(wide, "0,");
        }
        g_string_append(wide, "0]}");
        make.vmdesc = wide->str;
    }
    g_string_free(wide, true);
}

/* Very many sections, each with a name of its own: not a matter of minutes */
static void test_many_sections(void)
{
    Destination dest = to_release(2, 7);
    unsigned i, n;

    for (i = 0; i < 2; i++) {
        g_autoptr(GByteArray) b = g_byte_array_new();
        GString *vmdesc = g_string_new("{\"devices\":[{}");
        g_autoptr(GPtrArray) reasons = NULL;
        g_autoptr(GError) err = NULL;
        Stream *s;
        Input *in;

        g_byte_array_append(b, (const guint8 *)"QEVM\0\0\0\3", 8);
        begin_section(b, 1, 3, "spapr/htab", 0, 1);
        be32(b, 18);
        for (n = 0; n < 20000; n++) {
            g_autofree char *name =
                g_strdup_printf("%s%x", i ? "spapr/cap/" : "", n);

            begin_section(b, 4, 10 + n, name, 0, 7);
            g_string_append_printf(vmdesc, ",{\"name\":\"%s\",\"instance_id"
                                   "\":0,\"version\":7}", name);
        }
        g_string_append(vmdesc, "]}");
        byte(b, 0);
        byte(b, 6);
        be32(b, vmdesc->len);
        g_byte_array_append(b, (const guint8 *)vmdesc->str, vmdesc->len);

        s = parse(b->data, b->len, &in, &err);
        g_assert_no_error(err);
        g_test_timer_start();
        reasons = judge(s, &dest);
        g_assert_cmpfloat(g_test_timer_elapsed(), <, 20);
        g_assert_cmpuint(reasons->len, <, 10);
        stream_free(s);
        input_close(in);
        g_string_free(vmdesc, true);
    }
}

int main(int argc, char **argv)
{
    size_t i;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/plain", test_plain);
    g_test_add_func("/stream/pipe", test_pipe);
    g_test_add_func("/stream/not-a-stream", test_not_a_stream);
    for (i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *path = g_strdup_printf("/stream/wrong/%s",
                                                wrong[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_wrong);
    }
    for (i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autofree char *path = g_strdup_printf("/stream/odd/%s", odd[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_odd);
    }
    g_test_add_func("/stream/trailing", test_trailing);
    g_test_add_func("/stream/vmdesc-bomb", test_vmdesc_bomb);
    g_test_add_func("/stream/many-sections", test_many_sections);
    g_test_add_func("/stream/truncated", test_truncated);
    g_test_add_func("/stream/flipped", test_flipped);
    if (g_getenv("PPC_INSNS_STREAM")) {
        g_test_add_func("/stream/recorded-flipped", test_recorded_flipped);
    }
    return g_test_run();
}
