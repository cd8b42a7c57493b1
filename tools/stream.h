/*
 * The structure of a migration stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_STREAM_H
#define TOOLS_STREAM_H

#include "qemu/osdep.h"
#include "../target/ppc/insns-history.h"
#include "bytes.h"
#include "input.h"
#include "layouts.h"
#include "stream-part.h"
#include "vmdesc.h"

/* Bounds on what a stream can make us hold in memory */
#define STREAM_DEVICE_LIMIT (32u << 20)     /* the device state, by default */
#define STREAM_VMDESC_LIMIT (8u << 20)      /* the vmdescription's text */
#define STREAM_VMDESC_VALUES 500000         /* the values in it */
#define STREAM_DEPTH 32                     /* of subsections, of JSON */
#define STREAM_RAM_BLOCKS 4096
#define STREAM_SECTIONS 65536               /* also all subsections together */
#define STREAM_SUBSECTIONS 256              /* right below one part */
#define STREAM_PIECEMEAL 64                 /* sections sent piece by piece */
#define STREAM_NOTES 20
#define STREAM_LOOK (64u << 20)             /* bytes looked at for an end */

/* A section; one that was sent piece by piece stands here once. */
typedef struct StreamSection {
    uint32_t id;
    uint32_t instance;
    uint64_t offset;        /* of its header in the stream */
    unsigned pieces;        /* 0: not sent piece by piece */
    const char *vmsd;       /* its name without the device's path */
    bool opaque;            /* nothing says what its contents are */
    StreamPart part;        /* its name and version; the rest if !pieces */
} StreamSection;

typedef struct StreamBlock {
    char *name;
    uint64_t size;
} StreamBlock;

/* Which CPUs there are interrupt controllers for, and when they are sent */
typedef struct StreamServers {
    unsigned count;         /* of sections icp/server */
    bool before_cpus;       /* sent before the first CPU: up to 2.9 */
    bool odd;               /* an interrupt's server is not a multiple of 8 */
} StreamServers;

/* A virtual CPU, as far as this tool is concerned */
typedef struct StreamCpu {
    const StreamSection *section;
    uint32_t pvr;
    uint32_t compat_pvr;    /* of the mode it is in; 0: none, or not told */
    bool in_transaction;
    bool has_words;         /* not in the streams of pseries-2.8 and later */
    size_t words_at[4];     /* msr_mask, insns_flags, insns_flags2, nb_BATs */
    PPCInsnsWire words;
} StreamCpu;

/* Which QEMUs call the words' fields that way in the vmdescription */
typedef enum {
    STREAM_NAMES_UNKNOWN,   /* there is no vmdescription */
    STREAM_NAMES_OLD,       /* env.*: up to 2.7.0 */
    STREAM_NAMES_NEW,       /* mig_*: 2.7.1 and later */
} StreamNames;

typedef struct Stream {
    Input *in;
    size_t device_limit;
    const struct Product *from; /* who sent it, if that was told; or NULL */
    bool told;                  /* whether it was; NULL is upstream then */
    int footers_out;            /* passed on: -1 as they are, 0 none, 1 some */

    bool has_configuration;
    bool has_footers;
    bool has_vmdesc;
    char *machine;          /* as named in the stream; NULL: it is not */
    bool ignore_shared;     /* RAM blocks have an address */
    GPtrArray *configuration;   /* names of the section's subsections */

    GPtrArray *sections;    /* of StreamSection, in order of the stream */
    GArray *blocks;         /* of StreamBlock */
    GHashTable *block_index;
    uint64_t block_size;    /* of the block that a page with CONTINUE is of */
    GString *commands;      /* what was commanded, separated by blanks */
    uint64_t pages_full, pages_zero, pages_xbzrle, pages_compressed;

    unsigned htab_shift;    /* the hash table has 2^that bytes; 0: none */

    uint64_t device_at;     /* where the device state begins */
    GByteArray *device;     /* from there to the end of the stream */
    size_t vmdesc_at;       /* in @device; 0: there is none */
    size_t vmdesc_size;
    Vmdesc *vmdesc;         /* holds the strings of the fields' names */
    uint64_t trailing;      /* bytes known to follow the stream */

    GArray *cpus;           /* of StreamCpu */
    StreamServers servers;
    StreamNames names;
    Dialect dialect;        /* that it was read in, without a vmdescription */
    unsigned parts;         /* how many subsections there are */
    GPtrArray *notes;       /* what is odd, but QEMU does not mind (char *) */
    size_t looked_at;       /* bytes, in search of a section's end */

    /* For messages */
    char *where;            /* what is being read */
    uint64_t where_at;
} Stream;

/**
 * stream_new:
 * @in: stays the caller's, who keeps it as long as the stream
 */
Stream *stream_new(Input *in);

void stream_free(Stream *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)

/**
 * stream_read_start:
 *
 * Reads the file header and, if there is one, the configuration section, so
 * that @s->machine is known.  Returns: false with @errp set on failure.
 */
bool stream_read_start(Stream *s, GError **errp);

/**
 * stream_read_ram:
 *
 * Reads all that is sent while the guest may still be running: RAM and the
 * hash table.  Ends before the first byte of the device state.
 */
bool stream_read_ram(Stream *s, GError **errp);

/**
 * stream_read_device:
 *
 * Reads the device state and what follows it, to the end of the stream.
 */
bool stream_read_device(Stream *s, GError **errp);

/** stream_read: stream_read_start(), _ram() and _device() */
bool stream_read(Stream *s, GError **errp);

/* What a stream has beside the sections' contents */
typedef struct StreamForm {
    bool configuration;
    const char *machine;    /* that the configuration section names */
    bool footers;
} StreamForm;

/**
 * stream_reparse:
 * @form: of the new stream, and of @device
 * @device: the device state of @s, changed; becomes the new stream's
 *
 * Returns: a stream that is like @s otherwise, NULL with @errp set if
 * @device is not a device state.
 */
Stream *stream_reparse(const Stream *s, const StreamForm *form,
                       GByteArray *device, GError **errp);

/**
 * stream_is_pseries: once stream_read_ram() is through
 *
 * Returns: whether there is a hash table, and no other machine's name.
 */
bool stream_is_pseries(const Stream *s);

/** stream_section: the first section of that vmsd name, or NULL */
const StreamSection *stream_section(const Stream *s, const char *vmsd);

/** stream_machine: the machine for a person, named or guessed */
const char *stream_machine(const Stream *s);

#endif /* TOOLS_STREAM_H */
