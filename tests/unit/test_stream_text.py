#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of streams as text: what the series carries is what was recorded, and
the guest that ran."""

import lzma
import struct
import sys
import unittest
from pathlib import Path

import tap

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / 'migration-compat'))
sys.dont_write_bytecode = True
import harness                              # noqa: E402
import stream_text                          # noqa: E402


class StreamText(unittest.TestCase):

    def test_lines(self):
        """each kind of line stands for its bytes"""
        self.assertEqual(stream_text.decode(['x 5145ff', '0 3', 'p 2022 1000 2']),
                         b'QE\xff' + bytes(3) +
                         struct.pack('>QBQB', 0x2022, 0, 0x3022, 0))

    def test_there_and_back(self):
        """what is encoded can be decoded, at any length"""
        data = b'abc' + bytes(40) + b''.join(
            struct.pack('>QB', 0x22 + n * 0x1000, 0) for n in range(9)) + b'\1' + bytes(11)
        for n in range(len(data)):
            self.assertEqual(stream_text.decode(stream_text.encode(data[:n])), data[:n])

    def test_carried(self):
        """the texts in tests/qtest are the recorded streams"""
        texts = sorted((TESTS / 'qtest/ppc-insns-streams').glob('qemu-*.h.inc'))
        self.assertEqual(len(texts), 2)
        for text in texts:
            name = text.name.removesuffix('.h.inc') + '.stream.xz'
            with lzma.open(TESTS / 'migration-compat/streams' / name) as f:
                self.assertEqual(stream_text.decode(stream_text.read_text(text)), f.read())

    def test_guest(self):
        """the text of the guest is what guest.S is assembled to"""
        self.assertEqual(
            stream_text.decode(stream_text.read_text(
                TESTS / 'qtest/ppc-insns-streams/guest.h.inc')),
            (Path(harness.firmware()) / 'guest.bin').read_bytes())


if __name__ == '__main__':
    tap.main()
