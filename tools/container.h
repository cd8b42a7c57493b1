/*
 * What a stream is kept in: a save file of libvirt's, compressed data
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_CONTAINER_H
#define TOOLS_CONTAINER_H

#include "decompress.h"

typedef struct Container {
    Input *in;              /* begins where the stream does */
    GPtrArray *below;       /* of Input: what @in reads from, outermost first */
    Compression compression;
    bool unfinished;        /* libvirt has not finished writing it */
    GByteArray *libvirt;    /* its header, if it is a save file */
} Container;

/**
 * container_open:
 * @path: a file; "-" for standard input
 * @stream: read it as a pipe even if it is a file
 * @limit: how much compressed data may expand to
 *
 * Returns: the container, for container_close(), or NULL with @errp set.
 */
Container *container_open(const char *path, bool stream, uint64_t limit,
                          GError **errp);

/** container_memory: the same of @data, which stays the caller's */
Container *container_memory(const uint8_t *data, size_t len, uint64_t limit,
                            GError **errp);

void container_close(Container *c);

/** container_end_progress: takes the line on the terminal away */
void container_end_progress(Container *c);

/**
 * container_header:
 *
 * Returns: what must stand before a stream to make it a file like @c, but
 * not compressed; to be unreferenced.  NULL if nothing need stand there.
 */
GBytes *container_header(const Container *c);

/** container_describe: "libvirt save file, gzip", or NULL; to be freed */
char *container_describe(const Container *c);

#endif /* TOOLS_CONTAINER_H */
