/*
 * What the fuzz targets have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "qemu/osdep.h"

/* As libFuzzer calls it; replay.c does so with the files that it is given. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without glib's way to go on after a failed assertion */
#define CHECK(what)                                                     \
    do {                                                                \
        if (!(what)) {                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,  \
                    #what);                                             \
            abort();                                                    \
        }                                                               \
    } while (0)

/* What is left of an input; reads as 0 behind its end */
typedef struct Bytes {
    const uint8_t *data;
    size_t left;
} Bytes;

static inline uint8_t bytes_u8(Bytes *b)
{
    if (!b->left) {
        return 0;
    }
    b->left--;
    return *b->data++;
}

static inline uint64_t bytes_u64(Bytes *b)
{
    uint64_t v = 0;
    int i;

    for (i = 0; i < 8; i++) {
        v = v << 8 | bytes_u8(b);
    }
    return v;
}

#endif /* TESTS_FUZZ_FUZZ_H */
