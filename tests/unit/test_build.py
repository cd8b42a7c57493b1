#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/build.py and check.py, as far as they need no QEMU."""

import contextlib
import io
import sys
import unittest
from pathlib import Path

import tap

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / 'scripts'))
sys.dont_write_bytecode = True
import build                               # noqa: E402
import check                               # noqa: E402
from mails import PlainError               # noqa: E402


class Names(unittest.TestCase):

    def test_refused(self):
        """what is no base, or no tree of QEMU's, is refused before anything is made"""
        before = set((PROJECT / 'build').glob('*'))
        for base, tree, message in (
                ('debian/typo', None, "no base 'debian/typo' in series/bases.toml; there are "),
                (None, '/nonexistent', '/nonexistent is not a QEMU source tree'),
                (None, PROJECT, f'{PROJECT} is not a QEMU source tree')):
            with self.assertRaisesRegex(PlainError, message):
                build.Place(base, tree)
        self.assertEqual(set((PROJECT / 'build').glob('*')), before)


class Tally(unittest.TestCase):

    def counted(self, *args, **kw):
        """(passed, failed, skipped) of one test program, and what is shown."""
        tally, shown = check.Tally(), io.StringIO()
        with contextlib.redirect_stdout(shown):
            tally.count(*args, **kw)
        return (tally.passed, tally.failed, tally.skipped), shown.getvalue()

    def test_end(self):
        """what ends the tests early is in the sum, which is the last line"""
        tally, shown = check.Tally(), io.StringIO()
        with contextlib.redirect_stdout(shown), self.assertRaises(build.BuildError), tally.to_the_end():
            tally.count('1..1\nok 1 - x\n', '', 0)
            raise build.BuildError('no disk')
        self.assertEqual(shown.getvalue(), '1 passed\n1 passed, 1 failed\n')


if __name__ == '__main__':
    tap.main()
