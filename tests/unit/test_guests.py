#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of what tests/migration-compat says of a guest, and of how it reads a
stream: guests that are lost in each way, and streams that are not whole."""

import json
import struct
import sys
import unittest
from pathlib import Path

import tap

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / 'migration-compat'))
sys.dont_write_bytecode = True
from harness import firmware, guests, moments, sections         # noqa: E402
from harness.settings import HarnessError           # noqa: E402


def line(count, dec, ipi, wake, dev=(0, 0), up=(0, 0), state='ok '):
    """A line of idle.S with two CPUs."""
    words = {'rc': (0,), 'trap': (0,), 'tb': (count * 10,), 'dec': dec, 'ipi': ipi,
             'wake': wake, 'dev': dev, 'srv': (0, 8), 'up': up}
    return f'{count:08x} {state}' + ''.join(
        f' {name} ' + ' '.join(f'{n & 0xffff:04x}' for n in numbers)
        for name, numbers in words.items()) + '\n'


def run(number, start=0, **still):
    """The reports of a guest that runs for some ticks; still: for a name, the
    CPU whose number does not move, or a function of the tick."""
    reports = []
    for n in range(number):
        words = {}
        for name in 'dec', 'ipi', 'wake':
            who = still.get(name)
            words[name] = (who(n),) * 2 if callable(who) else tuple(
                start + (0 if who == cpu else n) for cpu in range(2))
        reports.append(guests.SLEEPING.report(line(
            start + n, up=(0, 0 if 'up' in still else n // 10), **words).encode()))
    return reports


class Sleeping(unittest.TestCase):

    def judge(self, reports, smp=2):
        return guests.SLEEPING.judge(reports, smp)

    def test_line(self):
        """each number of a line is read; a part of a line is none"""
        report = guests.SLEEPING.report(line(26, (1, 2), (3, 4), (5, 6)).encode())
        self.assertEqual((report.count, report.state), (26, 'ok'))
        self.assertEqual(report.numbers['ipi'], (3, 4))
        self.assertEqual(report.numbers['srv'], (0, 8))
        whole = line(26, (1, 2), (3, 4), (5, 6))
        for text in whole[3:], whole[:30] + whole, 'x' + whole:
            self.assertIsNone(guests.SLEEPING.report(text.encode()))

    def test_busy(self):
        """a guest that rests uses little CPU time; one CPU of two that spins is seen"""
        first, *_, last = run(guests.SLEEPING.REST + 1)
        self.assertTrue(guests.SLEEPING.rested(first, last))
        self.assertFalse(guests.SLEEPING.rested(first, run(5)[-1]))
        for spinning in range(3):
            seconds = (spinning * 20 + (2 - spinning) * 3) / 1000 * guests.SLEEPING.REST
            why = guests.SLEEPING.busy(first, last, 2, seconds)
            self.assertEqual(bool(why), spinning > 0, why)

    def test_recorded_line(self):
        """a line of the recorded guests, which have fewer numbers"""
        report = guests.SLEEPING.report(
            b'0000001f BAD rc fffc trap 0000 dec 0021 ipi 0020 wake 0018 dev 0000 srv 0000\n')
        self.assertEqual((report.state, report.numbers['rc']), ('BAD', (0xfffc,)))

    def test_runs(self):
        """a guest whose numbers all move runs, also where they wrap"""
        self.assertEqual(self.judge(run(30))[0], guests.RUNS)
        self.assertEqual(self.judge(run(30, start=0xfff0))[0], guests.RUNS)

    def test_waits(self):
        """what moves too little, or on one CPU only, does not run yet"""
        self.assertEqual(self.judge([])[0], guests.WAIT)
        self.assertEqual(self.judge(run(1))[0], guests.WAIT)
        self.assertEqual(self.judge(run(8))[0], guests.WAIT)
        for name, word in guests.SLEEPING.NAMES.items():
            for cpu in range(2):
                verdict, why = self.judge(run(40, **{name: cpu}))
                self.assertEqual(verdict, guests.WAIT)
                self.assertIn(f'{word} on CPU {cpu}', why)

    def test_not_started_again(self):
        """a CPU that stopped and was not started is missed"""
        self.assertEqual(self.judge(run(30, up=0))[0], guests.WAIT)
        self.assertEqual(self.judge(run(250, up=0))[0], guests.LOST)

    def test_storm(self):
        """more IPIs than were sent are a storm"""
        self.assertEqual(self.judge(run(30, ipi=lambda n: 2 * n))[0], guests.LOST)

    def test_bad(self):
        """BAD lines do not count, and BAD for long is lost"""
        good = run(40)
        bad = [guests.SLEEPING.report(line(n, (n, n), (n, n), (n, n), state='BAD').encode())
               for n in range(200)]
        self.assertEqual(self.judge(good[:20] + bad[20:21])[0], guests.WAIT)
        self.assertEqual(self.judge(bad[:20] + good[20:])[0], guests.RUNS)
        self.assertEqual(self.judge(bad)[0], guests.LOST)

    def test_cpus(self):
        """another number of CPUs is another guest"""
        self.assertEqual(self.judge(run(30), smp=4)[0], guests.LOST)

    def test_answer(self):
        """a key that was read on any CPU is an answer"""
        a, b = (guests.SLEEPING.report(line(1, (0, 0), (0, 0), (0, 0), dev=dev).encode())
                for dev in ((0, 3), (0, 4)))
        self.assertTrue(guests.SLEEPING.answered(a, b))
        self.assertFalse(guests.SLEEPING.answered(a, a))


class Counting(unittest.TestCase):

    def test_judge(self):
        """a guest that counts runs; one that jumps, or lost a register, is lost"""
        reports = [guests.COUNTING.report(b'%08x ok     aDBVXQF\n' % n) for n in range(9)]
        bad = guests.COUNTING.report(b'00000005 BAD    aDBVXQF\n')
        self.assertEqual(guests.COUNTING.judge(reports, 1)[0], guests.RUNS)
        self.assertEqual(guests.COUNTING.judge(reports[:4], 1)[0], guests.WAIT)
        self.assertEqual(guests.COUNTING.judge(reports[:3] + reports[4:], 1)[0], guests.LOST)
        self.assertEqual(guests.COUNTING.judge(reports[:5] + [bad], 1)[0], guests.LOST)
        self.assertIsNone(guests.COUNTING.report(b'0001 ok     aDBVXQF\n'))

    def test_carried(self):
        """guest.bin, which goes to QEMU, is what guest.S is assembled to"""
        self.assertEqual((TESTS / 'data/ppc-insns/guest.bin').read_bytes(),
                         (Path(firmware()) / 'guest.bin').read_bytes())


def header(kind, number, name, instance=0, version=1):
    return struct.pack('>BIB', kind, number, len(name)) + name + \
        struct.pack('>II', instance, version)


RAM = header(1, 1, b'ram', 0, 4) + struct.pack('>QB', 0x10000 | 4, 1) + b'r' + \
    struct.pack('>Q', 0x10000) + struct.pack('>Q', 0x10) + b'\x7e\0\0\0\1'
PAGES = b'\2\0\0\0\1' + struct.pack('>QB', 0x2, 1) + b'r\0' + b''.join(
    struct.pack('>QB', n << 12 | 0x22, 0) for n in range(1, 15)) + \
    struct.pack('>Q', 0xf000 | 0x28) + b'\4' * 4096 + struct.pack('>Q', 0x10) + b'\x7e\0\0\0\1'
# what looks like a header is inside the device
DEVICE = header(4, 2, b'dev', 0, 3) + b'\4\0\0\0\3\3cpu\0\0\0\0' + \
    b'\5\7dev/sub\0\0\0\2' + b'\1\2' + b'\x7e\0\0\0\2'
TREE = json.dumps({'page_size': 4096, 'devices': [{
    'name': 'dev', 'instance_id': 0, 'version': 3,
    'fields': [{'name': 'a', 'type': 'buffer', 'size': 9},
               {'name': 's', 'size': 4, 'type': 'struct', 'array_len': 2,
                'struct': {'fields': [{'name': 'n', 'type': 'uint16', 'size': 2}]}}],
    'subsections': [{'vmsd_name': 'dev/sub', 'version': 2,
                     'fields': [{'name': 'b', 'type': 'uint8', 'size': 1, 'array_len': 2}]}],
}]}).encode()
STREAM = b'QEVM\0\0\0\3' + b'\7\0\0\0\4pser' + RAM + PAGES + DEVICE + b'\0' + \
    b'\6' + struct.pack('>I', len(TREE)) + TREE


class Stream(unittest.TestCase):

    def test_read(self):
        """sections, subsections, fields and blocks of a stream"""
        ram, dev = sections.read_sections(STREAM)
        self.assertEqual((ram.name, ram.version, ram.blocks), ('ram', 4, (('r', 0x10000),)))
        self.assertEqual((dev.name, dev.version, dev.subsections),
                         ('dev', 3, (('dev/sub', 2),)))
        self.assertEqual(dev.start, 13)
        self.assertEqual(STREAM[dev.at:dev.end], DEVICE)
        self.assertEqual(dev.value('dev/sub: b', 1), 2)

    def test_lent(self):
        """a stream without a description is read with that of another"""
        bare = STREAM[:STREAM.index(b'\6' + struct.pack('>I', len(TREE)))]
        with self.assertRaisesRegex(HarnessError, 'no description'):
            sections.read_sections(bare)
        lent = sections.read_sections(bare, sections.Layouts([STREAM]))
        self.assertEqual([part.content for part in lent],
                         [part.content for part in sections.read_sections(STREAM)])

    def test_damaged(self):
        """a stream that lacks a byte, or has one more, anywhere, is none"""
        for at in range(0, STREAM.index(TREE), 1):
            for damaged in STREAM[:at] + STREAM[at + 1:], STREAM[:at] + b'\xaa' + STREAM[at:]:
                if PAGES[30:-40].find(STREAM[at:at + 1] * 3000) >= 0 and \
                        STREAM.index(b'\4' * 4096) <= at < STREAM.index(b'\4' * 4096) + 4090:
                    break       # one place inside the page is like another
                with self.subTest(at=at), self.assertRaises(HarnessError):
                    sections.read_sections(damaged)

    def test_cut(self):
        """a stream that ends early is none"""
        end = STREAM.index(b'\6' + struct.pack('>I', len(TREE)))
        for at in *range(200), *range(end - 60, end):
            with self.subTest(at=at), self.assertRaises(HarnessError):
                sections.read_sections(STREAM[:at], sections.Layouts([STREAM]))


class Moments(unittest.TestCase):

    def test_moments(self):
        """each moment is told from a CPU at which it has not come"""
        quiet = moments.Cpu(True, 0x1300, 0x8000, moments.PECE, 1, 0, 0xff, False)

        def come(moment, **changes):
            return moments.MOMENTS[moment].come(moments.dataclasses.replace(quiet, **changes))
        for moment in moments.MOMENTS:
            self.assertFalse(come(moment), moment)
        self.assertTrue(come('device', xisr=0x1100))
        self.assertTrue(come('IPI', xisr=2))
        self.assertTrue(come('IPI', signalled=True))
        self.assertFalse(come('IPI', xisr=0x1100))
        self.assertFalse(come('displaced', xisr=0x1100))
        self.assertFalse(come('displaced', xisr=0x1100, msr=0, nip=0xa04, mfrr=4))
        self.assertTrue(come('displaced', xisr=0x1100, msr=0, nip=0xa04))
        self.assertTrue(come('stopped', lpcr=0))


if __name__ == '__main__':
    tap.main()
