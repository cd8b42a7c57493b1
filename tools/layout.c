/*
 * Where the fields of a section end
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "layout.h"

/* ---- the vmdescription -----
 *
 *   { "page_size": 4096,
 *     "devices": [
 *       { "name": "cpu", "instance_id": 0, "vmsd_name": "cpu", "version": 5,
 *         "fields": [
 *           { "name": "env.gpr", "array_len": 32, "size": 8, ... },
 *           ... ],
 *         "subsections": [
 *           { "vmsd_name": "cpu/fpu", "version": 1, "fields": [ ... ] },
 *           ... ] },
 *       ... ] }
 *
 * "size" is what was written of a field, nested structures included, of one
 * element if there is an "array_len".  So there is no need to go into nested
 * structures.
 */

/*
 * Before the JSON parser sees the text: it is recursive, and makes an object
 * of every value.  So count both here.  And it takes "6{}", and loses what it
 * has made of the first.
 */
static bool vmdesc_is_plain(const char *text, size_t len, GError **errp)
{
    unsigned depth = 0, values = 0;
    bool string = false;
    size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                string = false;
            }
            continue;
        }
        if (!depth && !g_ascii_isspace(c) && !(strchr("{[", c) && !values)) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                        "the vmdescription is not one JSON object");
            return false;
        }
        switch (c) {
        case '"':
            string = true;
            break;
        case '{':
        case '[':
            depth++;
            values++;
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case ',':
        case ':':
            values++;
            break;
        case '/':
        case '\'':
            /* Comments and other quotes, which the parser would take */
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                        "the vmdescription is not JSON");
            return false;
        }
        if (depth > STREAM_DEPTH || values > STREAM_VMDESC_VALUES) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                        "the vmdescription is %s than any that QEMU writes",
                        depth > STREAM_DEPTH ? "nested deeper" : "longer");
            return false;
        }
    }
    return true;
}

static JsonArray *get_array(JsonObject *object, const char *member)
{
    JsonNode *node = object ? json_object_get_member(object, member) : NULL;

    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node)
                                               : NULL;
}

static JsonObject *get_element(JsonArray *array, guint i)
{
    JsonNode *node = json_array_get_element(array, i);

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
                                                : NULL;
}

static const char *get_string(JsonObject *object, const char *member)
{
    JsonNode *node = json_object_get_member(object, member);

    return node && JSON_NODE_HOLDS_VALUE(node) &&
           json_node_get_value_type(node) == G_TYPE_STRING ?
           json_node_get_string(node) : NULL;
}

static bool get_int(JsonObject *object, const char *member, gint64 *value)
{
    JsonNode *node = json_object_get_member(object, member);

    if (!node || !JSON_NODE_HOLDS_VALUE(node) ||
        json_node_get_value_type(node) != G_TYPE_INT64) {
        return false;
    }
    *value = json_node_get_int(node);
    return true;
}

JsonParser *vmdesc_parse(const char *text, size_t len, GError **errp)
{
    g_autoptr(JsonParser) parser = NULL;
    GError *err = NULL;
    JsonNode *root;

    if (len > STREAM_VMDESC_LIMIT) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "the vmdescription has %zu bytes, more than any that QEMU"
                    " writes", len);
        return NULL;
    }
    if (!g_utf8_validate(text, len, NULL)) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "the vmdescription is not text");
        return NULL;
    }
    if (!vmdesc_is_plain(text, len, errp)) {
        return NULL;
    }
    parser = json_parser_new();
    if (!json_parser_load_from_data(parser, text, len, &err)) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "the vmdescription is not JSON: %s", err->message);
        g_error_free(err);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root) ||
        !get_array(json_node_get_object(root), "devices")) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "the vmdescription lists no devices");
        return NULL;
    }
    return g_steal_pointer(&parser);
}

static char *device_key(const char *name, uint32_t instance)
{
    return g_strdup_printf("%08x %s", instance, name);
}

/* The devices by device_key(), in @parser's own keeping */
static GHashTable *index_devices(JsonParser *parser)
{
    GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              NULL);
    JsonArray *devices = get_array(
        json_node_get_object(json_parser_get_root(parser)), "devices");
    guint i, n = json_array_get_length(devices);

    for (i = 0; i < n; i++) {
        JsonObject *device = get_element(devices, i);
        const char *name = device ? get_string(device, "name") : NULL;
        gint64 id;

        if (name && get_int(device, "instance_id", &id)) {
            g_hash_table_insert(index, device_key(name, id), device);
        }
    }
    g_object_set_data_full(G_OBJECT(parser), "devices", index,
                           (GDestroyNotify)g_hash_table_unref);
    return index;
}

JsonObject *vmdesc_device(JsonParser *parser, const char *name,
                          uint32_t instance)
{
    GHashTable *index = g_object_get_data(G_OBJECT(parser), "devices");
    g_autofree char *key = device_key(name, instance);
    JsonObject *device;

    if (!index) {
        index = index_devices(parser);
    }
    device = g_hash_table_lookup(index, key);
    g_hash_table_remove(index, key);
    return device;
}

JsonObject *vmdesc_subsection(JsonObject *desc, const char *name)
{
    JsonArray *subsections = get_array(desc, "subsections");
    guint i, n = subsections ? json_array_get_length(subsections) : 0;

    for (i = 0; i < n; i++) {
        JsonObject *sub = get_element(subsections, i);
        const char *found = sub ? get_string(sub, "vmsd_name") : NULL;

        if (found && !strcmp(found, name)) {
            return sub;
        }
    }
    return NULL;
}

/* ---- fields ----- */

/* Adds a field of @count times @each bytes at the end of @part's fields. */
static bool add_field(StreamPart *part, const char *name, uint64_t each,
                      uint64_t count, size_t size, GError **errp)
{
    uint64_t left = size - part->fields_end;
    StreamField field = { name, part->fields_end, each * count };

    if (each && count > left / each) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "field '%s' of '%s' would have %" PRIu64 " times %" PRIu64
                    " bytes, but the stream has only %" PRIu64 " left; it is"
                    " damaged, or was cut off", name, part->name, count, each,
                    left);
        return false;
    }
    part->fields_end += field.size;
    g_array_append_val(part->fields, field);
    return true;
}

/*
 * Since 7.1 version 3 of "spapr_iommu" ends in def_win.  A stream that this
 * tool took back to version 2 still has it in the vmdescription.
 */
static bool is_dropped(const StreamPart *part, const char *field)
{
    return part->version == 2 && !strcmp(part->name, "spapr_iommu") &&
           !strcmp(field, "def_win");
}

bool vmdesc_fields(JsonObject *desc, StreamPart *part, size_t size,
                   GError **errp)
{
    JsonArray *fields = get_array(desc, "fields");
    guint i, n = fields ? json_array_get_length(fields) : 0;
    gint64 version;
    bool dropped = false;

    part->fields_end = part->fields_at;
    for (i = 0; i < n; i++) {
        JsonObject *field = get_element(fields, i);
        const char *name = field ? get_string(field, "name") : NULL;
        gint64 each, count = 1;

        if (!name || !get_int(field, "size", &each) || each < 0 ||
            (json_object_has_member(field, "array_len") &&
             (!get_int(field, "array_len", &count) || count < 0))) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                        "the vmdescription has no proper size for field %u"
                        " ('%s') of '%s'", i, name ? name : "?", part->name);
            return false;
        }
        if (is_dropped(part, name)) {
            dropped = true;
            continue;
        }
        if (!add_field(part, name, each, count, size, errp)) {
            return false;
        }
    }
    if (!get_int(desc, "version", &version) ||
        (version != part->version && !(dropped && version == 3))) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "'%s' has version %u, but not so in the vmdescription; the"
                    " stream is damaged", part->name, part->version);
        return false;
    }
    return true;
}

/* ---- the table -----
 *
 * What pseries-2.1 and 2.2 send without a vmdescription, from what
 * pseries-2.3 says of the same sections in its own, and from the definitions
 * in 2.1 to 7.2.  A field is name:bytes, times a number or an earlier field.
 */
static const struct {
    const char *vmsd;
    uint32_t version;
    const char *fields;
} layouts[] = {
    { "timer", 2, "cpu_ticks_offset:8 dummy:8 cpu_clock_offset:8" },
    { "timer/icount", 1, "qemu_icount_bias:8 qemu_icount:8" },
    { "ics", 1, "nr_irqs:4 irqs:8*nr_irqs" },
    { "icp/server", 1, "xirr:4 pending_priority:1 mfrr:1" },
    { "cpu_common", 1, "halted:4 interrupt_request:4" },
    { "cpu_common/exception_index", 1, "exception_index:4" },
    { "cpu_common/crash_occurred", 1, "crash_occurred:1" },
    { "cpu", 5, "unused:8 gpr:8*32 crf:4*8 nip:8 env.spr:8*1024 spe_acc:8"
      " reserve_addr:8 msr:8 hflags_nmsr:8"
      " msr_mask:8 insns_flags:8 insns_flags2:8 nb_BATs:4" },
    { "cpu/fpu", 1, "fpr:8*32 fpscr:8" },
    { "cpu/altivec", 1, "avr:16*32 vscr:4" },
    { "cpu/vsx", 1, "vsr:8*32" },
    { "cpu/sr", 1, "sr:8*32" },
    { "cpu/slb", 1, "slb_nr:4 slb:16*64" },
    { "cpu/tm", 1, "gpr:8*32 vsr:16*64 cr_to_vrsave:8*7 vscr:4 dscr_tar:8*2" },
    { "cpu/compat", 1, "compat_pvr:4" },
    { "spapr/rtc", 1, "ns_offset:8" },
    { "spapr_vty", 1, "sdev:32 in:4 out:4 buf:16" },
    { "spapr_nvram", 1, "size:4 buf:1*size" },
    { "spapr_iommu", 2, "liobn:4 nb_table:4 bypass:1 table:8*nb_table" },
    { "spapr_iommu", 3,
      "liobn:4 nb_table:4 bypass:1 table:8*nb_table def_win:1" },
    { "spapr_iommu_ex", 1, "bus_offset:8 page_shift:4" },
    { "spapr_pci", 2, "buid:8 liobn:4 mem_win:8*2 io_win:8*2 lsi_table:4*4"
      " msi_devs_num:4 msi_devs:12*msi_devs_num" },
    { "PCIBUS", 1, "nirq:4 irq_count:4*nirq" },
    { "spapr", 2, "unused:4 rtc_offset:8 tb:16" },
    { "spapr", 3, "tb:16" },
    { "globalstate", 1, "size:4 runstate:100" },
};

/* The capabilities are many, and alike. */
static const char *layout_of(const char *vmsd, uint32_t version)
{
    size_t i;

    if (g_str_has_prefix(vmsd, "spapr/cap/") && version == 1) {
        return "value:1";
    }
    for (i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (!strcmp(layouts[i].vmsd, vmsd) && layouts[i].version == version) {
            return layouts[i].fields;
        }
    }
    return NULL;
}

bool layout_known(const char *vmsd, uint32_t version)
{
    return layout_of(vmsd, version) != NULL;
}

bool layout_fields(const char *vmsd, StreamPart *part, const uint8_t *buf,
                   size_t size, GError **errp)
{
    const char *layout = layout_of(vmsd, part->version);
    g_auto(GStrv) words = NULL;
    size_t i;

    if (!layout) {
        g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                    "'%s' version %u has no vmdescription here, and this tool"
                    " does not know its fields, so that nothing behind it can"
                    " be found", part->name, part->version);
        return false;
    }
    part->fields_end = part->fields_at;
    words = g_strsplit(layout, " ", 0);
    for (i = 0; words[i]; i++) {
        char *colon = strchr(words[i], ':'), *times;
        uint64_t each = g_ascii_strtoull(colon + 1, &times, 10), count = 1;
        const char *name;

        *colon = '\0';
        name = g_intern_string(words[i]);
        if (*times && g_ascii_isdigit(times[1])) {
            count = g_ascii_strtoull(times + 1, NULL, 10);
        } else if (*times) {
            const StreamField *field = stream_field(part, times + 1);

            g_assert(field && field->size == 4);
            count = get_be32(buf + field->offset);
        }
        if (!add_field(part, name, each, count, size, errp)) {
            return false;
        }
    }
    return true;
}
