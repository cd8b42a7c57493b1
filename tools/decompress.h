/*
 * Compressed input, by the libraries of those who compressed it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_DECOMPRESS_H
#define TOOLS_DECOMPRESS_H

#include "input.h"

/* The numbers are those in libvirt's save files. */
typedef enum Compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_BZIP2,
    COMPRESSION_XZ,
    COMPRESSION_LZOP,
    COMPRESSION_ZSTD,
    COMPRESSION__MAX,
} Compression;

/* How much a decoder may hold in memory, in bytes; "xz -9" needs 65 MiB */
#define DECOMPRESS_MEMORY (80u << 20)

/* How much compressed input may expand to, by default */
#define EXPAND_LIMIT (1ull << 40)

/** compression_name: "gzip"; what its program is called */
const char *compression_name(Compression c);

/** compression_detect: what the first bytes of a file say that it is */
Compression compression_detect(const uint8_t *p, size_t len);

/**
 * input_decompress:
 * @below: the compressed bytes; stays the caller's until input_close()
 * @limit: an error if there are more bytes than that in the end
 *
 * Data after the compressed data's own end are not read.
 *
 * Returns: an input for input_close(), or NULL with @errp set if this tool
 * was built without the library.
 */
Input *input_decompress(Input *below, Compression c, uint64_t limit,
                        GError **errp);

#endif /* TOOLS_DECOMPRESS_H */
