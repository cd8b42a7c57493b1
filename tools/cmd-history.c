/*
 * ppc-insns history: which family got which instruction groups, when
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "commands.h"

static const char *const kinds[] = {
    [PPC_INSNS_FIRST_SEEN] = "had",
    [PPC_INSNS_ADDED] = "got",
    [PPC_INSNS_REMOVED] = "lost",
};

/* The families of a row, or of those that are wanted, as "POWER7 POWER8" */
static char *family_names(unsigned families)
{
    GString *names = g_string_new(NULL);
    int family;

    for (family = 0; family < PPC_FAMILY__MAX; family++) {
        if (families >> family & 1) {
            g_string_append_printf(names, "%s%s", names->len ? " " : "",
                                   ppc_family_name(family));
        }
    }
    return g_string_free(names, false);
}

static void print_gates(PPCInsns set)
{
    int word, bit;

    for (word = 1; word <= 2; word++) {
        uint64_t bits = word == 1 ? set.flags : set.flags2;

        for (bit = 0; bit < 64; bit++) {
            PPCInsns one = { word == 1 ? 1ull << bit : 0,
                             word == 2 ? 1ull << bit : 0 };
            g_autofree char *name = ppc_insns_names(one);

            if (bits >> bit & 1) {
                printf("      %-20s %s\n", name, ppc_insns_gates(name));
            }
        }
    }
}

/* What a family has in a release, and what that release sends of it */
static void print_state(JsonBuilder *b, PPCFamily family, Target t)
{
    PPCInsns at = ppc_insns_at(family, t.release);
    PPCInsnsWire wire = target_wire(t, family);
    g_autofree char *name = target_name(t);
    g_autofree char *names = ppc_insns_names(at);

    if (ppc_family_since(family) > t.release) {
        return;
    }
    if (b) {
        g_autofree char *msr = g_strdup_printf("%016" PRIx64, wire.msr_mask);
        g_autofree char *one = g_strdup_printf("%016" PRIx64,
                                               wire.insns.flags);
        g_autofree char *two = g_strdup_printf("%016" PRIx64,
                                               wire.insns.flags2);

        json_builder_begin_object(b);
        json_member(b, "family", ppc_family_name(family));
        json_member(b, "release", name);
        json_names(b, "groups", at);
        json_member(b, "sends_msr_mask", msr);
        json_member(b, "sends_insns_flags", one);
        json_member(b, "sends_insns_flags2", two);
        json_builder_set_member_name(b, "sends_nb_BATs");
        json_builder_add_int_value(b, wire.nb_bats);
        json_builder_end_object(b);
        return;
    }
    printf("%s in %s has\n", ppc_family_name(family), name);
    print_wrapped(2, names);
    printf("  and pseries-2.7 and older send msr_mask %016" PRIx64
           ", insns_flags %016" PRIx64 ", insns_flags2 %016" PRIx64
           ", nb_BATs %u\n", wire.msr_mask, wire.insns.flags,
           wire.insns.flags2, wire.nb_bats);
}

static void print_change(JsonBuilder *b, const PPCInsnsChange *change,
                         unsigned families)
{
    PPCInsns insns = change->insns;
    g_autofree char *release = ppc_release_format(change->release);
    g_autofree char *names = ppc_insns_names(insns);
    g_autofree char *who = family_names(families);

    if (b) {
        g_auto(GStrv) list = g_strsplit(who, " ", 0);
        guint i;

        json_builder_begin_object(b);
        json_member(b, "release", release);
        json_builder_set_member_name(b, "families");
        json_builder_begin_array(b);
        for (i = 0; list[i]; i++) {
            json_builder_add_string_value(b, list[i]);
        }
        json_builder_end_array(b);
        json_member(b, "change", kinds[change->kind]);
        json_names(b, "groups", insns);
        json_member(b, "commit", change->commit);
        json_builder_end_object(b);
        return;
    }
    printf("%-5s %s %s", release, who, kinds[change->kind]);
    if (change->commit) {
        printf(" (commit %s)", change->commit);
    }
    printf("\n");
    if (change->kind == PPC_INSNS_FIRST_SEEN) {
        print_wrapped(6, names);
    } else {
        print_gates(insns);
    }
}

int command_history(int argc, char **argv)
{
    gboolean json = false;
    g_autofree char *family_arg = NULL, *release_arg = NULL;
    const GOptionEntry options[] = {
        { "family", 0, 0, G_OPTION_ARG_STRING, &family_arg,
          "Only this family: 970, POWER5P, POWER7 ...", "FAMILY" },
        { "release", 0, 0, G_OPTION_ARG_STRING, &release_arg,
          "What the families have in this release", "RELEASE" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON, for programs",
          NULL },
        { NULL },
    };
    unsigned families = (1u << PPC_FAMILY__MAX) - 1;
    Target t = { 0 };
    GError *err = NULL;
    const PPCInsnsChange *change;
    g_autoptr(JsonBuilder) builder = NULL;
    size_t n;
    int family;

    if (!parse_options(options, NULL, &argc, &argv)) {
        return EXIT_UNREADABLE;
    }
    if (argc > 1) {
        fprintf(stderr, "ppc-insns: history takes no operand like '%s'\n",
                argv[1]);
        return EXIT_UNREADABLE;
    }
    if (family_arg) {
        PPCFamily only = model_family(family_arg);

        if (only == PPC_FAMILY_NONE) {
            g_autofree char *all = family_names(families);

            fprintf(stderr, "ppc-insns: '%s' is not a family with a history;"
                    " there are %s\n", family_arg, all);
            return EXIT_UNREADABLE;
        }
        families = 1u << only;
    }
    if (release_arg && !target_parse(release_arg, &t, &err)) {
        return complain(NULL, err);
    }

    if (json) {
        builder = json_builder_new();
        json_builder_begin_array(builder);
    }
    if (release_arg) {
        for (family = 0; family < PPC_FAMILY__MAX; family++) {
            if (families >> family & 1) {
                print_state(builder, family, t);
            }
        }
    } else {
        for (n = 0; (change = ppc_insns_change(n)); n++) {
            if (change->families & families) {
                print_change(builder, change, change->families & families);
            }
        }
    }
    if (json) {
        json_builder_end_array(builder);
        print_json(builder);
    }
    return EXIT_YES;
}
