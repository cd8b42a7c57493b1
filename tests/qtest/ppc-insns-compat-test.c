/*
 * QTest for the PowerPC instruction groups by compat version
 *
 * Checks what CPUs show, what they save, and whether other CPUs can load that.
 * No guest runs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
@{needs:libqtest_in_libqos}
#include "libqos/libqtest.h"
@{else}
#include "libqtest.h"
@{end}
#include "qemu/bswap.h"
@{needs:system_headers}
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qjson.h"
@{else}
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qjson.h"
@{end}
#include "target/ppc/insns-history.h"

@{lacks:qobject_to}
#define qobject_to_QDict qobject_to_qdict
#define qobject_to(type, obj) qobject_to_ ## type(obj)
@{end}
@{lacks:qobject_unref}
#define qobject_unref(obj) QDECREF(obj)

@{end}
@{lacks:qtest_skips_events}
static QDict *skip_events(QTestState *qts, QDict *answer)
{
    while (qdict_haskey(answer, "event")) {
        qobject_unref(answer);
        answer = qtest_qmp_receive(qts);
    }
    return answer;
}
#define qtest_qmp(qts, ...) skip_events(qts, qtest_qmp(qts, __VA_ARGS__))

@{end}
#define CPU_SUFFIX "-powerpc64-cpu"
#define PRE_2_8 " -global powerpc64-cpu.pre-2.8-migration=on"

/* How long something may take on a busy machine */
#define TIMEOUT_US (60 * G_USEC_PER_SEC)

/* The CPU models that have a history, by the prefixes of their names */
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

static char *dir;

@{lacks:qtest_has_machine}
static bool qtest_has_machine(const char *machine)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-machines'}");
    const QListEntry *entry;
    bool found = false;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(answer, "return"), entry) {
        QDict *row = qobject_to(QDict, qlist_entry_obj(entry));

        found |= !strcmp(qdict_get_str(row, "name"), machine) ||
                 (qdict_haskey(row, "alias") &&
                  !strcmp(qdict_get_str(row, "alias"), machine));
    }
    qobject_unref(answer);
    qtest_quit(qts);
    return found;
}

@{end}
static char *cpu_path(QTestState *qts, int index)
{
@{lacks:query_cpus_fast}
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-cpus'}");
@{else}
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-cpus-fast'}");
@{end}
    const QListEntry *entry = qlist_first(qdict_get_qlist(answer, "return"));
    char *path;

    while (index--) {
        entry = qlist_next(entry);
    }
    path = g_strdup(qdict_get_str(qobject_to(QDict, qlist_entry_obj(entry)),
@{lacks:query_cpus_fast}
                                  "qom_path"));
@{else}
                                  "qom-path"));
@{end}
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

static char *get_str(QTestState *qts, const char *path, const char *property)
{
    QDict *answer = qom_get(qts, path, property);
    char *str = g_strdup(qdict_get_str(answer, "return"));

    qobject_unref(answer);
    return str;
}

static char *get_groups(QTestState *qts, int index)
{
    g_autofree char *path = cpu_path(qts, index);

    return get_str(qts, path, "insns-groups");
}

/* The groups that the class of @model has */
static char *class_groups(const char *model)
{
@{lacks:cpu_on_none}
    /* -machine none has no CPU; a 970FX does not fit into pseries. */
    g_autofree char *args =
        g_strdup_printf(g_str_has_prefix(model, "970fx") ?
                        "-nodefaults -machine mac99 -cpu %s" :
                        "-nodefaults -machine pseries"
                        " -cpu %s,insns-compat=none", model);
@{else}
    g_autofree char *args = g_strdup_printf("-machine none -cpu %s", model);
@{end}
    QTestState *qts = qtest_init(args);
    char *groups = get_groups(qts, 0);

    qtest_quit(qts);
    return groups;
}

static bool has_group(const char *groups, const char *group)
{
    g_auto(GStrv) list = g_strsplit(groups, " ", 0);

    return g_strv_contains((const char **)list, group);
}

/* The names in @groups that are not in @others, joined with " | ", or "0" */
static char *missing_of_word(const char *groups, const char *others, int word)
{
    g_auto(GStrv) list = g_strsplit(groups, " ", 0);
    GString *missing = g_string_new(NULL);
    size_t i;

    for (i = 0; list[i]; i++) {
        bool second = g_str_has_prefix(list[i], "PPC2_") ||
                      g_str_has_prefix(list[i], "insns_flags2");

        if (*list[i] && second == (word == 2) && !has_group(others, list[i])) {
            g_string_append_printf(missing, "%s%s", missing->len ? " | " : "",
                                   list[i]);
        }
    }
    return g_string_free(missing->len ? missing : g_string_append(missing, "0"),
                         false);
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

/* The release of the running QEMU, or the one that it will become */
static PPCRelease running_release(void)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-version'}");
    QDict *version = qdict_get_qdict(qdict_get_qdict(answer, "return"),
                                     "qemu");
    int major = qdict_get_int(version, "major");
    int minor = qdict_get_int(version, "minor");

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
    return PPC_RELEASE(major, minor);
}

/* Prints the missing row if @groups has some that @others lacks. */
static void print_row(PPCRelease release, PPCFamily family, const char *kind,
                      const char *groups, const char *others)
{
    g_autofree char *flags = missing_of_word(groups, others, 1);
    g_autofree char *flags2 = missing_of_word(groups, others, 2);

    if (strcmp(flags, "0") || strcmp(flags2, "0")) {
        g_test_message("CHANGE(R(%u, %u), F(%s), %s, %s, %s, NULL)",
                       release >> 8, release & 0xff, ppc_family_name(family),
                       kind, flags, flags2);
    }
}

/*
 * The guard: every class has exactly the groups of its history.  If this
 * fails, a CPU class gained or lost a group: add the printed row to
 * target/ppc/insns-history.h.inc, with the commit that changed the class.
 * docs/devel/ppc-insns-compat.rst has the steps.
 */
static void test_guard(void)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *answer = qtest_qmp(qts, "{'execute': 'query-cpu-definitions'}");
    PPCRelease release = running_release();
    const QListEntry *entry;
    int checked = 0, wrong = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(answer, "return"), entry) {
        const char *type = qdict_get_str(qobject_to(QDict,
                                                    qlist_entry_obj(entry)),
@{lacks:cpu_typename}
                                         "name");
@{else}
                                         "typename");
@{end}
        PPCFamily family = family_of(type);
        g_autofree char *model = NULL;
        g_autofree char *actual = NULL;
        g_autofree char *known = NULL;

@{lacks:cpu_typename}
        /* aliases are listed, too; 2.8 has POWER9, but no machine for it */
        if (!strstr(type, "_v") || g_str_has_prefix(type, "POWER9") ||
            !(g_str_has_prefix(type, "970") ||
              g_str_has_prefix(type, "POWER"))) {
            continue;
        }
        model = g_strdup(type);
@{else}
        if (!g_str_has_suffix(type, CPU_SUFFIX) ||
            !(g_str_has_prefix(type, "970") ||
              g_ascii_strncasecmp(type, "power", 5) == 0)) {
            continue;
        }
        model = g_strndup(type, strlen(type) - strlen(CPU_SUFFIX));
@{end}
        if (family == PPC_FAMILY_NONE) {
            g_test_message("%s is of a family without a history", model);
            wrong++;
            continue;
        }

        actual = class_groups(model);
        known = ppc_insns_names(ppc_insns_at(family, release));
        if (strcmp(actual, known)) {
            g_test_message("%s differs from the history; add to "
                           "target/ppc/insns-history.h.inc:", model);
            print_row(release, family, "ADDED", actual, known);
            print_row(release, family, "REMOVED", known, actual);
            wrong++;
        }
        checked++;
    }
    qobject_unref(answer);
    qtest_quit(qts);
    g_assert_cmpint(checked, >, 0);
    g_assert_cmpint(wrong, ==, 0);
}

/* ---- what is in a stream ----- */

/* The size of the fields in @description, up to the field named @end */
static uint64_t fields_size(QDict *description, const char *end, bool *found)
{
    QList *fields = qdict_get_qlist(description, "fields");
    const QListEntry *entry;
    uint64_t size = 0;

    QLIST_FOREACH_ENTRY(fields, entry) {
        QDict *field = qobject_to(QDict, qlist_entry_obj(entry));

        if (end && !strcmp(qdict_get_str(field, "name"), end)) {
            *found = true;
            return size;
        }
        size += qdict_get_int(field, "size") *
                qdict_get_try_int(field, "array_len", 1);
    }
    return size;
}

/* The size of a section or subsection without its header */
static uint64_t body_size(QDict *description)
{
    uint64_t size = fields_size(description, NULL, NULL);
    const QListEntry *entry;

    if (qdict_haskey(description, "subsections")) {
        QLIST_FOREACH_ENTRY(qdict_get_qlist(description, "subsections"),
                            entry) {
            QDict *sub = qobject_to(QDict, qlist_entry_obj(entry));

            /* 5, length and name, version */
            size += 2 + strlen(qdict_get_str(sub, "vmsd_name")) + 4 +
                    body_size(sub);
        }
    }
    return size;
}

/* The size of the section that @device describes, with header and footer */
static uint64_t section_size(QDict *device)
{
    /* 4, id, length and name, instance, version; 0x7e, id */
    return 1 + 4 + 1 + strlen(qdict_get_str(device, "name")) + 4 + 4 +
           body_size(device) + 1 + 4;
}

/* The first section with some name in a stream */
typedef struct Section {
    char *stream;
    size_t len;             /* of the stream */
    size_t body;            /* where it begins, after its header */
    QDict *description;     /* of all sections */
    QDict *device;          /* of this one */
} Section;

/*
 * Finds a section in a stream that has footers and, at its end, a description
 * of its sections.  The described sections come one after the other right
 * before the end mark.
 */
static Section find_section(const char *path, const char *wanted)
{
    Section section = { 0 };
    g_autofree char *json = NULL;
    g_autoptr(GError) error = NULL;
    const QListEntry *entry;
    QList *devices;
    const char *stream;
    size_t at;

    g_assert_true(g_file_get_contents(path, &section.stream, &section.len,
                                      &error));
    stream = section.stream;
    /* end mark, 6, length, description */
    for (at = section.len - 6; at > 0; at--) {
        if (!stream[at] && stream[at + 1] == 6 &&
            ldl_be_p(stream + at + 2) == section.len - at - 6) {
            break;
        }
    }
    json = g_strndup(stream + at + 6, section.len - at - 6);
@{lacks:qnum}
    section.description = qobject_to(QDict, qobject_from_json(json));
@{else}
    section.description = qobject_to(QDict, qobject_from_json(json, NULL));
@{end}
    g_assert_nonnull(section.description);
    devices = qdict_get_qlist(section.description, "devices");

    QLIST_FOREACH_ENTRY(devices, entry) {
        at -= section_size(qobject_to(QDict, qlist_entry_obj(entry)));
    }
    QLIST_FOREACH_ENTRY(devices, entry) {
        QDict *device = qobject_to(QDict, qlist_entry_obj(entry));
        const char *name = qdict_get_str(device, "name");

        g_assert_cmpint(stream[at], ==, 4);
        g_assert_cmpint(stream[at + 5], ==, strlen(name));
        g_assert_cmpint(memcmp(stream + at + 6, name, strlen(name)), ==, 0);
        if (!strcmp(name, wanted) && !section.device) {
            section.device = device;
            section.body = at + 1 + 4 + 1 + strlen(name) + 4 + 4;
        }
        at += section_size(device);
    }
    g_assert_nonnull(section.device);
    return section;
}

static void section_clear(Section *section)
{
    g_free(section->stream);
    qobject_unref(section->description);
}

/* Returns false if the section of the first CPU does not have the words. */
static bool read_words(const char *path, PPCInsnsWire *words)
{
    Section cpu = find_section(path, "cpu");
    bool found = false;
    const char *at = cpu.stream + cpu.body +
                     fields_size(cpu.device, "mig_msr_mask", &found);

    *words = (PPCInsnsWire) {
        ldq_be_p(at), { ldq_be_p(at + 8), ldq_be_p(at + 16) },
        ldl_be_p(at + 24),
    };
    section_clear(&cpu);
    return found;
}

/* Saves the machine to a file.  Returns its path, to be freed. */
static char *save(QTestState *qts)
{
    char *path = g_build_filename(dir, "stream", NULL);
    g_autofree char *uri = g_strdup_printf("exec:cat >%s", path);
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool completed = false;
    QDict *answer;

    answer = qtest_qmp(qts, "{'execute': 'migrate', 'arguments': {'uri': %s}}",
                       uri);
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);
    while (!completed) {
        const char *status;

        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(10 * 1000);
        answer = qtest_qmp(qts, "{'execute': 'query-migrate'}");
        status = qdict_get_try_str(qdict_get_qdict(answer, "return"),
                                   "status");
        completed = !g_strcmp0(status, "completed");
        g_assert_cmpstr(status, !=, "failed");
        qobject_unref(answer);
    }
    return path;
}

/* Starts QEMU with @args, and waits until its stream is loaded. */
static void load(const char *args)
{
    QTestState *qts = qtest_init(args);
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool loaded = false;

    while (!loaded) {
        QDict *answer = qtest_qmp(qts, "{'execute': 'query-status'}");

        g_assert_cmpint(g_get_monotonic_time(), <, end);
        loaded = strcmp(qdict_get_str(qdict_get_qdict(answer, "return"),
                                      "status"), "inmigrate");
        qobject_unref(answer);
        g_usleep(10 * 1000);
    }
    qtest_quit(qts);
}

/* ---- machine versions, models and insns-compat ----- */

#define P7_MSR    0x800000000280ff37
#define P8_MSR    0x800000010280ff37
#define P7_2_6    { P7_MSR, { 0x8000600fe1ff3a21, 0x10fb6 }, 0 }
#define P7_2_7    { P7_MSR, { 0x8000600fe1ff7ae1, 0x50fb6 }, 0 }
#define P8_2_6    { P8_MSR, { 0x8000600fe1ff3a61, 0x3fff6 }, 0 }
#define P8_2_7    { P8_MSR, { 0x8000600fe1ff7ae1, 0x7fff6 }, 0 }
#define P8_7_1    { P8_MSR, { 0x8000600fe1ff3a61, 0x23fff6 }, 0 }
#define NO_WORDS  { 0 }

/*
 * A group that the guest must not see, or NULL if it sees all that the class
 * has; and the words in the stream, taken from streams of real releases.  In
 * old releases, model names are in upper case; -cpu accepts either.
 */
static const struct {
    const char *machine;
    const char *cpu;
    const char *version;
    const char *hidden;
    PPCInsnsWire words;
    bool stock;             /* as an unpatched QEMU sends it, P8_2_6 or later */
} versions[] = {
    { "pseries-2.4", "POWER7_v2.3", "2.6", "PPC_64BX", P7_2_6 },
    { "pseries-2.5", "POWER8_v2.0", "2.6", "PPC_64H", P8_2_6 },
    { "pseries-2.6", "POWER7_v2.3", "2.6", "PPC_64BX", P7_2_6 },
    { "pseries-2.6", "POWER7+_v2.1", "2.6", "PPC2_PM_ISA206", P7_2_6 },
    { "pseries-2.6", "POWER8_v2.0", "2.6", "PPC2_BCDA_ISA206", P8_2_6 },
    { "pseries-2.6", "POWER8E_v2.1", "2.6", "PPC_CILDST", P8_2_6 },
    { "pseries-2.6", "POWER8NVL_v1.0", "2.6", "PPC_64H", P8_2_6 },
    { "pseries-2.6", "970_v2.2", "2.6", NULL,
      { 0x800000000204ff36, { 0x0000600fe1dd2221, 0x10000 }, 4 } },
    { "pseries-2.6", "POWER5+_v2.1", "2.6", "PPC_POPCNTB",
      { 0x800000000204ff36, { 0x0000600fe0dd2221, 0x10000 }, 4 } },
    { "pseries-2.7", "POWER7_v2.3", "2.7", "PPC2_BCDA_ISA206", P7_2_7 },
    { "pseries-2.7", "POWER8_v2.0", "2.7", "PPC2_BCDA_ISA206", P8_2_7 },
@{needs:power9_v2}
    { "pseries-2.7", "POWER9_v2.0", "2.7", "PPC2_BCDA_ISA206", P8_2_7 },
@{end}
    { "pseries-2.8", "POWER8_v2.0", "none", NULL, NO_WORDS },
@{lacks:words_always}
    { "pseries", "POWER8_v2.0", "none", NULL, NO_WORDS },
@{end}
    { "pseries-2.6", "POWER7_v2.3,insns-compat=2.7", "2.7",
      "PPC2_BCDA_ISA206", P7_2_7 },
    { "pseries-2.7", "POWER7_v2.3,insns-compat=2.6", "2.6", "PPC_64BX",
      P7_2_6 },
    { "pseries-2.6", "POWER8_v2.0,insns-compat=2.2", "2.2", "PPC2_TM",
      { P8_MSR, { 0x8000600fe1ff3a61, 0x1fff6 }, 0 } },
    { "pseries-2.4", "POWER8_v2.0,insns-compat=2.1", "2.1", "PPC2_TM",
      { P8_MSR, { 0x8000600fe1ff3a61, 0xfff6 }, 0 } },
@{needs:words_always}
    { "pseries", "POWER8_v2.0,insns-compat=2.6", "2.6", "PPC_64H", P8_2_6 },
@{else}
    { "pseries", "POWER8_v2.0,insns-compat=2.6", "2.6", "PPC_64H", NO_WORDS },
@{end}
    /* The words are right, whatever puts them into the stream. */
@{needs:words_always}
    { "pseries-2.6", "POWER8_v2.0,insns-compat=none", "none", NULL, P8_2_7 },
@{else}
    { "pseries-2.6", "POWER8_v2.0,insns-compat=none", "none", NULL, P8_2_6,
      true },
@{end}
    { "pseries-2.7", "POWER8_v2.0" PRE_2_8, "2.7", "PPC2_BCDA_ISA206", P8_2_7 },
    { "pseries", "POWER8_v2.0" PRE_2_8, "none", NULL, P8_2_6, true },
    { "pseries", "POWER8_v2.0,insns-compat=2.6" PRE_2_8, "2.6", "PPC_64H",
      P8_2_6 },
    { "pseries", "POWER7_v2.3,insns-compat=2.7" PRE_2_8, "2.7",
      "PPC2_BCDA_ISA206", P7_2_7 },
};

static void test_version(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *args = NULL;
    g_autofree char *model = g_strdup(versions[i].cpu);
    g_autofree char *groups = NULL;
    g_autofree char *all = NULL;
    g_autofree char *path = NULL;
    g_autofree char *version = NULL;
    g_autofree char *more = NULL;
    g_autofree char *more2 = NULL;
    PPCInsnsWire expected = versions[i].words, words = { 0 };
    QTestState *qts;

@{needs:old_machines}
    if (strstr(versions[i].cpu, "pre-2.8")) {
        g_test_skip("this QEMU does not have what it is about: an option "
                    "for the words");
@{else}
    if (strstr(versions[i].cpu, "pre-2.8") &&
        !(qtest_has_machine("pseries-2.7") &&
          qtest_has_machine("pseries-2.8"))) {
        g_test_skip("streams of this QEMU have the words never, or always");
@{end}
        return;
    }
    if (versions[i].stock && running_release() >= PPC_RELEASE(7, 1)) {
        expected = (PPCInsnsWire) P8_7_1;
    }
    args = g_strdup_printf("-nodefaults -machine %s -cpu %s",
                           versions[i].machine, versions[i].cpu);
    qts = qtest_init(args);
    path = cpu_path(qts, 0);
    version = get_str(qts, path, "insns-compat");
    groups = get_groups(qts, 0);
    g_free(path);
    path = save(qts);
    qtest_quit(qts);
    model[strcspn(model, ", ")] = 0;
    all = class_groups(model);

    g_assert_cmpstr(version, ==, versions[i].version);
    if (versions[i].hidden) {
        /* The guard checks that the class has it, if it should have it yet. */
        g_assert_false(has_group(groups, versions[i].hidden));
        more = missing_of_word(groups, all, 1);
        more2 = missing_of_word(groups, all, 2);
        g_assert_cmpstr(more, ==, "0");
        g_assert_cmpstr(more2, ==, "0");
    } else {
        g_assert_cmpstr(groups, ==, all);
    }

    if (read_words(path, &words)) {
        g_assert_cmphex(words.msr_mask, ==, expected.msr_mask);
        g_assert_cmphex(words.insns.flags, ==, expected.insns.flags);
        g_assert_cmphex(words.insns.flags2, ==, expected.insns.flags2);
        g_assert_cmphex(words.nb_bats, ==, expected.nb_bats);
    } else {
        g_assert_cmphex(expected.msr_mask, ==, 0);
    }
}

/* ---- how streams load ----- */

/*
 * Guests are saved with one command line and loaded with another.  The
 * messages must contain all of the words, and must not contain "not".
 */
static const struct {
    const char *name;
    const char *from;
    const char *to;
    bool loads;
    PPCRelease since;       /* the first release for which this holds */
    const char *words[4];
    const char *not;
} moves[] = {
    { "same", "pseries-2.6 -cpu POWER7_v2.3", "pseries-2.6 -cpu POWER7_v2.3",
      true, 0, { NULL }, "PPC" },
    { "same-none", "pseries-2.6 -cpu POWER8_v2.0,insns-compat=none",
      "pseries-2.6 -cpu POWER8_v2.0,insns-compat=none", true, 0, { NULL },
      "PPC2_BCDA_ISA206" },
    { "loses-lq", "pseries-2.6 -cpu POWER7_v2.3,insns-compat=2.7",
      "pseries-2.6 -cpu POWER7_v2.3", true, 0,
      { "POWER7, pseries-2.6", "loses", "PPC_64BX", "insns-compat=2.7" },
      "may not be able" },
    { "loses-addg6s", "pseries-2.6 -cpu POWER8_v2.0,insns-compat=none",
      "pseries-2.6 -cpu POWER8_v2.0", true, PPC_RELEASE(7, 1),
      { "POWER8, pseries-2.6", "loses", "PPC2_BCDA_ISA206",
        "insns-compat=none" }, "may not be able" },
    { "loses-both", "pseries-2.6 -cpu POWER7_v2.3,insns-compat=none",
      "pseries-2.6 -cpu POWER7_v2.3", true, PPC_RELEASE(7, 1),
      { "loses", "PPC_64BX PPC2_BCDA_ISA206", "insns-compat=none" },
      "may not be able" },
    { "loses-addg6s-2.7", "pseries-2.6 -cpu POWER7_v2.3,insns-compat=none",
      "pseries-2.6 -cpu POWER7_v2.3,insns-compat=2.7", true,
      PPC_RELEASE(7, 1), { "loses", "PPC2_BCDA_ISA206", "insns-compat=none" },
      "PPC_64BX" },
    { "gains-lq", "pseries-2.6 -cpu POWER7_v2.3",
      "pseries-2.6 -cpu POWER7_v2.3,insns-compat=2.7", true, 0,
      { "did not have", "PPC_64BX", "may not be able" }, "loses" },
    { "gains-addg6s", "pseries-2.6 -cpu POWER8_v2.0",
      "pseries-2.6 -cpu POWER8_v2.0,insns-compat=none", true,
      PPC_RELEASE(7, 1),
      { "did not have", "PPC2_BCDA_ISA206", "may not be able" }, "loses" },
    { "warns-once",
      "pseries-2.6 -smp 2 -cpu POWER7_v2.3,insns-compat=2.7",
      "pseries-2.6 -smp 2 -cpu POWER7_v2.3", true, 0,
      { "CPU 0 (POWER7, pseries-2.6)" }, "CPU 1" },
    { "POWER8-into-POWER7", "pseries-2.6 -cpu POWER8_v2.0",
      "pseries-2.6 -cpu POWER7_v2.3", false, 0,
      { "source CPU (POWER8)", "this CPU lacks", "PPC2_ISA207S", "-cpu " },
      "loses" },
    { "POWER8-into-POWER7-in-its-mode", "pseries-2.6 -cpu POWER8_v2.0",
      "pseries-2.6,max-cpu-compat=power7 -cpu POWER7_v2.3", true,
      PPC_RELEASE(2, 10), { "Unless", "PPC2_VSX207", "PPC2_ISA207S" },
      "lacks" },
    { "POWER7-into-POWER9-in-its-mode",
      "pseries-2.6 -cpu POWER7_v2.3,insns-compat=2.7",
      "pseries-2.6,max-cpu-compat=power7 -cpu POWER9_v2.0", true,
      PPC_RELEASE(2, 11), { "did not have", "PPC2_ISA300" }, "PM_ISA206" },
    { "POWER8-into-POWER9-in-its-mode",
      "pseries-2.7 -cpu POWER8_v2.0",
      "pseries-2.7,max-cpu-compat=power8 -cpu POWER9_v2.0", true,
      PPC_RELEASE(2, 11), { "did not have", "PPC2_ISA300" }, "PM_ISA206" },
    { "POWER7-into-POWER8", "pseries-2.6 -cpu POWER7_v2.3",
      "pseries-2.6 -cpu POWER8_v2.0", false, PPC_RELEASE(2, 10),
      { "power7_v2.3", "power8_v2.0", "-cpu", "max-cpu-compat" },
      "may not be able" },
};

static void test_move(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *messages = g_build_filename(dir, "messages", NULL);
    g_autofree char *from = NULL;
    g_autofree char *to = NULL;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
    bool ended = false;
    int status = 0;
    QTestState *qts;
    GPid pid;
    size_t w;

    if (moves[i].since > running_release()) {
        g_test_skip("this QEMU does not have what it is about");
        return;
    }
    from = g_strdup_printf("-nodefaults -m 256 -machine %s", moves[i].from);
    qts = qtest_init(from);
    path = save(qts);
    qtest_quit(qts);

    to = g_strdup_printf("-nodefaults -display none -m 256 -machine %s"
                         " -incoming 'exec:cat %s' 2>%s", moves[i].to, path,
                         messages);
    if (moves[i].loads) {
        load(to);
    } else {
        g_autofree char *command =
@{lacks:accel_option}
            g_strdup_printf("exec %s -machine accel=qtest %s",
@{else}
            g_strdup_printf("exec %s -accel qtest %s",
@{end}
                            getenv("QTEST_QEMU_BINARY"), to);

        argv[2] = command;
        g_assert_true(g_spawn_async(NULL, (char **)argv, NULL,
                                    G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                    &pid, &error));
        while (!ended && g_get_monotonic_time() < end) {
            g_usleep(10 * 1000);
            ended = waitpid(pid, &status, WNOHANG) == pid;
        }
        if (!ended) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        g_assert_true(ended && WIFEXITED(status) && WEXITSTATUS(status) == 1);
    }

    g_assert_true(g_file_get_contents(messages, &text, NULL, &error));
    g_test_message("%s", text);
    for (w = 0; w < ARRAY_SIZE(moves[i].words) && moves[i].words[w]; w++) {
        g_assert_nonnull(strstr(text, moves[i].words[w]));
    }
    g_assert_null(strstr(text, moves[i].not));
}

/* Other machines show what the class has, as -machine none does. */
static void test_other_machine(const void *data)
{
    g_autofree char *args = g_strdup_printf("-nodefaults -machine %s",
                                            (const char *)data);
    g_autofree char *path = NULL;
    g_autofree char *type = NULL;
    g_autofree char *version = NULL;
    g_autofree char *groups = NULL;
    g_autofree char *all = NULL;
    QTestState *qts = qtest_init(args);

    path = cpu_path(qts, 0);
    type = get_str(qts, path, "type");
    version = get_str(qts, path, "insns-compat");
    groups = get_groups(qts, 0);
    qtest_quit(qts);
    g_assert_true(g_str_has_suffix(type, CPU_SUFFIX));
    type[strlen(type) - strlen(CPU_SUFFIX)] = 0;

    all = class_groups(type);
    g_assert_cmpstr(version, ==, "none");
    g_assert_cmpstr(groups, ==, all);
}

/* All CPUs look alike, including those that are plugged in later. */
static void test_hotplug(const void *data)
{
    g_autofree char *args = g_strdup_printf("-nodefaults -machine %s"
                                            " -smp 1,maxcpus=2",
                                            (const char *)data);
    QTestState *qts = qtest_init(args);
    g_autofree char *path = NULL;
    g_autofree char *version = NULL;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    QDict *answer;

    answer = qtest_qmp(qts, "{'execute': 'device_add', 'arguments': "
@{lacks:cpu_names_lower}
                       "{'driver': 'POWER8_v2.0-spapr-cpu-core',"
@{else}
                       "{'driver': 'power8_v2.0-spapr-cpu-core',"
@{end}
                       " 'id': 'core1', 'core-id': 1}}");
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);

    path = cpu_path(qts, 1);
    version = get_str(qts, path, "insns-compat");
    first = get_groups(qts, 0);
    second = get_groups(qts, 1);
    g_assert_cmpstr(version, ==, "2.7");
    g_assert_cmpstr(first, ==, second);
    qtest_quit(qts);
}

static void test_set_after_realize(void)
{
    QTestState *qts = qtest_init("-nodefaults -machine pseries"
                                 " -cpu POWER8_v2.0,insns-compat=2.6");
    g_autofree char *path = cpu_path(qts, 0);
    g_autofree char *version = NULL;
    QDict *answer = qtest_qmp(qts, "{'execute': 'qom-set', 'arguments': "
                              "{'path': %s, 'property': 'insns-compat',"
                              " 'value': '2.7'}}", path);

    version = get_str(qts, path, "insns-compat");
    g_assert_true(qdict_haskey(answer, "error"));
    g_assert_cmpstr(version, ==, "2.6");
    qobject_unref(answer);
    qtest_quit(qts);
}

/* Command lines that must be refused, and what the message must contain */
static const struct {
    const char *name;
    const char *args;
    const char *words[3];
} refused[] = {
    { "unknown", "-machine pseries -cpu POWER8_v2.0,insns-compat=2.65",
      { "insns-compat=2.65", "from 2.1 to ", "none" } },
    { "empty", "-machine pseries -cpu POWER8_v2.0,insns-compat=",
      { "insns-compat=", "from 2.1 to ", "none" } },
    { "too-new", "-machine pseries -cpu POWER8_v2.0,insns-compat=99.0",
      { "insns-compat=99.0", "from 2.1 to ", "none" } },
@{needs:cpu_on_none}
    { "no-version", "-machine none -cpu POWER8_v2.0,insns-compat=2.6",
      { "insns-compat=2.6", "only with pseries", "none" } },
@{end}
    { "no-version-mac99",
      "-machine mac99 -global powerpc64-cpu.insns-compat=2.7",
      { "insns-compat=2.7", "only with pseries", "none" } },
};

static void test_refused(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *command = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    size_t w;
    int status;

@{lacks:accel_option}
    command = g_strdup_printf("%s -display none -machine accel=qtest %s",
@{else}
    command = g_strdup_printf("%s -display none -accel qtest %s",
@{end}
                              getenv("QTEST_QEMU_BINARY"), refused[i].args);
    g_assert_true(g_spawn_command_line_sync(command, NULL, &text, &status,
                                            &error));
    g_test_message("%s", text);
    if (strstr(text, "unsupported machine type")) {
        g_test_skip("this QEMU has no such machine");
        return;
    }
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    for (w = 0; w < ARRAY_SIZE(refused[i].words) && refused[i].words[w]; w++) {
        g_assert_nonnull(strstr(text, refused[i].words[w]));
    }
}

@{needs:caps,fixes}
/* pseries-2.6 is older than capabilities: TCG needs no cap-htm=off. */
static void test_htm_under_tcg(const void *data)
{
    const char *tcg = "-accel tcg -S -nodefaults -m 256 -machine pseries-2.6"
                      " -cpu POWER8_v2.0";
    g_autofree char *path = NULL;
    g_autofree char *to = NULL;
    QTestState *qts = qtest_init(tcg);
    QDict *answer = qom_get(qts, "/machine", "cap-htm");

    g_assert_false(qdict_get_bool(answer, "return"));
    qobject_unref(answer);
    /* It does not mention HTM, whose default is on. */
    path = save(qts);
    qtest_quit(qts);
    to = g_strdup_printf("%s -incoming 'exec:cat %s'", tcg, path);
    load(to);
}

@{end}
@{needs:iommu_v3,fixes}
/* Up to pseries-7.0, version 2 is sent, and version 3 is also accepted. */
static void test_iommu_version(const void *data)
{
    const char *machine = data;
    g_autofree char *from = g_strdup_printf("-nodefaults -m 256 -machine %s",
                                            machine);
    g_autofree char *path = NULL;
    g_autofree char *to = NULL;
    g_autoptr(GError) error = NULL;
    QTestState *qts = qtest_init(from);
    Section iommu;
    GString *stream;
    int version;

    path = save(qts);
    qtest_quit(qts);
    iommu = find_section(path, "spapr_iommu");
    version = ldl_be_p(iommu.stream + iommu.body - 4);
    g_assert_cmpint(version, ==, strcmp(machine, "pseries") ? 2 : 3);
    if (version == 2) {
        stream = g_string_new_len(iommu.stream, iommu.len);
        stream->str[iommu.body - 1] = 3;
        g_string_insert_len(stream, iommu.body + fields_size(iommu.device, NULL,
                                                             NULL), "\1", 1);
        g_assert_true(g_file_set_contents(path, stream->str, stream->len,
                                          &error));
        g_string_free(stream, true);
    }
    section_clear(&iommu);
    to = g_strdup_printf("%s -incoming 'exec:cat %s'", from, path);
    load(to);
}

@{end}
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
@{lacks:cpu_on_none}
        "mac99",
@{else}
        "powernv8", "powernv9", "powernv10", "mac99", "ppce500", "g3beige",
@{end}
    };
@{needs:iommu_v3,fixes}
    static const char *const iommu[] = {
        "pseries-2.6", "pseries-7.0", "pseries",
    };
@{end}
    g_autoptr(GError) error = NULL;
    size_t i;
    int ret;

    g_test_init(&argc, &argv, NULL);
    if (!getenv("QTEST_QEMU_BINARY")) {
        g_print("1..0 # SKIP QTEST_QEMU_BINARY is not set\n");
        return 0;
    }

    dir = g_dir_make_tmp("ppc-insns-compat-XXXXXX", &error);
    g_assert_no_error(error);

    qtest_add_func("ppc-insns-compat/guard", test_guard);
    for (i = 0; i < ARRAY_SIZE(versions); i++) {
        g_autofree char *name = g_strdup_printf("version/%s/%s",
                                                versions[i].machine,
                                                versions[i].cpu);

        add_test(name, versions[i].machine, GINT_TO_POINTER(i), test_version);
    }
    for (i = 0; i < ARRAY_SIZE(moves); i++) {
        g_autofree char *name = g_strdup_printf("move/%s", moves[i].name);

        add_test(name, "pseries-2.7", GINT_TO_POINTER(i), test_move);
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
@{needs:iommu_v3,fixes}
    for (i = 0; i < ARRAY_SIZE(iommu); i++) {
        g_autofree char *name = g_strdup_printf("iommu/%s", iommu[i]);

        add_test(name, iommu[i], iommu[i], test_iommu_version);
    }
@{end}
@{needs:caps,fixes}
@{needs:qtest_has_accel}
    if (qtest_has_accel("tcg")) {
        add_test("htm-under-tcg", "pseries-2.6", NULL, test_htm_under_tcg);
    }
@{else}
    add_test("htm-under-tcg", "pseries-2.6", NULL, test_htm_under_tcg);
@{end}
@{end}
    ret = g_test_run();
    for (i = 0; i < 2; i++) {
        g_autofree char *path =
            g_build_filename(dir, i ? "messages" : "stream", NULL);

        g_remove(path);
    }
    g_rmdir(dir);
    return ret;
}
