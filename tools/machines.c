/*
 * Versions of pseries, and their capabilities
 *
 * Read from spapr.c and spapr_caps.c of 2.1.0 to 11.1.0.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "machines.h"

#define K(major, minor, point) RELEASE_KEY(major, minor, point)

PPCRelease machine_release(const char *machine)
{
    const char *rest, *minor;
    guint64 number[2];
    PPCRelease release;
    g_autofree char *text = NULL;

    if (!g_str_has_prefix(machine, "pseries-")) {
        return 0;
    }
    text = g_strdup(machine + strlen("pseries-"));
    if (g_str_has_suffix(text, "2.12-sxxm")) {
        text[strlen(text) - strlen("-sxxm")] = '\0';
    }
    rest = text;
    minor = strchr(rest, '.');
    if (!minor || !g_ascii_string_to_unsigned(minor + 1, 10, 0, 255,
                                              &number[1], NULL)) {
        return 0;
    }
    text[minor - rest] = '\0';
    if (!g_ascii_string_to_unsigned(text, 10, 2, 255, &number[0], NULL)) {
        return 0;
    }
    release = PPC_RELEASE(number[0], number[1]);
    return release >= PPC_RELEASE(2, 1) && release <= LAST_KNOWN_RELEASE ?
        release : 0;
}

PPCRelease machine_oldest(Target t)
{
    return target_before(t, 9, 2, 0) ? PPC_RELEASE(2, 1) :
           target_before(t, 11, 0, 0) ? PPC_RELEASE(3, 0) :
           target_before(t, 11, 1, 0) ? PPC_RELEASE(4, 0) : PPC_RELEASE(5, 0);
}

bool machine_exists(PPCRelease release, Target t)
{
    return release >= machine_oldest(t) && release <= t.release;
}

PPCRelease machine_compat(PPCRelease machine)
{
    return machine > PPC_RELEASE(2, 6) ? PPC_RELEASE_LAST_ON_WIRE
                                       : PPC_RELEASE(2, 6);
}

/* ---- capabilities ----- */

static const char *const tristate[] = { "broken", "workaround", "fixed",
                                        NULL };
static const char *const ibs[] = { "broken", "workaround", "fixed-ibs",
                                   "fixed-ccd", "fixed-na", NULL };

const Capability capabilities[CAP__MAX] = {
    [CAP_HTM] = { "htm", "htm", CAP_BOOL, NULL, K(2, 11, 1) },
    [CAP_VSX] = { "vsx", "vsx", CAP_BOOL, NULL, K(2, 11, 1) },
    [CAP_DFP] = { "dfp", "dfp", CAP_BOOL, NULL, K(2, 11, 1) },
    [CAP_CFPC] = { "cfpc", "cfpc", CAP_LEVELS, tristate, K(2, 11, 1) },
    [CAP_SBBC] = { "sbbc", "sbbc", CAP_LEVELS, tristate, K(2, 11, 1) },
    [CAP_IBS] = { "ibs", "ibs", CAP_LEVELS, ibs, K(2, 11, 1) },
    [CAP_HPT] = { "hpt-max-page-size", "hpt_maxpagesize", CAP_PAGE_SIZE, NULL,
                  K(3, 0, 0) },
    [CAP_NESTED_HV] = { "nested-hv", "nested_kvm_hv", CAP_BOOL, NULL,
                        K(3, 1, 0) },
    [CAP_LARGE_DECR] = { "large-decr", "large_decr", CAP_BOOL, NULL,
                         K(4, 0, 0) },
    [CAP_CCF_ASSIST] = { "ccf-assist", "ccf_assist", CAP_BOOL, NULL,
                         K(4, 0, 0) },
    [CAP_FWNMI] = { "fwnmi", "fwnmi", CAP_BOOL, NULL, K(5, 0, 0) },
    [CAP_RPT] = { "rpt-invalidate", "rpt_invalidate", CAP_BOOL, NULL,
                  K(6, 1, 0) },
    [CAP_NESTED_PAPR] = { "nested-papr", "nested_papr", CAP_BOOL, NULL,
                          K(9, 0, 0) },
    [CAP_AIL_MODE_3] = { "ail-mode-3", "ail_mode_3", CAP_BOOL, NULL,
                         K(8, 1, 0) },
    [CAP_DAWR1] = { "dawr1", "dawr1", CAP_BOOL, NULL, K(10, 0, 0) },
};

static int parse_bool(const char *value)
{
    static const char *const on[] = { "on", "yes", "true", "y", NULL };
    static const char *const off[] = { "off", "no", "false", "n", NULL };

    return g_strv_contains(on, value) ? 1 : g_strv_contains(off, value) ? 0
                                                                        : -1;
}

/* "64k", "16M", "65536" as a power of two */
static int parse_page_size(const char *value)
{
    char *end;
    guint64 n = g_ascii_strtoull(value, &end, 0);
    int shift;

    switch (g_ascii_tolower(*end)) {
    case 'g':
        n <<= 10;
        /* fall through */
    case 'm':
        n <<= 10;
        /* fall through */
    case 'k':
        n <<= 10;
        end++;
        break;
    }
    if (*end || !n || (n & (n - 1))) {
        return -1;
    }
    for (shift = 0; n > 1; shift++) {
        n >>= 1;
    }
    return shift;
}

int capability_parse(CapIndex cap, const char *value)
{
    int i;

    switch (capabilities[cap].kind) {
    case CAP_BOOL:
        return parse_bool(value);
    case CAP_PAGE_SIZE:
        return parse_page_size(value);
    case CAP_LEVELS:
        for (i = 0; capabilities[cap].levels[i]; i++) {
            if (!g_ascii_strcasecmp(capabilities[cap].levels[i], value)) {
                return i;
            }
        }
        return -1;
    }
    g_assert_not_reached();
}

char *capability_format(CapIndex cap, unsigned value)
{
    static const char units[] = { '\0', 'k', 'M', 'G' };
    const Capability *c = &capabilities[cap];

    if (c->kind == CAP_BOOL && value <= 1) {
        return g_strdup(value ? "on" : "off");
    }
    if (c->kind == CAP_LEVELS && value < g_strv_length((char **)c->levels)) {
        return g_strdup(c->levels[value]);
    }
    if (c->kind == CAP_PAGE_SIZE && value < 40) {
        return g_strdup_printf("%u%c", 1u << value % 10, units[value / 10]);
    }
    return g_strdup_printf("%u", value);
}

/* By machine version alone; spapr_machine_*_class_options() */
static unsigned class_default(CapIndex cap, const char *machine, Target t)
{
    PPCRelease release = machine_release(machine);
    bool sxxm = g_str_has_suffix(machine, "-sxxm");
    bool safe = release >= PPC_RELEASE(4, 0);

    switch (cap) {
    case CAP_HTM:
        return release <= PPC_RELEASE(2, 11);
    case CAP_VSX:
    case CAP_DFP:
        return 1;
    case CAP_CFPC:
    case CAP_SBBC:
        return safe || sxxm;
    case CAP_IBS:
        return sxxm ? 3 : safe;
    case CAP_HPT:
        return release <= PPC_RELEASE(2, 12) ? 34 : 16;
    case CAP_LARGE_DECR:
        return safe;
    case CAP_CCF_ASSIST:
    case CAP_FWNMI:
        return release >= PPC_RELEASE(5, 0);
    case CAP_AIL_MODE_3:
        return 1;
    case CAP_DAWR1:
        return release >= PPC_RELEASE(10, 0) || t.release >= PPC_RELEASE(10, 0);
    default:
        return 0;
    }
}

unsigned capability_default(CapIndex cap, const char *machine,
                            PPCFamily family, uint32_t mode, Target t)
{
    uint32_t least = 0;

    switch (cap) {
    case CAP_LARGE_DECR:
        least = MODE_POWER9;
        break;
    case CAP_HTM:
    case CAP_CFPC:
        least = MODE_POWER8;
        break;
    case CAP_SBBC:
        least = MODE_POWER7P;
        break;
    case CAP_VSX:
    case CAP_DFP:
    case CAP_IBS:
        least = MODE_POWER7;
        break;
    default:
        break;
    }
    return least && !mode_at_least(mode, family, least) ? 0 :
        class_default(cap, machine, t);
}

bool capability_tcg_refuses(CapIndex cap, unsigned value, PPCFamily family,
                            uint32_t mode)
{
    if (!value) {
        return false;
    }
    switch (cap) {
    case CAP_HTM:
    case CAP_RPT:
        return true;
    case CAP_VSX:
    case CAP_DFP:
        return family < PPC_FAMILY_POWER7;
    case CAP_LARGE_DECR:
        return !mode_at_least(mode, family, MODE_POWER9);
    case CAP_NESTED_HV:
    case CAP_NESTED_PAPR:
        return family < PPC_FAMILY_POWER9;
    case CAP_HPT:
        return value < 12;
    default:
        return false;
    }
}
