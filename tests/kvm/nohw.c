/*
 * A host that lacks some facilities, as far as a program can tell
 *
 * To be preloaded into QEMU, which asks the C library what the host's CPUs
 * have.  NOHW in the environment: the bits of AT_HWCAP to take away.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long) = dlsym(RTLD_NEXT, "getauxval");
    const char *mask = getenv("NOHW");
    unsigned long value = real(type);

    return type == AT_HWCAP && mask ? value & ~strtoul(mask, NULL, 0) : value;
}
