/*
 * Runs a fuzz target on the files that are named, without libFuzzer: found
 * inputs stay tests, with any compiler.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "fuzz.h"

int main(int argc, char **argv)
{
    int i;

    printf("1..%d\n", argc - 1);
    for (i = 1; i < argc; i++) {
        g_autofree char *data = NULL;
        g_autofree char *name = g_path_get_basename(argv[i]);
        g_autoptr(GError) err = NULL;
        gsize size;

        if (!g_file_get_contents(argv[i], &data, &size, &err)) {
            printf("Bail out! %s\n", err->message);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)data, size);
        printf("ok %d - %s\n", i, name);
        fflush(stdout);
    }
    return 0;
}
