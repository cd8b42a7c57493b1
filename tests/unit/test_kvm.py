#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/check/kvm.py, with programs of our own in place of QEMU and readelf."""

import contextlib
import io
import os
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import tap

sys.path[:0] = map(str, (Path(__file__).resolve().parents[2] / 'scripts').glob('*/'))
import build  # noqa: E402  (found through the line above)
import kvm  # noqa: E402

SEES = 'import sys; print(*sys.argv[1:], sep="\\n"); '


class Case(unittest.TestCase):
    """A lab below a temporary directory, with a kernel and a program as QEMU."""

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.top = Path(tmp.name)
        self.lab = kvm.Lab(SimpleNamespace(dir=self.top, base=None))
        self.lab.share.mkdir(parents=True)
        self.kernel('vmlinux-1')

    def kernel(self, name):
        boot = self.lab.kernel / 'boot'
        boot.mkdir(parents=True, exist_ok=True)
        (boot / name).write_text('')

    def program(self, python):
        """Puts a Python program in the place of QEMU."""
        path = self.top / kvm.EMULATOR
        path.write_text(f'#!{sys.executable}\n{python}\n')
        path.chmod(0o755)
        patch = mock.patch.dict(os.environ, PATH=f'{self.top}:{os.environ["PATH"]}')
        patch.start()
        self.addCleanup(patch.stop)


class Boot(Case):
    """a host that is booted"""

    def test_lines(self):
        """its lines come as they are, and are in its log"""
        self.program('print("ok 1 - a\\r\\nend", end="")')
        self.assertEqual(list(self.lab.boot('power8')), ['ok 1 - a', 'end'])
        self.assertEqual((self.lab.dir / 'power8.log').read_text(), 'ok 1 - a\nend')

    def test_options(self):
        """each host has its machine, CPU and kernel; the tests get the pattern"""
        self.program(SEES)
        for name, host in kvm.HOSTS.items():
            with self.subTest(name):
                said = list(self.lab.boot(name, "a|b 'c'"))
                for option in ('-M', host.machine), ('-cpu', host.cpu), (
                        '-kernel', str(self.lab.kernel / 'boot/vmlinux-1')):
                    self.assertEqual(said[said.index(option[0]) + 1], option[1])
                command = (self.lab.share / 'command').read_text()
                self.assertIn(f'--host {name} -k \'a|b \'"\'"\'c\'"\'"\'\'', command)

    def test_limit(self):
        """it ends when its time is over"""
        self.program('import time; print("ok 1 - a", flush=True); time.sleep(60)')
        with mock.patch.object(kvm, 'LIMIT', 0.5):
            self.assertEqual(list(self.lab.boot('power8')), ['ok 1 - a'])

    def test_kernels(self):
        """a directory with two kernels, or none, is refused"""
        self.kernel('vmlinux-2')
        with self.assertRaisesRegex(build.BuildError, 'has 2 files vmlinux'):
            list(self.lab.boot('power8'))
        for path in (self.lab.kernel / 'boot').iterdir():
            path.unlink()
        with self.assertRaisesRegex(build.BuildError, 'has 0 files vmlinux'):
            list(self.lab.boot('power8'))


class Check(Case):
    """what the tests on the hosts come to"""

    def counted(self, python):
        self.program(python)
        tally = mock.Mock()
        with mock.patch.object(kvm.Lab, 'set_up'), \
                contextlib.redirect_stdout(io.StringIO()):
            kvm.check(tally, SimpleNamespace(dir=self.top, base=None),
                      ['--host', 'power8'])
        return tally.count.call_args.args

    def test_status(self):
        """their status is that of the tests"""
        for status in 0, 1:
            with self.subTest(status):
                said = f'1..1\\nok 1 - a\\n# ended with status {status}'
                out, _, got, _ = self.counted(f'print("{said}")')
                self.assertEqual((out.splitlines()[:2], got),
                                 (['1..1', 'ok 1 - a'], status))

    def test_crash(self):
        """a host that does not come to its end is a failure"""
        self.assertEqual(self.counted('print("1..1\\nok 1 - a")')[2], 1)


class Libraries(Case):
    """the libraries of a program"""

    def test_closure(self):
        """all that it needs, directly or not, and the loader"""
        needed = {'prog': 'interpreter: /lib64/ld64.so.2]\n(NEEDED) [liba.so]',
                  'liba.so': '(NEEDED) [libb.so]', 'libb.so': '(NEEDED) [liba.so]',
                  'ld64.so.2': ''}
        where = self.lab.root / kvm.LIBRARIES[0]
        where.mkdir(parents=True)
        for name in needed:
            (where / name).write_bytes(b'\x7fELF')
        with mock.patch.object(kvm, 'run', lambda c: needed[Path(c[-1]).name]):
            files = {}
            self.lab.add_libraries(files, where / 'prog')
        self.assertEqual(sorted(files), ['lib/powerpc64le-linux-gnu/liba.so',
                                         'lib/powerpc64le-linux-gnu/libb.so',
                                         'lib64/ld64.so.2'])

    def test_missing(self):
        """one that no package has is an error that names it and its user"""
        (self.top / 'prog').write_bytes(b'\x7fELF')
        with mock.patch.object(kvm, 'run', lambda _: '(NEEDED) [liba.so]'), \
                self.assertRaisesRegex(build.BuildError, 'prog needs liba.so'):
            self.lab.add_libraries({}, self.top / 'prog')


if __name__ == '__main__':
    tap.main()
