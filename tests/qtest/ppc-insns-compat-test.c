/*
 * QTest for the PowerPC instruction groups by compat version
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "target/ppc/insns-history.h"

#define CPU_SUFFIX "-powerpc64-cpu"

/* The CPU models that have a history, by the beginnings of their names */
static const struct {
    const char *prefix;
    PPCFamily family;
} families[] = {
    { "970", PPC_FAMILY_970 },
    { "power5", PPC_FAMILY_POWER5P },
    { "power7", PPC_FAMILY_POWER7 },
    { "power8", PPC_FAMILY_POWER8 },
    { "power9", PPC_FAMILY_POWER9 },
    { "power10", PPC_FAMILY_POWER10 },
    { "power11", PPC_FAMILY_POWER11 },
};

/* What a CPU shows of itself through its read-only properties */
typedef struct Shown {
    PPCInsns effective;
    PPCInsns wire;
    char *groups;
    char *wire_groups;
    char *version;
} Shown;

static char *cpu_path(QTestState *qts, int index)
{
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-cpus-fast'}");
    const QListEntry *entry = qlist_first(qdict_get_qlist(answer, "return"));
    char *path;

    while (index--) {
        entry = qlist_next(entry);
    }
    path = g_strdup(qdict_get_str(qobject_to(QDict, qlist_entry_obj(entry)),
                                  "qom-path"));
    qobject_unref(answer);
    return path;
}

static QDict *qom_get(QTestState *qts, const char *path, const char *property)
{
    QDict *answer = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': "
                              "{'path': %s, 'property': %s}}", path, property);

    g_assert_true(qdict_haskey(answer, "return"));
    return answer;
}

static uint64_t get_word(QTestState *qts, const char *path,
                         const char *property)
{
    QDict *answer = qom_get(qts, path, property);
    uint64_t word;

    g_assert_true(qnum_get_try_uint(qobject_to(QNum,
                                               qdict_get(answer, "return")),
                                    &word));
    qobject_unref(answer);
    return word;
}

static char *get_str(QTestState *qts, const char *path, const char *property)
{
    QDict *answer = qom_get(qts, path, property);
    char *str = g_strdup(qdict_get_str(answer, "return"));

    qobject_unref(answer);
    return str;
}

static Shown show(QTestState *qts, int index)
{
    g_autofree char *path = cpu_path(qts, index);

    return (Shown) {
        .effective.flags = get_word(qts, path, "insns-flags"),
        .effective.flags2 = get_word(qts, path, "insns-flags2"),
        .wire.flags = get_word(qts, path, "insns-wire-flags"),
        .wire.flags2 = get_word(qts, path, "insns-wire-flags2"),
        .groups = get_str(qts, path, "insns-groups"),
        .wire_groups = get_str(qts, path, "insns-wire-groups"),
        .version = get_str(qts, path, "insns-compat"),
    };
}

static void shown_clear(Shown *shown)
{
    g_free(shown->groups);
    g_free(shown->wire_groups);
    g_free(shown->version);
}

static void assert_insns(PPCInsns found, PPCInsns expected)
{
    g_assert_cmphex(found.flags, ==, expected.flags);
    g_assert_cmphex(found.flags2, ==, expected.flags2);
}

/* Starts QEMU with @args and returns what its first CPU shows. */
static Shown show_of(const char *args)
{
    QTestState *qts = qtest_init(args);
    Shown shown = show(qts, 0);

    qtest_quit(qts);
    return shown;
}

/* What a CPU of @model shows if nothing is taken from it */
static Shown show_class(const char *model)
{
    g_autofree char *args = g_strdup_printf("-machine none -cpu %s", model);

    return show_of(args);
}

/* The family of a CPU model or type; their names may have capitals. */
static PPCFamily family_of(const char *name)
{
    PPCFamily family = PPC_FAMILY_NONE;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(families); i++) {
        const char *prefix = families[i].prefix;

        if (!g_ascii_strncasecmp(name, prefix, strlen(prefix))) {
            family = families[i].family;
        }
    }
    return family;
}

/* The release that the running QEMU is, or is going to be */
static PPCRelease running_release(PPCRelease *newest_known)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-version'}");
    QDict *version = qdict_get_qdict(qdict_get_qdict(answer, "return"),
                                     "qemu");
    int major = qdict_get_int(version, "major");
    int minor = qdict_get_int(version, "minor");
    PPCRelease release, next;

    if (qdict_get_int(version, "micro") >= 50) {
        /* three releases a year: x.0, x.1, x.2 */
        minor++;
        if (minor > 2) {
            major++;
            minor = 0;
        }
    }
    qobject_unref(answer);
    qtest_quit(qts);

    release = PPC_RELEASE(major, minor);
    *newest_known = ppc_release_next(0);
    while ((next = ppc_release_next(*newest_known)) && next <= release) {
        *newest_known = next;
    }
    return release;
}

/*
 * The guard: every class has just the groups that the history says.  If this
 * fails, a CPU class gained or lost a group: add the row that is printed to
 * the history in target/ppc/insns-history.c, with the commit that did it.
 * docs/devel/ppc-insns-compat.rst has the steps.
 */
static void test_guard(void)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-cpu-definitions'}");
    PPCRelease known, release = running_release(&known);
    const QListEntry *entry;
    int checked = 0, wrong = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(answer, "return"), entry) {
        const char *type = qdict_get_str(qobject_to(QDict,
                                                    qlist_entry_obj(entry)),
                                         "typename");
        PPCFamily family = family_of(type);
        g_autofree char *model = NULL;
        g_autofree char *rows = NULL;
        g_auto(GStrv) lines = NULL;
        PPCInsns actual;
        Shown shown;
        size_t i;

        if (!g_str_has_suffix(type, CPU_SUFFIX) ||
            !(g_str_has_prefix(type, "970") ||
              g_ascii_strncasecmp(type, "power", 5) == 0)) {
            continue;
        }
        model = g_strndup(type, strlen(type) - strlen(CPU_SUFFIX));
        if (family == PPC_FAMILY_NONE) {
            g_test_message("%s is of a family without a history", model);
            wrong++;
            continue;
        }

        shown = show_class(model);
        actual = shown.effective;
        shown_clear(&shown);

        if (!ppc_insns_empty(ppc_insns_minus(actual,
                                             ppc_insns_at(family, known))) ||
            !ppc_insns_empty(ppc_insns_minus(ppc_insns_at(family, known),
                                             actual))) {
            rows = ppc_insns_missing_rows(family, release, actual);
            lines = g_strsplit(rows, "\n", 0);
            g_test_message("%s differs from the history; add to "
                           "target/ppc/insns-history.c:", model);
            for (i = 0; lines[i] && *lines[i]; i++) {
                g_test_message("%s", lines[i]);
            }
            wrong++;
        }
        checked++;
    }
    qobject_unref(answer);
    qtest_quit(qts);
    g_assert_cmpint(checked, >, 0);
    g_assert_cmpint(wrong, ==, 0);
}

#define P7_2_6    { 0x8000600fe1ff3a21, 0x10fb6 }
#define P7_2_7    { 0x8000600fe1ff7ae1, 0x50fb6 }
#define P8_2_6    { 0x8000600fe1ff3a61, 0x3fff6 }
#define P8_2_7    { 0x8000600fe1ff7ae1, 0x7fff6 }
#define NOTHING   { 0, 0 }

/*
 * Groups that the guest must not see and, from real streams, wire groups.  In
 * old releases, the models' names have capitals; -cpu takes either.
 */
static const struct {
    const char *machine;
    const char *cpu;
    const char *version;
    const char *hidden;
    PPCInsns wire;
} versions[] = {
    { "pseries-2.1", "POWER7_v2.3", "2.6", "PPC_64BX", P7_2_6 },
    { "pseries-2.5", "POWER8_v2.0", "2.6", "PPC_64H", P8_2_6 },
    { "pseries-2.6", "POWER7_v2.3", "2.6", "PPC_64BX", P7_2_6 },
    { "pseries-2.6", "POWER7+_v2.1", "2.6", "PPC2_PM_ISA206", P7_2_6 },
    { "pseries-2.6", "POWER8_v2.0", "2.6", "PPC2_BCDA_ISA206", P8_2_6 },
    { "pseries-2.6", "POWER8E_v2.1", "2.6", "PPC_CILDST", P8_2_6 },
    { "pseries-2.6", "POWER8NVL_v1.0", "2.6", "PPC_64H", P8_2_6 },
    { "pseries-2.6", "970_v2.2", "2.6", NULL,
      { 0x0000600fe1dd2221, 0x10000 } },
    { "pseries-2.6", "POWER5+_v2.1", "2.6", "PPC_POPCNTB",
      { 0x0000600fe0dd2221, 0x10000 } },
    { "pseries-2.7", "POWER7_v2.3", "2.7", "PPC2_BCDA_ISA206", P7_2_7 },
    { "pseries-2.7", "POWER8_v2.0", "2.7", "PPC2_BCDA_ISA206", P8_2_7 },
    { "pseries-2.7", "POWER9_v2.0", "2.7", "PPC2_BCDA_ISA206", P8_2_7 },
    { "pseries-2.8", "POWER8_v2.0", "none", NULL, NOTHING },
    { "pseries-2.6", "POWER7_v2.3,insns-compat=2.7", "2.7",
      "PPC2_BCDA_ISA206", P7_2_7 },
    { "pseries-2.6", "POWER8_v2.0,insns-compat=none", "none", NULL, P8_2_6 },
    { "pseries-2.7", "POWER8_v2.0,insns-compat=none", "none", NULL, P8_2_7 },
    { "pseries-2.6", "POWER8_v2.0,insns-compat=2.2", "2.2", "PPC2_TM",
      { 0x8000600fe1ff3a61, 0x1fff6 } },
    { "pseries-2.1", "POWER8_v2.0,insns-compat=2.1", "2.1", "PPC2_TM",
      { 0x8000600fe1ff3a61, 0xfff6 } },
    { "pseries", "POWER8_v2.0,insns-compat=2.6", "2.6", "PPC_64H", NOTHING },
};

static void test_version(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *args = NULL;
    g_autofree char *wire_groups = ppc_insns_names(versions[i].wire);
    g_autofree char *model = g_strdup(versions[i].cpu);
    Shown shown, all;

    args = g_strdup_printf("-nodefaults -machine %s -cpu %s",
                           versions[i].machine, versions[i].cpu);
    model[strcspn(model, ",")] = 0;
    shown = show_of(args);
    all = show_class(model);

    g_assert_cmpstr(shown.version, ==, versions[i].version);
    assert_insns(shown.wire, versions[i].wire);
    g_assert_cmpstr(shown.wire_groups, ==, wire_groups);
    if (versions[i].hidden) {
        g_auto(GStrv) groups = g_strsplit(shown.groups, " ", 0);

        /* That the class has it, if it is to have it yet, the guard tells. */
        g_assert_false(g_strv_contains((const char **)groups,
                                       versions[i].hidden));
        assert_insns(ppc_insns_or(shown.effective, all.effective),
                     all.effective);
    } else {
        assert_insns(shown.effective, all.effective);
    }
    shown_clear(&shown);
    shown_clear(&all);
}

/* Other machines show what the class has, as -machine none does. */
static void test_other_machine(const void *data)
{
    const char *machine = data;
    g_autofree char *args = g_strdup_printf("-nodefaults -machine %s", machine);
    g_autofree char *path = NULL;
    g_autofree char *type = NULL;
    QTestState *qts = qtest_init(args);
    Shown shown = show(qts, 0), all;

    path = cpu_path(qts, 0);
    type = get_str(qts, path, "type");
    qtest_quit(qts);
    g_assert_true(g_str_has_suffix(type, CPU_SUFFIX));
    type[strlen(type) - strlen(CPU_SUFFIX)] = 0;

    all = show_class(type);
    g_assert_cmpstr(shown.version, ==, "none");
    assert_insns(shown.effective, all.effective);
    assert_insns(shown.wire, (PPCInsns) NOTHING);
    shown_clear(&shown);
    shown_clear(&all);
}

/* All CPUs look alike, those that are plugged in later, too. */
static void test_hotplug(const void *data)
{
    g_autofree char *args = g_strdup_printf("-nodefaults -machine %s"
                                            " -smp 1,maxcpus=2",
                                            (const char *)data);
    QTestState *qts = qtest_init(args);
    QDict *answer;
    Shown first, second;

    answer = qtest_qmp(qts, "{'execute': 'device_add', 'arguments': "
                       "{'driver': 'power8_v2.0-spapr-cpu-core',"
                       " 'id': 'core1', 'core-id': 1}}");
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);

    first = show(qts, 0);
    second = show(qts, 1);
    g_assert_cmpstr(second.version, ==, "2.7");
    assert_insns(second.effective, first.effective);
    assert_insns(second.wire, first.wire);
    qtest_quit(qts);
    shown_clear(&first);
    shown_clear(&second);
}

static void test_set_after_realize(void)
{
    QTestState *qts = qtest_init("-nodefaults -machine pseries"
                                 " -cpu POWER8_v2.0,insns-compat=2.6");
    g_autofree char *path = cpu_path(qts, 0);
    QDict *answer = qtest_qmp(qts, "{'execute': 'qom-set', 'arguments': "
                              "{'path': %s, 'property': 'insns-compat',"
                              " 'value': '2.7'}}", path);
    Shown shown = show(qts, 0);

    g_assert_true(qdict_haskey(answer, "error"));
    g_assert_cmpstr(shown.version, ==, "2.6");
    qobject_unref(answer);
    qtest_quit(qts);
    shown_clear(&shown);
}

/* Command lines that are refused, and what the message must contain */
static const struct {
    const char *name;
    const char *args;
    const char *words[4];
} refused[] = {
    { "unknown", "-machine pseries -cpu POWER8_v2.0,insns-compat=2.65",
      { "insns-compat=2.65", "2.6, 2.7, 2.8", "none" } },
    { "empty", "-machine none -cpu POWER8_v2.0,insns-compat=",
      { "insns-compat=", "2.6, 2.7, 2.8", "none" } },
    { "unknown-default", "-machine pseries -cpu POWER8_v2.0"
      " -global powerpc64-cpu.x-insns-compat-default=2.65",
      { "x-insns-compat-default=2.65", "2.6, 2.7, 2.8" } },
    { "no-history-970fx",
      "-machine mac99 -global powerpc64-cpu.insns-compat=2.7",
      { "insns-compat=2.7", "no history", "970fx" } },
    { "no-history-g4", "-machine none -cpu 7400_v2.9,insns-compat=2.7",
      { "insns-compat=2.7", "no history", "7400" } },
};

static void test_refused(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *command = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    size_t w;
    int status;

    command = g_strdup_printf("%s -display none -accel qtest %s",
                              getenv("QTEST_QEMU_BINARY"), refused[i].args);
    g_assert_true(g_spawn_command_line_sync(command, NULL, &text, &status,
                                            &error));
    g_test_message("%s", text);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    for (w = 0; w < ARRAY_SIZE(refused[i].words) && refused[i].words[w]; w++) {
        g_assert_nonnull(strstr(text, refused[i].words[w]));
    }
}

/* pseries-2.6 is older than capabilities: TCG needs no cap-htm=off. */
static void test_htm_under_tcg(const void *data)
{
    QTestState *qts = qtest_init("-nodefaults -accel tcg -S"
                                 " -machine pseries-2.6 -cpu POWER8_v2.0");
    QDict *answer = qom_get(qts, "/machine", "cap-htm");

    g_assert_false(qdict_get_bool(answer, "return"));
    qobject_unref(answer);
    qtest_quit(qts);
}

static void test_no_machine(const void *data)
{
    g_autofree char *why = g_strdup_printf("this QEMU has no %s",
                                           (const char *)data);

    g_test_skip(why);
}

/* Adds a test that is skipped if this QEMU does not have @machine. */
static void add_test(const char *name, const char *machine, const void *data,
                     void (*test)(const void *))
{
    g_autofree char *path = g_strdup_printf("ppc-insns-compat/%s", name);

    if (qtest_has_machine(machine)) {
        qtest_add_data_func(path, data, test);
    } else {
        qtest_add_data_func(path, machine, test_no_machine);
    }
}

int main(int argc, char **argv)
{
    static const char *const others[] = {
        "powernv8", "powernv9", "powernv10", "mac99", "ppce500", "g3beige",
    };
    size_t i;

    g_test_init(&argc, &argv, NULL);
    if (!getenv("QTEST_QEMU_BINARY")) {
        g_print("1..0 # SKIP QTEST_QEMU_BINARY is not set\n");
        return 0;
    }

    qtest_add_func("ppc-insns-compat/guard", test_guard);
    for (i = 0; i < ARRAY_SIZE(versions); i++) {
        g_autofree char *name = g_strdup_printf("version/%s/%s",
                                                versions[i].machine,
                                                versions[i].cpu);

        add_test(name, versions[i].machine, GINT_TO_POINTER(i), test_version);
    }
    for (i = 0; i < ARRAY_SIZE(others); i++) {
        g_autofree char *name = g_strdup_printf("other/%s", others[i]);

        add_test(name, others[i], others[i], test_other_machine);
    }
    for (i = 0; i < ARRAY_SIZE(refused); i++) {
        g_autofree char *path = g_strdup_printf("ppc-insns-compat/refused/%s",
                                                refused[i].name);

        qtest_add_data_func(path, GINT_TO_POINTER(i), test_refused);
    }
    qtest_add_func("ppc-insns-compat/set-after-realize",
                   test_set_after_realize);
    add_test("hotplug/pseries-2.7", "pseries-2.7",
             "pseries-2.7 -cpu POWER8_v2.0", test_hotplug);
    add_test("hotplug/pseries", "pseries",
             "pseries -cpu POWER8_v2.0,insns-compat=2.7", test_hotplug);
    if (qtest_has_accel("tcg")) {
        add_test("htm-under-tcg", "pseries-2.6", NULL, test_htm_under_tcg);
    }
    return g_test_run();
}
