/*
 * ppc-insns diff: in which sections and fields two streams differ
 *
 * For whoever has a stream that loads and one that does not.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"

#define BYTES_SHOWN 16

typedef struct Diff {
    const Stream *a, *b;
    unsigned found;
} Diff;

/* A difference: one line for each side */
static void print_difference(Diff *d, const char *where, const char *a,
                             const char *b)
{
    printf("%s\n  - %s\n  + %s\n", where, a ? a : "not there",
           b ? b : "not there");
    d->found++;
}

static void diff_text(Diff *d, const char *where, const char *a,
                      const char *b)
{
    if (g_strcmp0(a, b)) {
        print_difference(d, where, a, b);
    }
}

static void diff_number(Diff *d, const char *where, uint64_t a, uint64_t b)
{
    g_autofree char *first = g_strdup_printf("%" PRIu64, a);
    g_autofree char *second = g_strdup_printf("%" PRIu64, b);

    diff_text(d, where, first, second);
}

/* Up to BYTES_SHOWN bytes from @at on, as hexadecimal; to be freed */
static char *bytes_text(const Stream *s, size_t at, size_t size)
{
    GString *text = g_string_new(NULL);
    size_t i;

    for (i = 0; i < size && i < BYTES_SHOWN; i++) {
        g_string_append_printf(text, "%02x", s->device->data[at + i]);
    }
    g_string_append(text, size > BYTES_SHOWN ? "..." : "");
    return g_string_free(text, false);
}

static void diff_bytes(Diff *d, const char *where, size_t a, size_t b,
                       size_t size)
{
    const uint8_t *first = d->a->device->data + a;
    const uint8_t *second = d->b->device->data + b;
    size_t from = 0, i, n = 0;

    for (i = 0; i < size; i++) {
        if (first[i] != second[i]) {
            from = n++ ? from : i;
        }
    }
    if (n) {
        g_autofree char *place = size > BYTES_SHOWN ?
            g_strdup_printf("%s, %zu of %zu bytes differ, from byte %zu on",
                            where, n, size, from) : g_strdup(where);
        size_t start = size > BYTES_SHOWN ? from : 0;
        g_autofree char *a_text = bytes_text(d->a, a + start, size - start);
        g_autofree char *b_text = bytes_text(d->b, b + start, size - start);

        print_difference(d, place, a_text, b_text);
    }
}

static void diff_fields(Diff *d, const char *where, const StreamPart *a,
                        const StreamPart *b)
{
    guint i, j = 0;

    for (i = 0; i < a->fields->len; i++) {
        const StreamField *f = &g_array_index(a->fields, StreamField, i);
        const StreamField *g = NULL;
        g_autofree char *name = g_strdup_printf("%s: %s", where, f->name);
        guint k;

        /* Fields come in the same order, but one side may lack some. */
        for (k = j; k < b->fields->len; k++) {
            const StreamField *h = &g_array_index(b->fields, StreamField, k);

            if (!strcmp(h->name, f->name)) {
                g = h;
                break;
            }
        }
        if (!g) {
            print_difference(d, name, "there", NULL);
            continue;
        }
        for (; j < k; j++) {
            g_autofree char *other = g_strdup_printf(
                "%s: %s", where,
                g_array_index(b->fields, StreamField, j).name);

            print_difference(d, other, NULL, "there");
        }
        j = k + 1;
        if (f->size != g->size) {
            g_autofree char *size = g_strdup_printf("%s, bytes", name);

            diff_number(d, size, f->size, g->size);
        } else {
            diff_bytes(d, name, f->offset, g->offset, f->size);
        }
    }
    for (; j < b->fields->len; j++) {
        g_autofree char *other = g_strdup_printf(
            "%s: %s", where, g_array_index(b->fields, StreamField, j).name);

        print_difference(d, other, NULL, "there");
    }
}

static void diff_parts(Diff *d, const char *where, const StreamPart *a,
                       const StreamPart *b)
{
    guint i, n = a->subsections ? a->subsections->len : 0;
    guint m = b->subsections ? b->subsections->len : 0;

    if (a->version != b->version) {
        g_autofree char *version = g_strdup_printf("%s, version", where);

        diff_number(d, version, a->version, b->version);
    }
    diff_fields(d, where, a, b);
    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(a->subsections, i);
        const StreamPart *other = stream_subsection(b, sub->name);
        g_autofree char *name = g_strdup_printf("%s, subsection %s", where,
                                                sub->name);

        if (other) {
            diff_parts(d, name, sub, other);
        } else {
            print_difference(d, name, "there", NULL);
        }
    }
    for (i = 0; i < m; i++) {
        const StreamPart *sub = g_ptr_array_index(b->subsections, i);

        if (!stream_subsection(a, sub->name)) {
            g_autofree char *name = g_strdup_printf("%s, subsection %s", where,
                                                    sub->name);

            print_difference(d, name, NULL, "there");
        }
    }
}

/* ---- sections ----- */

static char *section_key(const StreamSection *section)
{
    return g_strdup_printf("section %s, instance %u", section->part.name,
                           section->instance);
}

static GHashTable *index_sections(const Stream *s)
{
    GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              NULL);
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        StreamSection *section = g_ptr_array_index(s->sections, i);

        g_hash_table_insert(index, section_key(section), section);
    }
    return index;
}

static void diff_sections(Diff *d)
{
    g_autoptr(GHashTable) in_a = index_sections(d->a);
    g_autoptr(GHashTable) in_b = index_sections(d->b);
    guint i;

    for (i = 0; i < d->a->sections->len; i++) {
        const StreamSection *a = g_ptr_array_index(d->a->sections, i);
        g_autofree char *key = section_key(a);
        const StreamSection *b = g_hash_table_lookup(in_b, key);

        if (!b) {
            print_difference(d, key, "there", NULL);
        } else if (a->pieces && b->pieces) {
            g_autofree char *version = g_strdup_printf("%s, version", key);

            diff_number(d, version, a->part.version, b->part.version);
        } else if (!a->pieces && !b->pieces) {
            diff_parts(d, key, &a->part, &b->part);
        } else {
            print_difference(d, key, a->pieces ? "in pieces" : "in one piece",
                             b->pieces ? "in pieces" : "in one piece");
        }
    }
    for (i = 0; i < d->b->sections->len; i++) {
        const StreamSection *b = g_ptr_array_index(d->b->sections, i);
        g_autofree char *key = section_key(b);

        if (!g_hash_table_contains(in_a, key)) {
            print_difference(d, key, NULL, "there");
        }
    }
}

static void diff_blocks(Diff *d)
{
    guint i, n = MAX(d->a->blocks->len, d->b->blocks->len);

    for (i = 0; i < n; i++) {
        const StreamBlock *a = i < d->a->blocks->len ?
            &g_array_index(d->a->blocks, StreamBlock, i) : NULL;
        const StreamBlock *b = i < d->b->blocks->len ?
            &g_array_index(d->b->blocks, StreamBlock, i) : NULL;
        g_autofree char *where = g_strdup_printf("RAM block %u", i);
        g_autofree char *first = a ? g_strdup_printf(
            "%s, %" PRIu64 " bytes", a->name, a->size) : NULL;
        g_autofree char *second = b ? g_strdup_printf(
            "%s, %" PRIu64 " bytes", b->name, b->size) : NULL;

        diff_text(d, where, first, second);
    }
}

static Stream *read_one(const char *path, size_t limit, uint64_t expand,
                        Container **container, int *status)
{
    GError *err = NULL;
    Stream *s = NULL;

    *container = container_open(path, false, expand, &err);
    if (*container) {
        s = stream_new((*container)->in);
        s->device_limit = limit;
        if (!stream_read(s, &err)) {
            g_clear_pointer(&s, stream_free);
        }
        container_end_progress(*container);
    }
    if (err) {
        *status = complain(path, err);
    }
    return s;
}

int command_diff(int argc, char **argv)
{
    int limit = 0, expand = 0, status = EXIT_YES;
    const GOptionEntry options[] = {
        LIMIT_OPTIONS(&limit, &expand),
        { NULL },
    };
    Container *containers[2] = { NULL };
    Stream *a, *b;

    if (!parse_options(options, "STREAM STREAM", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    if (argc != 3) {
        fprintf(stderr, "ppc-insns: diff takes two streams\n");
        return EXIT_UNREADABLE;
    }
    a = read_one(argv[1], device_limit(limit), expand_limit(expand),
                 &containers[0], &status);
    b = read_one(argv[2], device_limit(limit), expand_limit(expand),
                 &containers[1], &status);
    if (a && b) {
        Diff d = { a, b, 0 };

        diff_text(&d, "machine", a->machine, b->machine);
        diff_text(&d, "footers", a->has_footers ? "there" : NULL,
                  b->has_footers ? "there" : NULL);
        diff_text(&d, "configuration section",
                  a->has_configuration ? "there" : NULL,
                  b->has_configuration ? "there" : NULL);
        diff_number(&d, "hash table, power of two", a->htab_shift,
                    b->htab_shift);
        diff_blocks(&d);
        diff_sections(&d);
        status = d.found ? EXIT_NO : EXIT_YES;
    }
    g_clear_pointer(&a, stream_free);
    g_clear_pointer(&b, stream_free);
    container_close(containers[0]);
    container_close(containers[1]);
    return status;
}
