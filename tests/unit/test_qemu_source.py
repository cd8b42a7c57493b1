#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/qemu-source.py: what a base's name means."""

import importlib.util
import sys
import unittest
from pathlib import Path

import tap

SCRIPT = Path(__file__).resolve().parents[2] / 'scripts/qemu-source.py'
sys.path.insert(0, str(SCRIPT.parent))
spec = importlib.util.spec_from_file_location('qemu_source', SCRIPT)
qs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(qs)


class Bases(unittest.TestCase):

    def test_suite(self):
        """a base's name gives the release, or says what is wrong"""
        bases = {'debian/trixie': {'suite': 'trixie'}}
        self.assertEqual(qs.suite_of('debian/trixie', 'debian', 'bookworm', bases),
                         'trixie')
        self.assertEqual(qs.suite_of('apt', 'ubuntu', 'noble', bases), 'noble')
        for base, distribution, own, message in (
                ('debian/trixie', 'ubuntu', 'noble', 'this machine runs ubuntu'),
                ('debian/sarge', 'debian', 'bookworm', "no base 'debian/sarge'"),
                ('apt', 'debian', '', 'names no release')):
            with self.assertRaisesRegex(qs.PackageError, message):
                qs.suite_of(base, distribution, own, bases)


if __name__ == '__main__':
    tap.main()
