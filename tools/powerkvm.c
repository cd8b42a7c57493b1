/*
 * PowerKVM's "spapr" and "spapr_iommu"
 *
 *   spapr, 4:        u64 time base, s64 time of day
 *                    | u32 token of RTAS error injection; odd: it is in use
 *   spapr_iommu, 3:  u32 liobn | u8 enabled | u64 bus offset | u32 page shift
 *                    | u32 entries | u8 bypass | entries times u64
 *
 * Upstream's version 3 of spapr_iommu, of 7.1 and later, is version 2 with one
 * byte more at its end.  A PCI host bridge of PowerKVM 3 always sends two, the
 * second of which is not enabled unless the guest made a second window.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "powerkvm.h"

/* Are the first fields of @part just these?  Names are a stream's own. */
static bool begins_with(const StreamPart *part, const char *const *names,
                        const size_t *sizes, guint n)
{
    guint i;

    for (i = 0; i < n; i++) {
        const StreamField *f = i < part->fields->len ?
            &g_array_index(part->fields, StreamField, i) : NULL;

        if (!f || strcmp(f->name, names[i]) || f->size != sizes[i]) {
            return false;
        }
    }
    return true;
}

static const StreamField *field_at(const StreamPart *part, guint i)
{
    return &g_array_index(part->fields, StreamField, i);
}

bool powerkvm_is_iommu(const StreamSection *section)
{
    static const char *const names[] = {
        "liobn", "enabled", "bus_offset", "page_shift", "nb_table", "bypass",
    };
    static const size_t sizes[] = { 4, 1, 8, 4, 4, 1 };

    return !section->pieces && !strcmp(section->vmsd, "spapr_iommu") &&
           section->part.version == 3 &&
           begins_with(&section->part, names, sizes, G_N_ELEMENTS(names));
}

bool powerkvm_is_window(const StreamSection *section)
{
    return !section->pieces && !strcmp(section->vmsd, "spapr_iommu") &&
           section->instance >> 31 && section->instance & 0xff;
}

bool powerkvm_read_iommu(const Stream *s, const StreamSection *section,
                         IommuState *state)
{
    const uint8_t *buf = s->device->data;
    const StreamPart *part = &section->part;
    guint n = part->fields->len, has_table, i = 0;

    *state = (IommuState) { .page_shift = 12 };
    if (powerkvm_is_iommu(section)) {
        state->powerkvm = true;
        state->enabled = buf[field_at(part, 1)->offset];
        state->bus_offset = get_be64(buf + field_at(part, 2)->offset);
        state->page_shift = get_be32(buf + field_at(part, 3)->offset);
        i = 4;
    } else if (n < 3 || field_at(part, 0)->size != 4) {
        return false;
    } else {
        i = 1;
    }
    if (n < i + 2 || field_at(part, i)->size != 4 ||
        field_at(part, i + 1)->size != 1) {
        return false;
    }
    state->nb_table_field = field_at(part, i);
    state->nb_table = get_be32(buf + state->nb_table_field->offset);
    has_table = state->nb_table != 0;
    i += 2;
    if (has_table && (i >= n || field_at(part, i)->size !=
                                8 * (uint64_t)state->nb_table)) {
        return false;
    }
    /* The table of layouts has a field even for no entries. */
    i += has_table || (i < n && !field_at(part, i)->size);
    if (state->powerkvm) {
        return i == n && state->enabled == has_table &&
               (!part->subsections || !part->subsections->len);
    }
    state->enabled = has_table;
    if (part->version == 3) {
        if (i >= n || field_at(part, i)->size != 1 ||
            strcmp(field_at(part, i)->name, "def_win")) {
            return false;
        }
        state->def_win = field_at(part, i++);
    }
    state->ex = stream_subsection(part, "spapr_iommu_ex");
    if (state->ex) {
        if (state->ex->fields->len != 2 ||
            field_at(state->ex, 0)->size != 8 ||
            field_at(state->ex, 1)->size != 4) {
            return false;
        }
        state->bus_offset = get_be64(buf + field_at(state->ex, 0)->offset);
        state->page_shift = get_be32(buf + field_at(state->ex, 1)->offset);
    }
    return i == n;
}

uint32_t powerkvm_token(const Stream *s)
{
    const StreamSection *spapr = stream_section(s, "spapr");
    const StreamField *token = spapr && !spapr->pieces &&
        spapr->part.version == 4 && spapr->part.fields->len == 2 ?
        field_at(&spapr->part, 1) : NULL;
    uint32_t value = token && token->size == 4 ?
        get_be32(s->device->data + token->offset) : 0;

    /* Even: it was closed again. */
    return value & 1 ? value : 0;
}

/* ---- whose it is ----- */

static bool has_spapr_4(const Stream *s)
{
    const StreamSection *spapr = stream_section(s, "spapr");

    return spapr && !spapr->pieces && spapr->part.version == 4;
}

Dialect powerkvm_dialect(const Stream *s)
{
    guint i;

    if (s->dialect != DIALECT_UPSTREAM) {
        return s->dialect;
    }
    for (i = 0; i < s->sections->len; i++) {
        if (powerkvm_is_iommu(g_ptr_array_index(s->sections, i))) {
            return DIALECT_POWERKVM;
        }
    }
    return has_spapr_4(s) ? DIALECT_POWERKVM : DIALECT_UPSTREAM;
}

char *powerkvm_mixture(const Stream *s)
{
    bool of_powerkvm = powerkvm_dialect(s) == DIALECT_POWERKVM;
    guint i;

    if (!of_powerkvm) {
        return NULL;
    }
    if (!has_spapr_4(s)) {
        return g_strdup("'spapr_iommu' is PowerKVM's, but 'spapr' is not its"
                        " version 4");
    }
    for (i = 0; i < s->sections->len; i++) {
        const StreamSection *section = g_ptr_array_index(s->sections, i);

        if (!section->pieces && !strcmp(section->vmsd, "spapr_iommu") &&
            !powerkvm_is_iommu(section)) {
            return g_strdup_printf(
                "'spapr' is PowerKVM's, but 'spapr_iommu' at offset 0x%" PRIx64
                ", version %u, is not", section->offset,
                section->part.version);
        }
    }
    return NULL;
}
