/*
 * The structure of a migration stream
 *
 * A stream, as QEMU 2.1 to 9.1 write it.  Numbers are big-endian; "str" is a
 * length byte and that many bytes.
 *
 *   +-------------------+
 *   | "QEVM"  version 3 |  u32, u32
 *   +-------------------+
 *   | configuration     |  pseries-2.4 and later (QEMU 2.4: 2.3, too)
 *   +-------------------+
 *   | RAM, hash table   |  START, PART ..., END: while the guest runs on
 *   +-------------------+
 *   | device state      |  FULL ...: what this tool is about
 *   +-------------------+
 *   | EOF               |  u8 0x00
 *   +-------------------+
 *   | vmdescription     |  pseries-2.3 and later: u8 0x06, u32 size, JSON
 *   +-------------------+
 *
 *   START, FULL:  u8 0x01, 0x04 | u32 id | str name | u32 instance
 *                 | u32 version | contents | footer
 *   PART, END:    u8 0x02, 0x03 | u32 id | contents | footer
 *   footer:       u8 0x7e | u32 id;  pseries-2.4 and later
 *   command:      u8 0x08 | u16 command | u16 size | contents
 *   subsection:   u8 0x05 | str name | u32 version | contents;
 *                 at the end of the contents of what its name begins with
 *
 * Everything is found by walking this structure; nothing is searched for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "layout.h"
#include "stream.h"

enum {
    SECTION_EOF = 0x00,
    SECTION_START = 0x01,
    SECTION_PART = 0x02,
    SECTION_END = 0x03,
    SECTION_FULL = 0x04,
    SUBSECTION = 0x05,
    SECTION_VMDESC = 0x06,
    SECTION_CONFIGURATION = 0x07,
    SECTION_COMMAND = 0x08,
    SECTION_FOOTER = 0x7e,
};

#define PAGE_SIZE 4096u     /* of every PowerPC target, as RAM is sent */
#define SPR_PVR 287

static void part_clear(StreamPart *part)
{
    g_free(part->name);
    g_clear_pointer(&part->fields, g_array_unref);
    g_clear_pointer(&part->subsections, g_ptr_array_unref);
}

static void part_free(void *opaque)
{
    part_clear(opaque);
    g_free(opaque);
}

static void section_free(void *opaque)
{
    StreamSection *section = opaque;

    part_clear(&section->part);
    g_free(section);
}

static void block_clear(void *opaque)
{
    g_free(((StreamBlock *)opaque)->name);
}

Stream *stream_new(Input *in)
{
    Stream *s = g_new0(Stream, 1);

    s->in = in;
    s->device_limit = STREAM_DEVICE_LIMIT;
    s->sections = g_ptr_array_new_with_free_func(section_free);
    s->blocks = g_array_new(false, false, sizeof(StreamBlock));
    g_array_set_clear_func(s->blocks, block_clear);
    s->block_index = g_hash_table_new(g_str_hash, g_str_equal);
    s->commands = g_string_new(NULL);
    s->cpus = g_array_new(false, false, sizeof(StreamCpu));
    s->where = g_strdup("the file header");
    return s;
}

void stream_free(Stream *s)
{
    g_free(s->machine);
    g_ptr_array_unref(s->sections);
    g_hash_table_unref(s->block_index);
    g_array_unref(s->blocks);
    g_string_free(s->commands, true);
    if (s->device) {
        g_byte_array_unref(s->device);
    }
    g_array_unref(s->cpus);
    g_free(s->where);
    g_clear_object(&s->json);
    g_free(s);
}

/* ---- messages ----- */

/* From here on, what goes wrong is in @what, which begins at @offset. */
static void stream_at(Stream *s, uint64_t offset, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void stream_at(Stream *s, uint64_t offset, const char *format, ...)
{
    va_list ap;

    g_free(s->where);
    va_start(ap, format);
    s->where = g_strdup_vprintf(format, ap);
    va_end(ap);
    s->where_at = offset;
}

#define PRINTABLE \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789 !#$%&()*+,-./:;<=>?@[]^_{|}~"

/*
 * Every message about a stream comes through here.  What it quotes of the
 * vmdescription may be anything, also what a terminal takes for a command.
 */
static void name_place(Stream *s, uint64_t offset, GError **errp)
{
    g_prefix_error(errp, "%s at offset 0x%" PRIx64 ", byte 0x%" PRIx64 ": ",
                   s->where, s->where_at, offset);
    if (errp) {
        g_strcanon((*errp)->message, PRINTABLE "'\"", '?');
    }
}

static bool stream_fail(Stream *s, uint64_t offset, GError **errp,
                        const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Returns false, as its callers do. */
static bool stream_fail(Stream *s, uint64_t offset, GError **errp,
                        const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (errp) {
        *errp = g_error_new_valist(TOOL_ERROR, TOOL_ERROR_FORMAT, format, ap);
    }
    va_end(ap);
    name_place(s, offset, errp);
    return false;
}

/* The stream ended, unless reading failed, which @err says then. */
static bool stream_ended(Stream *s, GError *err, GError **errp)
{
    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    return stream_fail(s, input_offset(s->in), errp,
                       "the stream ends before this does; it was cut off, so"
                       " save it again");
}

/* The next @n bytes, read over; NULL with @errp set if there are not so many */
static const uint8_t *take(Stream *s, size_t n, GError **errp)
{
    GError *err = NULL;
    const uint8_t *p = input_need(s->in, n, &err);

    if (!p) {
        stream_ended(s, err, errp);
        return NULL;
    }
    s->in->pos += n;
    return p;
}

static bool skip(Stream *s, uint64_t n, GError **errp)
{
    GError *err = NULL;

    return input_skip(s->in, n, &err) || stream_ended(s, err, errp);
}

/* The byte after the last one read; -1 at the stream's end or on failure */
static int peek(Stream *s, GError **errp)
{
    const uint8_t *p = input_need(s->in, 1, errp);

    return p ? *p : -1;
}

/* A name as messages can show it, to be freed */
static char *printable(const uint8_t *name, size_t len)
{
    char *text = g_strndup((const char *)name, len);

    g_strcanon(text, PRINTABLE, '?');
    return text;
}

/* A name as the stream has it; NULL with @errp set if it has odd characters */
static char *take_name(Stream *s, GError **errp)
{
    const uint8_t *p = take(s, 1, errp);
    size_t len = p ? *p : 0;
    g_autofree char *name = NULL;

    p = p ? take(s, len, errp) : NULL;
    if (!p) {
        return NULL;
    }
    name = printable(p, len);
    if (!len || strlen(name) != len || memcmp(name, p, len)) {
        stream_fail(s, input_offset(s->in) - len, errp,
                    "a name was expected, not '%s'", name);
        return NULL;
    }
    return g_steal_pointer(&name);
}

/* ---- header and configuration ----- */

static bool wrong_magic(Stream *s, const uint8_t *p, GError **errp)
{
    static const struct {
        const char *magic;
        const char *what;
    } known[] = {
        { "\x11\x22\x33\x44", "a channel of a multifd migration, which"
          " carries RAM only; migrate without multifd" },
        { "Libvirt", "a file of libvirt's, with a header before the stream;"
          " cut that off" },
        { "\xfd" "7zXZ", "compressed with xz; use xz -dc FILE | ppc-insns" },
        { "\x1f\x8b", "compressed with gzip; use gzip -dc FILE | ppc-insns" },
        { "\x28\xb5\x2f\xfd", "compressed with zstd; use zstd -dc FILE |"
          " ppc-insns" },
        { "QFI\xfb", "a disk image; the stream of a snapshot in it cannot be"
          " read from here" },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!memcmp(p, known[i].magic, strlen(known[i].magic))) {
            return stream_fail(s, 0, errp, "this is %s", known[i].what);
        }
    }
    return stream_fail(s, 0, errp, "this is not a migration stream, which"
                       " begins with 'QEVM'");
}

/*
 * configuration:  u8 0x07 | u32 size | machine's name | subsections
 *   configuration/target-page-bits   u32
 *   configuration/capabilities       u32 count | count times str
 *   configuration/uuid               16 bytes
 */
static bool read_configuration(Stream *s, GError **errp)
{
    const uint8_t *p;
    uint32_t size, i;
    unsigned subsections = 0;
    g_autoptr(GError) err = NULL;

    stream_at(s, input_offset(s->in), "the configuration section");
    s->has_configuration = true;
    p = take(s, 5, errp);
    if (!p) {
        return false;
    }
    size = get_be32(p + 1);
    if (!size || size > 255) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "a machine's name of %u bytes", size);
    }
    p = take(s, size, errp);
    if (!p) {
        return false;
    }
    s->machine = printable(p, size);
    if (strlen(s->machine) != size || memcmp(s->machine, p, size)) {
        return stream_fail(s, input_offset(s->in) - size, errp,
                           "'%s' is no machine's name", s->machine);
    }

    while (peek(s, &err) == SUBSECTION) {
        g_autofree char *name = NULL;

        if (++subsections > STREAM_SUBSECTIONS) {
            return stream_fail(s, input_offset(s->in), errp,
                               "it has more subsections than any QEMU sends");
        }

        input_skip(s->in, 1, NULL);
        name = take_name(s, errp);
        p = name ? take(s, 4, errp) : NULL;
        if (!p) {
            return false;
        }
        if (get_be32(p) != 1) {
            return stream_fail(s, input_offset(s->in) - 4, errp,
                               "version %u of '%s' is not known", get_be32(p),
                               name);
        }
        if (!strcmp(name, "configuration/target-page-bits")) {
            p = take(s, 4, errp);
            if (!p) {
                return false;
            }
            if (get_be32(p) != 12) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "pages of 2^%u bytes are not PowerPC's",
                                   get_be32(p));
            }
        } else if (!strcmp(name, "configuration/uuid")) {
            if (!skip(s, 16, errp)) {
                return false;
            }
        } else if (!strcmp(name, "configuration/capabilities")) {
            p = take(s, 4, errp);
            if (!p) {
                return false;
            }
            size = get_be32(p);
            if (size > STREAM_SUBSECTIONS) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "%u capabilities are more than there are",
                                   size);
            }
            for (i = 0; i < size; i++) {
                g_autofree char *cap = take_name(s, errp);

                if (!cap) {
                    return false;
                }
                if (strcmp(cap, "x-ignore-shared")) {
                    return stream_fail(s, input_offset(s->in), errp,
                                       "the stream was made with migration"
                                       " capability '%s', which changes its"
                                       " form; migrate without it", cap);
                }
                s->ignore_shared = true;
            }
        } else {
            return stream_fail(s, input_offset(s->in), errp,
                               "subsection '%s' is not known", name);
        }
    }
    if (err) {
        g_propagate_error(errp, g_steal_pointer(&err));
        return false;
    }
    return true;
}

bool stream_read_start(Stream *s, GError **errp)
{
    const uint8_t *p = take(s, 8, errp);
    GError *err = NULL;
    int type;

    if (!p) {
        return false;
    }
    if (memcmp(p, "QEVM", 4)) {
        return wrong_magic(s, p, errp);
    }
    if (get_be32(p + 4) != 3) {
        return stream_fail(s, 4, errp, "version %u of the format; QEMU 2.1 to"
                           " 9.1 write version 3", get_be32(p + 4));
    }
    type = peek(s, &err);
    if (err) {
        g_propagate_error(errp, err);
        return false;
    }
    return type != SECTION_CONFIGURATION || read_configuration(s, errp);
}

/* ---- RAM -----
 *
 * contents of "ram", version 4: entries, each with
 *
 *   u64 address | flags     the address is one of a page in a RAM block
 *   str block               for a page, unless CONTINUE: the last one's
 *
 *   MEM_SIZE  the address is the sum of the blocks' sizes; follow, until these
 *             add up to it:  str name | u64 size [| u64 address of the block]
 *   ZERO      u8, what the page is filled with
 *   PAGE      4096 bytes
 *   XBZRLE    u8 1 | u16 size | what changed since it was last sent
 *   COMPRESS  u32 size | the page, with zlib
 *   EOS       ends the contents
 */
enum {
    RAM_ZERO = 0x02,
    RAM_MEM_SIZE = 0x04,
    RAM_PAGE = 0x08,
    RAM_EOS = 0x10,
    RAM_CONTINUE = 0x20,
    RAM_XBZRLE = 0x40,
    RAM_HOOK = 0x80,
    RAM_COMPRESS = 0x100,
    RAM_MULTIFD_FLUSH = 0x200,
};

#define RAM_PAGES (RAM_ZERO | RAM_PAGE | RAM_XBZRLE | RAM_COMPRESS)
#define RAM_COMPRESS_MOST (PAGE_SIZE + (PAGE_SIZE >> 8) + 64)

static bool read_ram_blocks(Stream *s, uint64_t total, GError **errp)
{
    while (total) {
        g_autofree char *name = take_name(s, errp);
        const uint8_t *p = name ? take(s, 8, errp) : NULL;
        StreamBlock block;

        if (!p) {
            return false;
        }
        block.size = get_be64(p);
        if (!block.size || block.size > total ||
            s->blocks->len >= STREAM_RAM_BLOCKS ||
            g_hash_table_contains(s->block_index, name)) {
            return stream_fail(s, input_offset(s->in) - 8, errp,
                               "RAM block '%s' of 0x%" PRIx64 " bytes, with"
                               " 0x%" PRIx64 " of all blocks left, cannot be;"
                               " the stream is damaged", name, block.size,
                               total);
        }
        total -= block.size;
        block.name = g_steal_pointer(&name);
        g_array_append_val(s->blocks, block);
        g_hash_table_insert(s->block_index, block.name,
                            GUINT_TO_POINTER(s->blocks->len));
        if (s->ignore_shared && !skip(s, 8, errp)) {
            return false;
        }
    }
    return true;
}

static bool wrong_ram_flags(Stream *s, unsigned flags, GError **errp)
{
    const char *what = "of an unknown kind; the stream is damaged, or newer"
                       " than this tool";

    if (flags & RAM_MULTIFD_FLUSH) {
        what = "of a multifd migration, whose pages are elsewhere; migrate"
               " without multifd";
    } else if (flags & RAM_HOOK) {
        what = "of a migration over RDMA, whose pages are elsewhere; use"
               " another transport";
    }
    return stream_fail(s, input_offset(s->in) - 8, errp,
                       "a RAM entry with flags 0x%x is %s", flags, what);
}

static bool read_ram(Stream *s, GError **errp)
{
    unsigned flags;

    do {
        const uint8_t *p = take(s, 8, errp);
        uint64_t address;

        if (!p) {
            return false;
        }
        address = get_be64(p);
        flags = address & (PAGE_SIZE - 1);
        address -= flags;

        if (flags & RAM_PAGES) {
            if (!(flags & RAM_CONTINUE)) {
                g_autofree char *name = take_name(s, errp);
                guint i;

                if (!name) {
                    return false;
                }
                i = GPOINTER_TO_UINT(g_hash_table_lookup(s->block_index,
                                                         name));
                if (!i) {
                    return stream_fail(s, input_offset(s->in), errp,
                                       "a page of RAM block '%s', which the"
                                       " stream did not announce", name);
                }
                s->block_size =
                    g_array_index(s->blocks, StreamBlock, i - 1).size;
            }
            if (address >= s->block_size) {
                return stream_fail(s, input_offset(s->in), errp,
                                   "a page at 0x%" PRIx64 " of a RAM block of"
                                   " 0x%" PRIx64 " bytes", address,
                                   s->block_size);
            }
        }

        switch (flags & ~(unsigned)RAM_CONTINUE) {
        case RAM_PAGE:
            s->pages_full++;
            if (!skip(s, PAGE_SIZE, errp)) {
                return false;
            }
            break;
        case RAM_ZERO:
            s->pages_zero++;
            if (!skip(s, 1, errp)) {
                return false;
            }
            break;
        case RAM_XBZRLE:
            s->pages_xbzrle++;
            p = take(s, 3, errp);
            if (!p) {
                return false;
            }
            if (p[0] != 1 || get_be16(p + 1) > PAGE_SIZE) {
                return stream_fail(s, input_offset(s->in) - 3, errp,
                                   "an XBZRLE page of kind %u with %u bytes",
                                   p[0], get_be16(p + 1));
            }
            if (!skip(s, get_be16(p + 1), errp)) {
                return false;
            }
            break;
        case RAM_COMPRESS:
            s->pages_compressed++;
            p = take(s, 4, errp);
            if (!p) {
                return false;
            }
            if (get_be32(p) > RAM_COMPRESS_MOST) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "a compressed page of %u bytes",
                                   get_be32(p));
            }
            if (!skip(s, get_be32(p), errp)) {
                return false;
            }
            break;
        case RAM_MEM_SIZE:
            if (!read_ram_blocks(s, address, errp)) {
                return false;
            }
            break;
        case RAM_EOS:
            break;
        default:
            return wrong_ram_flags(s, flags, errp);
        }
    } while (!(flags & RAM_EOS));
    return true;
}

/* ---- hash table -----
 *
 * contents of "spapr/htab", version 1:
 *
 *   u32 header    the table's size as a power of two, or all ones for a guest
 *                 that has none: nothing follows; or 0, and then chunks:
 *   u32 index | u16 valid | u16 invalid | valid times 16 bytes
 *                 all three 0: ends the contents
 */
static bool read_htab(Stream *s, unsigned *shift, GError **errp)
{
    const uint8_t *p = take(s, 4, errp);
    uint32_t header;

    if (!p) {
        return false;
    }
    header = get_be32(p);
    if (header == UINT32_MAX) {
        return true;
    }
    if (header) {
        if (header < 18 || header > 46) {
            return stream_fail(s, input_offset(s->in) - 4, errp,
                               "a hash table of 2^%u bytes", header);
        }
        *shift = header;
        return true;
    }
    while (true) {
        uint64_t index, valid, invalid;

        p = take(s, 8, errp);
        if (!p) {
            return false;
        }
        index = get_be32(p);
        valid = get_be16(p + 4);
        invalid = get_be16(p + 6);
        if (!index && !valid && !invalid) {
            return true;
        }
        if (!*shift || index + valid + invalid > 1ull << (*shift - 4)) {
            return stream_fail(s, input_offset(s->in) - 8, errp,
                               "entries %" PRIu64 " to %" PRIu64 " of a hash"
                               " table of 2^%u bytes", index,
                               index + valid + invalid, *shift);
        }
        if (!skip(s, valid * 16, errp)) {
            return false;
        }
    }
}

/* ---- what is sent piece by piece ----- */

/* Of the numbers: v2.5 introduced them, and they were not changed since. */
static bool read_command(Stream *s, GError **errp)
{
    static const char *const names[] = {
        [1] = "OPEN_RETURN_PATH", [2] = "PING", [3] = "POSTCOPY_ADVISE",
        [4] = "POSTCOPY_LISTEN", [5] = "POSTCOPY_RUN",
        [6] = "POSTCOPY_RAM_DISCARD", [7] = "PACKAGED", [8] = "ENABLE_COLO",
        [9] = "POSTCOPY_RESUME", [10] = "RECV_BITMAP",
    };
    const uint8_t *p;
    unsigned command, size;
    const char *name;

    stream_at(s, input_offset(s->in), "a command");
    p = take(s, 5, errp);
    if (!p) {
        return false;
    }
    command = get_be16(p + 1);
    size = get_be16(p + 3);
    name = command < G_N_ELEMENTS(names) ? names[command] : NULL;
    if (command != 1 && command != 2) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "command %u (%s) is not of a plain migration;"
                           " migrate without the capabilities postcopy-ram"
                           " and x-colo", command, name ? name : "unknown");
    }
    if (!strstr(s->commands->str, name)) {
        g_string_append_printf(s->commands, "%s%s",
                               s->commands->len ? " " : "", name);
    }
    return skip(s, size, errp);
}

/* The section of that id that is sent piece by piece, or NULL */
static StreamSection *section_by_id(Stream *s, uint32_t id)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        StreamSection *section = g_ptr_array_index(s->sections, i);

        if (section->id == id) {
            return section;
        }
    }
    return NULL;
}

static bool read_footer(Stream *s, uint32_t id, bool first, GError **errp)
{
    const uint8_t *p;
    GError *err = NULL;

    if (first) {
        /* 0x7e begins nothing but a footer. */
        s->has_footers = peek(s, &err) == SECTION_FOOTER;
        if (err) {
            g_propagate_error(errp, err);
            return false;
        }
    }
    if (!s->has_footers) {
        return true;
    }
    p = take(s, 5, errp);
    if (!p) {
        return false;
    }
    if (p[0] != SECTION_FOOTER || get_be32(p + 1) != id) {
        return stream_fail(s, input_offset(s->in) - 5, errp,
                           "the footer of section %u was expected here; the"
                           " stream is damaged", id);
    }
    return true;
}

static const struct {
    const char *name;
    const char *what;
} unread[] = {
    { "block", "the capability block; migrate disks in another way" },
    { "dirty-bitmap", "the capability dirty-bitmaps" },
};

static bool read_piece(Stream *s, int type, unsigned *htab_shift,
                       GError **errp)
{
    StreamSection *section;
    const uint8_t *p;
    uint32_t id;
    size_t i;

    stream_at(s, input_offset(s->in), "a section");
    p = take(s, 5, errp);
    if (!p) {
        return false;
    }
    id = get_be32(p + 1);
    section = section_by_id(s, id);
    if (type == SECTION_START) {
        g_autofree char *name = NULL;

        if (section || s->sections->len >= STREAM_PIECEMEAL) {
            return stream_fail(s, input_offset(s->in) - 4, errp,
                               "section %u begins a second time, or is one of"
                               " too many", id);
        }
        name = take_name(s, errp);
        p = name ? take(s, 8, errp) : NULL;
        if (!p) {
            return false;
        }
        section = g_new0(StreamSection, 1);
        section->id = id;
        section->offset = s->where_at;
        section->instance = get_be32(p);
        section->part.version = get_be32(p + 4);
        section->part.name = g_steal_pointer(&name);
        section->vmsd = section->part.name;
        g_ptr_array_add(s->sections, section);
    } else if (!section) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "a piece of section %u, which never began", id);
    }
    section->pieces++;
    stream_at(s, s->where_at, "section '%s' (id %u)", section->part.name, id);

    if (!strcmp(section->vmsd, "ram") && section->part.version == 4) {
        if (!read_ram(s, errp)) {
            return false;
        }
    } else if (!strcmp(section->vmsd, "spapr/htab") &&
               section->part.version == 1) {
        if (!read_htab(s, htab_shift, errp)) {
            return false;
        }
    } else {
        for (i = 0; i < G_N_ELEMENTS(unread); i++) {
            if (!strcmp(section->vmsd, unread[i].name)) {
                return stream_fail(s, input_offset(s->in), errp,
                                   "a section that this tool cannot read, from"
                                   " %s", unread[i].what);
            }
        }
        return stream_fail(s, input_offset(s->in), errp,
                           "version %u of a section that this tool cannot"
                           " read, as it is sent piece by piece",
                           section->part.version);
    }
    return read_footer(s, id, s->sections->len == 1 && section->pieces == 1,
                       errp);
}

bool stream_read_ram(Stream *s, GError **errp)
{
    unsigned htab_shift = 0;

    while (true) {
        GError *err = NULL;
        int type = peek(s, &err);

        switch (type) {
        case -1:
            stream_at(s, input_offset(s->in), "the end of RAM");
            return stream_ended(s, err, errp);
        case SECTION_FULL:
        case SECTION_EOF:
            s->device_at = input_offset(s->in);
            return true;
        case SECTION_START:
        case SECTION_PART:
        case SECTION_END:
            if (!read_piece(s, type, &htab_shift, errp)) {
                return false;
            }
            break;
        case SECTION_COMMAND:
            if (!read_command(s, errp)) {
                return false;
            }
            break;
        default:
            stream_at(s, input_offset(s->in), "what follows");
            return stream_fail(s, input_offset(s->in), errp,
                               "a section was expected, but none begins with"
                               " 0x%02x; the stream is damaged", type);
        }
    }
}

/* ---- device state ----- */

/* Fails at @at in s->device; takes over the place if @err is set. */
static bool device_fail(Stream *s, size_t at, GError **errp)
{
    name_place(s, s->device_at + at, errp);
    return false;
}

/*
 * The vmdescription is the last thing in a stream.  It is text, and has no
 * zero byte in it or behind it; the size before it, of less than 16 MiB, does.
 * So that size can be at no more than a few places, and must be just what is
 * left.  If it really was one, the walk through the sections will end there.
 */
static void find_vmdesc(Stream *s)
{
    const uint8_t *buf = s->device->data;
    size_t end = s->device->len, at = end, json;

    s->vmdesc_at = 0;
    while (at && (buf[at - 1] >= ' ' || g_ascii_isspace(buf[at - 1]))) {
        at--;
    }
    for (json = at; json <= at + 3 && json <= end; json++) {
        if (json >= 6 && buf[json - 5] == SECTION_VMDESC &&
            buf[json - 6] == SECTION_EOF &&
            get_be32(buf + json - 4) == end - json) {
            s->vmdesc_at = json - 5;
            s->vmdesc_size = end - json;
            return;
        }
    }
}

/* Subsections from @part->fields_end on; sets @part->end. */
static bool read_subsections(Stream *s, StreamPart *part, const char *vmsd,
                             JsonObject *desc, unsigned depth, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len;
    size_t at = part->fields_end, len = strlen(vmsd);

    part->end = at;
    while (at < size && buf[at] == SUBSECTION) {
        StreamPart *sub;
        JsonObject *sub_desc;
        size_t name_len;
        bool twice;

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
        sub = g_new0(StreamPart, 1);
        if (!part->subsections) {
            part->subsections = g_ptr_array_new_with_free_func(part_free);
        }
        sub->start = at;
        sub->name = printable(buf + at + 2, name_len);
        twice = stream_subsection(part, sub->name);
        g_ptr_array_add(part->subsections, sub);
        if (twice || part->subsections->len > STREAM_SUBSECTIONS) {
            return stream_fail(s, s->device_at + at, errp,
                               "subsection '%s' is there twice, or one of too"
                               " many", sub->name);
        }
        sub->version_at = at + 2 + name_len;
        sub->version = get_be32(buf + sub->version_at);
        sub->fields_at = sub->fields_end = sub->version_at + 4;
        sub->fields = g_array_new(false, false, sizeof(StreamField));
        sub_desc = vmdesc_subsection(desc, sub->name);
        /* One that this tool has put in is not in the vmdescription. */
        if (!(sub_desc ? vmdesc_fields(sub_desc, sub, size, errp)
                       : layout_fields(sub->name, sub, buf, size, errp))) {
            g_prefix_error(errp, "subsection '%s': ", sub->name);
            return device_fail(s, at, errp);
        }
        if (!read_subsections(s, sub, sub->name, sub_desc, depth + 1, errp)) {
            return false;
        }
        at = part->end = sub->end;
    }
    return true;
}

/* What a section's name says without the device's path */
static const char *name_without_path(const char *name)
{
    const char *slash = strchr(name, '@') ? strrchr(name, '/') : NULL;

    return slash && slash[1] ? slash + 1 : name;
}

static bool read_full(Stream *s, size_t *at, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len, left = size - *at, name_len;
    StreamSection *section;
    JsonObject *desc = NULL;

    stream_at(s, s->device_at + *at, "a section of the device state");
    name_len = left > 5 ? buf[*at + 5] : 0;
    if (left < 6 + name_len + 8) {
        return stream_fail(s, s->device_at + size, errp,
                           "the stream ends before this does; it was cut off,"
                           " so save it again");
    }
    if (!name_len || s->sections->len >= STREAM_SECTIONS) {
        return stream_fail(s, s->device_at + *at + 5, errp,
                           "a section without a name, or too many sections");
    }
    section = g_new0(StreamSection, 1);
    g_ptr_array_add(s->sections, section);
    section->offset = s->device_at + *at;
    section->id = get_be32(buf + *at + 1);
    section->part.start = *at;
    section->part.name = printable(buf + *at + 6, name_len);
    section->vmsd = name_without_path(section->part.name);
    section->instance = get_be32(buf + *at + 6 + name_len);
    section->part.version_at = *at + 6 + name_len + 4;
    section->part.version = get_be32(buf + section->part.version_at);
    section->part.fields_at = section->part.version_at + 4;
    section->part.fields = g_array_new(false, false, sizeof(StreamField));
    stream_at(s, section->offset, "section '%s' (id %u)", section->part.name,
              section->id);

    if (s->json) {
        desc = vmdesc_device(JSON_PARSER(s->json), section->part.name,
                             section->instance);
        if (!desc) {
            return stream_fail(s, section->offset, errp,
                               "the vmdescription does not have this section,"
                               " instance 0x%x, or not twice; the stream is"
                               " damaged",
                               section->instance);
        }
    } else if (!layout_known(section->vmsd, section->part.version)) {
        return stream_fail(s, section->offset, errp,
                           "the stream has no vmdescription at its end (was it"
                           " cut off?), and this tool does not know version %u"
                           " of this section, so that nothing behind it can be"
                           " found",
                           section->part.version);
    }
    if (!(desc ? vmdesc_fields(desc, &section->part, size, errp)
               : layout_fields(section->vmsd, &section->part, buf, size,
                               errp))) {
        return device_fail(s, section->part.fields_end, errp);
    }
    if (!read_subsections(s, &section->part, section->vmsd, desc, 0, errp)) {
        return false;
    }

    *at = section->part.end;
    if (s->has_footers) {
        if (size - *at < 5 || buf[*at] != SECTION_FOOTER ||
            get_be32(buf + *at + 1) != section->id) {
            return stream_fail(s, s->device_at + *at, errp,
                               "the footer was expected here; the stream is"
                               " damaged, or was cut off");
        }
        *at += 5;
    }
    return true;
}

/* ---- CPUs ----- */

/* The field of that name, which 2.7.1 and later precede with mig_ */
static const StreamField *word_field(Stream *s, const StreamPart *part,
                                     const char *name)
{
    guint i;

    for (i = 0; i < part->fields->len; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        if (!strcmp(f->name, name)) {
            return f;
        }
        if (g_str_has_prefix(f->name, "env.") && !strcmp(f->name + 4, name)) {
            s->names = STREAM_NAMES_OLD;
            return f;
        }
        if (g_str_has_prefix(f->name, "mig_") && !strcmp(f->name + 4, name)) {
            s->names = STREAM_NAMES_NEW;
            return f;
        }
    }
    return NULL;
}

static bool read_cpu(Stream *s, const StreamSection *section, GError **errp)
{
    static const struct {
        const char *name;
        size_t size;
    } words[] = {
        { "msr_mask", 8 }, { "insns_flags", 8 }, { "insns_flags2", 8 },
        { "nb_BATs", 4 },
    };
    const uint8_t *buf = s->device->data;
    const StreamField *field = stream_field(&section->part, "env.spr");
    StreamCpu cpu = { .section = section };
    unsigned i, found = 0;

    stream_at(s, section->offset, "section '%s' (id %u)", section->part.name,
              section->id);
    if (!field || field->size != 8 * 1024) {
        return stream_fail(s, section->offset, errp,
                           "a CPU without 1024 special registers of 64 bits");
    }
    cpu.pvr = get_be64(buf + field->offset + 8 * SPR_PVR);
    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        field = word_field(s, &section->part, words[i].name);
        if (field && field->size == words[i].size) {
            cpu.words_at[i] = field->offset;
            found++;
        } else if (field) {
            found = G_N_ELEMENTS(words) + 1;
        }
    }
    if (found != 0 && found != G_N_ELEMENTS(words)) {
        return stream_fail(s, section->offset, errp,
                           "some of the fields msr_mask, insns_flags,"
                           " insns_flags2 and nb_BATs are missing, or have"
                           " another size");
    }
    if (found) {
        cpu.has_words = true;
        cpu.words.msr_mask = get_be64(buf + cpu.words_at[0]);
        cpu.words.insns.flags = get_be64(buf + cpu.words_at[1]);
        cpu.words.insns.flags2 = get_be64(buf + cpu.words_at[2]);
        cpu.words.nb_bats = get_be32(buf + cpu.words_at[3]);
    }
    g_array_append_val(s->cpus, cpu);
    return true;
}

/* ---- all of it ----- */

static bool parse_device(Stream *s, GError **errp)
{
    const uint8_t *buf = s->device->data;
    size_t size = s->device->len, at = 0;
    guint i;

    find_vmdesc(s);
    if (s->vmdesc_at) {
        JsonParser *parser;

        stream_at(s, s->device_at + s->vmdesc_at, "the vmdescription");
        parser = vmdesc_parse((const char *)buf + s->vmdesc_at + 5,
                              s->vmdesc_size, errp);
        if (!parser) {
            return device_fail(s, s->vmdesc_at, errp);
        }
        s->json = G_OBJECT(parser);
        s->has_vmdesc = true;
    }

    while (at < size && buf[at] == SECTION_FULL) {
        if (!read_full(s, &at, errp)) {
            return false;
        }
    }
    stream_at(s, s->device_at + at, "the end of the device state");
    if (at >= size) {
        return stream_fail(s, s->device_at + at, errp,
                           "the stream ends before this does; it was cut off,"
                           " so save it again");
    }
    if (buf[at] != SECTION_EOF) {
        return stream_fail(s, s->device_at + at, errp,
                           "a section or the end was expected, but neither"
                           " begins with 0x%02x; the stream is damaged",
                           buf[at]);
    }
    s->end = at + 1;
    if (s->vmdesc_at) {
        if (s->vmdesc_at != s->end) {
            return stream_fail(s, s->device_at + at, errp,
                               "the vmdescription should follow, but stands at"
                               " 0x%" PRIx64 "; the stream is damaged",
                               s->device_at + s->vmdesc_at);
        }
        s->end = size;
    } else if (size - s->end >= 5 && buf[s->end] == SECTION_VMDESC) {
        size_t left = size - s->end - 5;

        s->vmdesc_size = get_be32(buf + s->end + 1);
        if (s->vmdesc_size > left) {
            stream_at(s, s->device_at + s->end, "the vmdescription");
            return stream_fail(s, s->device_at + size, errp,
                               "%zu of its %zu bytes are missing; the stream"
                               " was cut off", s->vmdesc_size - left,
                               s->vmdesc_size);
        }
        s->has_vmdesc = true;
        s->vmdesc_at = s->end;
        s->end += 5 + s->vmdesc_size;
    } else if (s->end < size && (buf[s->end] == SECTION_VMDESC)) {
        stream_at(s, s->device_at + s->end, "the vmdescription");
        return stream_fail(s, s->device_at + size, errp,
                           "the stream ends before this does; it was cut off,"
                           " so save it again");
    }

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!section->pieces && !strcmp(section->vmsd, "cpu") &&
            !read_cpu(s, section, errp)) {
            return false;
        }
    }
    return true;
}

bool stream_read_device(Stream *s, GError **errp)
{
    s->device = input_rest(s->in, s->device_limit, errp);
    return s->device && parse_device(s, errp);
}

bool stream_read(Stream *s, GError **errp)
{
    return stream_read_start(s, errp) && stream_read_ram(s, errp) &&
           stream_read_device(s, errp);
}

Stream *stream_reparse(const Stream *s, GByteArray *device, GError **errp)
{
    g_autoptr(Stream) copy = stream_new(s->in);
    guint i;

    copy->machine = g_strdup(s->machine);
    copy->has_configuration = s->has_configuration;
    copy->has_footers = s->has_footers;
    copy->device_at = s->device_at;
    copy->device = device;
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        StreamSection *again;

        if (section->pieces) {
            again = g_new0(StreamSection, 1);
            again->id = section->id;
            again->instance = section->instance;
            again->offset = section->offset;
            again->pieces = section->pieces;
            again->part.name = g_strdup(section->part.name);
            again->part.version = section->part.version;
            again->vmsd = again->part.name;
            g_ptr_array_add(copy->sections, again);
        }
    }
    return parse_device(copy, errp) ? g_steal_pointer(&copy) : NULL;
}

bool stream_is_pseries(const Stream *s)
{
    guint i;

    if (s->machine && !g_str_has_prefix(s->machine, "pseries-")) {
        return false;
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!strcmp(section->part.name, "spapr/htab")) {
            return true;
        }
    }
    return false;
}

const StreamSection *stream_section(const Stream *s, const char *vmsd)
{
    guint i;

    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!strcmp(section->vmsd, vmsd)) {
            return section;
        }
    }
    return NULL;
}

const StreamPart *stream_subsection(const StreamPart *part, const char *name)
{
    guint i, n = part->subsections ? part->subsections->len : 0;

    for (i = 0; i < n; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        if (!strcmp(sub->name, name)) {
            return sub;
        }
    }
    return NULL;
}

const StreamField *stream_field(const StreamPart *part, const char *name)
{
    guint i, n = part->fields ? part->fields->len : 0;

    for (i = 0; i < n; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        if (!strcmp(f->name, name)) {
            return f;
        }
    }
    return NULL;
}

const char *stream_machine(const Stream *s)
{
    if (s->machine) {
        return s->machine;
    }
    /* pseries-2.3 began to send vmdescriptions, 2.4 to name the machine. */
    return s->has_vmdesc ? "pseries-2.3" : "pseries-2.1";
}
