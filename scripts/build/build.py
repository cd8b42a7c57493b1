#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the series for a QEMU, applies it and builds that QEMU, below build/.

    build/PLACE/qemu      the source as it is (not with --qemu: that tree is
                          read where it stands, and never changed)
    build/PLACE/git       a git repository with the source as the branch "base"
                          and the series on it, a commit for each patch
    build/PLACE/series    the patches (as mails; else series-quilt, series-rpm,
                          or series-TOPIC)
    build/PLACE/patched   the last commit, checked out
    build/PLACE/meson     only where the machine's is too old for the source
    build/PLACE/bin       where that is built
    build/PLACE/stock     qemu-system-ppc64 as the distribution has it
    build/PLACE/plain     the source without the series, to compare the speed;
                          built in plain-bin
    build/PLACE/deb-src   the distribution's source package with the series

PLACE is the base's name, or is made from the tree's path. Every step leaves
either what was there before or the whole of what it makes, so that it can be
interrupted and run again at any time; a step that has nothing to do is quick.
"""

import argparse
import contextlib
import email.utils
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
import distribution
import mails
import series
from process import LOCKS, TAIL, BuildError, child, finish, guarded, run, say
from repository import NOBODY, Repository, files_below, identity, timestamp

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = PROJECT / 'scripts'

# Debian's own Python: only that is sure to see packaged modules (yaml, jinja2, sphinx).
PYTHON = '/usr/bin/python3'
# The same for what packages and CI jobs are built with; through ccache if installed.
SYSTEM_PATH = 'PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin'

# The minimum of a build.
TARGET_LIST = ['--target-list=ppc64-softmmu']
EMULATOR = 'qemu-system-ppc64'

# The series' own tests, by the directories they have in the project.
TESTS = ['tests/unit/test-ppc-insns-history',
         'tests/qtest/ppc-insns-compat-test',
         'tests/qtest/ppc-insns-migration-test']

# Where a distribution installs the firmware that its QEMU source lacks;
# name in QEMU -> file, if the distribution renamed it.
FIRMWARE = ['/usr/share/qemu', '/usr/share/seabios', '/usr/lib/ipxe/qemu']
RENAMED = {'u-boot.e500': '/usr/lib/u-boot/qemu-ppce500/uboot.elf'}


# What a build needs from QEMU's other repositories: submodules up to 8.0,
# meson subprojects later.
SUBMODULES = ['ui/keycodemapdb', 'tests/fp/berkeley-softfloat-3',
              'tests/fp/berkeley-testfloat-3']


class Place:
    """Where the work on one QEMU happens; base is a name, qemu a path or
    None; without: topics of the series to leave out. Refuses an unknown base,
    and a tree that is not QEMU's."""

    def __init__(self, base, qemu, without=()):
        self.base, self.without = None if qemu else base, without
        if qemu:
            tree = Path(qemu).resolve()
            series.Base(PROJECT, tree)
            digest = hashlib.sha256(str(tree).encode()).hexdigest()[:8]
            name = f'tree-{tree.name}-{digest}'
        else:
            if base not in (known := [*series.load_bases(PROJECT)['bases'], 'apt']):
                raise BuildError(f'no base {base!r} in series/bases.toml; there '
                                 f'are {", ".join(known)}')
            name = re.sub(r'[^\w.]+', '-', base)
        self.dir = PROJECT / 'build' / name
        self.source = tree if qemu else self.dir / 'qemu'
        self.series, self.patched, self.bin, self.deb_src = (
            self.dir / d for d in ('series', 'patched', 'bin', 'deb-src'))
        self.qemu = self.bin / EMULATOR
        self.stock = self.dir / 'stock' / EMULATOR

    @contextlib.contextmanager
    def locked(self):
        """Holds a lock, so that two runs do not get into each other's way."""
        self.dir.mkdir(parents=True, exist_ok=True)
        with open(self.dir / 'lock', 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f'waiting for another run in {self.dir}')
                fcntl.flock(lock, fcntl.LOCK_EX)
            LOCKS.append(lock.fileno())
            try:
                yield
            finally:
                LOCKS.remove(lock.fileno())

    def get(self, what, out):
        distribution.get(self.base or 'apt', series.load_bases(PROJECT)['bases'], out,
                         what)

    def get_source(self):
        if self.base and not (self.source / 'VERSION').exists():
            say(f'getting the source of {self.base}')
            self.get('source', self.source)

    def get_stock(self):
        """For a tree given by path: the stock QEMU of the release that the machine runs."""
        self.get('stock', self.stock.parent)

    def check_source(self):
        """Refuses a source that cannot be built, and lists everything it lacks."""
        if not (self.source / 'meson.build').exists():
            raise BuildError(
                f'{self.source} is older than 5.2, which is not built here: apply '
                'what "make series" makes, and build it by hand; docs/bases.md '
                'says what such a tree needs today')
        lacks = lacking(self.source)
        if not self.base and (versions := self.old_meson()):
            lacks.append('meson {}; this machine has {}: install a newer one'
                         .format(*versions))
        if lacks:
            raise BuildError('\n  '.join([f'{self.source} lacks for a build', *lacks]))

    def old_meson(self):
        """The versions of meson that the source wants and that the machine has,
        if the machine's is too old and the source brings none."""
        deps = self.source / 'pythondeps.toml'
        if not deps.exists() or any(self.source.glob('python/wheels/meson-*.whl')):
            return None
        wanted = tomllib.loads(deps.read_text())['meson']['meson']['accepted']
        have = run(['meson', '--version']).strip()
        older = [int(n) for n in re.findall(r'\d+', have)] < \
            [int(n) for n in re.findall(r'\d+', wanted)]
        return (wanted, have) if older else None

    def get_meson(self):
        """Unpacks the meson of the base's own release if the machine's is too
        old."""
        meson = self.dir / 'meson'
        if meson.exists() or not (versions := self.old_meson()):
            return
        say('getting the meson of {}: {} is needed, and this machine has {}'
            .format(self.base, *versions))
        self.get('meson', meson)

    @functools.cached_property
    def repository(self):
        """Its git repository, for when the place is locked."""
        return Repository(self.dir / 'git', PROJECT)

    def commit(self, signoff=False, topic=None, form='mail'):
        """Makes the series, or one topic of it, as branches of the repository;
        returns both."""
        result = series.fit(PROJECT, self.source, self.base if self.base != 'apt' else None,
                            signoff, self.without, topic, form)
        repo = self.repository
        if not (repo.path / 'base.index').exists():
            say('committing the source to git/')
        series.commit(repo, result, files_below(self.source))
        return repo, result

    def make_series(self, out=None, signoff=False, quiet=False, form='mail',
                    topic=None):
        """Writes the patches, or those of a topic, to out; returns them in order."""
        out = (Path(out) if out else self.series).absolute()
        mails.check_out(out)
        repo, result = self.commit(signoff, topic, form)
        series.write(repo, result, out, form, signoff)
        if not quiet:
            print(*series.describe(result), sep='\n', flush=True)
        return mails.patches_in(out)

    def make_patched(self):
        self.commit()[0].check_out('series', self.patched)

    def make_deb_src(self, signoff=False):
        """The distribution's source package with the series after its own
        patches, and an entry in the changelog; returns the .dsc."""
        self.get_source()
        debian = self.source / 'debian'
        last = dict(re.findall(r'(?m)^(\w+): (.*)$', run(
            ['dpkg-parsechangelog', '-l', debian / 'changelog'])))
        package, (version, upstream) = last['Source'], re.fullmatch(
            r'(?:\d+:)?((.+?)(?:-[^-]+)?)', last['Version']).groups()

        quilt = self.dir / 'series-quilt'
        self.make_series(quilt, signoff, quiet=True, form='quilt')
        files = {p.name: p.read_bytes() for p in quilt.glob('*.patch')}
        files['series'] = (debian / 'patches/series').read_bytes().rstrip(
            b'\n') + b'\n' + (quilt / 'series').read_bytes()
        files = {f'debian/patches/{name}': text for name, text in files.items()}
        files['debian/changelog'] = changelog_entry(last).encode() + \
            (debian / 'changelog').read_bytes()

        dsc = self.deb_src / f'{package}_{version}+insns1.dsc'
        tree = f'{package}-{upstream}'
        if dsc.exists() and all(
                (self.deb_src / tree / path).is_file() and
                (self.deb_src / tree / path).read_bytes() == text
                for path, text in files.items()):
            return dsc
        tar = self.source.with_name(f'{self.source.name}.apt') / 'files' / \
            f'{package}_{upstream}.orig'
        tars = [p for s in '.-' for p in tar.parent.glob(f'{tar.name}{s}*')]
        if not tars:
            raise BuildError(f'no {tar}.tar.*; remove {self.source} and run '
                             'this again, which gets both')
        with mails.scratch_dir(self.dir) as scratch:
            new = scratch / 'new'
            new.mkdir()
            say('copying the source')
            for path in tars:
                shutil.copy2(path, new)
            shutil.copytree(self.source, new / tree, symlinks=True)
            for path, text in files.items():
                (new / tree / path).write_bytes(text)
            say('applying the patches, packing')
            run(['quilt', '--quiltrc=-', 'push', '-a', '-q', '--fuzz=0'],
                cwd=new / tree,
                env=os.environ | {'QUILT_PATCHES': 'debian/patches'})
            run(['dpkg-source', '-b', tree], cwd=new)
            if self.deb_src.exists():
                self.deb_src.rename(scratch / 'old')    # whole, or not there
            new.rename(self.deb_src)
        return dsc

    def build(self):
        """qemu-system-ppc64 and the series' own tests, with the series."""
        self.get_source()
        self.check_source()
        self.get_stock()
        self.get_meson()
        self.make_patched()
        build_tree(self.patched, self.bin, TARGET_LIST,
                   [EMULATOR, *tests_in(self.patched)])
        link_firmware(self.bin)

    def build_plain(self):
        """qemu-system-ppc64 without the series; returns its path."""
        plain, out = self.dir / 'plain', self.dir / 'plain-bin'
        self.commit()[0].check_out('base', plain)
        build_tree(plain, out, TARGET_LIST, [EMULATOR])
        link_firmware(out)
        return out / EMULATOR


def changelog_entry(last):
    """An entry for debian/changelog above that which last has the fields of.
    The version is above the distribution's, and below its next."""
    who = identity(PROJECT) or NOBODY
    name, mail = email.utils.parseaddr(os.environ.get('DEBEMAIL', ''))
    name = os.environ.get('DEBFULLNAME') or name or who[0]
    day = timestamp(PROJECT) // 86400 * 86400    # as in Last-Update
    date = max(day, int(last['Timestamp']) + 1)
    return (f'{last["Source"]} ({last["Version"]}+insns1) UNRELEASED; '
            'urgency=medium\n\n'
            '  * debian/patches/insns-compat-*.patch:\n'
            '    Let guests of old pseries machine versions migrate.\n\n'
            f' -- {name} <{mail or who[1]}>  ' + time.strftime(
                '%a, %d %b %Y %H:%M:%S +0000\n\n', time.gmtime(date)))


def tests_in(tree):
    """Those of TESTS that the tree has, as targets of its build."""
    return [t for test in TESTS
            for t in (test, test.replace('/unit/', '/').replace('/qtest/', '/'))
            if (tree / f'{t}.c').exists()]


def lacking(tree):
    """What a git tree lacks for a build, and how to get each. Trees from tar files
    and distributions have everything."""
    modules = tree / '.gitmodules'
    listed = modules.read_text().split() if modules.exists() else []
    empty = [path for path in SUBMODULES if path in listed and
             not any((tree / path).glob('*'))]
    wraps = [path.name for path in map(Path, SUBMODULES)
             if (tree / f'subprojects/{path.name}.wrap').exists() and
             not (tree / f'subprojects/{path.name}/meson.build').exists()]
    found = []
    if empty:
        found.append(f'the submodules {", ".join(empty)}; run: git -C {tree} '
                     f'submodule update --init {" ".join(empty)}')
    if wraps:
        found.append(f'the subprojects {", ".join(wraps)}; run: meson subprojects '
                     f'download --sourcedir {tree} {" ".join(wraps)}')
    return found


def bundled(tree):
    """Whether what is built there looks for its files in qemu-bundle/."""
    return (tree / 'scripts/symlink-install-tree.py').exists()


def build_tree(tree, out, options, targets):
    """Configures tree in out, unless it was with these options, and builds
    the targets."""
    known = (tree / 'configure').read_text(errors='replace')
    options = [*options, *(o for o in (     # the first is not in 5.2
        '--without-default-features', '--disable-docs', '--disable-tools',
        '--disable-slirp', '--disable-werror') if o in known)]
    if not (tree / 'pc-bios/bios.bin').exists() and \
            (tree / 'pythondeps.toml').exists():    # 10.0 looks for them
        options.append('--disable-install-blobs')
    if not bundled(tree):
        options.append(f'--firmwarepath={out / "firmware"}')
    cc = next((o for o in options if o.startswith('--cc=')), '--cc=gcc')
    if shutil.which('ccache'):
        options.append(cc.replace('=', '=ccache '))
    done, wanted = out / 'configured', ' '.join([str(tree), *options])
    if not done.exists() or done.read_text() != wanted:
        say('configuring QEMU')
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        logged([tree / 'configure', *options], out, 'configure.log')
        done.write_text(wanted)
    say('building QEMU')
    logged(['ninja', *targets], out, 'build.log')


def environment(out):
    """The environment in which a build directory below build/PLACE is used."""
    env = {**os.environ, 'CCACHE_BASEDIR': str(out.parent),
           'CCACHE_NOHASHDIR': 'true'}
    meson = out.parent / 'meson/usr/lib/python3/dist-packages'
    if meson.exists():
        env['PYTHONPATH'] = str(meson)
    return env


def logged(command, cwd, name):
    """Runs a command with its output in a log file and, in short, shown:
    on a terminal the current step, otherwise a line now and then."""
    log, tty, env = cwd / name, sys.stderr.isatty(), environment(cwd)
    shown = time.monotonic()
    with open(log, 'w') as f, child(
            command, cwd=cwd, env=env, pass_fds=LOCKS, text=True,
            errors='replace', stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        for line in p.stdout:
            f.write(line)
            step = re.match(r'\[\d+/\d+\]', line)
            if tty and step:
                print(f'\r\033[K{line.rstrip()[:79]}', end='', file=sys.stderr,
                      flush=True)
            elif step and time.monotonic() - shown > 20:
                print(f'    {step[0]}', file=sys.stderr, flush=True)
                shown = time.monotonic()
    if tty:
        print('\r\033[K', end='', file=sys.stderr, flush=True)
    if p.returncode:
        tail = log.read_text(errors='replace').splitlines()[-TAIL:]
        print('\n'.join(tail), file=sys.stderr)
        raise BuildError(f'{Path(command[0]).name} failed; all of its output '
                         f'is in {log}')


def link_firmware(out):
    """Lets a QEMU that is run from its build directory find the firmware."""
    files = {path.name: path for d in FIRMWARE for path in Path(d).glob('*')}
    files |= {name: Path(path) for name, path in RENAMED.items()}
    share = out / 'qemu-bundle/usr/local/share/qemu'
    if not share.exists():
        share = out / 'firmware'
        share.mkdir(exist_ok=True)
    for name, path in files.items():
        if path.exists() and not (share / name).exists():
            (share / name).unlink(missing_ok=True)
            (share / name).symlink_to(path)


def parser(description):
    """The options that all commands have."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument('--base', default='debian/bookworm',
                   help='a base of series/bases.toml, or apt')
    p.add_argument('--qemu', help='a QEMU source tree instead of a base')
    p.add_argument('--without', action='append', default=[], metavar='TOPIC',
                   help='leave out a topic of the series, such as old-machines')
    return p


def main():
    p = parser('Make the series for a QEMU, and build it.')
    p.add_argument('--out', help='series: the directory for the patches')
    p.add_argument('--signoff', action='store_true',
                   help='series, deb-src: add your own Signed-off-by')
    p.add_argument('--format', default='mail',
                   help=f'series: one of {", ".join(mails.FORMATS)}')
    p.add_argument('--topic', help='series: only this one, such as fixes')
    p.add_argument('command', choices=['series', 'deb-src', 'qemu', 'demo',
                                       'matrix', 'bench', 'soak'])
    args = p.parse_args()
    mails.check_format(args.format)
    if args.command == 'deb-src' and args.qemu:
        raise BuildError('deb-src is for the source package of a base; a tree '
                         'of your own takes the patches of --format quilt')
    place = Place(args.base, args.qemu, args.without)
    with place.locked():
        if args.command == 'series':
            out = args.out or place.dir / '-'.join(
                ['series', *(x for x in (args.topic, args.format) if x and x != 'mail')])
            place.get_source()
            place.make_series(out, args.signoff, form=args.format, topic=args.topic)
            say(f'the patches are in {out}')
        elif args.command == 'deb-src':
            say(f'the source package is {place.make_deb_src(args.signoff)}')
        else:
            place.build()
            if args.command == 'bench':
                plain = place.build_plain()
    follows = {
        'demo': lambda: [SCRIPTS / 'show/demo.py', '--patched', place.qemu,
                         '--stock', place.stock],
        'matrix': lambda: [SCRIPTS / 'show/matrix.py', '--patched', place.qemu,
                           '--stock', place.stock],
        'bench': lambda: [PROJECT / 'tests/bench/bench_qemu.py', '--patched',
                          place.qemu, '--plain', plain, '--json',
                          PROJECT / 'build/bench-qemu.json'],
        'soak': lambda: [PROJECT / 'tests/migration-compat/soak.py', '--a',
                         place.qemu, '--b', place.stock]}
    if args.command in follows:
        return finish([PYTHON, *follows[args.command]()]).returncode
    return 0


if __name__ == '__main__':
    guarded(main)
