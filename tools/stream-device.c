/*
 * The device state in a stream
 *
 * A section has no length.  Where it ends is found in one of three ways, in
 * this order, and what follows it must be what has to follow:
 *
 *   1. by what the vmdescription says of its fields and subsections;
 *   2. by the table of layouts;
 *   3. by what follows: its footer, and the header of the section that the
 *      vmdescription has next.
 *
 * QEMU does not read the vmdescription, so that a stream that is not as its
 * vmdescription says is not damaged; that is a note.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "layouts.h"
#include "stream-internal.h"

#define FOOTER_SIZE 5
#define FIRST_READ (4u << 20)
#define CANDIDATES 4       /* places that look like a vmdescription's */

/* Fails at @at in s->device; takes over the place if @err is set. */
static bool device_fail(Stream *s, size_t at, GError **errp)
{
    stream_name_place(s, s->device_at + at, errp);
    return false;
}

/* What a section's name says without the device's path */
static const char *name_without_path(const char *name)
{
    const char *slash = strchr(name, '@') ? strrchr(name, '/') : NULL;

    return slash && slash[1] ? slash + 1 : name;
}

/* ---- what follows a section ----- */

/* Does the header of section @name, @instance stand at @at? */
static bool is_header_of(const Stream *s, size_t at, const char *name,
                         uint32_t instance)
{
    const uint8_t *buf = s->device->data;
    size_t len = strlen(name);

    return s->device->len - at >= 6 + len + 8 && buf[at] == SECTION_FULL &&
           buf[at + 5] == len && !memcmp(buf + at + 6, name, len) &&
           get_be32(buf + at + 6 + len) == instance;
}

/* Can the end of the device state, or the next section, be at @at? */
static bool section_follows(const Stream *s, size_t at)
{
    const uint8_t *buf = s->device->data;
    size_t left = s->device->len - at;
    const char *name;
    uint32_t instance;

    if (left && buf[at] == SECTION_EOF) {
        return !s->vmdesc_at || s->vmdesc_at == at + 1;
    }
    if (left < 6 || buf[at] != SECTION_FULL || !buf[at + 5] ||
        left < 6 + buf[at + 5] + 8u) {
        return false;
    }
    if (s->has_footers) {
        return true;    /* the footer before it says more */
    }
    name = s->vmdesc ? vmdesc_expected(s->vmdesc, &instance) : NULL;
    return !name || is_header_of(s, at, name, instance);
}

/* Can section @id end at @at? */
static bool ends_at(const Stream *s, uint32_t id, size_t at)
{
    const uint8_t *buf = s->device->data;

    if (s->has_footers) {
        if (s->device->len - at < FOOTER_SIZE ||
            buf[at] != SECTION_FOOTER || get_be32(buf + at + 1) != id) {
            return false;
        }
        /* What is wrong behind the footer is not wrong here. */
        return true;
    }
    /* Without a vmdescription there is just the table to go by. */
    return !s->vmdesc || section_follows(s, at);
}

/* Can it end at @at, with just what must follow there, by the description? */
static bool ends_exactly_at(const Stream *s, uint32_t id, size_t at)
{
    const char *name;
    uint32_t instance;
    size_t next = at + (s->has_footers ? FOOTER_SIZE : 0);

    if (next > s->device->len || !ends_at(s, id, at)) {
        return false;
    }
    name = vmdesc_expected(s->vmdesc, &instance);
    return name ? is_header_of(s, next, name, instance)
                : next + 1 == s->vmdesc_at;
}

/* The third way: @section's contents are not known, but what follows is. */
static bool find_end(Stream *s, StreamSection *section, GError **errp)
{
    StreamPart *part = &section->part;
    size_t at, found = 0;
    unsigned n = 0;

    stream_part_reset(part);
    if (!s->vmdesc) {
        return stream_fail(s, section->offset, errp,
                           "nothing says where it ends");
    }
    for (at = part->fields_at; at < s->vmdesc_at && n < 2; at++) {
        if (s->looked_at++ > STREAM_LOOK) {
            break;
        }
        if (ends_exactly_at(s, section->id, at)) {
            found = at;
            n++;
        }
    }
    if (n != 1) {
        return stream_fail(s, section->offset, errp,
                           "it does not end where the vmdescription says, and"
                           " what must follow it is %s; the stream is damaged",
                           n ? "there twice" : "not there");
    }
    section->opaque = true;
    if (!stream_part_add_field(part, "data", found - part->fields_at, 1,
                               s->device->len, errp)) {
        return false;
    }
    part->end = part->fields_end;
    return true;
}

/* ---- subsections ----- */

static bool read_subsections(Stream *s, StreamPart *part, const char *vmsd,
                             VmdescPart *desc, unsigned depth, GError **errp);

static bool read_subsection(Stream *s, StreamPart *part, size_t at,
                            VmdescPart *desc, unsigned depth, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len, name_len = buf[at + 1];
    StreamPart *sub = g_new0(StreamPart, 1);
    VmdescPart *sub_desc;
    bool twice;

    if (!part->subsections) {
        part->subsections = g_ptr_array_new_with_free_func(stream_part_free);
    }
    sub->start = at;
    sub->name = stream_printable(buf + at + 2, name_len);
    twice = stream_subsection(part, sub->name);
    g_ptr_array_add(part->subsections, sub);
    if (twice || part->subsections->len > STREAM_SUBSECTIONS) {
        return stream_fail(s, s->device_at + at, errp,
                           "subsection '%s' is there twice, or one of too"
                           " many", sub->name);
    }
    sub->version_at = at + 2 + name_len;
    sub->version = get_be32(buf + sub->version_at);
    sub->fields_at = sub->version_at + 4;
    stream_part_reset(sub);
    sub_desc = desc ? vmdesc_subsection(desc, sub->name) : NULL;
    if (!(sub_desc ? vmdesc_fields(sub_desc, sub, size, errp)
                   : layout_fields(sub->name, sub, s->dialect, buf, size,
                                   errp))) {
        g_prefix_error(errp, "subsection '%s': ", sub->name);
        return device_fail(s, at, errp);
    }
    return read_subsections(s, sub, sub->name, sub_desc, depth + 1, errp);
}

/* Subsections from @part->fields_end on; sets @part->end. */
static bool read_subsections(Stream *s, StreamPart *part, const char *vmsd,
                             VmdescPart *desc, unsigned depth, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len;
    size_t at = part->fields_end, len = strlen(vmsd);

    part->end = at;
    while (at < size && buf[at] == SUBSECTION) {
        size_t name_len;

        if (size - at < 2 || size - at - 2 < buf[at + 1]) {
            break;
        }
        name_len = buf[at + 1];
        if (name_len <= len || memcmp(buf + at + 2, vmsd, len)) {
            break;      /* another part's */
        }
        if (size - at - 2 - name_len < 4 || depth >= STREAM_DEPTH ||
            s->parts++ >= STREAM_SECTIONS) {
            return stream_fail(s, s->device_at + at, errp,
                               "the stream ends in a subsection's header, or"
                               " has more of them than any QEMU sends");
        }
        if (!read_subsection(s, part, at, desc, depth, errp)) {
            return false;
        }
        at = part->end = ((StreamPart *)g_ptr_array_index(
            part->subsections, part->subsections->len - 1))->end;
    }
    return true;
}

/* ---- sections ----- */

/* The header of a section at @at; NULL with @errp set if it is not whole */
static StreamSection *read_header(Stream *s, size_t at, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len, left = size - at;
    size_t name_len = left > 5 ? buf[at + 5] : 0;
    StreamSection *section;

    stream_at(s, s->device_at + at, "a section of the device state");
    if (left < 6 + name_len + 8) {
        stream_fail(s, s->device_at + size, errp,
                    "the stream ends before this does; it was cut off, so"
                    " save it again");
        return NULL;
    }
    if (!name_len || s->sections->len >= STREAM_SECTIONS) {
        stream_fail(s, s->device_at + at + 5, errp,
                    "a section without a name, or too many sections");
        return NULL;
    }
    section = g_new0(StreamSection, 1);
    g_ptr_array_add(s->sections, section);
    section->offset = s->device_at + at;
    section->id = get_be32(buf + at + 1);
    section->part.start = at;
    section->part.name = stream_printable(buf + at + 6, name_len);
    section->vmsd = name_without_path(section->part.name);
    section->instance = get_be32(buf + at + 6 + name_len);
    section->part.version_at = at + 6 + name_len + 4;
    section->part.version = get_be32(buf + section->part.version_at);
    section->part.fields_at = section->part.version_at + 4;
    stream_part_reset(&section->part);
    stream_at(s, section->offset, "section '%s' (id %u)", section->part.name,
              section->id);
    return section;
}

/* What the vmdescription says of @section, with a note where it is wrong */
static VmdescPart *describe(Stream *s, const StreamSection *section)
{
    VmdescPart *desc;
    unsigned skipped;
    int64_t version;

    desc = vmdesc_device(s->vmdesc, section->part.name, section->instance,
                         &skipped);
    if (!desc) {
        stream_note(s, "the vmdescription does not have section '%s', instance"
                    " 0x%x, or not here", section->part.name,
                    section->instance);
        return NULL;
    }
    if (skipped) {
        stream_note(s, "the vmdescription has %u sections before '%s' that the"
                    " stream does not have there", skipped,
                    section->part.name);
    }
    if (vmdesc_version_differs(desc, section->part.version, &version)) {
        stream_note(s, "section '%s' has version %u, but %" PRId64 " in the"
                    " vmdescription", section->part.name,
                    section->part.version, version);
    }
    return desc;
}

/* The first and the second way to find the end of @section */
static bool try_description(Stream *s, StreamSection *section,
                            VmdescPart *desc, GError **errp)
{
    StreamPart *part = &section->part;

    if (!vmdesc_fields(desc, part, s->device->len, errp)) {
        return device_fail(s, part->fields_end, errp);
    }
    section->opaque = vmdesc_is_old_style(desc);
    part->end = part->fields_end;
    if (!section->opaque &&
        !read_subsections(s, part, section->vmsd, desc, 0, errp)) {
        return false;
    }
    if (!ends_at(s, section->id, part->end)) {
        return stream_fail(s, s->device_at + part->end, errp,
                           "%s was expected here; the stream is damaged, or"
                           " was cut off", s->has_footers ? "the footer"
                           : "the next section");
    }
    return true;
}

static bool try_table(Stream *s, StreamSection *section, GError **errp)
{
    StreamPart *part = &section->part;

    stream_part_reset(part);
    section->opaque = false;
    if (!layout_known(section->vmsd, part->version, s->dialect)) {
        return stream_fail(s, section->offset, errp,
                           "%s, and this tool does not know version %u of this"
                           " section, so that nothing behind it can be found",
                           s->vmdesc ? "the vmdescription does not have it" :
                           "the stream has no vmdescription at its end (was it"
                           " cut off?)", part->version);
    }
    if (!layout_fields(section->vmsd, part, s->dialect, s->device->data,
                       s->device->len, errp)) {
        return device_fail(s, part->fields_end, errp);
    }
    if (!read_subsections(s, part, section->vmsd, NULL, 0, errp)) {
        return false;
    }
    if (!ends_at(s, section->id, part->end)) {
        return stream_fail(s, s->device_at + part->end, errp,
                           "%s was expected here; the stream is damaged, or"
                           " was cut off", s->has_footers ? "the footer"
                           : "the next section");
    }
    return true;
}

static bool read_full(Stream *s, size_t *at, GError **errp)
{
    StreamSection *section = read_header(s, *at, errp);
    VmdescPart *desc = NULL;
    GError *err = NULL;
    bool ok;

    if (!section) {
        return false;
    }
    if (s->vmdesc) {
        desc = describe(s, section);
    }
    ok = desc ? try_description(s, section, desc, &err)
              : try_table(s, section, &err);
    if (!ok && s->vmdesc) {
        ok = (desc && try_table(s, section, NULL)) ||
             find_end(s, section, NULL);
        if (ok && desc) {
            stream_note(s, "section '%s' is not as long as the vmdescription"
                        " says", section->part.name);
        }
    }
    if (!ok) {
        g_propagate_error(errp, err);
        return false;
    }
    g_clear_error(&err);
    *at = section->part.end + (s->has_footers ? FOOTER_SIZE : 0);
    return true;
}

/* ---- all of it ----- */

static bool no_end(Stream *s, size_t at, GError **errp)
{
    stream_at(s, s->device_at + at, "the end of the device state");
    if (at >= s->device->len) {
        return stream_fail(s, s->device_at + at, errp,
                           "the stream ends before this does; it was cut off,"
                           " so save it again");
    }
    return stream_fail(s, s->device_at + at, errp,
                       "a section or the end was expected, but neither begins"
                       " with 0x%02x; the stream is damaged",
                       s->device->data[at]);
}

/* Where there was no vmdescription to go by: is there one behind the end? */
static bool read_behind(Stream *s, size_t *at, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len, end = *at, left;

    if (end >= size || buf[end] != SECTION_VMDESC) {
        return true;
    }
    stream_at(s, s->device_at + end, "the vmdescription");
    if (size - end < 5) {
        return stream_fail(s, s->device_at + size, errp,
                           "the stream ends before this does; it was cut off,"
                           " so save it again");
    }
    left = size - end - 5;
    s->vmdesc_size = get_be32(buf + end + 1);
    if (s->vmdesc_size > left) {
        return stream_fail(s, s->device_at + size, errp,
                           "%zu of its %zu bytes are missing; the stream was"
                           " cut off", s->vmdesc_size - left, s->vmdesc_size);
    }
    s->has_vmdesc = true;
    s->vmdesc_at = end;
    *at += 5 + s->vmdesc_size;
    return true;
}

static void forget(Stream *s, guint pieces)
{
    g_ptr_array_set_size(s->sections, pieces);
    g_ptr_array_set_size(s->notes, 0);
    g_array_set_size(s->cpus, 0);
    g_clear_pointer(&s->vmdesc, vmdesc_free);
    s->has_vmdesc = false;
    s->vmdesc_at = s->vmdesc_size = 0;
    s->parts = 0;
}

/* Reads it with the vmdescription at @vmdesc_at, or with none if that is 0. */
static bool parse_with(Stream *s, size_t vmdesc_at, GError **errp)
{
    size_t at = 0, end;

    s->vmdesc_at = vmdesc_at;
    if (vmdesc_at) {
        const uint8_t *p = s->device->data + vmdesc_at;

        s->vmdesc_size = get_be32(p + 1);
        stream_at(s, s->device_at + vmdesc_at, "the vmdescription");
        s->vmdesc = vmdesc_parse((const char *)p + 5, s->vmdesc_size, errp);
        if (!s->vmdesc) {
            return device_fail(s, vmdesc_at, errp);
        }
        s->has_vmdesc = true;
    }
    while (at < s->device->len && s->device->data[at] == SECTION_FULL) {
        if (!read_full(s, &at, errp)) {
            return false;
        }
    }
    if (at >= s->device->len || s->device->data[at] != SECTION_EOF) {
        return no_end(s, at, errp);
    }
    end = at + 1;
    if (!vmdesc_at) {
        if (!read_behind(s, &end, errp)) {
            return false;
        }
    } else if (vmdesc_at == end) {
        end += 5 + s->vmdesc_size;
    } else {
        stream_at(s, s->device_at + at, "the end of the device state");
        return stream_fail(s, s->device_at + at, errp,
                           "the vmdescription should follow, but stands at 0x%"
                           PRIx64 "; the stream is damaged",
                           s->device_at + vmdesc_at);
    }
    if (!stream_read_cpus(s, errp)) {
        return false;
    }
    s->trailing += s->device->len - end;
    g_byte_array_set_size(s->device, end);
    return true;
}

/*
 * Where a vmdescription may stand, from @from on: behind a byte EOF, with a
 * size, and an object of JSON in just that size.  If it is not one, the walk
 * through the sections does not end there.
 *
 * Returns: the place, 0 if there is none; @whole is set to whether all of it
 * is there.
 */
static size_t find_vmdesc(const Stream *s, size_t from, bool *whole)
{
    const uint8_t *buf = s->device->data;
    size_t len = s->device->len, at = MAX(from, 1);

    while (at + 6 <= len) {
        const uint8_t *p = memchr(buf + at, SECTION_VMDESC, len - 5 - at);
        size_t size;

        if (!p) {
            break;
        }
        at = p - buf;
        size = get_be32(p + 1);
        if (p[-1] == SECTION_EOF && p[5] == '{' && size >= 2 &&
            size <= STREAM_VMDESC_LIMIT) {
            *whole = size <= len - at - 5;
            if (!*whole || p[5 + size - 1] == '}' ||
                g_ascii_isspace(p[5 + size - 1])) {
                return at;
            }
        }
        at++;
    }
    return 0;
}

/* Keeps the error of the first attempt that failed; takes over @err. */
static void keep_first(GError **first, GError *err)
{
    if (*first) {
        g_error_free(err);
    } else {
        *first = err;
    }
}

/* Nothing says what is in the sections: whose sections can they be? */
static bool parse_without(Stream *s, guint pieces, GError **errp)
{
    Dialect dialect, told = s->dialect;
    GError *first = NULL;

    for (dialect = 0; dialect < DIALECT__MAX; dialect++) {
        GError *err = NULL;

        if (s->told && dialect != told) {
            continue;
        }
        s->dialect = dialect;
        if (parse_with(s, 0, &err)) {
            g_clear_error(&first);
            return true;
        }
        forget(s, pieces);
        keep_first(&first, err);
    }
    s->dialect = told;
    g_propagate_error(errp, first);
    return false;
}

bool stream_parse_device(Stream *s, GError **errp)
{
    guint pieces = s->sections->len;
    GError *first = NULL;
    size_t at = 0;
    unsigned tried = 0;
    bool whole;

    while (tried < CANDIDATES && (at = find_vmdesc(s, at, &whole))) {
        GError *err = NULL;

        if (whole) {
            tried++;
            if (parse_with(s, at, &err)) {
                g_clear_error(&first);
                return true;
            }
            forget(s, pieces);
            keep_first(&first, err);
        }
        at++;
    }
    /* QEMU would not even look at it. */
    if (parse_without(s, pieces, first ? NULL : errp)) {
        if (s->has_vmdesc) {
            stream_note(s, "the vmdescription cannot be used%s%s",
                        first ? ": " : "", first ? first->message : "");
        }
        g_clear_error(&first);
        return true;
    }
    if (first) {
        g_propagate_error(errp, first);
    }
    return false;
}

bool stream_read_device(Stream *s, GError **errp)
{
    size_t want = FIRST_READ, tried = 0;
    bool at_end = false;

    s->device = g_byte_array_new();
    while (true) {
        size_t have = s->device->len, at;
        bool whole = false;

        want = MIN(want, s->device_limit);
        if (!input_append(s->in, s->device, want - have, &at_end, errp)) {
            return false;
        }
        if (at_end || want == s->device_limit) {
            break;
        }
        /* Bytes may follow the stream, perhaps very many of them. */
        at = find_vmdesc(s, tried, &whole);
        if (at && whole) {
            if (stream_parse_device(s, NULL)) {
                s->trailing += input_left(s->in);
                return true;
            }
            tried = s->device->len - 6;
        }
        want *= 2;
    }
    if (!at_end) {
        at_end = !input_need(s->in, 1, NULL);
    }
    if (at_end) {
        return stream_parse_device(s, errp);
    }
    if (stream_parse_device(s, NULL)) {
        s->trailing += input_left(s->in);
        return true;
    }
    g_set_error(errp, TOOL_ERROR, TOOL_ERROR_FORMAT,
                "the device state from offset 0x%" PRIx64 " on is larger than"
                " %zu MiB; if that is right, raise --device-limit",
                s->device_at, s->device_limit >> 20);
    return false;
}
