#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of tests/linux that need no QEMU: how its guest is made, and how it is judged."""

import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

import tap

LINUX = Path(__file__).resolve().parents[1] / 'linux'
sys.path.insert(0, str(LINUX))
import guest  # noqa: E402  (found through the line above)

spec = importlib.util.spec_from_file_location('moves', LINUX / 'test_linux.py')
moves = importlib.util.module_from_spec(spec)
spec.loader.exec_module(moves)


class Guest(unittest.TestCase):
    """the guest's modules and its initramfs"""

    def order(self, wanted, builtin='', **depends):
        with tempfile.TemporaryDirectory() as tmp:
            top = Path(tmp)
            (top / 'modules.builtin').write_text(builtin)
            for name, others in depends.items():
                (top / f'{name}.ko').write_bytes(
                    b'\0license=GPL\0depends=' + others.encode() + b'\0name=x\0')
            return [p.name for p in guest.modules_in_order(top, wanted)]

    def test_order(self):
        """a module comes after what it needs, and once"""
        found = self.order(['net', 'blk'], net='pci,ring', blk='ring', pci='ring', ring='')
        self.assertEqual(found, ['ring.ko', 'pci.ko', 'net.ko', 'blk.ko'])

    def test_builtin(self):
        """what is built in, or spelled with a hyphen, is found"""
        self.assertEqual(self.order(['virtio-x', 'core'], 'kernel/lib/core.ko\n', virtio_x='core'),
                         ['virtio_x.ko'])

    def test_missing(self):
        """a module that the kernel does not have is named"""
        with self.assertRaisesRegex(guest.GuestError, 'no module ring'):
            self.order(['blk'], blk='ring')

    def test_cpio(self):
        """the archive has the files, aligned, and an end"""
        data = guest.cpio([('bin', 0o040755, b''), ('bin/a', 0o100755, b'12345')])
        found, at = [], 0
        while at < len(data):
            self.assertEqual((data[at:at + 6], at % 4), (b'070701', 0))
            field = [int(data[n:n + 8], 16) for n in range(at + 6, at + 110, 8)]
            name = data[at + 110:at + 109 + field[11]].decode()
            at += -(-(110 + field[11]) // 4) * 4
            found.append((name, field[1], data[at:at + field[6]]))
            at += -(-field[6] // 4) * 4
        self.assertEqual(found, [('bin', 0o040755, b''), ('bin/a', 0o100755, b'12345'),
                                 ('TRAILER!!!', 0, b'')])


class Console:
    """What judge() looks at, of a QEMU that says no more."""

    ended = False

    def __init__(self, text, ended=False):
        self.text, self.ended, self.status = lambda: text, ended, 'exit status 1'

    def said(self):
        return ''


def lines(ticks=3, counts=(3, 3), word='ok', start=100.0):
    out = [f'tick {n} {word} up={start + n:.2f}\n' for n in range(1, ticks + 1)]
    for cpu, number in enumerate(counts):
        out += [f'cpu {cpu} count {n} up={start + n:.2f}\n' for n in range(number)]
    return ''.join(out)


class Judge(unittest.TestCase):
    """when a guest counts as running"""

    def verdict(self, text, before=99.5, ended=False, counters=True):
        return moves.judge(Console(text, ended), 2, 0.2, before, counters).verdict

    def test_runs(self):
        """three good ticks and three counts of each CPU"""
        self.assertEqual(self.verdict(lines()), 'runs')

    def test_lost(self):
        """no lines, or too few of one CPU, or none of it"""
        self.assertEqual(self.verdict(''), 'hangs')
        for counts in (3, 2), (3,), (0, 3):
            self.assertEqual(self.verdict(lines(counts=counts)), 'part')
        self.assertEqual(self.verdict(lines(ticks=2)), 'part')

    def test_bad(self):
        """a tick that is not ok, a stall, a lockup"""
        self.assertEqual(self.verdict(lines(word='BAD(disk)')), 'part')
        for text in ('rcu: INFO: rcu_sched self-detected stall on CPU', 'Oops: Kernel access',
                     'watchdog: BUG: soft lockup - CPU#1'):
            self.assertEqual(self.verdict(f'{lines()}[ 1.0] {text}\n'), 'part')

    def test_clock(self):
        """a clock that jumps, forward or back"""
        self.assertEqual(self.verdict(lines(start=200.0)), 'part')
        self.assertEqual(self.verdict(lines(start=90.0)), 'part')
        self.assertEqual(self.verdict(lines() + 'tick 4 ok up=100.50\n'), 'part')

    def test_ended(self):
        """QEMU has ended, whatever the guest said"""
        self.assertEqual(self.verdict(lines(), ended=True), 'crashed')

    def test_recorded(self):
        """a recorded guest may have no counters; if it has, all count"""
        self.assertEqual(self.verdict(lines(counts=()), None, counters=None), 'runs')
        self.assertEqual(self.verdict(lines(counts=(3, 1)), None, counters=None), 'part')
        self.assertEqual(self.verdict('c0 7 up=5.1\n' + lines(counts=()), None, counters=None), 'part')


class Names(unittest.TestCase):

    def test_stream_name(self):
        """a recorded stream's name says how it was started"""
        for name, *wanted in (
                ('qemu-2.6.0-pseries-2.6-POWER8-linux.stream.xz', '2.6.0', 'pseries-2.6', 'POWER8', None, None),
                ('qemu-7.2.22-pseries-7.2-POWER9-smp4-linux-io-stock-file-1-2.stream',
                 '7.2.22', 'pseries-7.2', 'POWER9', '4', None),
                ('qemu-rhev-2.6.0-28.el7-pseries-rhel7.3.0-POWER8-smp2max8-linux-busy.stream.xz',
                 'rhev-2.6.0-28.el7', 'pseries-rhel7.3.0', 'POWER8', '2', '8')):
            found = moves.STREAM_NAME.fullmatch(name)
            self.assertEqual([found[n] for n in ('release', 'machine', 'cpu', 'smp', 'max')], wanted)
            self.assertIn('linux', found['rest'])

    def test_htm(self):
        """stock QEMU needs cap-htm=off up to 2.11; the patched one never"""
        self.assertEqual(moves.machine_option('pseries-2.11', True), 'pseries-2.11,cap-htm=off')
        for machine, stock in ('pseries-2.12', True), ('pseries-2.6', False), ('pseries-2.6,cap-htm=off', True):
            self.assertEqual(moves.machine_option(machine, stock), machine)


if __name__ == '__main__':
    tap.main()
