/*
 * PowerKVM's "spapr" and "spapr_iommu", and upstream's, made each other
 *
 * Upstream's version 3 (7.1 and later) is version 2 with one byte more at the
 * end of the fields, def_win.  It is only ever set to true, when the host
 * bridge is reset, and that has happened on the destination before it loads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "powerkvm.h"
#include "rewrite-iommu.h"

#define EX "spapr_iommu_ex"

static bool to_powerkvm(const Rewrite *r)
{
    const Product *p = r->dest->product;

    return p && p->dialect == DIALECT_POWERKVM;
}

bool rewrite_changes_iommu(const Rewrite *r, const StreamSection *section)
{
    if (section->pieces || strcmp(section->vmsd, "spapr_iommu")) {
        return false;
    }
    return powerkvm_is_iommu(section) != to_powerkvm(r) ||
           (!to_powerkvm(r) && section->part.version == 3 &&
            !target_has_iommu_v3(r->dest->to));
}

bool rewrite_changes_spapr(const Rewrite *r)
{
    const StreamSection *spapr = stream_section(r->s, "spapr");

    return spapr && !spapr->pieces &&
           spapr->part.version == (to_powerkvm(r) ? 3 : 4);
}

static bool wants_ex(const IommuState *state)
{
    return state->bus_offset || state->page_shift != 12;
}

/* The fields between liobn and nb_table, which PowerKVM has */
enum { EXTRA = 1 + 8 + 4 };

static void to_upstream(Rewrite *r, const StreamPart *part,
                        const IommuState *state)
{
    static const char name[] = EX;
    uint8_t version[4];
    GByteArray *ex;

    put_be32(version, 2);
    rewrite_replace(r, part->version_at, 4, version, 4);
    rewrite_replace(r, state->nb_table_field->offset - EXTRA, EXTRA, NULL, 0);
    if (wants_ex(state)) {
        uint8_t head[2] = { 0x05, sizeof(name) - 1 }, rest[4 + 8 + 4];

        ex = g_byte_array_new();
        put_be32(rest, 1);
        put_be64(rest + 4, state->bus_offset);
        put_be32(rest + 12, state->page_shift);
        g_byte_array_append(ex, head, sizeof(head));
        g_byte_array_append(ex, (const uint8_t *)name, sizeof(name) - 1);
        g_byte_array_append(ex, rest, sizeof(rest));
        rewrite_replace(r, part->end, 0, ex->data, ex->len);
        g_byte_array_unref(ex);
    }
}

static void from_upstream(Rewrite *r, const StreamPart *part,
                          const IommuState *state)
{
    uint8_t version[4], extra[EXTRA];

    put_be32(version, 3);
    rewrite_replace(r, part->version_at, 4, version, 4);
    extra[0] = state->enabled;
    put_be64(extra + 1, state->bus_offset);
    put_be32(extra + 9, state->enabled ? state->page_shift : 0);
    rewrite_replace(r, state->nb_table_field->offset, 0, extra, EXTRA);
    if (state->def_win) {
        rewrite_replace(r, state->def_win->offset, 1, NULL, 0);
    }
    if (state->ex) {
        rewrite_replace(r, state->ex->start, state->ex->end - state->ex->start,
                        NULL, 0);
    }
}

static bool rewrite_iommu(Rewrite *r, const StreamSection *section,
                          GPtrArray *dropped, GError **errp)
{
    const StreamPart *part = &section->part;
    bool changes = rewrite_changes_iommu(r, section);
    bool window = powerkvm_is_window(section) && !judge_ddw(r->s, r->dest);
    IommuState state;
    uint8_t version[4];

    if (!changes && !window) {
        return true;
    }
    if (!powerkvm_read_iommu(r->s, section, &state)) {
        return rewrite_refuse(errp, "section '%s' at offset 0x%" PRIx64 ":"
                              " version %u of it is not as any QEMU sends it",
                              part->name, section->offset, part->version);
    }
    if (window && state.enabled) {
        return rewrite_refuse(errp, "section '%s' at offset 0x%" PRIx64 ": the"
                              " guest has opened a second DMA window, which"
                              " the destination does not have%s", part->name,
                              section->offset,
                              judge_has_ddw(r->dest) ?
                              "; start it with, and try: --global"
                              " spapr-pci-host-bridge.ddw=on" : "");
    }
    if (window) {
        rewrite_replace(r, part->start, part->end - part->start +
                        (r->s->has_footers ? 5 : 0), NULL, 0);
        g_ptr_array_add(dropped, (void *)section);
        return true;
    }
    if (to_powerkvm(r)) {
        from_upstream(r, part, &state);
    } else if (!state.powerkvm) {
        put_be32(version, 2);
        rewrite_replace(r, part->version_at, 4, version, 4);
        rewrite_replace(r, state.def_win->offset, 1, NULL, 0);
    } else {
        if (wants_ex(&state) && !judge_has_ddw(r->dest)) {
            return rewrite_refuse(errp, "section '%s' at offset 0x%" PRIx64
                                  ": a DMA window at 0x%" PRIx64 " with pages"
                                  " of 2^%u bytes, which the destination"
                                  " cannot have", part->name, section->offset,
                                  state.bus_offset, state.page_shift);
        }
        to_upstream(r, part, &state);
    }
    return true;
}

static bool rewrite_spapr(Rewrite *r, GError **errp)
{
    const StreamSection *spapr = stream_section(r->s, "spapr");
    const StreamPart *part = &spapr->part;
    guint n = part->fields->len;
    const StreamField *token = n == 2 ?
        &g_array_index(part->fields, StreamField, 1) : NULL;
    uint8_t version[4], none[4] = { 0 };

    put_be32(version, to_powerkvm(r) ? 4 : 3);
    rewrite_replace(r, part->version_at, 4, version, 4);
    if (to_powerkvm(r)) {
        rewrite_replace(r, part->fields_end, 0, none, sizeof(none));
        return true;
    }
    if (!token || token->size != 4) {
        return rewrite_refuse(errp, "section 'spapr' at offset 0x%" PRIx64
                              ": version 4 of it is not PowerKVM's",
                              spapr->offset);
    }
    rewrite_replace(r, token->offset, 4, NULL, 0);
    return !powerkvm_token(r->s) ||
        rewrite_object(r, errp, g_strdup_printf(
            "section 'spapr' at offset 0x%" PRIx64 ": the guest has error"
            " injection open (token %u), which only PowerKVM has%s",
            spapr->offset, powerkvm_token(r->s),
            r->force ? "" : "; --force if it can do without"));
}

bool rewrite_powerkvm(Rewrite *r, GPtrArray *dropped, GError **errp)
{
    g_autofree char *mixture = powerkvm_mixture(r->s);
    guint i;

    if (mixture) {
        return rewrite_refuse(errp, "the stream is a mixture: %s; take it as"
                              " its source sent it", mixture);
    }
    if (powerkvm_dialect(r->s) == DIALECT_POWERKVM_211) {
        return rewrite_refuse(errp, "this is a stream of PowerKVM 2.1.1, which"
                              " can be shown, but not rewritten");
    }
    for (i = 0; i < r->s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(r->s->sections, i);

        if (!section->pieces && !strcmp(section->vmsd, "spapr_iommu") &&
            !rewrite_iommu(r, section, dropped, errp)) {
            return false;
        }
    }
    return !rewrite_changes_spapr(r) || rewrite_spapr(r, errp);
}

/* ---- the vmdescription ----- */

void rewrite_describe_iommu(const Rewrite *r, const StreamSection *section,
                            VmdescPart *desc)
{
    static const VmdescField ex[] = {
        { "bus_offset", "uint64", 8 }, { "page_shift", "uint32", 4 },
    };
    VmdescField fields[7] = { { "liobn", "uint32 equal", 4 } };
    IommuState state;
    guint n = 1;

    if (!powerkvm_read_iommu(r->s, section, &state)) {
        return;
    }
    if (to_powerkvm(r)) {
        fields[n++] = (VmdescField) { "enabled", "bool", 1 };
        fields[n++] = (VmdescField) { "bus_offset", "uint64", 8 };
        fields[n++] = (VmdescField) { "page_shift", "uint32", 4 };
    }
    fields[n++] = (VmdescField) { to_powerkvm(r) ? "nb_table" : "mig_nb_table",
                                  "uint32", 4 };
    fields[n++] = (VmdescField) { "bypass", "bool", 1 };
    if (state.nb_table) {
        fields[n++] = (VmdescField) {
            to_powerkvm(r) ? "migtable" : "mig_table", "uint64", 8,
            state.nb_table,
        };
    }
    vmdesc_set_fields(desc, fields, n);
    vmdesc_set_version(desc, to_powerkvm(r) ? 3 : 2);
    if (to_powerkvm(r)) {
        vmdesc_drop_subsection(desc, EX);
    } else if (state.powerkvm && wants_ex(&state)) {
        vmdesc_add_subsection(desc, EX, ex, G_N_ELEMENTS(ex));
    }
}

void rewrite_describe_spapr(const Rewrite *r, VmdescPart *desc)
{
    static const VmdescField fields[] = {
        { "tb", "struct", 16 }, { "errinjct_token", "uint32", 4 },
    };

    vmdesc_set_version(desc, to_powerkvm(r) ? 4 : 3);
    vmdesc_set_fields(desc, fields, to_powerkvm(r) ? 2 : 1);
}
