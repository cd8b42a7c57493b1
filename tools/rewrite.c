/*
 * Make a stream what an unpatched QEMU release will load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "rewrite-iommu.h"

bool rewrite_form(const Stream *s, const Destination *dest, StreamForm *form)
{
    const char *name = dest->machine ? dest->machine : stream_machine(s);
    PPCRelease like = machine_release(dest->like ? dest->like : name);
    MachineForm machine;

    *form = (StreamForm) { s->has_configuration, name, s->has_footers };
    if (!(dest->like ? product_machine(NULL, dest->like, &machine)
                     : destination_form(dest, name, &machine))) {
        return false;
    }
    form->configuration = machine.configuration && !dest->no_configuration;
    form->footers = machine.footers && !dest->no_footers;
    if (!dest->product && like && like <= PPC_RELEASE(2, 3)) {
        /* Of these, 2.4 sends and wants a name, and nobody else does. */
        form->configuration = s->has_configuration &&
                              dest->to.release == PPC_RELEASE(2, 4);
    }
    return true;
}

bool rewrite_start(Stream *s, const StreamForm *form, GError **errp)
{
    static const size_t header = 8;
    Input *in = s->in;
    uint8_t head[5] = { 0x07 };

    if (s->has_configuration == form->configuration &&
        (!s->has_configuration || !strcmp(s->machine, form->machine))) {
        return true;
    }
    if (!in->pass(in->opaque, in->data + in->passed, header, errp)) {
        return false;
    }
    in->passed += header;
    if (s->has_configuration) {
        /* Its subsections are passed on, if there still is one. */
        in->passed += sizeof(head) + strlen(s->machine);
    }
    if (!form->configuration) {
        input_drop(in);
        return true;
    }
    put_be32(head + 1, strlen(form->machine));
    return in->pass(in->opaque, head, sizeof(head), errp) &&
           in->pass(in->opaque, (const uint8_t *)form->machine,
                    strlen(form->machine), errp);
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

static bool rewrite_cpu(Rewrite *r, guint number, GError **errp)
{
    const Stream *s = r->s;
    const Destination *dest = r->dest;
    const StreamCpu *cpu = &g_array_index(s->cpus, StreamCpu, number);
    PPCFamily source = ppc_family_by_pvr(cpu->pvr);
    PPCFamily family = judge_family(cpu, dest);
    PPCInsnsWire wire;
    uint8_t words[3][8], bats[4];
    g_autofree char *lost = NULL;
    int i;

    if (dest->series || !cpu->has_words || family == PPC_FAMILY_NONE ||
        ppc_family_since(family) > dest->to.release) {
        return true;    /* judge() has a word to say where that is wrong */
    }

    lost = ppc_insns_names(judge_lost(s, cpu, family, dest->to));
    if (*lost && !noted(r->notes, lost)) {
        g_autofree char *to = destination_name(dest);

        if (!rewrite_object(r, errp, g_strdup_printf(
                "section '%s' at offset 0x%" PRIx64 ": the guest on CPU %u, a"
                " %s, may be using %s, which %s of %s lacks%s",
                cpu->section->part.name, cpu->section->offset, number,
                ppc_family_name(source), lost, ppc_family_name(family), to,
                r->force ? "" : "; --force if you know that it does not"))) {
            return false;
        }
    }

    wire = target_wire(dest->to, family);
    put_be64(words[0], wire.msr_mask);
    put_be64(words[1], wire.insns.flags);
    put_be64(words[2], wire.insns.flags2);
    put_be32(bats, wire.nb_bats);
    for (i = 0; i < 3; i++) {
        rewrite_replace(r, cpu->words_at[i], 8, words[i], 8);
    }
    rewrite_replace(r, cpu->words_at[3], 4, bats, 4);
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

static bool rewrite_htm(Rewrite *r, GError **errp)
{
    const Stream *s = r->s;
    const Destination *dest = r->dest;
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
            !rewrite_object(r, errp, g_strdup_printf(
                "section 'spapr' at offset 0x%" PRIx64 ": cap-htm is on, so"
                " the guest may be using transactional memory, and the"
                " destination could not be told%s", spapr->offset,
                r->force ? "" : "; --force if you know that it does not"))) {
            return false;
        }
        rewrite_replace(r, sub->start, sub->end - sub->start, NULL, 0);
    } else if (!sub && !dest->series && judge_needs_htm_off(s, dest)) {
        uint8_t off[2 + sizeof(name) - 1 + 4 + 1] = { 0x05, sizeof(name) - 1 };

        if (uses_htm(s)) {
            return rewrite_refuse(errp, "section 'cpu' at offset 0x%" PRIx64
                                  ": a CPU is in a transaction, so that the"
                                  " guest has HTM, which TCG does not have;"
                                  " for KVM use --htm=keep",
                                  stream_section(s, "cpu")->offset);
        }
        memcpy(off + 2, name, sizeof(name) - 1);
        put_be32(off + sizeof(off) - 5, 1);     /* the version; then: off */
        rewrite_replace(r, spapr->part.end, 0, off, sizeof(off));
        g_ptr_array_add(r->notes, g_strdup(
            "the stream says cap-htm=off now, which is true under TCG; start"
            " the destination with -machine cap-htm=off (KVM: --htm=keep)"));
    }
    return true;
}

/* ---- footers ----- */

static void rewrite_footers(Rewrite *r, const GPtrArray *dropped)
{
    guint i;

    for (i = 0; i < r->s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(r->s->sections, i);
        uint8_t footer[5] = { 0x7e };

        if (section->pieces ||
            g_ptr_array_find((GPtrArray *)dropped, section, NULL)) {
            continue;
        }
        put_be32(footer + 1, section->id);
        rewrite_replace(r, section->part.end, r->s->has_footers ? 5 : 0,
                        footer, r->form.footers ? 5 : 0);
    }
}

/* ---- the vmdescription ----- */

/* Puts the parts that were changed right there, too. */
static char *describe(const Rewrite *r, bool htm, const GPtrArray *dropped,
                      size_t *len)
{
    static const VmdescField off = { "mig.caps[SPAPR_CAP_HTM]", "uint8", 1 };
    const Stream *s = r->s;
    g_autoptr(Vmdesc) v = vmdesc_parse(
        (const char *)s->device->data + s->vmdesc_at + 5, s->vmdesc_size,
        NULL);
    g_autoptr(GPtrArray) gone = g_ptr_array_new();
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
        if (g_ptr_array_find((GPtrArray *)dropped, section, NULL)) {
            g_ptr_array_add(gone, desc);
        } else if (rewrite_changes_iommu(r, section)) {
            rewrite_describe_iommu(r, section, desc);
        } else if (section == stream_section(s, "spapr")) {
            if (rewrite_changes_spapr(r)) {
                rewrite_describe_spapr(r, desc);
            }
            if (htm && stream_subsection(part, HTM)) {
                vmdesc_drop_subsection(desc, HTM);
            } else if (htm) {
                vmdesc_add_subsection(desc, HTM, &off, 1);
            }
        }
    }
    for (i = 0; i < gone->len; i++) {
        vmdesc_drop_device(v, g_ptr_array_index(gone, i));
    }
    return v ? vmdesc_text(v, len) : NULL;
}

static void rewrite_vmdesc(Rewrite *r, bool htm, const GPtrArray *dropped)
{
    size_t len;
    g_autofree char *text = describe(r, htm, dropped, &len);
    uint8_t size[4];

    if (text) {
        put_be32(size, len);
        rewrite_replace(r, r->s->vmdesc_at + 1, 4, size, 4);
        rewrite_replace(r, r->s->vmdesc_at + 5, r->s->vmdesc_size, text, len);
    }
}

/* ---- all of it ----- */

static bool rewrite_sections(Rewrite *r, GError **errp)
{
    g_autoptr(GPtrArray) dropped = g_ptr_array_new();
    guint i, before;
    bool htm, iommu;

    for (i = 0; i < r->s->cpus->len; i++) {
        if (!rewrite_cpu(r, i, errp)) {
            return false;
        }
    }
    before = r->edits->len;
    if (!rewrite_powerkvm(r, dropped, errp)) {
        return false;
    }
    iommu = r->edits->len > before;
    before = r->edits->len;
    if (!rewrite_htm(r, errp)) {
        return false;
    }
    htm = r->edits->len > before;
    if (r->s->vmdesc && (htm || iommu)) {
        rewrite_vmdesc(r, htm, dropped);
    }
    /* Last, so that they come after what else is done to a section's end */
    if (r->form.footers != r->s->has_footers) {
        rewrite_footers(r, dropped);
    }
    return true;
}

GByteArray *rewrite_device(const Stream *s, const Destination *dest,
                           bool force, GPtrArray *notes, GError **errp)
{
    g_autoptr(GArray) edits = rewrite_edits_new();
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(Stream) outcome = NULL;
    GByteArray *device;
    Rewrite r = { s, dest, force, edits, notes };
    guint i;

    rewrite_form(s, dest, &r.form);
    if (!stream_is_pseries(s)) {
        rewrite_refuse(errp, "this is not a pseries guest, so there is nothing"
                       " to do");
        return NULL;
    }
    if (!rewrite_sections(&r, errp)) {
        return NULL;
    }

    /* The outcome must be a stream, and one that the destination takes. */
    device = rewrite_apply(s, edits);
    outcome = stream_reparse(s, &r.form, device, errp);
    if (!outcome) {
        g_prefix_error(errp, "the outcome would not be a stream: ");
        return NULL;
    }
    reasons = judge(outcome, dest);
    for (i = 0; i < reasons->len; i++) {
        const Reason *reason = g_ptr_array_index(reasons, i);

        if (reason->refuses &&
            reason->who & (dest->series ? PATCHED : UNPATCHED) &&
            !rewrite_object(&r, errp, g_strdup_printf(
                "%s%s%s", reason->what, reason->advice ? "; try: " : "",
                reason->advice ? reason->advice : ""))) {
            return NULL;
        }
    }
    return g_byte_array_ref(device);
}
