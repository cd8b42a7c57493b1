#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs the package of "make rpm" as its users do. Prints TAP.

    test_rpm.py --base debian/bookworm

In a root file system of the release that this machine runs, without network;
the recorded streams load in it. Debian's rpm does not know what is installed by
dpkg, so that it is not asked about that: QEMU starts, or does not. Needs root or
sudo, mmdebstrap, and build/PLACE/rpm.
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[2]
sys.path += [*map(str, (PROJECT / 'scripts').glob('*/')), str(PROJECT / 'tests/unit')]
import clean_root  # noqa: E402  (found through the line above)
import packages  # noqa: E402
from build import EMULATOR, Place, guarded  # noqa: E402

# What QEMU is linked with, and rpm.
INSTALLED = ['rpm', 'libglib2.0-0', 'libpixman-1-0', 'libfdt1', 'zlib1g']
NAME = 'qemu-system-ppc-core'


def test(t, root, new):
    lines = root.output('cat', '/proc/net/dev').splitlines()[2:]
    t.result('the root has no network', [line.split(':')[0].strip()
                                         for line in lines] == ['lo'], lines)
    t.result(f'the root has no {EMULATOR}',
             root.run('sh', '-c', f'command -v {EMULATOR}')[0])
    (root.top / 'new.rpm').write_bytes(new.read_bytes())
    status, said = root.run('rpm', '--install', '--nodeps', '/new.rpm')
    t.result('rpm installs it', not status, said.splitlines())
    status, said = root.run('rpm', '--query', '--list', NAME)
    t.result(f'it is {NAME}, and has {EMULATOR}', not status and
             f'/usr/bin/{EMULATOR}' in said.splitlines(), said.splitlines())
    root.load_streams(t)
    status, said = root.run('rpm', '--erase', NAME)
    t.result('rpm takes it away again', not status and
             root.run('sh', '-c', f'command -v {EMULATOR}')[0], said.splitlines())


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--base', default='debian/bookworm')
    p.add_argument('--qemu', help='the tree of which it was built')
    p.add_argument('--root', help=argparse.SUPPRESS)    # for clean_root.test_in
    p.add_argument('--new', type=Path, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.root:
        with clean_root.Root(args.root) as root:
            t = clean_root.Tap()
            test(t, root, args.new)
            return t.plan()
    new = clean_root.one_package(Place(args.base, args.qemu), 'rpm', args.base)
    return clean_root.test_in(packages.machine()[1], INSTALLED, __file__, '--new', new)


if __name__ == '__main__':
    guarded(main)
