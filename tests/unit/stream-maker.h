/*
 * A small stream, so that every byte of it can be cut off or changed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_STREAM_MAKER_H
#define TESTS_STREAM_MAKER_H

#include "qemu/osdep.h"
#include "../../target/ppc/insns-history.h"
#include "../../tools/bytes.h"
#include "../../tools/destination.h"
#include "../../tools/stream.h"

#define R(major, minor) PPC_RELEASE(major, minor)

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
    const char *old_style;      /* one from register_savevm(), 8 bytes long */
    int old_size;               /* what the vmdescription says of that */
    unsigned cpus;              /* 0: 1 */
    const char *rom;            /* one more RAM block */
    uint32_t iommu_version;     /* 0: 2 */
    bool powerkvm;              /* "spapr" 4, "spapr_iommu" 3, both its own */
    uint32_t token;             /* of error injection, there */
    uint32_t window;            /* entries of a second DMA window, there */
    int htm;                    /* -1, 0: no subsection; 1: off; 2: on */
    bool in_transaction;        /* all CPUs are: cpu/tm */
    uint32_t pvr;               /* 0: a POWER8 */
    PPCInsns insns;             /* none: of 2.6 */
} Make;

/** make_stream: the stream, to be unreferenced */
GByteArray *make_stream(const Make *make);

/** make_vmdesc: its vmdescription, to be freed */
char *make_vmdesc(const Make *make);

#define DESC_FIELD(name, count, size) \
    "{\"name\":\"" name "\",\"array_len\":" #count ",\"size\":" #size "}"
#define DESC_DEVICE(name, version, more) \
    "{\"name\":\"" name "\",\"instance_id\":0,\"vmsd_name\":\"" name \
    "\",\"version\":" #version ",\"fields\":[" more "}"

/** parse: reads @data; NULL with @err set if that cannot be; close @in */
Stream *parse(const uint8_t *data, size_t len, Input **in, GError **err);

/** to_release: a QEMU with nothing given but the release, for TCG */
Destination to_release(unsigned major, unsigned minor);

/* Parts of a stream, for those that make one of their own */
void be32(GByteArray *b, uint32_t v);
void byte(GByteArray *b, uint8_t v);
void begin_section(GByteArray *b, int type, uint32_t id, const char *name,
                   uint32_t instance, uint32_t version);

#endif /* TESTS_STREAM_MAKER_H */
