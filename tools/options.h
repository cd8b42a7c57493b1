/*
 * The command line that a stream's destination needs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "judge.h"

typedef struct Options {
    char *machine;          /* its name alone */
    GString *machine_options;   /* ",cap-htm=off" */
    char *cpu;              /* the model alone */
    char *insns_compat;     /* for that; or NULL */
    unsigned smp;
    uint64_t ram;           /* bytes; 0: not known */
    GPtrArray *globals;     /* DRIVER.PROPERTY=VALUE (char *) */
    GPtrArray *comments;    /* for the operator (char *) */
    GPtrArray *devices;     /* that the destination needs, too (char *) */
    GString *rewrite;       /* the command that makes the stream fit */
    char *problem;          /* why it does not load even so; or NULL */
} Options;

/**
 * options_find:
 * @s: read to its end
 * @dest: what was told of it; gets the rest
 *
 * Of what to convert and to set, and then the outcome is judged as it would be
 * loaded.  Returns: the options, for options_free().
 */
Options *options_find(const Stream *s, Destination *dest);

void options_free(Options *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

#endif /* TOOLS_OPTIONS_H */
