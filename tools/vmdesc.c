/*
 * The description of the device state at the end of a stream
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
 *       { "name": "slirp", "instance_id": 0, "size": 404,
 *         "fields": [ { "name": "data", "size": 404, ... } ] },
 *       ... ] }
 *
 * "size" is what was written of a field, nested structures included, of one
 * element if there is an "array_len".  So there is no need to go into nested
 * structures.  The second device is an old-style one, from register_savevm():
 * it has neither a vmsd_name nor a version.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <json-glib/json-glib.h>
#include "tool-error.h"
#include "stream.h"
#include "vmdesc.h"

struct Vmdesc {
    JsonParser *parser;
    JsonArray *devices;
    GHashTable *index;      /* of the devices by vmdesc_key(), from 1 on */
    guint next;             /* the first device that was not asked for */
};

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

static JsonParser *parse_json(const char *text, size_t len, GError **errp)
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

/* Name and instance of device @i, if it has them */
static const char *device_name(const Vmdesc *v, guint i, uint32_t *instance)
{
    JsonObject *device = get_element(v->devices, i);
    const char *name = device ? get_string(device, "name") : NULL;
    gint64 id;

    if (!name || !get_int(device, "instance_id", &id)) {
        return NULL;
    }
    *instance = id;
    return name;
}

Vmdesc *vmdesc_parse(const char *text, size_t len, GError **errp)
{
    JsonParser *parser = parse_json(text, len, errp);
    Vmdesc *v;
    guint i, n;

    if (!parser) {
        return NULL;
    }
    v = g_new0(Vmdesc, 1);
    v->parser = parser;
    v->devices = get_array(json_node_get_object(json_parser_get_root(parser)),
                           "devices");
    v->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    n = json_array_get_length(v->devices);
    for (i = 0; i < n; i++) {
        uint32_t instance;
        const char *name = device_name(v, i, &instance);

        if (name) {
            g_hash_table_insert(v->index, device_key(name, instance),
                                GUINT_TO_POINTER(i + 1));
        }
    }
    return v;
}

void vmdesc_free(Vmdesc *v)
{
    g_hash_table_unref(v->index);
    g_object_unref(v->parser);
    g_free(v);
}

VmdescPart *vmdesc_device(Vmdesc *v, const char *name, uint32_t instance,
                          unsigned *skipped)
{
    g_autofree char *key = device_key(name, instance);
    guint i = GPOINTER_TO_UINT(g_hash_table_lookup(v->index, key));

    *skipped = 0;
    if (!i || i - 1 < v->next) {
        return NULL;
    }
    *skipped = i - 1 - v->next;
    v->next = i;
    return (VmdescPart *)get_element(v->devices, i - 1);
}

const char *vmdesc_expected(const Vmdesc *v, uint32_t *instance)
{
    return v->next < json_array_get_length(v->devices) ?
        device_name(v, v->next, instance) : NULL;
}

VmdescPart *vmdesc_subsection(VmdescPart *part, const char *name)
{
    JsonArray *subsections = get_array((JsonObject *)part, "subsections");
    guint i, n = subsections ? json_array_get_length(subsections) : 0;

    for (i = 0; i < n; i++) {
        JsonObject *sub = get_element(subsections, i);
        const char *found = sub ? get_string(sub, "vmsd_name") : NULL;

        if (found && !strcmp(found, name)) {
            return (VmdescPart *)sub;
        }
    }
    return NULL;
}

bool vmdesc_is_old_style(VmdescPart *part)
{
    return !json_object_has_member((JsonObject *)part, "vmsd_name");
}

bool vmdesc_version_differs(VmdescPart *part, uint32_t version,
                            int64_t *described)
{
    gint64 found;

    if (!get_int((JsonObject *)part, "version", &found)) {
        return false;
    }
    *described = found;
    return found != version;
}

bool vmdesc_fields(VmdescPart *desc, StreamPart *part, size_t size,
                   GError **errp)
{
    JsonObject *object = (JsonObject *)desc;
    JsonArray *fields = get_array(object, "fields");
    guint i, n = fields ? json_array_get_length(fields) : 0;
    gint64 each;

    part->fields_end = part->fields_at;
    if (!n && get_int(object, "size", &each) && each > 0) {
        return stream_part_add_field(part, "data", each, 1, size, errp);
    }
    for (i = 0; i < n; i++) {
        JsonObject *field = get_element(fields, i);
        const char *name = field ? get_string(field, "name") : NULL;
        gint64 count = 1;

        if (!name || !get_int(field, "size", &each) || each < 0 ||
            (json_object_has_member(field, "array_len") &&
             (!get_int(field, "array_len", &count) || count < 0))) {
            g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                        "the vmdescription has no proper size for field %u"
                        " ('%s') of '%s'", i, name ? name : "?", part->name);
            return false;
        }
        if (!stream_part_add_field(part, name, each, count, size, errp)) {
            return false;
        }
    }
    return true;
}

/* ---- changes ----- */

void vmdesc_set_version(VmdescPart *part, uint32_t version)
{
    json_object_set_int_member((JsonObject *)part, "version", version);
}

static JsonArray *describe_fields(const VmdescField *fields, guint n)
{
    JsonArray *array = json_array_new();
    guint i;

    for (i = 0; i < n; i++) {
        JsonObject *field = json_object_new();

        json_object_set_string_member(field, "name", fields[i].name);
        if (fields[i].array_len) {
            json_object_set_int_member(field, "array_len",
                                       fields[i].array_len);
        }
        json_object_set_string_member(field, "type", fields[i].type);
        json_object_set_int_member(field, "size", fields[i].size);
        json_array_add_object_element(array, field);
    }
    return array;
}

void vmdesc_set_fields(VmdescPart *part, const VmdescField *fields, guint n)
{
    json_object_set_array_member((JsonObject *)part, "fields",
                                 describe_fields(fields, n));
}

void vmdesc_drop_device(Vmdesc *v, const VmdescPart *device)
{
    guint i, n = json_array_get_length(v->devices);

    for (i = 0; i < n; i++) {
        if ((const VmdescPart *)get_element(v->devices, i) == device) {
            json_array_remove_element(v->devices, i);
            return;
        }
    }
}

void vmdesc_drop_subsection(VmdescPart *part, const char *name)
{
    JsonArray *subsections = get_array((JsonObject *)part, "subsections");
    guint i, n = subsections ? json_array_get_length(subsections) : 0;

    for (i = 0; i < n; i++) {
        JsonObject *sub = get_element(subsections, i);
        const char *found = sub ? get_string(sub, "vmsd_name") : NULL;

        if (found && !strcmp(found, name)) {
            json_array_remove_element(subsections, i);
            break;
        }
    }
    /* QEMU writes no empty list. */
    if (n == 1 && !json_array_get_length(subsections)) {
        json_object_remove_member((JsonObject *)part, "subsections");
    }
}

void vmdesc_add_subsection(VmdescPart *part, const char *name,
                           const VmdescField *fields, guint n)
{
    JsonObject *object = (JsonObject *)part, *sub = json_object_new();
    JsonArray *subsections = get_array(object, "subsections");

    json_object_set_string_member(sub, "vmsd_name", name);
    json_object_set_int_member(sub, "version", 1);
    json_object_set_array_member(sub, "fields", describe_fields(fields, n));
    if (!subsections) {
        subsections = json_array_new();
        json_object_set_array_member(object, "subsections", subsections);
    }
    json_array_add_object_element(subsections, sub);
}

/*
 * Up to 2.6 instances above 2^31 were written as negative numbers, under which
 * scripts/analyze-migration.py does not find them.
 */
static void make_instances_positive(JsonArray *devices)
{
    guint i, n = json_array_get_length(devices);

    for (i = 0; i < n; i++) {
        JsonObject *device = get_element(devices, i);
        gint64 id;

        if (device && get_int(device, "instance_id", &id) && id < 0) {
            json_object_set_int_member(device, "instance_id", (uint32_t)id);
        }
    }
}

char *vmdesc_text(const Vmdesc *v, size_t *len)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();

    make_instances_positive(v->devices);
    json_generator_set_root(generator, json_parser_get_root(v->parser));
    return json_generator_to_data(generator, len);
}
