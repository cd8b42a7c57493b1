/*
 * QTest for the PowerPC instruction groups in migration streams
 *
 * Loads streams that were recorded with old releases and reads the console of
 * the guest in them, tests/data/ppc-insns/guest.S.  It prints every 20 ms or so
 *
 *   <count, 8 hexadecimal digits> <ok, or BAD> <letters>
 *
 * "ok" means that all its registers have their values.  The letters stand for
 * instructions that it tries, upper case if they executed: A addg6s, D divde,
 * B bctar, V vaddudm, X lxvd2x, Q lq, F dadd.  A stream is loaded if the
 * guest goes on counting, is ok, and has the right letters.
 *
 * The streams are in tests/data/ppc-insns, also in the build directory;
 * QTEST_PPC_INSNS_STREAMS may name another directory.  The name of each stream
 * says how it was made: qemu-RELEASE-MACHINE-CPU[-smpN].stream.xz.
 *
 * Guests also migrate live to another process, or from or to another QEMU if
 * QTEST_QEMU_BINARY_SRC or QTEST_QEMU_BINARY_DST names one.  These are the
 * guests of two streams.  With QTEST_QEMU_MACHINE_TYPE, they are those of that
 * machine version, or a newly started one.
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
@{needs:system_headers}
#include "qobject/qdict.h"
@{else}
#include "qapi/qmp/qdict.h"
@{end}

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
/* How long a guest may take to report, on a busy machine */
#define TIMEOUT_US (60 * G_USEC_PER_SEC)

/* So many reports show that the guest runs. */
#define REPORTS 5

typedef struct Guest {
    const char *file;       /* its stream, or the program to start */
    const char *machine;
    const char *cpu;
    const char *smp;
} Guest;

static const Guest power7 = {
    "qemu-2.6.0-pseries-2.6-POWER7.stream.xz", "pseries-2.6", "POWER7", "1"
};

static const Guest power8 = {
    "qemu-2.6.0-pseries-2.6-POWER8.stream.xz", "pseries-2.6", "POWER8", "1"
};

#define ENV_SRC "QTEST_QEMU_BINARY_SRC"
#define ENV_DST "QTEST_QEMU_BINARY_DST"
#define ENV_MACHINE "QTEST_QEMU_MACHINE_TYPE"
#define ENV_STREAMS "QTEST_PPC_INSNS_STREAMS"

static char *dir;
static const char *streams = "tests/data/ppc-insns";
static const char *qemu_binary;

/* A path in the directory of this test; to be freed */
static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static uint64_t next_number(const char **p, int base)
{
    char *end;
    uint64_t number = g_ascii_strtoull(*p, &end, base);

    g_assert_true(end != *p);
    *p = end;
    return number;
}

static bool is_stream(const Guest *guest)
{
    return g_str_has_suffix(guest->file, ".xz");
}

/* Whether @guest is available here; if not, the test is skipped. */
static bool have(const Guest *guest)
{
    g_autofree char *path = g_build_filename(streams, guest->file, NULL);
    g_autofree char *xz = g_find_program_in_path("xz");
    g_autofree char *why = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        why = g_strdup_printf("there is no %s", path);
    } else if (is_stream(guest) && !xz) {
        why = g_strdup("xz is not installed");
    }
    if (why) {
        g_test_skip(why);
    }
    return !why;
}

/*
 * The command line for @guest, without -machine and -cpu.  A stream has all of
 * the guest's memory, so any file will do for -bios.
 */
static char *guest_args(const Guest *guest, const char *console)
{
@{lacks:accel_option}
    return g_strdup_printf("-nodefaults -vga none -M accel=tcg -m 256"
@{else}
    return g_strdup_printf("-nodefaults -vga none -accel tcg -m 256"
@{end}
                           " -smp %s -bios %s/%s"
                           " -chardev file,id=vt,path=%s -serial chardev:vt",
                           guest->smp, streams, guest->file, console);
}

static char *load_option(const Guest *guest)
{
    return g_strdup_printf("-incoming 'exec:xz -dc %s/%s'", streams,
                           guest->file);
}

/* The letters of a guest whose machine version shows what its release had */
static const char *letters_of(const Guest *guest)
{
    if (!is_stream(guest)) {
        return NULL;
    }
    if (g_str_has_prefix(guest->cpu, "POWER8")) {
        return "aDBVXQF";
    }
    return strcmp(guest->machine, "pseries-2.7") ? "aDbvXqF" : "aDbvXQF";
}

/*
 * The number of reports in the file @console.  Checks each, except for its
 * letters if @letters is NULL.
 */
static int count_reports(const char *console, const char *letters)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    uint64_t count, last = 0;
    int i, good = 0;

    if (!g_file_get_contents(console, &text, NULL, NULL)) {
        return 0;
    }
    lines = g_strsplit(text, "\n", 0);
    /* the first and the last report may be incomplete */
    for (i = 1; lines[i] && lines[i + 1]; i++, good++) {
        const char *p = lines[i];

        count = next_number(&p, 16);
        if (good) {
            g_assert_cmpuint(count, ==, last + 1);
        }
        last = count;
        g_assert_true(g_str_has_prefix(p, " ok  "));
        if (letters) {
            g_assert_cmpstr(g_strchomp((char *)p + 5), ==, letters);
        }
    }
    return good;
}

/* Waits until the guest has made REPORTS good reports. */
static void check_guest(const char *console, const char *letters)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    while (count_reports(console, letters) < REPORTS) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(20 * 1000);
    }
}

/* Whether the QEMU @binary can be run and has @machine */
static bool machines_have(const char *binary, const char *machine)
{
    const char *argv[] = { binary, "-machine", "help", NULL };
    g_autofree char *row = g_strdup_printf("\n%s ", machine);
    g_autofree char *text = NULL;

    return g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &text, NULL,
                        NULL, NULL) && strstr(text, row);
}

static void skip(const char *binary, const char *machine)
{
    g_autofree char *why = g_strdup_printf("%s cannot be run, or has no %s",
                                           binary, machine);

    g_test_skip(why);
}

static void test_no_machine(const void *data)
{
    skip(qemu_binary, data);
}

/* Adds a test that is skipped if this QEMU does not have @machine. */
static void add_test(const char *name, const char *machine, const void *data,
                     void (*test)(const void *))
{
    g_autofree char *path = g_strdup_printf("ppc-insns-migration/%s", name);

    if (machines_have(qemu_binary, machine)) {
        qtest_add_data_func(path, data, test);
    } else {
        qtest_add_data_func(path, machine, test_no_machine);
    }
}

@{lacks:qtest_initf}
static QTestState *GCC_FMT_ATTR(1, 2) qtest_initf(const char *fmt, ...)
{
    g_autofree char *args = NULL;
    va_list ap;

    va_start(ap, fmt);
    args = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return qtest_init(args);
}

@{end}
static void test_load(const void *data)
{
    const Guest *guest = data;
    g_autofree char *console = path_of("console");
    g_autofree char *args = guest_args(guest, console);
    g_autofree char *load = load_option(guest);
    QTestState *qts;

    if (!have(guest)) {
        return;
    }
    g_remove(console);
    qts = qtest_initf("%s -machine %s -cpu %s %s", args, guest->machine,
                      guest->cpu, load);
    check_guest(console, letters_of(guest));
    qtest_quit(qts);
}

/* Loads that fail or warn, and what the messages must contain */
static const struct {
    const char *name;
    const Guest *guest;
    const char *machine;
    const char *cpu;
    bool loads;
    const char *words[6];
    const char *not;
} judged[] = {
    { "POWER8-into-POWER7", &power8, "pseries-2.6", "POWER7", false,
      { "PPC2_ISA207S", "POWER8", "POWER7", "pseries-2.6", "-cpu" } },
    { "POWER8-into-POWER7-in-its-mode", &power8,
@{lacks:max_cpu_compat}
      "pseries-2.6", "POWER7,compat=power7", true,
@{else}
      "pseries-2.6,max-cpu-compat=power7", "POWER7", true,
@{end}
      { "Unless the guest runs", "PPC2_ISA207S", "loses", "PPC_64BX",
        "insns-compat=2.7", "POWER7" } },
@{lacks:pvr_check}
    { "POWER7-into-POWER8", &power7, "pseries-2.6", "POWER8", true,
      { "warning", "did not have", "PPC2_ISA207S", "PPC2_TM", "POWER8" } },
@{else}
    { "POWER7-into-POWER8", &power7, "pseries-2.6", "POWER8", false,
      { "power7_v2.3", "power8_v2.0", "-cpu" }, "may not be able" },
@{end}
    { "POWER7-into-POWER8-in-its-mode", &power7,
@{lacks:max_cpu_compat}
      "pseries-2.6", "POWER8,compat=power7", true,
@{else}
      "pseries-2.6,max-cpu-compat=power7", "POWER8", true,
@{end}
      { "did not have", "PPC2_ISA207S", "may not be able", "POWER8" },
      "loses" },
};

static void test_judged(const void *data)
{
    int i = GPOINTER_TO_INT(data);
    g_autofree char *console = path_of("console");
    g_autofree char *messages = path_of("messages");
    g_autofree char *args = guest_args(judged[i].guest, console);
    g_autofree char *load = load_option(judged[i].guest);
    g_autofree char *command = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
    bool loaded = false, ended = false;
    GPid pid;
    size_t w;
    int status = 0;

    if (!have(judged[i].guest)) {
        return;
    }
    g_remove(console);
    command = g_strdup_printf("exec %s %s -display none -machine %s -cpu %s"
                              " %s 2>%s", qemu_binary, args,
                              judged[i].machine, judged[i].cpu, load,
                              messages);
    argv[2] = command;
    g_assert_true(g_spawn_async(NULL, (char **)argv, NULL,
                                G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                &error));
    while (!loaded && !ended && g_get_monotonic_time() < end) {
        g_usleep(20 * 1000);
        ended = waitpid(pid, &status, WNOHANG) == pid;
        loaded = count_reports(console, NULL) >= REPORTS;
    }
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    g_assert_true(g_file_get_contents(messages, &text, NULL, &error));
    g_test_message("%s", text);
    g_assert_cmpint(loaded, ==, judged[i].loads);
    if (!loaded) {
        g_assert_true(ended && WIFEXITED(status) && WEXITSTATUS(status) == 1);
    }
    for (w = 0; w < ARRAY_SIZE(judged[i].words) && judged[i].words[w]; w++) {
        g_assert_nonnull(strstr(text, judged[i].words[w]));
    }
    if (judged[i].not) {
        g_assert_null(strstr(text, judged[i].not));
    }
}

/* Starts a QEMU for @guest; with @incoming, it waits for the guest. */
static QTestState *start_for(const Guest *guest, const char *binary,
                             const char *console, const char *incoming)
{
    g_autofree char *args = guest_args(guest, console);
    QTestState *qts;
@{lacks:caps}
    const char *htm = "";
@{else}
    /*
     * If a QEMU applies the machine version's default for HTM under TCG, HTM
     * has to be turned off explicitly, also on the other side.
     */
    const char *htm = g_str_has_prefix(guest->cpu, "POWER7") ?
                      "" : ",cap-htm=off";
@{end}

    g_setenv("QTEST_QEMU_BINARY", binary, true);
    qts = qtest_initf("%s -machine %s%s -cpu %s %s", args, guest->machine, htm,
                      guest->cpu, incoming);
    g_setenv("QTEST_QEMU_BINARY", qemu_binary, true);
    return qts;
}

static void wait_until_moved(QTestState *from, const char *uri)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;
    bool completed = false;
    QDict *answer;

    answer = qtest_qmp(from, "{'execute': 'migrate', 'arguments': "
                       "{'uri': %s}}", uri);
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);
    while (!completed) {
        const char *status;

        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(20 * 1000);
        answer = qtest_qmp(from, "{'execute': 'query-migrate'}");
        status = qdict_get_try_str(qdict_get_qdict(answer, "return"),
                                   "status");
        completed = !g_strcmp0(status, "completed");
        g_assert_cmpstr(status, !=, "failed");
        qobject_unref(answer);
    }
}

/*
 * Live: a recorded guest is loaded here and moves to the other QEMU, and back
 * if that should be a source.  A newly started guest then begins there.
 */
static void test_move(const void *data)
{
    const Guest *guest = data;
    const char *src = getenv(ENV_SRC);
    const char *dst = getenv(ENV_DST);
    const char *const hops[] = { qemu_binary, src ?: dst ?: qemu_binary,
                                 src ? qemu_binary : NULL };
    g_autofree char *socket = path_of("socket");
    g_autofree char *uri = g_strdup_printf("unix:%s", socket);
    g_autofree char *move_in = g_strdup_printf("-incoming %s", uri);
    g_autofree char *load = load_option(guest);
    const char *incoming = is_stream(guest) ? load : "";
    QTestState *from = NULL, *to;
    size_t i;

    if (!machines_have(hops[1], guest->machine)) {
        skip(hops[1], guest->machine);
        return;
    }
    if (!have(guest)) {
        return;
    }
    for (i = src && !is_stream(guest); i < ARRAY_SIZE(hops) && hops[i]; i++) {
        g_autofree char *name = g_strdup_printf("console%zu", i);
        g_autofree char *console = path_of(name);

        g_remove(console);
        to = start_for(guest, hops[i], console, incoming);
        if (from) {
            wait_until_moved(from, uri);
            qtest_quit(from);
        }
        /* Only this QEMU is sure to show exactly what 2.6 had. */
        check_guest(console, strcmp(hops[i], qemu_binary) ? NULL
                                                          : letters_of(guest));
        from = to;
        incoming = move_in;
    }
    qtest_quit(from);
}

/* Adds a test for each stream of this guest in the directory. */
static void add_loads(void)
{
    g_autoptr(GRegex) regex = g_regex_new(
        "^qemu-([0-9.]+-(pseries-[0-9.]+)-([^-]+)(-smp([0-9]+))?(-waiting)?)"
        "[.]stream[.]xz$", 0, 0, NULL);
    g_autoptr(GError) error = NULL;
    GDir *files = g_dir_open(streams, 0, &error);
    const char *file;

    if (!files) {
        if (getenv(ENV_STREAMS)) {
            g_error(ENV_STREAMS ": %s", error->message);
        }
        return;
    }
    while ((file = g_dir_read_name(files))) {
        g_autoptr(GMatchInfo) match = NULL;

        if (g_regex_match(regex, file, 0, &match)) {
            g_autofree char *stem = g_match_info_fetch(match, 1);
            g_autofree char *name = g_strdup_printf("load/%s", stem);
            Guest *guest = g_new0(Guest, 1);
            char *smp = g_match_info_fetch(match, 5);

            guest->file = g_strdup(file);
            guest->machine = g_match_info_fetch(match, 2);
            guest->cpu = g_match_info_fetch(match, 3);
            guest->smp = smp && *smp ? smp : "1";
            add_test(name, guest->machine, guest, test_load);
        }
    }
    g_dir_close(files);
}

int main(int argc, char **argv)
{
    const Guest *const recorded[] = { &power7, &power8 };
    const Guest afresh = { "guest.bin", getenv(ENV_MACHINE), "POWER8", "1" };
    bool moves = false;
    GDir *files;
    const char *name;
    size_t i;
    int status;

    g_test_init(&argc, &argv, NULL);
    qemu_binary = g_strdup(getenv("QTEST_QEMU_BINARY"));
    if (!qemu_binary) {
        g_print("1..0 # SKIP QTEST_QEMU_BINARY is not set\n");
        return 0;
    }
@{needs:qtest_has_accel}
    if (!qtest_has_accel("tcg")) {
        g_print("1..0 # SKIP the guest of the streams runs under TCG\n");
        return 0;
    }
@{end}
    if (getenv(ENV_SRC) && getenv(ENV_DST)) {
        g_printerr("Only one of " ENV_SRC ", " ENV_DST " is allowed.\n");
        return 1;
    }

    dir = g_dir_make_tmp("ppc-insns-migration-XXXXXX", NULL);
    g_assert_nonnull(dir);
    if (getenv(ENV_STREAMS)) {
        streams = getenv(ENV_STREAMS);
    }

    add_loads();
    for (i = 0; i < ARRAY_SIZE(recorded); i++) {
        g_autofree char *move = g_strdup_printf("move/%s-%s",
                                                recorded[i]->machine,
                                                recorded[i]->cpu);

        if (!afresh.machine || !strcmp(afresh.machine, recorded[i]->machine)) {
            add_test(move, recorded[i]->machine, recorded[i], test_move);
            moves = true;
        }
    }
    if (!moves) {
        add_test("move/afresh", afresh.machine, &afresh, test_move);
    }
    for (i = 0; i < ARRAY_SIZE(judged); i++) {
        add_test(judged[i].name, judged[i].guest->machine, GINT_TO_POINTER(i),
                 test_judged);
    }
    status = g_test_run();

    files = g_dir_open(dir, 0, NULL);
    while ((name = g_dir_read_name(files))) {
        g_autofree char *path = path_of(name);

        g_remove(path);
    }
    g_dir_close(files);
    g_rmdir(dir);
    return status;
}
