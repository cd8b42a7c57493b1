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
        if ((at == said || at[-1] == ' ') && strchr(" ;\n", at[len])) {
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
    return names[i];
}

/* All these groups are named, and no other is. */
static void check_named(PPCInsns groups)
{
    int i;

    for (i = 0; i < 128; i++) {
        bool wanted = (i < 64 ? groups.flags >> i
                              : groups.flags2 >> (i - 64)) & 1;

        CHECK(is_said(group_name(i)) == wanted);
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
    PPCInsnsCompat *compat = &cpu->insns_compat;
    PPCInsnsVerdict verdict;
    bool fits = ppc_insns_check(stream, compat->family, compat->wire_release,
                                own, &verdict);
    PPCInsns lacks = verdict.more;

    if (mode) {
        lacks = ppc_insns_and(lacks, ppc_insns_of_mode(mode));
    }
    if (!ppc_insns_empty(lacks)) {
        CHECK(ret == -EINVAL);
        CHECK(strstr(said, "that this CPU lacks: ") && strstr(said, "Try "));
        check_named(lacks);
        CHECK(lines_said() == 2);
        refused++;
    } else if (!mode && ppc_family_by_pvr(stream_pvr) != compat->family) {
        CHECK(ret == -EINVAL);
        CHECK(strstr(said, "the models must match"));
        check_named((PPCInsns) { 0 });
        CHECK(lines_said() == 2);
        refused++;
    } else {
        CHECK(ret == 0);
        check_named(ppc_insns_or(verdict.more, verdict.less));
        CHECK(lines_said() == !fits);
        CHECK(fits || strstr(said, "the guest's CPU on the source was a "));
        CHECK(!strstr(said, "and lost: ") == ppc_insns_empty(verdict.more));
        CHECK(!strstr(said, "from now on") == ppc_insns_empty(verdict.less));
        loaded++;
        warned += !fits;
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
    return ppc_insns_compat_wire(cpu).insns;
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
    PPCRelease release;
    size_t n;
    int i, j;

    cpu = POWERPC_CPU(first_cpu);
    own = (PPCInsns) { cpu->env.insns_flags, cpu->env.insns_flags2 };
    mode = cpu->compat_pvr;
    good = save(&good_len);
    CHECK(cpu->insns_compat.wire_release && good_len > WORDS_AT + 28);
    CHECK(ldq_be_p(good + WORDS_AT) == ppc_insns_compat_wire(cpu).msr_mask);
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
    for (release = ppc_release_next(0); release;
         release = ppc_release_next(release)) {
        for (n = 0; n < PPC_FAMILY__MAX; n++) {
            try(ppc_insns_wire(n, release, (PPCInsns) { -1, -1 }).insns, 0);
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
