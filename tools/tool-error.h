/*
 * What can go wrong with a stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TOOLS_TOOL_ERROR_H
#define TOOLS_TOOL_ERROR_H

#include "qemu/osdep.h"

#define TOOL_ERROR (g_quark_from_static_string("ppc-insns"))

typedef enum {
    TOOL_ERROR_IO,          /* cannot read or write */
    TOOL_ERROR_FORMAT,      /* not a stream, damaged, or of an unknown kind */
    TOOL_ERROR_REFUSED,     /* a stream, but what was asked must not be done */
    TOOL_ERROR_USAGE,       /* the command line */
} ToolError;

/*
 * The exit statuses of ppc-insns.  Those of check(1) and grep(1) are alike:
 * a program that asks a question gets 0 or 1 for an answer.
 */
enum {
    EXIT_YES = 0,
    EXIT_NO = 1,
    EXIT_UNREADABLE = 2,
};

#endif /* TOOLS_TOOL_ERROR_H */
