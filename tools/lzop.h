/*
 * The file format of lzop
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_LZOP_H
#define TOOLS_LZOP_H

#include "qemu/osdep.h"

#define LZOP_MAGIC "\x89LZO\0\r\n\x1a\n"

typedef struct Lzop Lzop;

Lzop *lzop_new(void);
void lzop_free(Lzop *l);

/**
 * lzop_decode:
 * @in, @in_len: taken from, and moved on
 * @out, @out_len: given to, and moved on
 * @problem: set to what is wrong
 *
 * Returns: 0 to go on, 1 at the end of the compressed data, -1 if they are
 * damaged.
 */
int lzop_decode(Lzop *l, const uint8_t **in, size_t *in_len, uint8_t **out,
                size_t *out_len, const char **problem);

#endif /* TOOLS_LZOP_H */
