#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/build/distribution.py: what a base's name means."""

import sys
import unittest
from pathlib import Path

import tap

sys.path[:0] = map(str, (Path(__file__).resolve().parents[2] / 'scripts').glob('*/'))
import distribution as d  # noqa: E402  (found through the line above)


class Bases(unittest.TestCase):

    def test_suite(self):
        """a base's name gives the release, or says what is wrong"""
        bases = {'debian/trixie': {'suite': 'trixie'}}
        self.assertEqual(d.suite_of('debian/trixie', 'debian', 'bookworm', bases),
                         'trixie')
        self.assertEqual(d.suite_of('apt', 'ubuntu', 'noble', bases), 'noble')
        for base, distribution, own, message in (
                ('debian/trixie', 'ubuntu', 'noble', 'this machine runs ubuntu'),
                ('debian/sarge', 'debian', 'bookworm', "no base 'debian/sarge'"),
                ('apt', 'debian', '', 'names no release')):
            with self.assertRaisesRegex(d.PackageError, message):
                d.suite_of(base, distribution, own, bases)


if __name__ == '__main__':
    tap.main()
