#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/build/build.py and check.py, as far as they need no QEMU."""

import contextlib
import errno
import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from tempfile import mkdtemp
from unittest import mock

import tap

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = map(str, (PROJECT / 'scripts').glob('*/'))
sys.dont_write_bytecode = True
import build                               # noqa: E402
import check                               # noqa: E402
from process import PlainError, finish, guarded            # noqa: E402
from repository import Repository, files_below              # noqa: E402


class Names(unittest.TestCase):

    def test_refused(self):
        """an unknown base, or a tree that is not QEMU's, is refused before anything is made"""
        before = set((PROJECT / 'build').glob('*'))
        for base, tree, message in (
                ('debian/typo', None, "no base 'debian/typo' in series/bases.toml; there are "),
                (None, '/nonexistent', '/nonexistent is not a QEMU source tree'),
                (None, PROJECT, f'{PROJECT} is not a QEMU source tree')):
            with self.assertRaisesRegex(PlainError, message):
                build.Place(base, tree)
        self.assertEqual(set((PROJECT / 'build').glob('*')), before)


class Source(unittest.TestCase):
    """check_source(), on trees with only what it looks at"""

    def setUp(self):
        self.tree = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.tree)
        self.have('meson.build', 'target/ppc/cpu.h')
        (self.tree / 'VERSION').write_text('6.2.0\n')

    def have(self, *paths, text='x\n'):
        for path in paths:
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path).write_text(text)

    def message(self):
        with self.assertRaises(build.BuildError) as e:
            build.Place(None, self.tree).check_source()
        return str(e.exception)

    def test_submodules(self):
        """empty submodules that the build needs are named, with the command; others are not asked for"""
        self.have('.gitmodules', text=''.join(
            f'[submodule "{p}"]\n\tpath = {p}\n' for p in ('roms/SLOF', 'ui/keycodemapdb', 'tests/fp/berkeley-softfloat-3')))
        (self.tree / 'ui/keycodemapdb').mkdir(parents=True)     # as git leaves it
        self.assertIn(f'git -C {self.tree} submodule update --init ui/keycodemapdb tests/fp/berkeley-softfloat-3',
                      self.message())
        self.have('ui/keycodemapdb/README')
        self.assertTrue(self.message().endswith('--init tests/fp/berkeley-softfloat-3'), self.message())
        self.have('tests/fp/berkeley-softfloat-3/README')
        build.Place(None, self.tree).check_source()

    def test_subprojects(self):
        """so are subprojects that only have a wrap, and a meson that is too old"""
        self.have('subprojects/keycodemapdb.wrap', 'subprojects/dtc.wrap')
        self.have('pythondeps.toml', text='[meson]\nmeson = { accepted = ">=99.1" }\n')
        self.assertIn(f'meson subprojects download --sourcedir {self.tree} keycodemapdb\n', self.message())
        self.assertIn('\n  meson >=99.1; this machine has ', self.message())
        self.have('subprojects/keycodemapdb/meson.build', 'python/wheels/meson-99.2-py3-none-any.whl')
        build.Place(None, self.tree).check_source()

    def test_old(self):
        """what is older than 5.2 is to be built by hand"""
        (self.tree / 'meson.build').unlink()
        self.assertIn('is older than 5.2', self.message())


class Trees(unittest.TestCase):
    """A repository, of a small tree and one commit on it, and what is checked out"""

    def setUp(self):
        self.tmp = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.tmp)
        self.source, self.tree, self.git = (self.tmp / n for n in ('source', 'tree', 'git'))
        self.write(**{'d/one.c': 'one\n', 'd/same.c': 'same\n', 'gone/file': 'x\n', 'turns': 'x\n',
                      'back/file': 'x\n', 'run.sh': 'x\n', '.gitignore': '*.c\n'})
        (self.source / 'link').symlink_to('d')
        self.patched = {'d/one.c': ('100644', 'two\n'), 'd/new.c': ('100644', 'new\n')}
        self.wanted = {'d/one.c': 'two\n', 'd/new.c': 'new\n', 'd/same.c': 'same\n', 'gone/file': 'x\n', 'turns': 'x\n',
                       'back/file': 'x\n', 'run.sh': 'x\n', '.gitignore': '*.c\n', 'link': '-> d'}

    def write(self, **files):
        for name, text in files.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def made(self, revision='series'):
        """Makes the tree, which is to be what is wanted; returns the files that were written."""
        before, source = self.times(), self.files(self.source)
        repo = Repository(self.git, PROJECT)
        repo.commit([('series', 'x\n', self.patched)],
                    dict.fromkeys(('base', 'series'), repo.take(self.source, files_below(self.source), 'x')))
        with contextlib.redirect_stderr(io.StringIO()):
            repo.check_out(revision, self.tree)
        found = {n: f'-> {f.readlink()}' if f.is_symlink() else f.read_text() for n, f in self.files(self.tree)}
        self.assertEqual(found, self.wanted)
        self.assertEqual({p.name for p in self.tmp.iterdir()}, {'source', 'git', 'tree'})
        self.assertEqual(self.files(self.source), source)
        self.assertEqual(repo.changed(), sorted(self.patched))
        return {n for n, t in self.times().items() if before.get(n) != t}

    @staticmethod
    def files(top):
        return [(str(f.relative_to(top)), f) for f in top.rglob('*') if f.is_symlink() or not f.is_dir()]

    def times(self):
        return {n: f.lstat().st_mtime_ns for n, f in self.files(self.tree)}

    def test_source_changes(self):
        """what changes in the source, comes or goes is brought over; the rest keeps its time"""
        self.made()
        self.assertEqual(self.made(), set())

        self.write(**{'d/same.c': 'SAME\n', 'new/file': 'y\n', 'back/file': 'x\n'})
        os.utime(self.source / 'd/same.c', (9e8, 9e8))      # as of an older release
        shutil.rmtree(self.source / 'gone')
        (self.source / 'turns').unlink()
        self.write(**{'turns/into': 'a directory\n'})
        (self.source / 'link').unlink()
        (self.source / 'link').symlink_to('new')
        self.wanted |= {'d/same.c': 'SAME\n', 'new/file': 'y\n', 'turns/into': 'a directory\n', 'link': '-> new'}
        del self.wanted['gone/file'], self.wanted['turns']
        begun = time.time_ns() - 10 ** 9
        self.assertEqual(self.made(), {'d/same.c', 'new/file', 'turns/into', 'link'})
        self.assertGreater(self.times()['d/same.c'], begun)
        self.assertFalse((self.tree / 'gone').exists())

        shutil.rmtree(self.source / 'turns')
        self.write(turns='x\n')
        (self.source / 'run.sh').chmod(0o755)
        del self.wanted['turns/into']
        self.wanted['turns'] = 'x\n'
        self.assertEqual(self.made(), {'turns', 'run.sh'})
        self.assertTrue(os.access(self.tree / 'run.sh', os.X_OK))
        self.assertEqual(self.made(), set())

    def test_patches_change(self):
        """what patches changed is put back when they do not any more"""
        self.made()
        (self.tree / 'd/one.c').write_text('stale\n')
        self.assertEqual(self.made(), {'d/one.c'})
        self.wanted['d/one.c'] = 'one\n'
        new = self.wanted.pop('d/new.c')
        self.assertEqual(self.made('base'), {'d/one.c'})
        self.wanted |= {'d/one.c': 'two\n', 'd/new.c': new}
        self.patched['e/f'], self.wanted['e/f'] = ('100644', 'more\n'), 'more\n'
        self.assertEqual(self.made(), {'d/one.c', 'd/new.c', 'e/f'})

    def test_diffs(self):
        """patches on top of a commit; only what they change is written"""
        self.made()
        diff = self.source / 'diff'
        diff.write_text('--- a/d/one.c\n+++ b/d/one.c\n@@ -1 +1 @@\n-two\n+three\n')
        repo, before = Repository(self.git, PROJECT), self.times()
        repo.check_out(repo.with_patches('series', [diff]), self.tree)
        self.assertEqual((self.tree / 'd/one.c').read_text(), 'three\n')
        self.assertEqual({n for n, t in self.times().items() if before[n] != t}, {'d/one.c'})
        with self.assertRaisesRegex(PlainError, 'git apply failed: .*d/one.c'):
            repo.with_patches('series', [diff, diff])

    def test_mails(self):
        """git am of the mails makes the branch again, or it is said what else"""
        self.made()
        repo, am = Repository(self.git, PROJECT), self.tmp / 'am'
        mail = self.tmp / 'source/mail'
        mail.write_bytes(repo.git('format-patch', '--stdout', 'base..series'))
        self.assertIsNone(repo.am_problem('series', [mail], am))
        self.assertRegex(repo.am_problem('base', [mail], am), r'(?s)another text:.* d/one.c .* 2 files changed')
        mail.write_text(mail.read_text().replace('-one', '-two'))
        self.assertRegex(repo.am_problem('series', [mail], am), r'\Agit am failed: .*d/one.c')
        self.assertFalse(am.exists())

    def test_built(self):
        """what is built in the source stays there, and what is built in the copy stays, too; a submodule is files"""
        self.write(**{'build/build.ninja': 'x\n', 'build/large.o': 'x\n', '.git/config': 'x\n', 'sub/file': 'x\n'})
        subprocess.run(['git', 'init', '-q', self.source / 'sub'], check=True)
        self.wanted['sub/file'] = 'x\n'
        self.made()
        (self.tree / 'gone/made').write_text('x\n')
        shutil.rmtree(self.source / 'gone')
        del self.wanted['gone/file']
        self.wanted['gone/made'] = 'x\n'
        self.made()

    def test_killed(self):
        """what a run that was killed has left does no harm: locks, and a tree that was not finished"""
        for name in 'git/base.index.lock', 'git/tree.index.lock', 'git/refs/heads/series.lock', 'tree/half':
            (self.tmp / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tmp / name).write_text('x\n')
        self.made()

    def test_full_disk(self):
        """a full disk: one message; no copy, or the one that was there, and the next run completes it"""
        def full(command, **kw):
            limit = ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh'] if 'read-tree' in command else []
            return finish([*limit, *command], **kw)
        for there in False, True:
            with mock.patch('repository.finish', full), self.assertRaisesRegex(PlainError, r'\Agit read-tree failed: .*\Z'):
                self.made()
            self.assertEqual(self.tree.exists(), there)
            self.made()
            self.write(**{'d/same.c': 'SAME\n'})
            self.wanted['d/same.c'] = 'SAME\n'

    def test_copytree(self):
        """where copying fails for each file, the first is enough"""
        full = mock.Mock(side_effect=OSError(errno.ENOSPC, 'No space left on device'))
        with self.assertRaises(SystemExit) as e:
            guarded(lambda: shutil.copytree(self.source, self.tree, copy_function=full))
        self.assertGreater(full.call_count, 1)
        self.assertRegex(e.exception.code, r'\A[^\n]*: \[Errno 28\] No space left on device\Z')


class Children(unittest.TestCase):
    WAIT = 'while [ ! -e go ]; do sleep 0.05; done; touch end'

    def setUp(self):
        self.tmp = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.tmp)

    def started(self, body):
        """A program that has sh -c BODY run as a build runs things, in a place that is locked, and is in the middle of it."""
        p = subprocess.Popen([sys.executable, '-c', f'''
import sys; sys.path.insert(0, {str(PROJECT / "scripts/build")!r})
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

    def wait_for_lock(self):
        """Waits until all that had the lock have ended."""
        with open(self.tmp / 'lock') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def test_stopped(self):
        """SIGTERM stops what was started, and what that has started"""
        p = self.started(f'({self.WAIT}) & wait')
        self.assertFalse(self.free())
        p.terminate()
        self.assertEqual(p.wait(60), 128 + signal.SIGTERM)
        (self.tmp / 'go').touch()
        self.wait_for_lock()
        self.assertFalse((self.tmp / 'end').exists())

    def test_killed(self):
        """SIGKILL: what goes on working keeps the lock until it ends"""
        p = self.started(self.WAIT)
        p.kill()
        p.wait()
        self.assertFalse(self.free())
        (self.tmp / 'go').touch()
        self.wait_for_lock()
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

    def test_plan(self):
        """no plan, a plan of none, more or fewer tests than planned: a failure each"""
        for out, sums in (('1..1\nok 1 - x\n', (1, 0, 0)), ('1..0 # SKIP no x\n', (0, 0, 1)),
                          ('ok 1 - x\n1..1\n', (1, 0, 0)), ('ok 1 - x\n', (1, 1, 0)), ('', (0, 1, 0)),
                          ('1..0\n', (0, 1, 0)), ('1..2\nok 1 - x\n', (1, 1, 0)), ('1..0\nok 1 - x\n', (1, 1, 0))):
            with self.subTest(out), mock.patch.dict('os.environ'):
                os.environ.pop('CI', None)
                self.assertEqual(self.counted(out, '', 0)[0], sums)

    def test_seed(self):
        """the seed is shown where a test failed"""
        self.assertEqual(self.counted('1..1\n# seed 7\nok 1 - x\n', '', 0)[1], '1 passed\n')
        self.assertEqual(self.counted('1..1\n# seed 7\nnot ok 1 - x\n# y\n', '', 1)[1],
                         '0 passed, 1 failed\n    # seed 7\n    not ok 1 - x\n    # y\n')

    def test_end(self):
        """what ends the tests early is in the sum, which is the last line"""
        tally, shown = check.Tally(), io.StringIO()
        with contextlib.redirect_stdout(shown), self.assertRaises(build.BuildError), tally.to_the_end():
            tally.count('1..1\nok 1 - x\n', '', 0)
            raise build.BuildError('no disk')
        self.assertEqual(shown.getvalue(), '1 passed\nended early\n1 passed, 1 failed\n')


if __name__ == '__main__':
    tap.main()
