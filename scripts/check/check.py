#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests, all of which write TAP, and sums up the results.

The last line is "N passed, N failed", with ", N skipped" if any were. With CI
set in the environment, a skipped test counts as failed, except for tests of
machine versions that a QEMU is known not to have, and of what a base is known
not to support.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
import fuzz
import gitlab
import kvm
import series
from build import (EMULATOR, PROJECT, PYTHON, TARGET_LIST, Place, build_tree,
                   environment, link_firmware, parser, tests_in)
from mails import patches_in
from process import BuildError, finish, guarded, run
from walk_through import WalkThrough

sys.path.append(str(PROJECT / 'tests/unit'))
from tap import Tap     # noqa: E402  (found through the line above)

MIGRATION = PROJECT / 'tests/migration-compat'
TOOL = PROJECT / 'build/core/tools/ppc-insns'
OLDER = 'debian/bookworm'       # whose own QEMU has all of pseries-2.x

# Warnings are errors; no configuration, so that it takes no more than the page.
SPHINX = [PYTHON, '-m', 'sphinx', '-q', '-W', '--keep-going', '-C']


class Failed(Exception):
    """Ends the run at the first failure, where that was asked for."""


class Tally:
    """The sum of what the tests said; first: stop where a test fails."""

    def __init__(self, first=False):
        self.passed = self.failed = self.skipped = 0
        self.first = first

    def run(self, name, command, cannot=None, **env):
        """Runs one test program and counts its results; shows what is not ok, along
        with its "# seed" lines. It is also a failure if there are more or fewer
        tests than planned, or none, or the exit status is not 0. cannot: the
        reason of skipped tests that CI does not expect to run."""
        print(f'{name}:', end=' ', flush=True)
        p = finish(command, text=True, errors='replace',
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE, env={**os.environ, **env})
        self.count(p.stdout, p.stderr, p.returncode, cannot)

    def verdicts(self, name, found, cannot=None):
        """Counts tests that are not in a test program: for each its name, what is wrong
        (if anything), and why it was skipped (if it was)."""
        print(f'{name}:', end=' ', flush=True)
        tap = Tap(io.StringIO())
        for what, wrong, *skip in found:
            tap.result(what, not wrong, str(wrong or '').splitlines(), *skip)
        status = tap.plan()
        self.count(tap.out.getvalue(), '', status, cannot)

    def count(self, out, err, status, cannot=None):
        passed, failed, skipped, excused, planned, show = 0, 0, 0, 0, None, []
        failing, seeds = False, []
        for line in out.splitlines():
            if m := re.match(r'1\.\.(\d+)(.*# SKIP)?', line):
                planned = int(m[1])
                if m[2]:        # none at all
                    skipped = planned = 1
                    show.append(line)
            elif line.startswith('ok '):
                failing = False
                if re.search(r'# SKIP', line, re.I):
                    skipped += 1
                    excused += bool(cannot and re.search(cannot, line))
                    show.append(line)
                else:
                    passed += 1
            elif line.startswith('not ok '):
                failing = True
                failed += 1
                show.append(line)
            elif line.startswith('# seed '):
                seeds.append(line)
            elif failing or line.startswith('Bail out!'):
                show.append(line)
        if not planned or planned != passed + failed + skipped or \
                status != 0 and not failed:
            failed += 1
            show += out.splitlines()[-20:] + err.splitlines()[-20:]
            show.append(f'not ok - ended with status {status}, '
                        f'{passed + skipped} of {planned} tests ok')
        if os.environ.get('CI') and skipped > excused:
            show.append('in CI, a test that was skipped counts as failed')
            failed, skipped = failed + skipped - excused, excused
        if failed:
            show = seeds + show
        print(f'{passed} passed' + (f', {failed} failed' if failed else '') +
              (f', {skipped} skipped' if skipped else ''), flush=True)
        for line in show:
            print(f'    {line}')
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if self.first and self.failed:
            raise Failed

    @contextlib.contextmanager
    def to_the_end(self):
        """Counts an interruption of the tests as one failure."""
        try:
            yield
        except Failed:
            raise
        except BaseException:
            self.failed += 1
            print('ended early')
            self.result()
            raise

    def result(self):
        print(f'{self.passed} passed, {self.failed} failed' +
              (f', {self.skipped} skipped' if self.skipped else ''))
        return 1 if self.failed or not self.passed else 0


def build_core():
    """Builds the core and the tool without QEMU, with sanitizers; returns the
    build directory."""
    core = TOOL.parents[1]
    if not (core / 'build.ninja').exists():
        shutil.rmtree(core, ignore_errors=True)
        run(['meson', 'setup', '--buildtype=debugoptimized',
             '-Db_sanitize=address,undefined', core, PROJECT])
    run(['meson', 'compile', '-C', core])
    return core


def check_unit(tally):
    """The tests that need no QEMU."""
    core = build_core()
    for test in ('test-ppc-insns-history', 'tools/test-stream',
                 'tools/test-judge', 'tools/test-rewrite',
                 'tools/test-products'):
        tally.run(f'unit: {test}, with sanitizers', [core / test, '--tap', '-k'])
    for name in fuzz.TARGETS:
        tally.run(f'unit: fuzz-{name}, what it once found',
                  [core / f'tests/fuzz/replay-{name}',
                   *sorted((PROJECT / 'tests/fuzz/found' / name).iterdir())])
    for test in sorted((PROJECT / 'tests/unit').glob('test_*.py')):
        tally.run(f'unit: {test.stem[5:]}', [sys.executable, test])


def check_fuzz(tally, seconds=30, seed=1):
    """Runs each fuzz target for a short while, from the recorded streams. It makes
    the same choices each time, so a new failure is due to a change; "make fuzz"
    explores."""
    fuzz.build()
    for target in fuzz.TARGETS:
        tried, problem = fuzz.fuzz(target, seconds, seed=seed)
        tally.verdicts(f'fuzz-{target}, seed {seed}', [
            (f'{tried} inputs', problem or not tried and 'none was tried')])


def check_faults(tally, place, long=False):
    """Killed at random moments, a full disk, silent mirrors."""
    tree = ['--base', place.base, '--tree', place.source] if place.base else []
    tally.run('faults' + ', at length' * long, [
        sys.executable, PROJECT / 'tests/faults/test_faults.py', '--tool', TOOL,
        *tree, *['--long'] * long])


def complaints(tree, patch):
    """What the tree's checkpatch.pl says of a patch."""
    p = subprocess.run(
        ['perl', tree / 'scripts/checkpatch.pl', '--no-signoff', patch],
        cwd=tree, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    # 10.0's asks this of binary files, too
    said = re.sub(r"(?m)^WARNING: Does new file '\S+\.(bin|xz)' need 'SPDX.*\n", '', p.stdout)
    # the series has its entry for MAINTAINERS in its last patch
    found = [block for block in said.split('\n\n')
             if re.match(r'(ERROR|WARNING)', block)
             and 'added, moved or deleted file' not in block]
    if not re.search(r'^total: \d+ errors', p.stdout, re.M):
        found.append(f'checkpatch.pl came to no end: {p.stdout[-500:]}')
    return found


def check_patches(tally, tree, patches):
    """checkpatch.pl of the tree on each patch."""
    tally.verdicts('series, checkpatch.pl', [
        (patch.name, '\n'.join(complaints(tree, patch))) for patch in patches])


def objects(place):
    """C file -> its object files, for C files that the series touches; none if the
    build has not been configured."""
    found = {name: set() for name in place.repository.changed() if name.endswith('.c')}
    commands = place.bin / 'compile_commands.json'
    for row in json.loads(commands.read_text()) if commands.exists() else []:
        for name in found:
            if row['file'].endswith(f'/{name}'):
                found[name].add(row['output'])
    return found


def check_warnings(tally, place):
    """The compiler gave no warning for the files that the series touches, in a build
    that was just made."""
    log = (place.bin / 'build.log').read_text(errors='replace')
    built = set(re.findall(r'Compiling C object (\S+)', log))
    touched = tuple(place.repository.changed())
    found = [f'{name} was not compiled' for name, made in objects(place).items()
             if not made & built]
    found += [line for line in log.splitlines()
              if (m := re.match(r'(\S+?):\d+:.* warning:', line))
              and m[1].endswith(touched)]
    tally.verdicts('series, compiler warnings', [('none', '\n'.join(found))])


def check_docs(tally, tree):
    """What no compiler notices: the pages and files can be found, and Sphinx does
    not complain about the pages."""
    out = []
    for name in 'ppc-insns-compat', 'pseries-migration':
        page, = (tree / 'docs').rglob(f'{name}.rst')
        with tempfile.TemporaryDirectory() as top:
            shutil.copy(page, top)
            sphinx = subprocess.run(
                [*SPHINX, '-D', f'master_doc={name}', top, f'{top}/out'],
                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out.append((f'Sphinx takes {name}', sphinx.returncode and sphinx.stdout))
        listed = any(name in text.read_text().replace('/', ' ').split()
                     for where in (page.parent, page.parent.parent)
                     for text in where.glob('*.rst') if text != page)
        out.append((f'an index has {page.relative_to(tree)}', not listed))
    found = subprocess.run(
        ['perl', 'scripts/get_maintainer.pl', '--no-git', '--no-git-fallback',
         '--sections', '-f', 'target/ppc/insns-history.c'], cwd=tree, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    title = (PROJECT / 'MAINTAINERS').read_text().splitlines()[0]
    out.append(('MAINTAINERS has the files', title not in found))
    tally.verdicts('series, docs and MAINTAINERS', out)


def check_deb_src(tally, place):
    """The source package with the series: it unpacks, quilt takes all of its
    patches, and then it is the tree that was tested."""
    if not place.base:
        return      # a tree has no package
    dsc, tree = place.make_deb_src(), place.dir / 'unpacked'
    shutil.rmtree(tree, ignore_errors=True)
    run(['dpkg-source', '--no-check', '--no-copy', '--skip-patches', '-x', dsc,
         tree])
    push = subprocess.run(
        ['quilt', '--quiltrc=-', 'push', '-a', '--fuzz=0'], cwd=tree, text=True,
        env={**os.environ, 'QUILT_PATCHES': 'debian/patches'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ours = push.stdout.partition('insns-compat-')[2]    # one after the other
    bad = [path for path in place.repository.changed()
           if not path.startswith('tests/data/') and (     # for git alone
               not (tree / path).is_file() or
               (tree / path).read_bytes() != (place.patched / path).read_bytes())]
    shutil.rmtree(tree)
    fits = not push.returncode and ours and 'Hunk' not in ours
    tally.verdicts(f'series, {dsc.name}', [
        ('quilt takes all patches, ours where they say', not fits and push.stdout),
        ('that is the tested tree', ' '.join(bad))])


def check_built(tally, tree, out, tests=None, **env):
    """The tests of the series that the tree has, in the QEMU built of it."""
    cannot = r'this QEMU does not have what it is about'
    if not has_streams(tree):
        cannot += r'|this QEMU has no pseries-2\.\d'
    for test in tests or tests_in(tree):
        tally.run(f'{tree.name} QEMU, {test}',
                  ['env', '-C', out, out / test, '--tap', '-k'],    # for its data
                  cannot, QTEST_QEMU_BINARY=str(out / EMULATOR), **env)


def check_walk_through(tally, place):
    """Follows docs/devel on how to add a group, on a copy of the tree."""
    walk = WalkThrough(place)
    tally.verdicts('walk-through', walk.follow())
    # the unit test knows what later releases really had
    check_built(tally, walk.tree, walk.bin, tests_in(walk.tree)[1:])
    if not has_streams(walk.tree):
        return
    tally.run('walk-through, what it sends', [
        sys.executable, MIGRATION / 'test_wire.py', '--qemu', walk.qemu,
        '--stock', place.stock, '-k', '^(again|fresh.*POWER8 )'])


def has_streams(tree):
    """Whether the series has its tests of recorded streams there."""
    return any(t.endswith('ppc-insns-migration-test') for t in tests_in(tree))


def has_old_machines(place):
    """Whether the series brings machine versions back there."""
    return (place.patched / 'hw/ppc/spapr_old_machines.c').exists()


def check_migration(tally, place, brief):
    """Recorded streams, what is sent, live migration, against stock."""
    qemu, stock = ('--qemu', place.qemu), ('--stock', place.stock)
    tests = [('recorded streams into the patched QEMU', 'test_forward.py', *qemu)]
    wire, live = (('-k', '^(again|onward|back)') if brief else ('--tool', TOOL)), ()
    if not has_streams(place.patched):
        print('left out: recorded streams, and all of pseries-2.x, which this QEMU '
              'does not have')
        tests, wire, live = [], ('-k', '^sent'), ('-k', r'pseries-([3-9]|\d\d)\.')
    pairs = [(place.stock, live)]
    if has_old_machines(place):     # which the base's own QEMU does not have
        older = Place(OLDER, None)
        with older.locked():
            older.get_stock()
        tests.append(('what the patched QEMU sends of old machines', 'test_wire.py',
                      *qemu, '--stock', older.stock, '-k', r'^(?!stock: pseries-[^2]|sent)',
                      *wire))
        wire = '-k', '^sent'        # stock: see test_own_machines.py
        pairs = [(older.stock, ('-k', r'pseries-2\.')),
                 (place.stock, ('-k', r'pseries-([3-9]|\d\d)\.'))]
    tests.append(('what the patched QEMU sends', 'test_wire.py', *qemu, *stock, *wire))
    if not brief:
        tests.append(('snapshots, loaded one after the other', 'test_snapshot.py',
                      *qemu, *live))
        for other, live in pairs:
            pair = '--a', place.qemu, '--b', other
            tests += [('live, patched and stock, both ways', 'test_live.py', *pair,
                       *live),
                      ('memory, sent while the guest writes to it', 'test_memory.py',
                       *pair, *live),
                      ('around and around', 'soak.py', *pair, '--rounds', '20',
                       *live)]
    with tempfile.NamedTemporaryFile() as file:
        status = subprocess.run([place.stock, '-M', 'none', '-dump-vmstate', file.name],
                                stderr=subprocess.DEVNULL).returncode
    states = "QEMU's own comparison of states"
    if status:
        known = series.load_bases(PROJECT)['bases'].get(place.base, {})
        tally.verdicts(f'migration: {states}', [
            ('all', None, f'-dump-vmstate of {place.stock} ends with status {status}')],
            None if known.get('dumps_vmstate', True) else 'dump-vmstate')
    else:
        tests.append((states, 'test_vmstate.py', *qemu, *stock, '--checker',
                      place.patched / 'scripts/vmstate-static-checker.py'))
    if has_old_machines(place):
        tests.append(("QEMU's own machine versions, unchanged",
                      'test_own_machines.py', *qemu, '--other', place.stock, '--stock'))
    for name, test, *options in tests:
        tally.run(f'migration: {name}',
                  [sys.executable, MIGRATION / test, *options])


def check_base(place, tally, brief=False):
    """Builds and tests the series on one base. brief: without tests that take long
    or that ran on another base already."""
    build_core()
    for made in objects(place).values():    # so that warnings appear again
        for name in made:
            (place.bin / name).unlink(missing_ok=True)
    place.build()
    check_warnings(tally, place)
    check_docs(tally, place.patched)
    check_built(tally, place.patched, place.bin,
                QTEST_PPC_INSNS_STREAMS=str(MIGRATION / 'streams'))
    check_migration(tally, place, brief)
    check_patches(tally, place.patched, place.make_series(quiet=True))
    if not brief:
        if (place.source / 'VERSION').read_text().startswith('7.2'):
            tally.run('ppc-insns check, and what QEMU does', [
                sys.executable, PROJECT / 'tests/tools/test_check_qemu.py',
                '--tool', TOOL, '--stock', place.stock, '--patched', place.qemu])
            tally.run('guests of PowerKVM, RHEL and hostos', [
                sys.executable, PROJECT / 'tests/tools/test_products.py',
                '--tool', TOOL, '--stock', place.stock, '--patched', place.qemu])
            tally.run("a distribution's own machine types", [
                sys.executable, PROJECT / 'tests/tools/test_own_machine.py',
                '--tool', TOOL, '--qemu', place.qemu])
        if has_streams(place.patched) and gitlab.has_jobs(place.patched):
            gitlab.check(
                tally, place, r'this QEMU does not have what it is about|'
                r'has no pseries-2\.6' if has_old_machines(place) else None)
        check_walk_through(tally, place)
        check_deb_src(tally, place)


def check_qemu(place, tally):
    """The patched QEMU's own tests: unit, and qtest for ppc64."""
    build_tree(place.patched, place.bin, TARGET_LIST, ['all'])
    link_firmware(place.bin)
    log = place.bin / 'meson-logs/testlog.json'
    log.unlink(missing_ok=True)     # or it might be that of an earlier run
    own = place.bin / 'pyvenv/bin/meson'
    finish([own if own.exists() else 'meson', 'test', '-C', place.bin,
            '--no-rebuild', '--suite', 'unit', '--suite', 'qtest-ppc64'],
           stdout=sys.stderr, env=environment(place.bin))
    results = []
    for row in map(json.loads, log.read_text().splitlines()):
        name, result = row['name'], row['result']
        if result == 'SKIP':
            why = re.findall(r'(?:# SKIP|Skipping test:) *(.+)', row.get('stdout', ''))
            results.append((name, False, why[-1] if why else 'QEMU does not say why'))
        else:
            results.append((name, result != 'OK'))
    tally.verdicts('patched QEMU, its own tests', results, 'kvm_hv not available')


def check_series(place, tally):
    """The mails; each commit, built and tested; and each topic that needs no other
    one, alone."""
    place.get_meson()
    tree, out = place.dir / 'am', place.dir / 'am-bin'
    options = ['--target-list=ppc64-softmmu,ppc-softmmu,ppc64-linux-user,'
               'ppc64le-linux-user']
    binaries = [EMULATOR, 'qemu-system-ppc', 'qemu-ppc64',
                'qemu-ppc64le']

    def step(what, commit):
        problems = []
        try:
            repo.check_out(commit, tree)
            build_tree(tree, out, options, binaries + tests_in(tree))
            link_firmware(out)
            log = (out / 'build.log').read_text()
            problems += [line for line in log.splitlines()
                         if re.search(r'insns.*: warning:', line)]
            check_built(tally, tree, out)
        except BuildError as e:
            problems.append(str(e))
        tally.verdicts(f'{what}: builds', [(what, '\n'.join(problems))])

    def check_mails(topic=None):
        where = place.dir / f'series-{topic}' if topic else place.series
        repo, result = place.commit(topic=topic)
        series.write(repo, result, where)
        patches = patches_in(where)
        tally.verdicts('series, git am', [(topic or 'all topics', repo.am_problem(
            result.branch([*result.covers][-1]), patches, tree))])
        return repo, result, patches

    repo, result, patches = check_mails()
    commits = repo.git('rev-list', '--reverse', 'base..series').decode().split()
    shutil.rmtree(out, ignore_errors=True)      # nothing built of later patches
    for patch, commit in zip(patches, commits, strict=True):
        step(f'{patch.parent.name}/{patch.name}', commit)
    check_patches(tally, tree, patches)
    for topic in series.load_topics(PROJECT)[0]:
        if topic.name in result.shown[1:] and not topic.cover.get('on'):
            check_mails(topic.name)
            step(f'{topic.name} alone', f'alone/{topic.name}')


def check_linux(place, options):
    """Moves a Linux guest around. This takes long and prints its own results;
    returns its exit status."""
    with place.locked():
        place.build()
    return finish([sys.executable, PROJECT / 'tests/linux/test_linux.py', '--qemu',
                   place.qemu, '--stock', place.stock, *options]).returncode


def main():
    p = parser('Run the tests.')
    p.add_argument('what', choices=[
        'all', 'unit', 'base', 'qemu', 'series', 'faults', 'linux', 'kvm'],
        help='base: all but unit')
    p.add_argument('options', nargs='*',
                   help='after --: options of tests/linux/test_linux.py or '
                   'scripts/check/kvm.py')
    p.add_argument('--also', metavar='BASE', action='append', default=[],
                   help='all: then another base, in brief')
    p.add_argument('--first', action='store_true',
                   help='stop at the first failure')
    args = p.parse_args()
    tally, place = Tally(args.first), Place(args.base, args.qemu, args.without)
    if args.what == 'linux':
        return check_linux(place, args.options)
    others = [Place(base, None, args.without) for base in args.also]
    with contextlib.suppress(Failed), tally.to_the_end():
        if args.what in ('unit', 'all', 'faults'):
            check_unit(tally)
        if args.what == 'all':
            with place.locked():
                place.get_source()
            tally.run('ppc-insns on the recorded streams, and in stock',
                      [sys.executable, PROJECT / 'tests/tools/test_ppc_insns.py',
                       '--tool', TOOL, '--stock', EMULATOR, '--analyze',
                       place.source / 'scripts/analyze-migration.py'])
            check_fuzz(tally)
            tally.run('the series on all bases', [
                sys.executable, PROJECT / 'scripts/check/check_bases.py'])
        if args.what in ('base', 'all'):
            with place.locked():
                check_base(place, tally)
                if args.what == 'all':
                    check_faults(tally, place)
            for other in others:
                print(f'--- {other.base}, in brief')
                with other.locked():
                    check_base(other, tally, brief=True)
        elif args.what == 'kvm':
            with place.locked():
                kvm.check(tally, place, args.options)
        elif args.what == 'qemu':
            with place.locked():
                place.build()
                check_qemu(place, tally)
        elif args.what == 'faults':
            with place.locked():
                place.get_source()
                check_faults(tally, place, long=True)
        elif args.what == 'series':
            with place.locked():
                place.get_source()
                check_series(place, tally)
    return tally.result()


if __name__ == '__main__':
    guarded(main)
