/*
 * Which QEMU a stream is from
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_ORIGIN_H
#define TOOLS_ORIGIN_H

#include "products.h"
#include "stream.h"

/* Who sent a stream */
typedef struct Origin {
    const Product *product;     /* the only one that it can be; or NULL */
    unsigned n_products;        /* how many it can be */
    bool upstream;
    char *who;                  /* "QEMU 2.4 to 2.6"; NULL: nobody */
    char *why;
    char *mixture;              /* why it cannot be of anybody; or NULL */
} Origin;

/** origin_find: who can have sent @s, and how that is known */
void origin_find(const Stream *s, Origin *o);

void origin_clear(Origin *o);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Origin, origin_clear)

/**
 * origin_tell: before @s is read, who sent it
 * @product: "powerkvm-3.1.1"; "upstream"
 *
 * Returns: false with @errp set if that is none.
 */
bool origin_tell(Stream *s, const char *product, GError **errp);

/** origin_form: what the machine of @s is; false if it is not known */
bool origin_form(const Stream *s, MachineForm *form);

/** origin_product: the only product that can have sent @s, or NULL */
const Product *origin_product(const Stream *s);

/**
 * origin_of_words:
 *
 * Returns: the unpatched releases that @s can be from and that send just
 * @words for @family, as "2.3 to 2.6, 2.7.1", to be freed; NULL if none does.
 */
char *origin_of_words(const Stream *s, PPCFamily family,
                      const PPCInsnsWire *words);

/**
 * origin_patched:
 *
 * Returns: the compat version with which a QEMU with the series sends just
 * @words for @family; 0 if with none.
 */
PPCRelease origin_patched(PPCFamily family, const PPCInsnsWire *words);

/**
 * origin_may_have_had, origin_had:
 *
 * Returns: the groups that the CPU may have had on the source, and those that
 * it had for certain, though not all of them go over the wire.
 */
PPCInsns origin_may_have_had(const Stream *s, const StreamCpu *cpu);
PPCInsns origin_had(const Stream *s, const StreamCpu *cpu);

#endif /* TOOLS_ORIGIN_H */
