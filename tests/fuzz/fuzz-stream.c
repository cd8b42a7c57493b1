/*
 * Fuzz target: a stream, as ppc-insns reads, judges and rewrites it
 *
 * An input is a stream in a shorter form, after four bytes that say what is
 * done with it.  In that form 0xfe begins
 *
 *   0xfe 0x00                    a byte 0xfe
 *   0xfe 0x01 u16 count, u8      count times that byte
 *   0xfe 0x02                    u32: how many bytes follow, to the end, so
 *                                that a vmdescription can change in length
 *
 * A CPU's section alone has 8 KiB of special registers, nearly all 0.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "fuzz.h"
#include <unistd.h>
#include <sys/mman.h>
#include "../../tools/tool-error.h"
#include "../../tools/options.h"
#include "../../tools/rewrite.h"
#include "../../tools/show.h"
#include "../../tools/container.h"

#define STREAM_MOST (60 * 1024)     /* more is slow */
#define EXPANDED_MOST (1024 * 1024) /* what a compressed one may expand to */

/* What is done with a stream; just one thing, and what is slow less often */
enum {
    JUDGE, JUDGE_KVM, SHOW, AS_FILE, AS_PIPE, REWRITE, REWRITE_KVM, FORCE,
    CONTAINER, OPTIONS, PRODUCT,
};

static const uint8_t modes[16] = {
    JUDGE, OPTIONS, CONTAINER, JUDGE_KVM, SHOW, PRODUCT, AS_FILE, AS_PIPE,
    REWRITE, REWRITE, PRODUCT, OPTIONS, REWRITE_KVM, FORCE, FORCE, FORCE,
};

/* Where to with PRODUCT, and as from whom with all others */
static const char *const products[] = {
    "powerkvm-3.1.1", "powerkvm-3.1", "rhel-7.3", "hostos-2.8",
};

static const char *const sources[] = {
    NULL, NULL, NULL, NULL, NULL, "powerkvm-3.1.1", "powerkvm-2.1.1",
    "rhel-7.3", "ubuntu-bionic", "upstream",
};

static const char *const models[] = {
    NULL, NULL, NULL, "POWER7", "POWER8", "POWER7+_v2.1", "970", "G5",
    "POWER9", "POWER10", "power5+_v2.1", "power8,insns-compat=none",
};

static const char *const machines[] = {
    NULL, NULL, NULL, "pseries-2.1", "pseries-2.6,cap-htm=off",
    "pseries-2.7,max-cpu-compat=power8", "pseries-2.12,cap-ibs=fixed-na",
    "pseries,ic-mode=xive,vsmt=1",
};

/* ---- the stream ----- */

/* In memory of its own, so that a sanitizer sees where it ends */
static GByteArray *unpack(Bytes *in)
{
    static uint8_t out[STREAM_MOST];
    size_t len = 0, size_at = 0, count;

    while (in->left && len < sizeof(out) - 4) {
        uint8_t c = bytes_u8(in);

        if (c != 0xfe) {
            out[len++] = c;
            continue;
        }
        switch (bytes_u8(in)) {
        case 1:
            count = bytes_u8(in) << 8;
            count |= bytes_u8(in);
            count = MIN(count, sizeof(out) - 4 - len);
            memset(out + len, bytes_u8(in), count);
            len += count;
            break;
        case 2:
            memset(out + len, 0, 4);
            len += 4;
            size_at = len;
            break;
        default:
            out[len++] = 0xfe;
            break;
        }
    }
    if (size_at) {
        put_be32(out + size_at - 4, len - size_at);
    }
    return g_byte_array_new_take(g_memdup2(out, len), len);
}

/* ---- what must be so ----- */

/* Fit for a terminal, whatever the stream has in its names */
static void check_message(const char *text)
{
    CHECK(text && *text);
    for (; *text; text++) {
        CHECK(*text >= ' ' && *text < 0x7f);
    }
}

/* Either all went well, or there is one error that a person can read. */
static void check_outcome(bool ok, const GError *err)
{
    CHECK(ok == !err);
    if (err) {
        CHECK(err->domain == TOOL_ERROR);
        check_message(err->message);
    }
}

/* A part is inside of what it is a part of, and so are its fields. */
static void check_part(const StreamPart *part, const char *vmsd, size_t to)
{
    size_t at = part->fields_at;
    guint i;

    CHECK(part->start < part->version_at);
    CHECK(part->version_at + 4 == part->fields_at);
    CHECK(part->fields_at <= part->fields_end);
    CHECK(part->fields_end <= part->end && part->end <= to);
    for (i = 0; i < part->fields->len; i++) {
        const StreamField *f = &g_array_index(part->fields, StreamField, i);

        CHECK(f->name && f->offset == at);
        at += f->size;
    }
    CHECK(at == part->fields_end);
    for (i = 0; part->subsections && i < part->subsections->len; i++) {
        const StreamPart *sub = g_ptr_array_index(part->subsections, i);

        CHECK(sub->start == at && g_str_has_prefix(sub->name, vmsd));
        check_part(sub, sub->name, part->end);
        at = sub->end;
    }
    CHECK(at == part->end);
}

static void check_stream(const Stream *s, size_t size)
{
    size_t at = 0;
    guint i;

    CHECK(s->device_at + s->device->len + s->trailing == size);
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (section->pieces) {
            continue;
        }
        CHECK(section->part.start == at);
        CHECK(section->offset == s->device_at + at);
        check_part(&section->part, section->vmsd, s->device->len);
        at = section->part.end + (s->has_footers ? 5 : 0);
    }
    CHECK(s->device->data[at] == 0 && at < s->device->len);
    CHECK(!s->vmdesc_at || s->vmdesc_at == at + 1);
    for (i = 0; i < s->notes->len; i++) {
        check_message(g_ptr_array_index(s->notes, i));
    }
    for (i = 0; i < s->cpus->len; i++) {
        const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, i);
        int word;

        for (word = 0; cpu->has_words && word < 4; word++) {
            CHECK(cpu->words_at[word] >= cpu->section->part.fields_at);
            CHECK(cpu->words_at[word] + (word < 3 ? 8 : 4) <=
                  cpu->section->part.fields_end);
        }
    }
}

static GPtrArray *judged(const Stream *s, const Destination *dest)
{
    GPtrArray *reasons = judge(s, dest);
    guint i;

    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        CHECK(reason->who & BOTH && !(reason->who & ~BOTH));
        check_message(reason->what);
        if (reason->advice) {
            check_message(reason->advice);
        }
    }
    return reasons;
}

static bool collect(void *opaque, const uint8_t *data, size_t len,
                    GError **errp)
{
    (void)errp;
    g_byte_array_append(opaque, data, len);
    return true;
}

/* What rewrite sends, as a stream of its own */
static GByteArray *sent(const GByteArray *data, const StreamForm *form,
                        bool known, const GByteArray *device)
{
    GByteArray *out = g_byte_array_sized_new(data->len + 64);
    Input *in = input_memory(data->data, data->len);
    g_autoptr(Stream) s = stream_new(in);

    in->pass = collect;
    in->opaque = out;
    in->hold = true;
    CHECK(stream_read_start(s, NULL));
    CHECK(rewrite_start(s, form, NULL));
    s->footers_out = known ? form->footers : -1;
    in->hold = false;
    CHECK(stream_read_ram(s, NULL) && input_flush(in, NULL));
    g_byte_array_append(out, device->data, device->len);
    input_close(in);
    return out;
}

static void check_rewritten(const GByteArray *data, const Destination *dest,
                            bool force, bool again);

/* As command_rewrite() goes about it */
static void try_rewrite(const GByteArray *data, Stream *s,
                        const Destination *dest, bool force, bool again)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GByteArray) device = NULL;
    g_autoptr(GByteArray) whole = NULL;
    g_autoptr(GByteArray) before = g_byte_array_new();
    GError *err = NULL;
    StreamForm form;
    bool known = rewrite_form(s, dest, &form);
    guint i;

    g_byte_array_append(before, s->device->data, s->device->len);
    device = rewrite_device(s, dest, force, notes, &err);
    check_outcome(device, err);
    for (i = 0; i < notes->len; i++) {
        check_message(g_ptr_array_index(notes, i));
    }
    CHECK(before->len == s->device->len &&
          !memcmp(before->data, s->device->data, before->len));
    if (device) {
        whole = sent(data, &form, known, device);
        if (again) {
            /* What was dropped the first time was what followed the stream. */
            CHECK(whole->len == data->len &&
                  !memcmp(whole->data, data->data, data->len));
        } else {
            check_rewritten(whole, dest, force, true);
        }
    } else if (again) {
        fprintf(stderr, "%s\n", err->message);
        CHECK(!"what was rewritten is not rewritten again");
    }
    g_clear_error(&err);
}

/* What went out is a stream with the words of @dest, and needs no more. */
static void check_rewritten(const GByteArray *data, const Destination *dest,
                            bool force, bool again)
{
    Input *in = input_memory(data->data, data->len);
    g_autoptr(Stream) s = stream_new(in);
    g_autoptr(GPtrArray) reasons = NULL;
    GError *err = NULL;
    guint i;

    if (!stream_read(s, &err)) {
        fprintf(stderr, "%s\n", err->message);
        CHECK(!"what was rewritten is no stream");
    }
    check_stream(s, data->len);
    reasons = judged(s, dest);
    CHECK(force || !judge_refuses(reasons, UNPATCHED));
    for (i = 0; i < s->cpus->len; i++) {
        const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, i);
        PPCFamily family = judge_family(cpu, dest);
        PPCInsnsWire wire;

        if (!cpu->has_words || family == PPC_FAMILY_NONE ||
            ppc_family_since(family) > dest->to.release) {
            continue;
        }
        wire = target_wire(dest->to, family);
        CHECK(cpu->words.msr_mask == wire.msr_mask);
        CHECK(cpu->words.insns.flags == wire.insns.flags);
        CHECK(cpu->words.insns.flags2 == wire.insns.flags2);
        CHECK(cpu->words.nb_bats == wire.nb_bats);
    }
    try_rewrite(data, s, dest, force, again);
    input_close(in);
}

/* Whatever there is to say stands in one line each. */
static void try_options(const Stream *s, Destination *dest)
{
    g_autoptr(Options) o = options_find(s, dest);
    guint i;

    check_message(o->rewrite->str);
    for (i = 0; i < o->comments->len; i++) {
        check_message(g_ptr_array_index(o->comments, i));
    }
    for (i = 0; i < o->devices->len; i++) {
        check_message(g_ptr_array_index(o->devices, i));
    }
    for (i = 0; i < o->globals->len; i++) {
        check_message(g_ptr_array_index(o->globals, i));
    }
    CHECK(!o->problem || *o->problem);
}

static void show(const Stream *s)
{
    static FILE *null;
    FILE *saved = stdout;
    g_autoptr(JsonBuilder) builder = NULL;

    if (!null) {
        null = fopen("/dev/null", "w");
        CHECK(null);
    }
    stdout = null;
    show_text("a stream", NULL, s);
    stdout = saved;
    builder = json_builder_new();
    show_json(builder, "a stream", NULL, s);
}

/* A file, and a pipe, must give just what memory gave. */
static void compare_input(const GByteArray *data, const Stream *s,
                          const GError *expected, bool as_pipe)
{
    static int fd = -1;
    g_autofree char *path = NULL;
    g_autoptr(Stream) other = NULL;
    g_autoptr(GError) err = NULL;
    Input *in;
    bool ok;

    if (fd < 0) {
        fd = memfd_create("stream", MFD_CLOEXEC);
    }
    CHECK(fd >= 0 && !ftruncate(fd, 0));
    CHECK(pwrite(fd, data->data, data->len, 0) == (ssize_t)data->len);
    path = g_strdup_printf("/proc/self/fd/%d", fd);
    in = input_open(path, as_pipe, &err);
    CHECK(in);
    other = stream_new(in);
    ok = stream_read(other, &err);      /* what is below reads err */
    check_outcome(ok, err);
    CHECK(!err == !expected);
    if (err) {
        CHECK(!strcmp(err->message, expected->message));
    } else {
        CHECK(other->device_at == s->device_at);
        CHECK(other->device->len == s->device->len);
        CHECK(other->trailing == s->trailing);
        CHECK(other->sections->len == s->sections->len);
        CHECK(other->cpus->len == s->cpus->len);
    }
    input_close(in);
}

/* Whatever it is kept in, there is a stream or one error. */
static void try_container(const uint8_t *data, size_t len)
{
    g_autoptr(GError) err = NULL;
    Container *c = container_memory(data, len, EXPANDED_MOST, &err);
    g_autofree char *text = c ? container_describe(c) : NULL;
    g_autoptr(GBytes) header = c ? container_header(c) : NULL;
    g_autoptr(Stream) s = NULL;

    check_outcome(c, err);
    CHECK(!text || *text);
    if (c) {
        CHECK(!c->libvirt == !header);
        s = stream_new(c->in);
        if (!stream_read(s, &err)) {
            CHECK(err);
        }
        container_close(c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *raw, size_t raw_size)
{
    Bytes bytes = { raw, raw_size };
    unsigned mode = modes[bytes_u8(&bytes) % G_N_ELEMENTS(modes)];
    unsigned to_byte = bytes_u8(&bytes), to = to_byte % 40, n;
    const char *source = sources[to_byte % G_N_ELEMENTS(sources)];
    const char *model = models[bytes_u8(&bytes) % G_N_ELEMENTS(models)];
    const char *machine = machines[bytes_u8(&bytes) % G_N_ELEMENTS(machines)];
    Target target = { 0 };
    g_auto(Destination) dest = { 0 };
    g_autoptr(GByteArray) data = unpack(&bytes);
    Input *in;
    g_autoptr(Stream) s = NULL;
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(GError) err = NULL;
    bool ok;

    if (mode == CONTAINER) {
        try_container(data->data, data->len);
        return 0;
    }
    for (n = 0; target_next(&target) && n < to; n++) {
        continue;
    }
    destination_init(&dest, target);
    if (mode == PRODUCT) {
        CHECK(destination_parse_to(
            &dest, products[to % G_N_ELEMENTS(products)], NULL));
    }
    dest.kvm = mode == JUDGE_KVM || mode == REWRITE_KVM;
    CHECK(!model || destination_set_cpu(&dest, model, NULL));
    if (mode < REWRITE || mode == OPTIONS) {
        /* rewrite is tried with the stream's own */
        CHECK(!machine || destination_set_machine(&dest, machine, NULL));
    }
    in = input_memory(data->data, data->len);
    s = stream_new(in);
    if (source && (mode == SHOW || mode == JUDGE)) {
        CHECK(origin_tell(s, source, NULL));
    }
    ok = stream_read(s, &err);

    check_outcome(ok, err);
    if (mode == AS_FILE || mode == AS_PIPE) {
        compare_input(data, s, err, mode == AS_PIPE);
    } else if (ok) {
        check_stream(s, data->len);
        switch (mode) {
        case SHOW:
            show(s);
            break;
        case JUDGE:
        case JUDGE_KVM:
            reasons = judged(s, &dest);
            break;
        case OPTIONS:
            try_options(s, &dest);
            break;
        default:
            try_rewrite(data, s, &dest, mode == FORCE, false);
        }
    }
    input_close(in);
    return 0;
}
