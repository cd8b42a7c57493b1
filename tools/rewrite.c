/*
 * Make a stream what an unpatched QEMU release will load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "tool-error.h"
#include "rewrite.h"

/* At @at of the device state, @remove bytes give way to @insert. */
typedef struct Edit {
    size_t at;
    size_t remove;
    GBytes *insert;         /* may be NULL */
} Edit;

static void edit_clear(void *opaque)
{
    Edit *edit = opaque;

    g_clear_pointer(&edit->insert, g_bytes_unref);
}

static int by_place(gconstpointer a, gconstpointer b)
{
    const Edit *one = a, *two = b;

    return one->at < two->at ? -1 : one->at > two->at;
}

static void replace(GArray *edits, size_t at, size_t remove,
                    const void *data, size_t len)
{
    Edit edit = { at, remove, len ? g_bytes_new(data, len) : NULL };

    g_array_append_val(edits, edit);
}

static GByteArray *apply(const Stream *s, GArray *edits)
{
    GByteArray *out = g_byte_array_sized_new(s->device->len + 64);
    size_t at = 0;
    guint i;

    g_array_sort(edits, by_place);
    for (i = 0; i < edits->len; i++) {
        const Edit *edit = &g_array_index(edits, Edit, i);

        g_assert(edit->at >= at &&
                 edit->at + edit->remove <= s->device->len);
        g_byte_array_append(out, s->device->data + at, edit->at - at);
        if (edit->insert) {
            gsize len;
            const void *data = g_bytes_get_data(edit->insert, &len);

            g_byte_array_append(out, data, len);
        }
        at = edit->at + edit->remove;
    }
    g_byte_array_append(out, s->device->data + at, s->device->len - at);
    return out;
}

bool rewrite_drops_configuration(const Stream *s, const Destination *dest)
{
    PPCRelease machine = s->machine ?
        machine_release(judge_machine(s, dest)) : 0;

    return machine && machine <= PPC_RELEASE(2, 3) &&
           dest->to.release != PPC_RELEASE(2, 4);
}

static bool refuse(GError **errp, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

static bool refuse(GError **errp, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (errp) {
        *errp = g_error_new_valist(TOOL_ERROR, TOOL_ERROR_REFUSED, format, ap);
    }
    va_end(ap);
    return false;
}

/* Refuses, or if forced only notes. */
static bool object(bool force, GPtrArray *notes, GError **errp, char *text)
{
    if (!force) {
        refuse(errp, "%s", text);
        g_free(text);
        return false;
    }
    g_ptr_array_add(notes, text);
    return true;
}

/* Was it said before, of another CPU? */
static bool noted(const GPtrArray *notes, const char *what)
{
    guint i;

    for (i = 0; i < notes->len; i++) {
        if (strstr(g_ptr_array_index(notes, i), what)) {
            return true;
        }
    }
    return false;
}

/* ---- the CPUs' words ----- */

static bool rewrite_cpu(const Stream *s, guint number, const Destination *dest,
                        bool force, GArray *edits, GPtrArray *notes,
                        GError **errp)
{
    const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, number);
    PPCFamily source = ppc_family_by_pvr(cpu->pvr);
    PPCFamily family = judge_family(cpu, dest);
    PPCInsnsWire wire;
    uint8_t words[3][8], bats[4];
    g_autofree char *lost = NULL;
    int i;

    if (!cpu->has_words || family == PPC_FAMILY_NONE ||
        ppc_family_since(family) > dest->to.release) {
        return true;    /* judge() has a word to say where that is wrong */
    }

    lost = ppc_insns_names(judge_lost(s, cpu, family, dest->to));
    if (*lost && !noted(notes, lost)) {
        g_autofree char *to = target_name(dest->to);

        if (!object(force, notes, errp, g_strdup_printf(
                "section '%s' at offset 0x%" PRIx64 ": the guest on CPU %u, a"
                " %s, may be using %s, which %s of %s lacks%s",
                cpu->section->part.name, cpu->section->offset, number,
                ppc_family_name(source), lost, ppc_family_name(family), to,
                force ? "" : "; --force if you know that it does not"))) {
            return false;
        }
    }

    wire = target_wire(dest->to, family);
    put_be64(words[0], wire.msr_mask);
    put_be64(words[1], wire.insns.flags);
    put_be64(words[2], wire.insns.flags2);
    put_be32(bats, wire.nb_bats);
    for (i = 0; i < 3; i++) {
        replace(edits, cpu->words_at[i], 8, words[i], 8);
    }
    replace(edits, cpu->words_at[3], 4, bats, 4);
    return true;
}

/* ---- spapr_iommu -----
 *
 * Version 3 (7.1 and later) is version 2 with one byte more at the end of the
 * fields, def_win.  It is only ever set to true, when the host bridge is
 * reset, and that has happened on the destination before it loads.
 */
static bool rewrite_iommu(const StreamSection *section, GArray *edits,
                          GError **errp)
{
    const StreamPart *part = &section->part;
    const StreamField *last = part->fields->len ?
        &g_array_index(part->fields, StreamField, part->fields->len - 1) :
        NULL;
    uint8_t version[4];

    if (!last || strcmp(last->name, "def_win") || last->size != 1) {
        return refuse(errp, "section '%s' at offset 0x%" PRIx64 ": version 3"
                      " does not end in def_win and cannot be made version 2",
                      part->name, section->offset);
    }
    put_be32(version, 2);
    replace(edits, part->version_at, 4, version, 4);
    replace(edits, last->offset, 1, NULL, 0);
    return true;
}

/* ---- spapr/cap/htm ----- */

/* Has a CPU a transaction open?  Then there is HTM, whoever says no. */
static bool uses_htm(const Stream *s)
{
    guint i;

    for (i = 0; i < s->cpus->len; i++) {
        if (g_array_index(s->cpus, StreamCpu, i).in_transaction) {
            return true;
        }
    }
    return false;
}

#define HTM "spapr/cap/htm"

static bool rewrite_htm(const Stream *s, const Destination *dest, bool force,
                        GArray *edits, GPtrArray *notes, GError **errp)
{
    static const char name[] = HTM;
    const StreamSection *spapr = stream_section(s, "spapr");
    const StreamPart *sub;

    if (!spapr || spapr->pieces) {
        return true;
    }
    sub = stream_subsection(&spapr->part, name);
    if (sub && !target_has_caps(dest->to)) {
        const StreamField *value = sub->fields->len ?
            &g_array_index(sub->fields, StreamField, 0) : NULL;

        if ((!value || value->size != 1 || s->device->data[value->offset]) &&
            !object(force, notes, errp, g_strdup_printf(
                "section 'spapr' at offset 0x%" PRIx64 ": cap-htm is on, so"
                " the guest may be using transactional memory, and the"
                " destination could not be told%s", spapr->offset,
                force ? "" : "; --force if you know that it does not"))) {
            return false;
        }
        replace(edits, sub->start, sub->end - sub->start, NULL, 0);
    } else if (!sub && judge_needs_htm_off(s, dest)) {
        uint8_t off[2 + sizeof(name) - 1 + 4 + 1] = { 0x05, sizeof(name) - 1 };

        if (uses_htm(s)) {
            return refuse(errp, "section 'cpu' at offset 0x%" PRIx64 ": a CPU"
                          " is in a transaction, so that the guest has HTM,"
                          " which TCG does not have; for KVM use"
                          " --htm=keep",
                          stream_section(s, "cpu")->offset);
        }
        memcpy(off + 2, name, sizeof(name) - 1);
        put_be32(off + sizeof(off) - 5, 1);     /* the version; then: off */
        replace(edits, spapr->part.end, 0, off, sizeof(off));
        g_ptr_array_add(notes, g_strdup(
            "the stream says cap-htm=off now, as is true under TCG; start the"
            " destination with -machine cap-htm=off (KVM: --htm=keep)"));
    }
    return true;
}

/* ---- the vmdescription ----- */

/* Puts the parts that were changed right there, too. */
static char *describe(const Stream *s, bool htm, const Destination *dest,
                      size_t *len)
{
    g_autoptr(Vmdesc) v = vmdesc_parse(
        (const char *)s->device->data + s->vmdesc_at + 5, s->vmdesc_size,
        NULL);
    guint i;

    for (i = 0; v && i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);
        const StreamPart *part = &section->part;
        unsigned skipped;
        VmdescPart *desc = section->pieces ? NULL :
            vmdesc_device(v, part->name, section->instance, &skipped);

        if (!desc) {
            continue;
        }
        if (!strcmp(section->vmsd, "spapr_iommu") && part->version == 3 &&
            !target_has_iommu_v3(dest->to)) {
            vmdesc_set_version(desc, 2);
            vmdesc_drop_last_field(desc, "def_win");
        } else if (htm && !strcmp(section->vmsd, "spapr")) {
            if (stream_subsection(part, HTM)) {
                vmdesc_drop_subsection(desc, HTM);
            } else {
                vmdesc_add_subsection(desc, HTM, "mig.caps[SPAPR_CAP_HTM]",
                                      "uint8", 1);
            }
        }
    }
    return v ? vmdesc_text(v, len) : NULL;
}

static void rewrite_vmdesc(const Stream *s, bool htm, const Destination *dest,
                           GArray *edits)
{
    size_t len;
    g_autofree char *text = describe(s, htm, dest, &len);
    uint8_t size[4];

    if (text) {
        put_be32(size, len);
        replace(edits, s->vmdesc_at + 1, 4, size, 4);
        replace(edits, s->vmdesc_at + 5, s->vmdesc_size, text, len);
    }
}

/* ---- all of it ----- */

GByteArray *rewrite_device(const Stream *s, const Destination *dest,
                           bool force, GPtrArray *notes, GError **errp)
{
    g_autoptr(GArray) edits = g_array_new(false, false, sizeof(Edit));
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(Stream) outcome = NULL;
    GByteArray *device;
    guint i, before;
    bool htm, iommu = false;

    g_array_set_clear_func(edits, edit_clear);
    if (!stream_is_pseries(s)) {
        refuse(errp, "this is not a pseries guest, so there is nothing to do");
        return NULL;
    }
    for (i = 0; i < s->cpus->len; i++) {
        if (!rewrite_cpu(s, i, dest, force, edits, notes, errp)) {
            return NULL;
        }
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!section->pieces && !strcmp(section->vmsd, "spapr_iommu") &&
            section->part.version == 3 && !target_has_iommu_v3(dest->to)) {
            if (!rewrite_iommu(section, edits, errp)) {
                return NULL;
            }
            iommu = true;
        }
    }
    before = edits->len;
    if (!rewrite_htm(s, dest, force, edits, notes, errp)) {
        return NULL;
    }
    htm = edits->len > before;
    if (s->vmdesc && (htm || iommu)) {
        rewrite_vmdesc(s, htm, dest, edits);
    }

    /* The outcome must be a stream, and one that the destination takes. */
    device = apply(s, edits);
    outcome = stream_reparse(s, device, errp);
    if (!outcome) {
        g_prefix_error(errp, "the outcome would not be a stream: ");
        return NULL;
    }
    reasons = judge(outcome, dest);
    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        if (reason->refuses && reason->who & UNPATCHED &&
            !object(force, notes, errp, g_strdup_printf(
                "%s%s%s", reason->what, reason->advice ? "; try: " : "",
                reason->advice ? reason->advice : ""))) {
            return NULL;
        }
    }
    return g_byte_array_ref(device);
}
