#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing back old machine versions changes nothing for those that QEMU has.

    test_own_machines.py --qemu PATCHED --other OTHER [-k PATTERN]

For each pseries version of OTHER: the same objects with the same properties, and streams with the same sections and fields. OTHER
is the same QEMU with the series but without the old machines (OLD_MACHINES=no), or, with --stock, as the distribution has it; then
the differences that the rest of the series makes on purpose are left out. Prints TAP.
"""
import tempfile
import argparse
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'unit'))
sys.dont_write_bytecode = True
import tap  # noqa: E402

# Properties that the rest of the series adds to a CPU.
OURS = re.compile(r'insns-(compat|groups)')
# Properties that old machines set, and that this QEMU did not have any more. For all others they are what upstream made of them.
BROUGHT_BACK = re.compile(r'/(migrate-extra|emergency-write|qemu-4-0-config-size): bool$')
VMDESCRIPTION = 0x06


class Qemu:
    """A QEMU that was started with a machine version, and does not run."""

    def __init__(self, binary, machine, firmware):
        self.process = subprocess.Popen(
            [binary, '-S', '-M', machine, '-nodefaults', '-display', 'none', '-m', '256', '-smp', '2',
             '-bios', firmware, '-device', 'spapr-vscsi', '-device', 'virtio-rng-pci', '-device', 'e1000,romfile=',
             '-device', 'spapr-pci-host-bridge,index=1', '-qmp', 'stdio'],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.answer()               # its greeting
        self.run('qmp_capabilities')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def answer(self):
        """The next message that is not an event."""
        for line in self.process.stdout:
            message = json.loads(line)
            if 'event' not in message:
                return message
        raise RuntimeError(f'QEMU ended: {self.process.stderr.read().strip()}')

    def run(self, command, **arguments):
        self.process.stdin.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.process.stdin.flush()
        message = self.answer()
        if 'error' in message:
            raise RuntimeError(f'{command}: {message["error"]["desc"]}')
        return message['return']

    def objects(self, path='/machine'):
        """path and type of each property of each object below path, in order"""
        found = []
        for p in self.run('qom-list', path=path):
            found.append(f'{path}/{p["name"]}: {p["type"]}')
            if p['type'].startswith('child<'):
                found += self.objects(f'{path}/{p["name"]}')
        return sorted(found)

    def sections(self):
        """(section, its version, its fields with their sizes) as the stream describes them"""
        with tempfile.NamedTemporaryFile() as file:
            self.run('migrate', uri=f'exec:cat > {file.name}')
            while (status := self.run('query-migrate')['status']) != 'completed':
                if status in ('failed', 'cancelled'):
                    raise RuntimeError(f'migration {status}')
            return described(file.read())


def described(stream):
    """The sections that the description at a stream's end lists."""
    at = len(stream)
    while (at := stream.rfind(bytes([VMDESCRIPTION]), 0, at)) >= 0:
        size, = struct.unpack('>I', stream[at + 1:at + 5].ljust(4, b'\0'))
        text = stream[at + 5:at + 5 + size]
        if text.startswith(b'{') and len(text) == size:
            return [line for device in json.loads(text)['devices']
                    for line in lines(f'{device["name"]} {device["instance_id"]}', device)]
    raise RuntimeError('the stream has no description of itself')


def lines(where, part):
    found = [f'{where} version {part.get("version", "-")}']
    for field in part.get('fields', []):
        found.append(f'{where}: {field["name"]} {field["type"]} {field["size"]}')
        if 'struct' in field:
            found += lines(f'{where}/{field["name"]}', field['struct'])
    for sub in part.get('subsections', []):
        found += lines(sub['vmsd_name'], sub)
    return found


def on_purpose(line):
    """Is that what the rest of the series changes?"""
    return OURS.search(line) or line.startswith(('cpu/slb version', 'spapr_iommu'))


def differences(old, new, stock):
    if stock:
        old, new = ([line for line in side if not on_purpose(line)] for side in (old, new))
    before, after = set(old), set(new)
    found = [f'- {line}' for line in old if line not in after]
    found += [f'+ {line}' for line in new if line not in before and not BROUGHT_BACK.search(line)]
    return found or (['their order differs'] if old != [line for line in new if line in before] else [])


def machines_of(binary):
    text = subprocess.run([binary, '-M', 'help'], text=True, check=True, stdout=subprocess.PIPE).stdout
    return re.findall(r'^(pseries-[\d.]+)', text, re.M)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--qemu', required=True, help='with the old machines')
    p.add_argument('--other', required=True, help='without them')
    p.add_argument('--stock', action='store_true', help='OTHER is without the rest of the series, too')
    p.add_argument('-k', default='', metavar='PATTERN', help='only machines that match')
    args = p.parse_args()
    t, have = tap.Tap(), machines_of(args.qemu)
    firmware = tempfile.NamedTemporaryFile()
    firmware.write(b'\0\0\0\0')        # never run
    firmware.flush()
    for machine in machines_of(args.other):
        if not re.search(args.k, machine):
            continue
        if machine not in have:
            t.result(f'{machine}: is there', False)
            continue
        seen = []
        try:
            for binary in args.other, args.qemu:
                with Qemu(binary, machine, firmware.name) as qemu:
                    seen.append((qemu.objects(), qemu.sections()))
        except (RuntimeError, OSError, ValueError) as e:
            t.result(f'{machine}: can be compared', False, [str(e)])
            continue
        for n, what in enumerate(('objects', 'sections of a stream')):
            found = differences(seen[0][n], seen[1][n], args.stock)
            t.result(f'{machine}: {len(seen[0][n])} {what}', not found and bool(seen[0][n]), found[:20])
    return t.plan()


if __name__ == '__main__':
    sys.exit(main())
