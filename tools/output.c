/*
 * What the commands print, for people and for programs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "output.h"

void print_json(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *text = NULL;

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, true);
    text = json_generator_to_data(generator, NULL);
    printf("%s\n", text);
}

void json_member(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    if (value) {
        json_builder_add_string_value(builder, value);
    } else {
        json_builder_add_null_value(builder);
    }
}

void json_names(JsonBuilder *builder, const char *name, PPCInsns set)
{
    g_autofree char *names = ppc_insns_names(set);
    g_auto(GStrv) list = g_strsplit(names, " ", 0);
    guint i;

    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (i = 0; *names && list[i]; i++) {
        json_builder_add_string_value(builder, list[i]);
    }
    json_builder_end_array(builder);
}

void print_wrapped(int indent, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words, " ", 0);
    int column = 0;
    guint i;

    for (i = 0; list[i]; i++) {
        int len = strlen(list[i]);

        if (column && column + 1 + len > 78) {
            printf("\n");
            column = 0;
        }
        column += column ? printf(" %s", list[i])
                         : printf("%*s%s", indent, "", list[i]);
    }
    printf("\n");
}

void json_int(JsonBuilder *builder, const char *name, gint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

void json_bool(JsonBuilder *builder, const char *name, bool value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

char *size_text(uint64_t size)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    unsigned unit = 0;
    uint64_t left = size, rest = 0;

    while (left >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        rest = left % 1024;
        left /= 1024;
        unit++;
    }
    return rest ? g_strdup_printf("%" PRIu64 ".%" PRIu64 " %s", left,
                                  rest * 10 / 1024, units[unit])
                : g_strdup_printf("%" PRIu64 " %s", left, units[unit]);
}
