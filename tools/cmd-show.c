/*
 * ppc-insns show: what is in a stream
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"
#include "show.h"

int command_show(int argc, char **argv)
{
    gboolean json = false;
    int limit = 0, expand = 0;
    g_autofree char *from = NULL;
    const GOptionEntry options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, for programs",
          NULL },
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, FROM_HELP, "PRODUCT" },
        LIMIT_OPTIONS(&limit, &expand),
        { NULL },
    };
    static const char *const standard_input[] = { "-", NULL };
    const char *const *paths;
    g_autoptr(JsonBuilder) builder = json_builder_new();
    int status = EXIT_YES;

    if (!parse_options(options, "[STREAM...]", &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    paths = argc > 1 ? (const char *const *)argv + 1 : standard_input;
    json_builder_begin_array(builder);
    for (; *paths; paths++) {
        GError *err = NULL;
        Container *container = container_open(*paths, false,
                                              expand_limit(expand), &err);

        if (container) {
            g_autoptr(Stream) s = stream_new(container->in);

            s->device_limit = device_limit(limit);
            if ((!from || origin_tell(s, from, &err)) &&
                stream_read(s, &err)) {
                container_end_progress(container);
                if (json) {
                    show_json(builder, *paths, container, s);
                } else {
                    show_text(*paths, container, s);
                }
            }
        }
        container_close(container);
        if (err) {
            status = complain(*paths, err);
        }
    }
    json_builder_end_array(builder);
    if (json) {
        print_json(builder);
    }
    return status;
}
