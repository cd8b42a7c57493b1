#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes section-history.h.inc: which release accepts which version of which
section, read from the definitions in a clone of QEMU's history.

    section-history.py RELEASE=REPOSITORY:COMMIT ... > section-history.h.inc

A row says what a name means from that release on.  Releases come in order.
"""
import re
import subprocess
import sys

# What a pseries guest can have
PLACES = ('hw/(9pfs|audio|block|char|core|display|hyperv|ide|input|intc|ipmi|net|nvme|nvram|pci|pci-bridge|scsi|tpm|usb|'
          'vfio|virtio|watchdog)/|hw/(misc|ppc)/|migration/|target/ppc/|target-ppc/|net/|softmmu/|system/|accel/|backends/|'
          'slirp/|'
          r'(cpus?|cpu-target|exec|vl|savevm|arch_init|cpus-common|cpu-exec|hw/acpi/memory_hotplug|hw/acpi/cpu_hotplug)\b[^/]*$')
OTHERS = ('hw/ppc/(pnv|ppc4|ppc_|e500|prep|mac|mpc|ppce500|pegasos|virtex|rs6000|sam|amigaone)|hw/misc/(?!pvpanic|ivshmem|edu|unimp|'
          'pci-testdev|vmcoreinfo)|hw/intc/(?!xics|xive|spapr|openpic|i8259|apic)|hw/[a-z-]*/(allwinner|aspeed|bcm|exynos|imx|'
          'stm32|pl[01]|pxa|omap|nrf|npcm|cmsdk|cadence|xlnx|xilinx|sifive|lan9118|goldfish|grlib|escc|lasi|mcf|milkymist|'
          'stellaris|digic|avr|renesas|sh_|ibex|mchp|etraxfs|lance|dp8393|smc91|ftgmac|msf2|cg3|tcx|sm501|artist|g364|next|macfb|'
          'jazz|blizzard|tc6393|strongarm|ssd0|pnv_|adb|nand|onenand|ecc|m25p|mac_|macio|tsc2|lm8|retu|twl|stellaris|wdt_diag288|wdt_imx2|k230|sbsa|lm32|can/|mips|xgmac|mv88|ads7846|microdrive|isa/|vmbus|hyperv)')


def git(repo, *arguments, stdin=None):
    return subprocess.run(['git', '-C', repo, *arguments], input=stdin,
                          capture_output=True, text=True, errors='replace').stdout


def sections(repo, commit, before):
    """{name: (newest version, oldest version)}; where a version is not a
    number, it counts as that of the release before."""
    found = git(repo, 'grep', '-l', '-E', 'VMStateDescription|register_savevm|SPAPR_CAP_MIG_STATE|VMSTATE_VIRTIO_DEVICE', commit, '--', '*.c')
    files = [line.split(':', 1)[1] for line in found.split()]
    files = [f for f in files if re.match(PLACES, f) and not re.match(OTHERS, f)]
    text = git(repo, 'cat-file', '--batch', stdin=''.join(f'{commit}:{f}\n' for f in files))
    headers = git(repo, 'grep', '-h', '-E', r'VM_VERSION|SAVE_VERSION|VMSTATE\w*VERSION', commit, '--', 'hw/*.h', 'include/*.h', 'target-ppc/*.h', 'target/ppc/*.h')
    macro = dict(re.findall(r'#\s*define\s+(\w+)\s+(\d+|0x[0-9a-fA-F]+)\b', text + headers))
    macro.update(re.findall(r'(\w*VERSION\w*)\s*=\s*(\d+),', text))
    types = git(repo, 'grep', '-h', '-E', r'#define TYPE_', commit, '--', '*.h', 'hw/*.c')
    strings = dict(re.findall(r'#define\s+(TYPE_\w+)\s+"([^"]+)"', types))
    out = {}

    def add(name, new, old):
        try:
            new, old = (int(macro.get(v, v), 0) for v in (new, old))
        except ValueError:
            new, old = before.get(name, (0, 0))
            if not new:
                return
        have = out.get(name, (new, old))
        out[name] = max(new, have[0]), min(old, have[1])

    for body in re.findall(r'VMStateDescription\s+\w+\s*=\s*\{(.*?)\n\};', text, re.S):
        name = re.search(r'\.name\s*=\s*"([^"]*)"', body)
        named = re.search(r'\.name\s*=\s*(TYPE_\w+)', body)
        new = re.search(r'\.version_id\s*=\s*(\w+)', body)
        old = re.search(r'\.minimum_version_id\s*=\s*(\w+)', body)
        text_name = name[1] if name else strings.get(named[1]) if named else None
        if text_name and '.unmigratable' not in body:
            add(text_name, new[1] if new else '0', old[1] if old else '0')
    for name, version in re.findall(r'register_savevm(?:_live)?\s*\([^";]*"([^"]+)",\s*[^,]+,\s*(\w+)', text):
        add(name, version, '0')
    for name in re.findall(r'^SPAPR_CAP_MIG_STATE\((\w+),', text, re.M):
        add(f'spapr/cap/{name}', '1', '1')
    for name, version in re.findall(r'VMSTATE_VIRTIO_DEVICE\((\w+),\s*(\w+)', text):
        add('virtio-' + name, version, version)
    return out


def main():
    state = {}
    rows = []
    for argument in sys.argv[1:]:
        release, _, where = argument.partition('=')
        repo, _, commit = where.rpartition(':')
        now = sections(repo, commit, state)
        point = release.replace('.', ', ')
        for name in sorted({*state, *now}):
            if now.get(name) != state.get(name):
                rows.append((name, point, now.get(name, (-1, -1))))
        state = now
        print(release, len(now), file=sys.stderr)
    print('/* Made by section-history.py from the releases of QEMU */')
    for name, point, (new, old) in sorted(rows, key=lambda r: r[0]):
        if new < 0:
            print(f'GONE("{name}", {point})')
        else:
            print(f'SECTION("{name}", {point}, {new}, {old})')


if __name__ == '__main__':
    main()
