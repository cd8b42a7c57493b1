#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes seeds for fuzz-stream of the recorded streams.

    corpus.py --tool ppc-insns DIR

A seed is a recorded stream in the short form that fuzz-stream.c describes,
with a few pages of RAM instead of the guest's, and with the sections of the
device state that ppc-insns looks into: in DIR/least with CPUs alone.  In
DIR/kept are streams as they are kept: compressed, and in libvirt save files.
"""

import argparse
import bz2
import gzip
import json
import lzma
import shutil
import subprocess
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
STREAMS = [TESTS / 'migration-compat/streams', TESTS / 'tools/products']

# What judge and rewrite look into, and one section with a path in its name;
# but no large table
SMALL = ('timer', 'cpu', 'spapr', 'spapr_iommu', 'vty@71000000/spapr_vty')

# What is done (fuzz-stream.c), and how many releases there are to do it for
MODES, RELEASES = 16, 33
CONTAINER = 2


def be(value, size):
    return value.to_bytes(size, 'big')


def string(text):
    return be(len(text), 1) + text.encode()


def ram(shown):
    """What goes before the device state, but little of it."""
    page = 8, 2, 0x40 | 0x20, 0x100     # full, zero, XBZRLE, compressed
    pages = b''.join((
        be(0x1000 | page[0], 8), string('ppc_spapr.ram'), b'\x55' * 4096,
        be(0x2000 | page[1] | 0x20, 8), b'\0',
        be(0x1000 | page[2], 8), b'\1', be(5, 2), bytes(5),
        be(page[3], 8), string('vga'), be(9, 4), bytes(9), be(0x10, 8)))
    blocks = be(0x6000 | 4, 8) + b''.join(
        string(name) + be(size, 8)
        for name, size in (('ppc_spapr.ram', 0x4000), ('vga', 0x2000)))
    htab = be(0, 4) + be(3, 4) + be(2, 2) + be(1, 2) + bytes(32) + bytes(8)
    out = b''
    for kind, number, name, version, contents in (
            (1, 2, 'ram', 4, blocks + be(0x10, 8)),
            (1, 3, 'spapr/htab', 1, be(24, 4)), (2, 2, '', 0, pages),
            (8, 0, '', 0, be(1, 2) + be(0, 2)),
            (3, 2, '', 0, be(0x10, 8)), (3, 3, '', 0, htab)):
        if kind == 8:       # a command has neither a number nor a footer
            out += be(kind, 1) + contents
            continue
        out += be(kind, 1) + be(number, 4)
        if name:
            out += string(name) + be(0, 4) + be(version, 4)
        out += contents
        if shown['footers']:
            out += b'\x7e' + be(number, 4)
    return out


def seed(stream, shown, wanted):
    """A stream with the sections wanted of the device state; the text of the
    vmdescription apart, None if there is none."""
    sections = sorted((s for s in shown['sections'] if not s['pieces']),
                      key=lambda s: s['offset'])
    begins = shown['device_state_offset']
    footer = 5 if shown['footers'] else 0
    end = sections[-1]['offset'] + sections[-1]['size'] + footer
    text, kept = None, {(s['name'], s['instance']) for s in sections
                        if s['name'] in wanted and s['size'] < 0x4000}
    if shown['vmdescription']:
        desc = json.loads(stream[end + 6:])
        desc['devices'] = [d for d in desc['devices']
                           if (d['name'], d['instance_id'] % 2**32) in kept]
        for device in desc['devices']:
            small(device)
        text = json.dumps(desc, separators=(',', ':')).encode()
    first = min(s['offset'] for s in shown['sections'])
    device = b''.join(
        stream[s['offset']:s['offset'] + s['size'] + footer]
        for s in sections if (s['name'], s['instance']) in kept)
    assert stream[end] == 0 and first < begins
    return stream[:first] + ram(shown) + device + b'\0', text


def small(part):
    """Takes from a part of a vmdescription what nobody reads."""
    fields = part.get('fields', [])
    part['fields'] = [{k: f[k] for k in ('name', 'array_len', 'size') if k in f}
                      for f in fields]
    for sub in part.get('subsections', []):
        small(sub)


def packed(data):
    """The short form."""
    out, at = bytearray(), 0
    while at < len(data):
        n = 1
        while at + n < len(data) and n < 0xffff and data[at + n] == data[at]:
            n += 1
        if n > 5:
            out += b'\xfe\1' + be(n, 2) + data[at:at + 1]
        else:
            n = 1
            out += b'\xfe\0' if data[at] == 0xfe else data[at:at + 1]
        at += n
    return bytes(out)


def libvirt(stream, compression):
    """A save file with little in its XML."""
    words = 2, 40, 1, compression, *[0] * 15
    return b'LibvirtQemudSave' + b''.join(
        word.to_bytes(4, 'little') for word in words) + b'x' * 40 + stream


def kept(stream):
    """The ways to keep a stream, by name; without programs that are not
    here."""
    ways = {'gzip': gzip.compress(stream), 'bzip2': bz2.compress(stream),
            'xz': lzma.compress(stream)}
    for program in 'lzop', 'zstd':
        if shutil.which(program):
            ways[program] = subprocess.run(
                [program, '-c'], input=stream, check=True,
                stdout=subprocess.PIPE).stdout
    for number, name in enumerate(('raw', 'gzip', 'bzip2', 'xz', 'lzop',
                                   'zstd')):
        if name == 'raw' or name in ways:
            ways['libvirt-' + name] = libvirt(ways.get(name, stream), number)
    return ways


def main():
    p = argparse.ArgumentParser(description='Make seeds of recorded streams.')
    p.add_argument('--tool', required=True, help='ppc-insns')
    p.add_argument('dir', type=Path)
    args = p.parse_args()
    for n, path in enumerate(sorted(
            path for place in STREAMS for path in place.glob('*.xz'))):
        stream = lzma.decompress(path.read_bytes())
        shown = json.loads(subprocess.run(
            [args.tool, 'show', '--json'], input=stream, check=True,
            stdout=subprocess.PIPE).stdout)[0]
        for kind, wanted in ('small', SMALL), ('least', ('cpu',)):
            data, text = seed(stream, shown, wanted)
            short = bytes((n % MODES, n * 7 % RELEASES, 0, 0)) + packed(data)
            if text is not None:
                short += b'\6\xfe\2' + packed(text)
            (args.dir / kind).mkdir(parents=True, exist_ok=True)
            (args.dir / kind / path.name.split('.stream')[0]).write_bytes(short)

            if kind == 'least' and n % 8 == 0:
                if text is not None:
                    data += b'\6' + be(len(text), 4) + text
                (args.dir / 'kept').mkdir(exist_ok=True)
                for name, whole in kept(data).items():
                    (args.dir / 'kept' / f'{n}-{name}').write_bytes(
                        bytes((CONTAINER, 0, 0, 0)) + packed(whole))


if __name__ == '__main__':
    main()
