/*
 * Fuzz target: the instruction groups in a "cpu" section that is loaded
 *
 * Each input changes the groups, and perhaps the PVR, in the section that this
 * machine's first CPU sends, and loads it into that CPU.  Whether that
 * works, and what is said, must be what the history's pure functions say of
 * it; the CPU's own groups, and what it sends, must stay what they are.
 *
 *   QEMU_FUZZ_ARGS="-M pseries-2.6 -cpu POWER8" \
 *       qemu-fuzz-ppc64 --fuzz-target=ppc-insns
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "cpu.h"
#include "io/channel-buffer.h"
#include "migration/qemu-file.h"
#include "migration/vmstate.h"
#include "tests/qtest/fuzz/fuzz.h"

/* In the section, whose fields are 8 bytes long, but for crf */
#define SPR_AT (8 + 32 * 8 + 8 * 4 + 8)
#define PVR_AT (SPR_AT + 8 * SPR_PVR)
#define WORDS_AT (SPR_AT + 8 * 1024 + 4 * 8)    /* msr_mask comes first */

#define CHECK(what)                                                     \
    do {                                                                \
        if (!(what)) {                                                  \
            wrong(#what, __LINE__);                                     \
        }                                                               \
    } while (0)

static PowerPCCPU *cpu;
static uint8_t *good;           /* the section as it is sent */
static size_t good_len;
static PPCInsns own;
static uint32_t mode;           /* the CPU's compatibility mode */

/* What is being tried */
static PPCInsns stream;
static uint32_t stream_pvr;
static int ret;
static char *said;
static unsigned long tried, loaded, warned, refused;

static void G_NORETURN wrong(const char *what, int line)
{
    fprintf(stderr, "line %d, not so: %s\n%s 0x%" PRIx64 " 0x%" PRIx64
            ", PVR 0x%08x: %d, %s\n", line, what, getenv("QEMU_FUZZ_ARGS"),
            stream.flags, stream.flags2, stream_pvr, ret, said);
    abort();
}

/* ---- the section ----- */

static QEMUFile *buffer_file(QIOChannelBuffer **ioc, size_t size, bool input)
{
    QEMUFile *f;

    *ioc = qio_channel_buffer_new(size);
    f = input ? qemu_file_new_input(QIO_CHANNEL(*ioc))
              : qemu_file_new_output(QIO_CHANNEL(*ioc));
    object_unref(OBJECT(*ioc));
    return f;
}

static uint8_t *save(size_t *len)
{
    QIOChannelBuffer *ioc;
    QEMUFile *f = buffer_file(&ioc, 16 * KiB, false);
    uint8_t *data;

    CHECK(!vmstate_save_state(f, &vmstate_ppc_cpu, cpu, NULL));
    qemu_put_byte(f, 0);                        /* as after all sections */
    qemu_fflush(f);
    *len = ioc->usage;
    data = g_memdup2(ioc->data, ioc->usage);
    qemu_fclose(f);
    return data;
}

/* Loads it; what QEMU says meanwhile is in @said, to be freed. */
static int load(const uint8_t *data, size_t len)
{
    QIOChannelBuffer *ioc;
    QEMUFile *f = buffer_file(&ioc, len, true);
    FILE *terminal = stderr;
    size_t said_len;
    int result;

    memcpy(ioc->data, data, len);
    ioc->usage = len;
    stderr = open_memstream(&said, &said_len);
    result = vmstate_load_state(f, &vmstate_ppc_cpu, cpu,
                                vmstate_ppc_cpu.version_id);
    fclose(stderr);
    stderr = terminal;
    qemu_fclose(f);
    return result;
}

/* ---- what must be so ----- */

/* Is that a word of @said? */
static bool is_said(const char *name)
{
    size_t len = strlen(name);
    const char *at = said;

    while ((at = strstr(at, name))) {
        if ((at == said || at[-1] == ' ') && strchr(" .\n", at[len])) {
            return true;
        }
        at += len;
    }
    return false;
}

static const char *group_name(int i)
{
    static char *names[128];

    if (!names[i]) {
        names[i] = ppc_insns_names((PPCInsns) {
            i < 64 ? 1ULL << i : 0, i < 64 ? 0 : 1ULL << (i - 64) });
    }
    return g_str_has_prefix(names[i], "insns_flags") ? NULL : names[i];
}

/* All these groups are named, and no other is. */
static void check_named(PPCInsns groups)
{
    int i;

    for (i = 0; i < 128; i++) {
        bool wanted = (i < 64 ? groups.flags >> i
                              : groups.flags2 >> (i - 64)) & 1;

        if (group_name(i)) {
            CHECK(is_said(group_name(i)) == wanted);
        } else if (wanted) {
            CHECK(strstr(said, i < 64 ? "insns_flags:0x" : "insns_flags2:0x"));
        }
    }
}

static unsigned lines_said(void)
{
    unsigned n = 0;
    const char *p;

    for (p = said; *p; p++) {
        n += *p == '\n';
    }
    return n;
}

static void check_outcome(void)
{
    static const PPCInsns by_caps = { 0, PPC2_VSX | PPC2_DFP | PPC2_TM };
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PPCFamily source = ppc_family_by_pvr(stream_pvr);
    PPCInsns in_mode = { -1ULL, -1ULL };
    PPCInsnsVerdict v;
    PPCInsns named;

    if (mode) {
        in_mode = ppc_insns_at(ppc_family_by_pvr(mode), -1);
    }
    if (!ppc_insns_check(ppc_insns_minus(stream,
                                         ppc_insns_minus(by_caps, own)),
                         source, compat->family, compat->release, own, in_mode,
                         &v)) {
        CHECK(ret == -EINVAL);
        CHECK(strstr(said, "had and this CPU lacks: ") && strstr(said, "Use "));
        check_named(v.missing);
        refused++;
    } else if (!mode && source != compat->family) {
        CHECK(ret == -EINVAL);
        CHECK(strstr(said, "the source CPU is "));
        check_named((PPCInsns) { 0 });
        refused++;
    } else {
        named = ppc_insns_or(ppc_insns_or(v.above, v.lost), v.gained);
        CHECK(ret == 0);
        check_named(named);
        CHECK(lines_said() == !ppc_insns_empty(named));
        CHECK(!strstr(said, "The guest loses ") == ppc_insns_empty(v.lost));
        CHECK(!strstr(said, "Unless ") == ppc_insns_empty(v.above));
        CHECK(!strstr(said, "did not have ") == ppc_insns_empty(v.gained));
        loaded++;
        warned += !ppc_insns_empty(named);
    }

    CHECK(cpu->env.insns_flags == own.flags);
    CHECK(cpu->env.insns_flags2 == own.flags2);
}

/* The section with these groups and that PVR; 0: the CPU's own */
static void try(PPCInsns groups, uint32_t pvr)
{
    g_autofree uint8_t *data = g_memdup2(good, good_len);
    g_autofree uint8_t *again = NULL;
    size_t len;

    stream = groups;
    stream_pvr = pvr ?: cpu->env.spr[SPR_PVR];
    stq_be_p(data + WORDS_AT + 8, groups.flags);
    stq_be_p(data + WORDS_AT + 16, groups.flags2);
    stq_be_p(data + PVR_AT, stream_pvr);
    ret = load(data, good_len);
    check_outcome();
    free(said);
    tried++;

    /* As it was: no trace of that is left. */
    cpu->compat_pvr = mode;
    stream = own;
    ret = load(good, good_len);
    CHECK(!ret && !*said && cpu->compat_pvr == mode);
    free(said);
    said = NULL;
    again = save(&len);
    CHECK(len == good_len && !memcmp(again, good, len));
}

/* ---- inputs ----- */

static const uint32_t pvrs[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0x00390202, 0x003b0201, 0x003f0203, 0x004d0200,
    0x004e1200, 0x00801200, 0x00821200, 0xdeadbeef,
};

static PPCInsns sent(void)
{
    return ppc_insns_wire(cpu->insns_compat.family, cpu->insns_compat.release,
                          own).insns;
}

static PPCInsns flip(PPCInsns groups, int i)
{
    if (i < 64) {
        groups.flags ^= 1ULL << i;
    } else {
        groups.flags2 ^= 1ULL << (i - 64);
    }
    return groups;
}

static void ppc_insns_fuzz(QTestState *s, const unsigned char *data,
                           size_t size)
{
    uint8_t input[18] = { 0 };
    PPCInsns groups;

    memcpy(input, data, MIN(size, sizeof(input)));
    groups.flags = ldq_be_p(input + 1);
    groups.flags2 = ldq_be_p(input + 9);
    if (input[0] & 1) {
        groups.flags ^= sent().flags;
        groups.flags2 ^= sent().flags2;
    }
    try(groups, pvrs[input[17] % ARRAY_SIZE(pvrs)]);
}

static void show_counts(void)
{
    fprintf(stderr, "cpu sections: %lu, loaded %lu (%lu with a warning),"
            " refused %lu\n", tried, loaded, warned, refused);
}

/* Each bit alone, with each PVR; two bits; what every release sent */
static void ppc_insns_enumerate(QTestState *s)
{
    static const PPCRelease releases[] = {
        PPC_RELEASE(2, 1), PPC_RELEASE(2, 2), PPC_RELEASE(2, 3),
        PPC_RELEASE(2, 7), PPC_RELEASE(2, 8), PPC_RELEASE(2, 10),
        PPC_RELEASE(4, 0), PPC_RELEASE(5, 2), PPC_RELEASE(7, 0),
        PPC_RELEASE(7, 1), PPC_RELEASE(9, 0), PPC_RELEASE(9, 2),
    };
    size_t n, r;
    int i, j;

    cpu = POWERPC_CPU(first_cpu);
    own = (PPCInsns) { cpu->env.insns_flags, cpu->env.insns_flags2 };
    mode = cpu->compat_pvr;
    good = save(&good_len);
    CHECK(cpu->pre_2_8_migration && good_len > WORDS_AT + 28);
    CHECK(ldq_be_p(good + WORDS_AT + 8) == sent().flags);
    CHECK(ldq_be_p(good + WORDS_AT + 16) == sent().flags2);
    CHECK(ldq_be_p(good + PVR_AT) == cpu->env.spr[SPR_PVR]);
    atexit(show_counts);

    try(sent(), 0);
    for (i = 0; i < 128; i++) {
        for (n = 7; n < ARRAY_SIZE(pvrs); n++) {
            try(flip(sent(), i), pvrs[n]);
        }
        for (j = i % 9; j < i; j += 9) {
            try(flip(flip(sent(), i), j), 0);
        }
    }
    for (r = 0; r < ARRAY_SIZE(releases); r++) {
        for (n = 0; n < PPC_FAMILY__MAX; n++) {
            try(ppc_insns_wire(n, releases[r], (PPCInsns) { -1, -1 }).insns, 0);
        }
    }
}

static GString *ppc_insns_cmdline(FuzzTarget *t)
{
    GString *line = g_string_new("qemu-system-ppc64 -nodefaults -display none"
                                 " -accel tcg -S -m 256 ");

    return g_string_append(line, getenv("QEMU_FUZZ_ARGS") ?: "-M pseries-2.6");
}

static void register_ppc_insns_target(void)
{
    fuzz_add_target(&(FuzzTarget) {
        .name = "ppc-insns",
        .description = "Instruction groups in a pseries <= 2.7 stream;"
                       " QEMU_FUZZ_ARGS has machine and CPU",
        .get_init_cmdline = ppc_insns_cmdline,
        .pre_fuzz = ppc_insns_enumerate,
        .fuzz = ppc_insns_fuzz,
    });
}

fuzz_target_init(register_ppc_insns_target);
