#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/build.py and check.py, as far as they need no QEMU."""

import contextlib
import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
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


class Children(unittest.TestCase):
    WAIT = 'while [ ! -e go ]; do sleep 0.05; done; touch end'

    def setUp(self):
        self.tmp = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tmp)

    def started(self, body):
        """A program that has sh -c BODY run as a build runs things, in a place that is locked, and is in the middle of it."""
        p = subprocess.Popen([sys.executable, '-c', f'''
import sys; sys.path.insert(0, {str(PROJECT / "scripts")!r})
from pathlib import Path
import build
def main():
    place = build.Place('apt', None)
    place.dir = Path({str(self.tmp)!r})
    with place.locked():
        build.run(['sh', '-c', {f"touch begun; {body}"!r}], cwd=place.dir)
build.guarded(main)'''], env=os.environ | {'PYTHONDONTWRITEBYTECODE': '1'})
        self.addCleanup(p.kill)
        while not (self.tmp / 'begun').exists() and p.poll() is None:
            time.sleep(0.02)
        return p

    def free(self):
        """Whether nobody has the lock."""
        with open(self.tmp / 'lock') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def test_stopped(self):
        """SIGTERM stops what was started, and what that has started"""
        p = self.started(f'({self.WAIT}) & wait')
        self.assertFalse(self.free())
        p.terminate()
        self.assertEqual(p.wait(60), 128 + signal.SIGTERM)
        self.assertTrue(self.free())
        (self.tmp / 'go').touch()
        time.sleep(0.5)
        self.assertFalse((self.tmp / 'end').exists())

    def test_killed(self):
        """SIGKILL: what goes on working keeps the lock until it ends"""
        p = self.started(self.WAIT)
        p.kill()
        p.wait()
        self.assertFalse(self.free())
        (self.tmp / 'go').touch()
        with open(self.tmp / 'lock') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        self.assertTrue((self.tmp / 'end').exists())

    def test_failed(self):
        """what fails says why, in its last lines, on whichever channel"""
        with self.assertRaises(build.BuildError) as e:
            build.run(['sh', '-c', 'seq 99; echo x.c:1: error >&2; exit 3'])
        self.assertRegex(str(e.exception), r'(?s)\Afailed: sh .*\n76\n77\n.*\n99\nx.c:1: error\Z')
        self.assertEqual(build.run(['sh', '-c', 'echo 1; echo 2 >&2']), '1\n')
        with self.assertRaisesRegex(build.BuildError, 'no-such-tool is missing'):
            build.run(['no-such-tool'])


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
