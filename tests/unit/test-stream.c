/*
 * Unit test of ppc-insns: reading, judging and rewriting streams
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

#define R(major, minor) PPC_RELEASE(major, minor)

/* ---- a small stream ----- */

/* What to make different from a plain pseries-2.6 with a POWER8 */
typedef struct Make {
    const char *machine;        /* NULL: no configuration section */
    const char *capability;     /* in the configuration section */
    bool no_footers;
    bool no_vmdesc;
    const char *vmdesc;         /* this instead of the right one */
    uint32_t ram_flags;         /* one more RAM entry, with these flags */
    const char *ram_block;      /* of that entry */
    uint64_t ram_address;
    const void *ram_data;
    size_t ram_data_len;
    uint32_t htab_index;        /* of the one chunk */
    unsigned command;
    const char *piece;          /* a section like that, sent piece by piece */
    const char *section;        /* one more section, 4 bytes long */
    uint32_t iommu_version;     /* 0: 2 */
    int htm;                    /* -1, 0: no subsection; 1: off; 2: on */
    uint32_t pvr;               /* 0: a POWER8 */
    PPCInsns insns;             /* none: of 2.6 */
} Make;

static void be16(GByteArray *b, uint16_t v)
{
    uint8_t p[2] = { v >> 8, v };

    g_byte_array_append(b, p, 2);
}

static void be32(GByteArray *b, uint32_t v)
{
    uint8_t p[4];

    put_be32(p, v);
    g_byte_array_append(b, p, 4);
}

static void be64(GByteArray *b, uint64_t v)
{
    uint8_t p[8];

    put_be64(p, v);
    g_byte_array_append(b, p, 8);
}

static void byte(GByteArray *b, uint8_t v)
{
    g_byte_array_append(b, &v, 1);
}

static void bytes(GByteArray *b, size_t n, uint8_t v)
{
    while (n--) {
        byte(b, v);
    }
}

static void str(GByteArray *b, const char *text)
{
    byte(b, strlen(text));
    g_byte_array_append(b, (const guint8 *)text, strlen(text));
}

static void begin(GByteArray *b, int type, uint32_t id, const char *name,
                  uint32_t instance, uint32_t version)
{
    byte(b, type);
    be32(b, id);
    if (name) {
        str(b, name);
        be32(b, instance);
        be32(b, version);
    }
}

static void end(GByteArray *b, const Make *make, uint32_t id)
{
    if (!make->no_footers) {
        byte(b, 0x7e);
        be32(b, id);
    }
}

static void make_ram(GByteArray *b, const Make *make)
{
    begin(b, 1, 2, "ram", 0, 4);
    be64(b, 0x6000 | 4);
    str(b, "ppc_spapr.ram");
    be64(b, 0x4000);
    str(b, "vga");
    be64(b, 0x2000);
    be64(b, 0x10);
    end(b, make, 2);

    begin(b, 1, 3, "spapr/htab", 0, 1);
    be32(b, 18);
    end(b, make, 3);

    begin(b, 2, 2, NULL, 0, 0);
    be64(b, 0x1000 | 8);                        /* full */
    str(b, "ppc_spapr.ram");
    bytes(b, 4096, 0x55);
    be64(b, 0x2000 | 2 | 0x20);                 /* zero, continue */
    byte(b, 0);
    be64(b, 0x1000 | 2);                        /* zero, another block */
    str(b, "vga");
    byte(b, 0);
    be64(b, 0x10);
    end(b, make, 2);

    if (make->command) {
        byte(b, 8);
        be16(b, make->command);
        be16(b, 4);
        be32(b, 0);
    }
    if (make->piece) {
        begin(b, 1, 77, make->piece, 0, 1);
        be64(b, 0);
        end(b, make, 77);
    }

    begin(b, 3, 2, NULL, 0, 0);
    be64(b, 0 | 0x40 | 0x20);                   /* XBZRLE, in "vga" still */
    byte(b, 1);
    be16(b, 5);
    bytes(b, 5, 0xaa);
    be64(b, 0x1000 | 0x100);                    /* compressed */
    str(b, "ppc_spapr.ram");
    be32(b, 20);
    bytes(b, 20, 0xbb);
    if (make->ram_flags) {
        be64(b, make->ram_address | make->ram_flags);
        if (make->ram_block) {
            str(b, make->ram_block);
        }
        g_byte_array_append(b, make->ram_data, make->ram_data_len);
    }
    be64(b, 0x10);
    end(b, make, 2);

    begin(b, 3, 3, NULL, 0, 0);
    be32(b, 0);
    be32(b, make->htab_index);
    be16(b, 2);
    be16(b, 1);
    bytes(b, 32, 0xcc);
    be64(b, 0);
    end(b, make, 3);
}

#define DESC_FIELD(name, count, size) \
    "{\"name\":\"" name "\",\"array_len\":" #count ",\"size\":" #size "}"
#define DESC_DEVICE(name, version, more) \
    "{\"name\":\"" name "\",\"instance_id\":0,\"vmsd_name\":\"" name \
    "\",\"version\":" #version ",\"fields\":[" more "}"

static const char plain_vmdesc[] =
    "{\"page_size\":4096,\"devices\":["
    DESC_DEVICE("timer", 2, DESC_FIELD("ticks", 3, 8) "]") ","
    DESC_DEVICE("cpu", 5,
        DESC_FIELD("unused", 1, 8) "," DESC_FIELD("env.gpr", 32, 8) ","
        DESC_FIELD("env.crf", 8, 4) "," DESC_FIELD("env.nip", 1, 8) ","
        DESC_FIELD("env.spr", 1024, 8) "," DESC_FIELD("env.rest", 4, 8) ","
        DESC_FIELD("env.msr_mask", 1, 8) ","
        DESC_FIELD("env.insns_flags", 1, 8) ","
        DESC_FIELD("env.insns_flags2", 1, 8) ","
        DESC_FIELD("env.nb_BATs", 1, 4) "],\"subsections\":["
        "{\"vmsd_name\":\"cpu/vsx\",\"version\":1,\"fields\":["
        DESC_FIELD("env.vsr", 32, 8) "]}]") ","
    DESC_DEVICE("spapr_iommu", 2, DESC_FIELD("liobn", 1, 4) ","
        DESC_FIELD("nb_table", 1, 4) "," DESC_FIELD("bypass", 1, 1) ","
        DESC_FIELD("table", 4, 8) "]") ","
    DESC_DEVICE("spapr", 3, DESC_FIELD("tb", 1, 16) "]")
    "]}";

static void make_device(GByteArray *b, const Make *make)
{
    PPCInsnsWire wire = ppc_insns_wire(PPC_FAMILY_POWER8, R(2, 6),
                                       (PPCInsns) { -1ull, -1ull });
    int i;

    begin(b, 4, 0, "timer", 0, 2);
    bytes(b, 24, 0);
    end(b, make, 0);

    begin(b, 4, 4, "cpu", 0, 5);
    bytes(b, 8 + 256 + 32 + 8, 0);
    for (i = 0; i < 1024; i++) {
        be64(b, i == 287 ? make->pvr ? make->pvr : 0x004d0200 : 0);
    }
    bytes(b, 32, 0);
    be64(b, wire.msr_mask);
    be64(b, ppc_insns_empty(make->insns) ? wire.insns.flags
                                         : make->insns.flags);
    be64(b, ppc_insns_empty(make->insns) ? wire.insns.flags2
                                         : make->insns.flags2);
    be32(b, wire.nb_bats);
    byte(b, 5);
    str(b, "cpu/vsx");
    be32(b, 1);
    bytes(b, 256, 0x11);
    end(b, make, 4);

    if (make->section) {
        begin(b, 4, 9, make->section, 0, 1);
        be32(b, 0);
        end(b, make, 9);
    }

    begin(b, 4, 5, "spapr_iommu", 0,
          make->iommu_version ? make->iommu_version : 2);
    be32(b, 0x80000000);
    be32(b, 4);
    byte(b, 0);
    bytes(b, 32, 0x22);
    if (make->iommu_version == 3) {
        byte(b, 1);
    }
    end(b, make, 5);

    begin(b, 4, 6, "spapr", 0, 3);
    bytes(b, 16, 0x33);
    if (make->htm > 0) {
        byte(b, 5);
        str(b, "spapr/cap/htm");
        be32(b, 1);
        byte(b, make->htm - 1);
    }
    end(b, make, 6);

    byte(b, 0);
    if (!make->no_vmdesc) {
        const char *text = make->vmdesc ? make->vmdesc : plain_vmdesc;

        byte(b, 6);
        be32(b, strlen(text));
        g_byte_array_append(b, (const guint8 *)text, strlen(text));
    }
}

static GByteArray *make_stream(const Make *make)
{
    GByteArray *b = g_byte_array_new();

    g_byte_array_append(b, (const guint8 *)"QEVM", 4);
    be32(b, 3);
    if (make->machine) {
        byte(b, 7);
        be32(b, strlen(make->machine));
        g_byte_array_append(b, (const guint8 *)make->machine,
                            strlen(make->machine));
        if (make->capability) {
            byte(b, 5);
            str(b, "configuration/capabilities");
            be32(b, 1);
            be32(b, 1);
            str(b, make->capability);
        }
    }
    make_ram(b, make);
    make_device(b, make);
    return b;
}

static const Make plain = { .machine = "pseries-2.6" };

/* Reads @data; NULL with @err set if that cannot be.  @in is to be closed. */
static Stream *parse(const uint8_t *data, size_t len, Input **in, GError **err)
{
    Stream *s;

    *in = input_memory(data, len);
    s = stream_new(*in);
    if (!stream_read(s, err)) {
        stream_free(s);
        return NULL;
    }
    return s;
}

/*
 * Reads what may be damaged, and if @use, does with it what can be done.
 * Whatever is wrong must be said with its place.
 */
static bool survive(const uint8_t *data, size_t len, bool use)
{
    static const Destination dests[] = {
        { { PPC_RELEASE(2, 6), 0 } }, { { PPC_RELEASE(7, 2), 0 } },
    };
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
        g_assert_cmpuint(s->end, ==, s->device->len);
        g_assert_cmpuint(s->cpus->len, ==, 1);
        cpu = &g_array_index(s->cpus, StreamCpu, 0);
        g_assert_cmphex(cpu->pvr, ==, 0x004d0200);
        g_assert_true(cpu->has_words);
        g_assert_nonnull(stream_subsection(&cpu->section->part, "cpu/vsx"));
        list = target_matches(s, PPC_FAMILY_POWER8, &cpu->words);
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

        for (len = 0; len < b->len; len++) {
            /* A copy, so that the sanitizer sees a step beyond its end */
            g_autofree uint8_t *copy = g_memdup2(b->data, len);
            bool whole = survive(copy, len, true);

            /* Without a vmdescription it is one all the same. */
            g_assert_true(!whole ||
                          len == b->len - 5 - strlen(plain_vmdesc));
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
    for (at = 0; at < s->device->len; at++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        Stream *other;

        while (at >= section->part.end && i + 1 < s->sections->len) {
            section = g_ptr_array_index(s->sections, ++i);
        }
        /* In a long array one byte is like another. */
        if (in_long_field(&section->part, at)) {
            continue;
        }
        s->device->data[at] ^= 1 << at % 8;
        other = stream_reparse(s, g_byte_array_ref(s->device), &err);
        if (other) {
            stream_free(other);
        } else {
            g_assert_nonnull(strstr(err->message, "at offset 0x"));
            g_clear_error(&err);
            wrong++;
        }
        s->device->data[at] ^= 1 << at % 8;
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
    { "machine-name", { .machine = "pseries-2.6\n" }, "no machine's name" },
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
    { "unknown-section", { .machine = "pseries-2.6", .section = "foo" },
      "the vmdescription does not have this section" },
    { "unknown-section-2.1", { .no_vmdesc = true, .no_footers = true,
                               .section = "foo" },
      "does not know version 1 of this section" },
    { "vmdesc-json", { .machine = "pseries-2.6", .vmdesc = "{\"a\" 1}" },
      "not JSON" },
    { "vmdesc-before", { .machine = "pseries-2.6", .vmdesc =
      "6{\"devices\":[]}" }, "the vmdescription is not one JSON object" },
    { "vmdesc-behind", { .machine = "pseries-2.6", .vmdesc =
      "{\"devices\":[]} {}" }, "the vmdescription is not one JSON object" },
    { "vmdesc-devices", { .machine = "pseries-2.6", .vmdesc = "{}" },
      "no devices" },
    { "vmdesc-overflow", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 2,
            DESC_FIELD("a", 4611686018427387904, 4) "]") "]}" },
      "4611686018427387904 times 4 bytes" },
    { "vmdesc-negative", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 2,
            DESC_FIELD("a", 1, -8) "]") "]}" }, "no proper size" },
    { "vmdesc-short", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 2,
            DESC_FIELD("a", 1, 8) "]") "]}" }, "the footer was expected" },
    { "vmdesc-version", { .machine = "pseries-2.6", .vmdesc =
        "{\"devices\":[" DESC_DEVICE("timer", 1,
            DESC_FIELD("a", 3, 8) "]") "]}" }, "has version 2" },
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
        { "LibvirtQemudSave", "libvirt" },
        { "\x11\x22\x33\x44\0\0\0\1", "multifd" },
        { "\xfd" "7zXZ\0\0\0", "xz" },
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

/* JSON that is too much for a recursive parser, or for the memory */
static void test_vmdesc_bomb(void)
{
    g_autofree char *deep = g_strnfill(100000, '[');
    GString *wide = g_string_new("[");
    Make make = plain;
    int i;

    make.vmdesc = deep;
    for (i = 0; i < 2; i++) {
        g_autoptr(GByteArray) b = make_stream(&make);
        g_autoptr(GError) err = NULL;
        Input *in;

        g_assert_null(parse(b->data, b->len, &in, &err));
        g_assert_nonnull(strstr(err->message,
                                i ? "longer than any" : "nested deeper"));
        input_close(in);
        while (wide->len < 2 * STREAM_VMDESC_VALUES + 10) {
            g_string_append(wide, "0,");
        }
        make.vmdesc = wide->str;
    }
    g_string_free(wide, true);
}

/* Very many sections, each with a name of its own: not a matter of minutes */
static void test_many_sections(void)
{
    Destination dest = { .to = { R(2, 7), 0 } };
    unsigned i, n;

    for (i = 0; i < 2; i++) {
        g_autoptr(GByteArray) b = g_byte_array_new();
        GString *vmdesc = g_string_new("{\"devices\":[{}");
        g_autoptr(GPtrArray) reasons = NULL;
        g_autoptr(GError) err = NULL;
        Stream *s;
        Input *in;

        g_byte_array_append(b, (const guint8 *)"QEVM\0\0\0\3", 8);
        begin(b, 1, 3, "spapr/htab", 0, 1);
        be32(b, 18);
        for (n = 0; n < 20000; n++) {
            g_autofree char *name =
                g_strdup_printf("%s%x", i ? "spapr/cap/" : "", n);

            begin(b, 4, 10 + n, name, 0, 7);
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
    g_assert_cmpuint(last.release, ==, R(9, 1));
    g_assert_cmpuint(n, >, 30);

    g_assert_cmpint(family_by_model("POWER5+_v2.1"), ==, PPC_FAMILY_POWER5P);
    g_assert_cmpint(family_by_model("power8nvl"), ==, PPC_FAMILY_POWER8);
    g_assert_cmpint(family_by_model("POWER10"), ==, PPC_FAMILY_POWER10);
    g_assert_cmpint(family_by_model("970mp"), ==, PPC_FAMILY_970);
    g_assert_cmpint(family_by_model("970fx"), ==, PPC_FAMILY_NONE);
    g_assert_cmpint(family_by_model("host"), ==, PPC_FAMILY_NONE);
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

static void test_rewrite(void)
{
    static const Destination to_2_6 = { { PPC_RELEASE(2, 6), 0 } };
    static const Destination to_2_7 = { { PPC_RELEASE(2, 7), 0 } };
    static const Destination to_7_2 = { { PPC_RELEASE(7, 2), 0 } };
    static const Destination to_7_2_kvm = {
        { PPC_RELEASE(7, 2), 0 }, .kvm = true
    };
    static const Destination to_p7 = { { PPC_RELEASE(2, 6), 0 }, "POWER7" };
    static const Destination to_2_5 = { { PPC_RELEASE(2, 5), 0 } };
    Make htm = plain, htm_on = plain, odd = plain;
    GByteArray *there, *back;
    g_autoptr(GByteArray) same = make_stream(&plain);
    g_autofree char *lost = NULL, *older = NULL, *on = NULL, *none = NULL;

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
    g_assert_cmpuint(there->len, ==, same->len + 2 + 13 + 4 + 1);
    g_byte_array_unref(there);
    g_assert_null(rewritten(&htm, &to_2_6, false, &back));
    g_assert_cmpmem(back->data, back->len, same->data, same->len);
    g_byte_array_unref(back);
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
    static const Destination to_2_6 = { { PPC_RELEASE(2, 6), 0 } };
    static const Destination to_7_2 = { { PPC_RELEASE(7, 2), 0 }, .kvm = true };
    Make two = { .machine = "pseries-2.6", .no_vmdesc = true };
    Make three = two;
    g_autoptr(GByteArray) want = make_stream(&two);
    g_autoptr(GByteArray) as_is = NULL;
    GByteArray *out;

    three.iommu_version = 3;
    as_is = make_stream(&three);
    g_assert_null(rewritten(&three, &to_2_6, false, &out));
    g_assert_cmpmem(out->data, out->len, want->data, want->len);
    g_byte_array_unref(out);
    g_assert_null(rewritten(&three, &to_7_2, false, &out));
    g_assert_cmpuint(out->len, ==, as_is->len);
    g_byte_array_unref(out);
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
    g_test_add_func("/stream/vmdesc-bomb", test_vmdesc_bomb);
    g_test_add_func("/stream/many-sections", test_many_sections);
    g_test_add_func("/stream/truncated", test_truncated);
    g_test_add_func("/stream/flipped", test_flipped);
    if (g_getenv("PPC_INSNS_STREAM")) {
        g_test_add_func("/stream/recorded-flipped", test_recorded_flipped);
    }
    g_test_add_func("/releases/parse", test_targets);
    g_test_add_func("/releases/losses", test_losses);
    g_test_add_func("/rewrite/device", test_rewrite);
    g_test_add_func("/rewrite/iommu", test_rewrite_iommu);
    return g_test_run();
}
