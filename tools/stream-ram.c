/*
 * What a stream has while the guest may run on: RAM and the hash table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "stream-internal.h"

#define PAGE_SIZE 4096u     /* of every PowerPC target, as RAM is sent */

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
        g_autofree char *name = stream_take_name(s, errp);
        const uint8_t *p = name ? stream_take(s, 8, errp) : NULL;
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
                               " 0x%" PRIx64 " of all blocks left, cannot be"
                               " right; the stream is damaged", name, block.size,
                               total);
        }
        total -= block.size;
        block.name = g_steal_pointer(&name);
        g_array_append_val(s->blocks, block);
        g_hash_table_insert(s->block_index, block.name,
                            GUINT_TO_POINTER(s->blocks->len));
        if (s->ignore_shared && !stream_skip(s, 8, errp)) {
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
        const uint8_t *p = stream_take(s, 8, errp);
        uint64_t address;

        if (!p) {
            return false;
        }
        address = get_be64(p);
        flags = address & (PAGE_SIZE - 1);
        address -= flags;

        if (flags & RAM_PAGES) {
            if (!(flags & RAM_CONTINUE)) {
                g_autofree char *name = stream_take_name(s, errp);
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
            if (!stream_skip(s, PAGE_SIZE, errp)) {
                return false;
            }
            break;
        case RAM_ZERO:
            s->pages_zero++;
            if (!stream_skip(s, 1, errp)) {
                return false;
            }
            break;
        case RAM_XBZRLE:
            s->pages_xbzrle++;
            p = stream_take(s, 3, errp);
            if (!p) {
                return false;
            }
            if (p[0] != 1 || get_be16(p + 1) > PAGE_SIZE) {
                return stream_fail(s, input_offset(s->in) - 3, errp,
                                   "an XBZRLE page of kind %u with %u bytes",
                                   p[0], get_be16(p + 1));
            }
            if (!stream_skip(s, get_be16(p + 1), errp)) {
                return false;
            }
            break;
        case RAM_COMPRESS:
            s->pages_compressed++;
            p = stream_take(s, 4, errp);
            if (!p) {
                return false;
            }
            if (get_be32(p) > RAM_COMPRESS_MOST) {
                return stream_fail(s, input_offset(s->in) - 4, errp,
                                   "a compressed page of %u bytes",
                                   get_be32(p));
            }
            if (!stream_skip(s, get_be32(p), errp)) {
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
    const uint8_t *p = stream_take(s, 4, errp);
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

        p = stream_take(s, 8, errp);
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
        if (!stream_skip(s, valid * 16, errp)) {
            return false;
        }
    }
}

/* ---- what is sent piece by piece ----- */

/* The numbers have been the same since the release that brought them. */
static const struct {
    const char *name;
    const char *cause;      /* the capability to go without; NULL: harmless */
} commands[] = {
    [1] = { "OPEN_RETURN_PATH" },
    [2] = { "PING" },
    [3] = { "POSTCOPY_ADVISE", "postcopy-ram or dirty-bitmaps" },
    [4] = { "POSTCOPY_LISTEN", "postcopy-ram" },
    [5] = { "POSTCOPY_RUN", "postcopy-ram" },
    [6] = { "POSTCOPY_RAM_DISCARD", "postcopy-ram" },
    [7] = { "PACKAGED", "postcopy-ram" },
    [8] = { "ENABLE_COLO", "x-colo" },
    [9] = { "POSTCOPY_RESUME", "postcopy-ram" },
    [10] = { "RECV_BITMAP", "postcopy-ram" },
    [11] = { "SWITCHOVER_START" },      /* 10.0 */
};

static bool read_command(Stream *s, GError **errp)
{
    const uint8_t *p;
    unsigned command, size;
    const char *name;

    stream_at(s, input_offset(s->in), "a command");
    p = stream_take(s, 5, errp);
    if (!p) {
        return false;
    }
    command = get_be16(p + 1);
    size = get_be16(p + 3);
    name = command < G_N_ELEMENTS(commands) ? commands[command].name : NULL;
    if (!name) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "command %u is not known; the stream is damaged, or"
                           " newer than this tool", command);
    }
    if (commands[command].cause) {
        return stream_fail(s, input_offset(s->in) - 4, errp,
                           "command %u (%s) is not of a plain migration;"
                           " migrate without the capability %s", command, name,
                           commands[command].cause);
    }
    if (!strstr(s->commands->str, name)) {
        g_string_append_printf(s->commands, "%s%s",
                               s->commands->len ? " " : "", name);
    }
    return stream_skip(s, size, errp);
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

/* A footer that the stream does not have, for those who want one */
static bool pass_footer(Stream *s, uint32_t id, GError **errp)
{
    uint8_t footer[5] = { SECTION_FOOTER };

    put_be32(footer + 1, id);
    return input_flush(s->in, errp) &&
           s->in->pass(s->in->opaque, footer, sizeof(footer), errp);
}

static bool read_footer(Stream *s, uint32_t id, bool first, GError **errp)
{
    const uint8_t *p;
    GError *err = NULL;

    if (first) {
        /* 0x7e begins nothing but a footer. */
        s->has_footers = stream_peek(s, &err) == SECTION_FOOTER;
        if (err) {
            g_propagate_error(errp, err);
            return false;
        }
    }
    if (!s->has_footers) {
        return s->footers_out != 1 || pass_footer(s, id, errp);
    }
    if (s->footers_out == 0 && !input_flush(s->in, errp)) {
        return false;
    }
    p = stream_take(s, 5, errp);
    if (!p) {
        return false;
    }
    if (p[0] != SECTION_FOOTER || get_be32(p + 1) != id) {
        return stream_fail(s, input_offset(s->in) - 5, errp,
                           "the footer of section %u was expected here; the"
                           " stream is damaged", id);
    }
    if (s->footers_out == 0) {
        input_drop(s->in);
    }
    return true;
}

static const struct {
    const char *name;
    const char *what;
} unread[] = {
    { "block", "the capability block; migrate disks in another way" },
    { "dirty-bitmap", "the capability dirty-bitmaps; migrate without it" },
    { "vfio", "a VFIO device; detach it before" },
};

static bool read_piece(Stream *s, int type, GError **errp)
{
    StreamSection *section;
    const uint8_t *p;
    uint32_t id;
    size_t i;

    stream_at(s, input_offset(s->in), "a section");
    p = stream_take(s, 5, errp);
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
        name = stream_take_name(s, errp);
        p = name ? stream_take(s, 8, errp) : NULL;
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
        if (!read_htab(s, &s->htab_shift, errp)) {
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
    while (true) {
        GError *err = NULL;
        int type = stream_peek(s, &err);

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
            if (!read_piece(s, type, errp)) {
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
