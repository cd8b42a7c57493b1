/*
 * A small stream, so that every byte of it can be cut off or changed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "stream-maker.h"

static void be16(GByteArray *b, uint16_t v)
{
    uint8_t p[2] = { v >> 8, v };

    g_byte_array_append(b, p, 2);
}

void be32(GByteArray *b, uint32_t v)
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

void byte(GByteArray *b, uint8_t v)
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

void begin_section(GByteArray *b, int type, uint32_t id, const char *name,
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

static void ram_block(GByteArray *b, const Make *make, const char *name,
                      uint64_t size)
{
    str(b, name);
    be64(b, size);
    if (make->capability && !strcmp(make->capability, "x-ignore-shared")) {
        be64(b, 0);             /* the block's address */
    }
}

static void make_ram(GByteArray *b, const Make *make)
{
    begin_section(b, 1, 2, "ram", 0, 4);
    be64(b, (make->rom ? 0x7000 : 0x6000) | 4);
    ram_block(b, make, "ppc_spapr.ram", 0x4000);
    if (make->rom) {
        ram_block(b, make, make->rom, 0x1000);
    }
    ram_block(b, make, "vga", 0x2000);
    be64(b, 0x10);
    end(b, make, 2);

    begin_section(b, 1, 3, "spapr/htab", 0, 1);
    be32(b, 18);
    end(b, make, 3);

    begin_section(b, 2, 2, NULL, 0, 0);
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
        begin_section(b, 1, 77, make->piece, 0, 1);
        be64(b, 0);
        end(b, make, 77);
    }

    begin_section(b, 3, 2, NULL, 0, 0);
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

    begin_section(b, 3, 3, NULL, 0, 0);
    be32(b, 0);
    be32(b, make->htab_index);
    be16(b, 2);
    be16(b, 1);
    bytes(b, 32, 0xcc);
    be64(b, 0);
    end(b, make, 3);
}

#define DESC_HEAD(name, version) \
    "{\"name\":\"" name "\",\"instance_id\":%u,\"vmsd_name\":\"" name \
    "\",\"version\":" #version ",\"fields\":["

static const char cpu_desc[] =
    DESC_HEAD("cpu", 5)
        DESC_FIELD("unused", 1, 8) "," DESC_FIELD("env.gpr", 32, 8) ","
        DESC_FIELD("env.crf", 8, 4) "," DESC_FIELD("env.nip", 1, 8) ","
        DESC_FIELD("env.spr", 1024, 8) "," DESC_FIELD("env.rest", 4, 8) ","
        DESC_FIELD("env.msr_mask", 1, 8) ","
        DESC_FIELD("env.insns_flags", 1, 8) ","
        DESC_FIELD("env.insns_flags2", 1, 8) ","
        DESC_FIELD("env.nb_BATs", 1, 4) "],\"subsections\":["
        "{\"vmsd_name\":\"cpu/vsx\",\"version\":1,\"fields\":["
        DESC_FIELD("env.vsr", 32, 8) "]}";

/* Instances from 2^31 on are negative there. */
static void describe_window(GString *text, uint32_t instance, uint32_t entries)
{
    g_string_append_printf(text, ",{\"name\":\"spapr_iommu\","
        "\"instance_id\":%d,\"vmsd_name\":\"spapr_iommu\",\"version\":3,"
        "\"fields\":[" DESC_FIELD("liobn", 1, 4) ","
        DESC_FIELD("enabled", 1, 1) "," DESC_FIELD("bus_offset", 1, 8) ","
        DESC_FIELD("page_shift", 1, 4) "," DESC_FIELD("nb_table", 1, 4) ","
        DESC_FIELD("bypass", 1, 1), (int32_t)instance);
    if (entries) {
        g_string_append_printf(text, ",{\"name\":\"migtable\","
                               "\"array_len\":%u,\"size\":8}", entries);
    }
    g_string_append(text, "]}");
}

static void describe_powerkvm(GString *text, const Make *make)
{
    describe_window(text, 0x80000000, 4);
    describe_window(text, 0x80000001, make->window);
    g_string_append_printf(text, "," DESC_HEAD("spapr", 4)
                           DESC_FIELD("tb", 1, 16) ","
                           DESC_FIELD("errinjct_token", 1, 4) "]}]}", 0);
}

static void make_window(GByteArray *b, const Make *make, uint32_t id,
                        uint32_t instance, uint64_t bus, uint32_t shift,
                        uint32_t entries)
{
    begin_section(b, 4, id, "spapr_iommu", instance, 3);
    be32(b, instance);
    byte(b, entries != 0);
    be64(b, bus);
    be32(b, shift);
    be32(b, entries);
    byte(b, 0);
    bytes(b, 8 * entries, 0x22);
    end(b, make, id);
}

static void make_powerkvm(GByteArray *b, const Make *make)
{
    make_window(b, make, 5, 0x80000000, 0, 12, 4);
    make_window(b, make, 50, 0x80000001, make->window ? 1ull << 59 : 0,
                make->window ? 16 : 0, make->window);
    begin_section(b, 4, 6, "spapr", 0, 4);
    bytes(b, 16, 0x33);
    be32(b, make->token);
    end(b, make, 6);
}

char *make_vmdesc(const Make *make)
{
    GString *text = g_string_new("{\"page_size\":4096,\"devices\":["
        DESC_DEVICE("timer", 2, DESC_FIELD("ticks", 3, 8) "]"));
    unsigned i;

    if (make->vmdesc) {
        g_string_free(text, true);
        return g_strdup(make->vmdesc);
    }
    for (i = 0; i < MAX(make->cpus, 1); i++) {
        g_string_append_c(text, ',');
        g_string_append_printf(text, cpu_desc, i);
        if (make->in_transaction) {
            g_string_append(text, ",{\"vmsd_name\":\"cpu/tm\",\"version\":1,"
                            "\"fields\":[" DESC_FIELD("env.tm_gpr", 32, 8)
                            "]}");
        }
        g_string_append(text, "]}");
    }
    if (make->old_style) {
        g_string_append_printf(text, ",{\"name\":\"%s\",\"instance_id\":0",
                               make->old_style);
        if (make->old_size >= 0) {
            g_string_append_printf(text, ",\"size\":%d,\"fields\":[{\"name\":"
                                   "\"data\",\"size\":%d,\"type\":\"buffer\""
                                   "}]", make->old_size, make->old_size);
        }
        g_string_append_c(text, '}');
    }
    if (make->powerkvm) {
        describe_powerkvm(text, make);
        return g_string_free(text, false);
    }
    g_string_append_printf(text, "," DESC_HEAD("spapr_iommu", %u)
        DESC_FIELD("liobn", 1, 4) "," DESC_FIELD("nb_table", 1, 4) ","
        DESC_FIELD("bypass", 1, 1) "," DESC_FIELD("table", 4, 8), 0,
        make->iommu_version ? make->iommu_version : 2);
    if (make->iommu_version == 3) {
        g_string_append(text, "," DESC_FIELD("def_win", 1, 1));
    }
    g_string_append_printf(text, "]}," DESC_HEAD("spapr", 3)
                           DESC_FIELD("tb", 1, 16) "]", 0);
    if (make->htm > 0) {
        g_string_append(text, ",\"subsections\":[{\"vmsd_name\":"
                        "\"spapr/cap/htm\",\"version\":1,\"fields\":["
                        DESC_FIELD("mig.caps[SPAPR_CAP_HTM]", 1, 1) "]}]");
    }
    g_string_append(text, "}]}");
    return g_string_free(text, false);
}

static void make_upstream(GByteArray *b, const Make *make)
{
    begin_section(b, 4, 5, "spapr_iommu", 0,
          make->iommu_version ? make->iommu_version : 2);
    be32(b, 0x80000000);
    be32(b, 4);
    byte(b, 0);
    bytes(b, 32, 0x22);
    if (make->iommu_version == 3) {
        byte(b, 1);
    }
    end(b, make, 5);

    begin_section(b, 4, 6, "spapr", 0, 3);
    bytes(b, 16, 0x33);
    if (make->htm > 0) {
        byte(b, 5);
        str(b, "spapr/cap/htm");
        be32(b, 1);
        byte(b, make->htm - 1);
    }
    end(b, make, 6);
}

static void make_device(GByteArray *b, const Make *make)
{
    PPCInsnsWire wire = ppc_insns_wire(PPC_FAMILY_POWER8, R(2, 6),
                                       (PPCInsns) { -1ull, -1ull });
    unsigned n;
    int i;

    begin_section(b, 4, 0, "timer", 0, 2);
    bytes(b, 24, 0);
    end(b, make, 0);

    for (n = 0; n < MAX(make->cpus, 1); n++) {
        begin_section(b, 4, 4 + 1000 * n, "cpu", n, 5);
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
        if (make->in_transaction) {
            byte(b, 5);
            str(b, "cpu/tm");
            be32(b, 1);
            bytes(b, 256, 0x12);
        }
        end(b, make, 4 + 1000 * n);
    }

    if (make->old_style) {
        begin_section(b, 4, 8, make->old_style, 0, 2);
        bytes(b, 8, 0x05);      /* as if a subsection began */
        end(b, make, 8);
    }

    if (make->section) {
        begin_section(b, 4, 9, make->section, 0, 1);
        be32(b, 0);
        end(b, make, 9);
    }

    if (make->powerkvm) {
        make_powerkvm(b, make);
    } else {
        make_upstream(b, make);
    }

    byte(b, 0);
    if (!make->no_vmdesc) {
        g_autofree char *text = make_vmdesc(make);

        byte(b, 6);
        be32(b, strlen(text));
        g_byte_array_append(b, (const guint8 *)text, strlen(text));
    }
}

GByteArray *make_stream(const Make *make)
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

Stream *parse(const uint8_t *data, size_t len, Input **in, GError **err)
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

Destination to_release(unsigned major, unsigned minor)
{
    Destination dest;

    destination_init(&dest, (Target) { R(major, minor), 0 });
    return dest;
}
