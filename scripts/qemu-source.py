#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gets the source of a distribution's QEMU through apt; or its binary.

    qemu-source.py debian/bookworm build/debian-bookworm/qemu
    qemu-source.py apt DIR          (the release that this machine runs)
    qemu-source.py --stock debian/bullseye build/debian-bullseye/stock
    qemu-source.py --package meson debian/trixie build/debian-trixie/meson

With --stock, DIR/qemu-system-ppc64 is the distribution's own QEMU. For the
release that the machine runs, that is a link to what is installed; for another
one, its package and all that it depends on are unpacked in DIR, and run with
their own libraries; nothing is installed. With --package, DIR is a package
without what it depends on.

The mirrors are those that the machine's own package sources name; for another
release of the same distribution, the same mirrors are asked for that one. apt
verifies what it downloads, as always. Package lists and downloads go into
DIR.apt; nothing in /etc and nothing in the system's lists is changed. DIR
appears when it is complete. What was downloaded before an interruption is
kept; within a file, apt goes on if the mirror supports it.
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

# One package source. options: deb822 field -> value, such as Signed-By.
Entry = namedtuple('Entry', 'uris suites components options')

# Options of one-line entries that matter for source packages.
OPTION_NAMES = {n.lower(): n for n in (
    'Signed-By', 'Trusted', 'Allow-Insecure', 'Allow-Weak', 'By-Hash',
    'Allow-Downgrade-To-Insecure', 'Check-Valid-Until', 'Valid-Until-Min',
    'Valid-Until-Max', 'Check-Date', 'Date-Max-Future', 'InRelease-Path')}
ALIASES = ('stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid')

EMULATOR = 'qemu-system-ppc64'


class SourceError(Exception):
    """What went wrong and what to do, for a person to read."""


def parse_list(text):
    """The entries of a one-line style file (sources.list)."""
    entries = []
    for line in text.splitlines():
        m = re.fullmatch(r'\s*deb(?:-src)?\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)'
                         r'((?:\s+[^\s#]+)*)\s*(?:#.*)?', line)
        if m and not line.lstrip().startswith('#'):
            options = {}
            for option in (m[1] or '').split():
                key, _, value = option.partition('=')
                if name := OPTION_NAMES.get(key.rstrip('+-').lower()):
                    options[name] = value.replace(',', ' ')
            entries.append(Entry([m[2]], [m[3]], m[4].split(), options))
    return entries


def parse_deb822(text):
    """The entries of a deb822 style file (*.sources)."""
    entries = []
    lines = [line for line in text.splitlines() if not line.startswith('#')]
    for stanza in re.split(r'\n(?:[ \t]*\n)+', '\n'.join(lines)):
        fields = {}
        for m in re.finditer(r'^([^\s:]+):((?:.*)(?:\n[ \t]+.*)*)', stanza, re.M):
            fields[m[1].lower()] = m[2].strip(' \t')
        if not {'deb', 'deb-src'} & set(fields.get('types', '').split()) or \
                fields.get('enabled', 'yes').strip().lower() in (
                    'no', 'false', 'without', 'off', 'disable', '0'):
            continue
        entries.append(Entry(
            *(fields.get(k, '').split() for k in ('uris', 'suites', 'components')),
            {name: fields[key] for key, name in OPTION_NAMES.items()
             if key in fields}))
    return entries


def parse_sources(files):
    """All entries of a machine's source files, given as {name: text}."""
    return [e for name, text in sorted(files.items())
            for e in (parse_deb822 if name.endswith('.sources')
                      else parse_list)(text)]


def entries_for(entries, suite, own):
    """The entries for a release: those that the machine (which runs release
    `own`) has for it, else its own ones with the release's name in place of
    its own. Only the archive's component main; the release itself, updates
    and security. Each has one URI and one suite, none comes twice."""
    found = {}
    for names in ((suite,), (own, *ALIASES)):
        for e in entries:
            for s in e.suites:
                base, suffix = re.fullmatch(
                    r'(.*?)(-updates|-security|/updates)?', s).groups()
                if base not in names or 'main' not in e.components:
                    continue
                for uri in e.uris:
                    if uri.startswith('cdrom:'):
                        continue
                    new = Entry([uri], [suite + (suffix or '')], ['main'],
                                e.options)
                    found.setdefault((uri.rstrip('/'), new.suites[0]), new)
        if any(s == suite for _, s in found):
            break
    return list(found.values())


def sources_text(entries, kind):
    """The text of a .sources file with these entries, for packages of a kind:
    deb-src or deb."""
    return '\n'.join(
        f'Types: {kind}\nURIs: {e.uris[0]}\nSuites: {e.suites[0]}\n'
        f'Components: {" ".join(e.components)}\n'
        + ''.join(f'{k}: {v}\n'.replace(': \n', ':\n')     # an embedded key
                  for k, v in e.options.items()) for e in entries)


def machine(root=Path('/')):
    """(distribution, release, {file name: text} of the package sources)"""
    release = {}
    for line in (root / 'etc/os-release').read_text().splitlines():
        key, _, value = line.partition('=')
        release[key] = value.strip('"\'')
    apt = root / 'etc/apt'
    files = [apt / 'sources.list'] + sorted(
        f for f in (apt / 'sources.list.d').glob('*')
        if f.suffix in ('.list', '.sources'))
    return (release.get('ID', '?'), release.get('VERSION_CODENAME', ''),
            {str(f): f.read_text() for f in files if f.is_file()})


def suite_of(base, distribution, own, bases):
    """The release that is meant by a base's name."""
    if base == 'apt':
        if not own:
            raise SourceError('/etc/os-release names no release '
                              '(VERSION_CODENAME); give a base by name')
        return own
    if base not in bases or 'suite' not in bases[base]:
        raise SourceError(f'no base {base!r} in series/bases.toml; it has '
                          + ', '.join([*bases, 'apt']))
    if base.split('/')[0] != distribution:
        raise SourceError(
            f'{base} comes from {base.split("/")[0]}\'s mirrors, but this '
            f'machine runs {distribution}; use a machine or container that runs '
            'it, or unpack the source yourself and give its directory')
    return bases[base]['suite']


def last_words(output):
    """What a program complained about first, or else said last."""
    lines = output.strip().splitlines()
    errors = [e for e in lines if re.match(r'[EW]:|.*error:', e)]
    return ' '.join(' '.join(errors[:2] or lines[-1:]).split())


class Apt:
    """apt with lists, cache and package sources of its own, in one directory.
    Everything else (proxies, keys, passwords) is as the machine has it.
    lock: a locked file; what runs here keeps it locked, even if we are killed
    before it ends."""

    def __init__(self, work, sources, lock):
        for d in ('lists/partial', 'cache/archives/partial', 'parts', 'files'):
            (work / d).mkdir(parents=True, exist_ok=True)
        self.work, self.lock = work, lock
        (work / 'parts/qemu.sources').write_text(sources)
        # Taken from a dump, since hooks that the machine runs after updates
        # work on the system's lists, and can be left out in no other way.
        dump = [line for line in self.run('apt-config', 'dump').splitlines()
                if not re.match(r'(APT::Update|DPkg|Dir::State|Dir::Cache)\b'
                                r'|Dir::Etc::(source|main|parts)', line)]
        dump += [f'{key} "{value}";' for key, value in (
            ('Dir::Etc::SourceList', '/dev/null'),
            ('Dir::Etc::SourceParts', work / 'parts'),
            ('Dir::Etc::Main', '/dev/null'), ('Dir::Etc::Parts', '/dev/null'),
            ('Dir::State', work), ('Dir::State::Lists', work / 'lists'),
            ('Dir::State::Status', '/dev/null'), ('Dir::Cache', work / 'cache'),
            ('Acquire::Retries', 3), ('Acquire::http::Timeout', 30),
            ('Acquire::https::Timeout', 30), ('Acquire::Languages', 'none'),
            ('Acquire::GzipIndexes', 'false'), ('APT::Sandbox::User', 'root'),
            ('APT::Get::AllowUnauthenticated', 'false'),
            ('Acquire::AllowInsecureRepositories', 'false'))]
        (work / 'apt.conf').write_text('\n'.join(dump) + '\n')

    def run(self, *command, show=False, cwd=None):
        """Runs a command; its output if it is not shown. Raises SourceError
        with its last words."""
        env = os.environ | {'LC_ALL': 'C.UTF-8'}
        if (self.work / 'apt.conf').exists() and command[0] != 'apt-config':
            env['APT_CONFIG'] = str(self.work / 'apt.conf')
        with subprocess.Popen(command, cwd=cwd, env=env, text=True,
                              errors='replace', process_group=0,
                              pass_fds=[self.lock.fileno()],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT if show
                              else subprocess.DEVNULL) as p:
            try:
                lines = []
                for line in p.stdout:
                    lines.append(line)
                    if show:
                        print(line, end='', flush=True)
            except BaseException:
                # apt's helpers, too: they note where to go on with a download
                os.killpg(p.pid, signal.SIGINT)
                raise
        if p.returncode:
            raise SourceError(f'{" ".join(command[:2])} failed: '
                              + last_words(''.join(lines)))
        return ''.join(lines)

    def newest(self, package):
        """The newest version of a source package in the lists, or None."""
        best = None
        text = self.run('apt-cache', 'showsrc', '--only-source', package)
        for version in re.findall(r'^Version: (\S+)$', text, re.M):
            if best is None or not subprocess.run(
                    ['dpkg', '--compare-versions', version, 'gt', best]).returncode:
                best = version
        return best

    def suites(self, kind):
        """The suites whose lists are there; kind: Sources or Packages."""
        text = self.run('apt-get', 'indextargets', '--format',
                        '$(CODENAME) $(RELEASE) $(FILENAME)',
                        f'Identifier: {kind}')
        return {word for line in text.splitlines()
                if Path(line.split()[-1]).exists() for word in line.split()[:-1]}


def updated_apt(suite, entries, kind, work, lock):
    """An Apt with the package lists of a release."""
    apt = Apt(work, sources_text(entries, kind), lock)
    wanted = {e.suites[0] for e in entries}
    try:
        problem = last_words(apt.run('apt-get', 'update', show=True))
    except SourceError as e:
        problem = str(e)    # perhaps only a suite that is there no more
    suites = apt.suites('Packages' if kind == 'deb' else 'Sources')
    if suite not in suites:
        raise SourceError(
            f'no package list of {suite}. {problem}\nCheck the network, the '
            'proxy, and the mirrors in /etc/apt; then run this again')
    for missing in sorted(wanted - suites):
        print(f'warning: no {missing} on the mirrors; going on without it',
              file=sys.stderr)
    return apt


def get_source(suite, entries, out, work, lock):
    """Unpacks the newest QEMU of a release into the directory out."""
    apt = updated_apt(suite, entries, 'deb-src', work, lock)
    version = apt.newest('qemu')
    if not version:
        raise SourceError(f'{suite} has no source package qemu')
    try:
        apt.run('apt-get', 'source', '--only-source', '--download-only',
                f'qemu={version}', show=True, cwd=work / 'files')
    except SourceError as e:
        raise SourceError(f'{e}\nWhat was downloaded is kept in {work}/files; '
                          'run this again to go on') from e
    dsc = work / 'files' / f'qemu_{version.split(":", 1)[-1]}.dsc'
    new = work / 'files/unpacked'   # where dpkg-source finds the tar already

    def clean():
        for d in (new, *(work / 'files').glob('*.tmp-extract.*')):
            shutil.rmtree(d, ignore_errors=True)
    clean()
    try:
        # apt has checked what it downloaded; dpkg-source would only complain
        # that it does not know the maintainer's key.
        apt.run('dpkg-source', '--no-check', '-x', str(dsc), str(new), show=True)
        new.rename(out)
    finally:
        clean()
    for d in ('lists', 'cache', 'parts'):
        shutil.rmtree(work / d, ignore_errors=True)
    (work / 'apt.conf').unlink()
    print(f'{out}: QEMU source {version}')


def get_stock(suite, entries, out, work, lock):
    """Unpacks QEMU's package, and all that it needs, into the directory out."""
    apt = updated_apt(suite, entries, 'deb', work, lock)
    try:
        apt.run('apt-get', 'install', '-y', '--download-only',
                '--no-install-recommends', 'qemu-system-ppc', show=True)
    except SourceError as e:
        raise SourceError(f'{e}\nWhat was downloaded is kept in {work}/cache; '
                          'run this again to go on') from e
    new = work / 'unpacked'
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for package in sorted((work / 'cache/archives').glob('*.deb')):
        apt.run('dpkg-deb', '-x', str(package), str(new))
    libraries = [d for d in ('lib', 'usr/lib') for d in (new / d).glob('*-linux-*')]
    loader = next((f for d in libraries for f in sorted(d.glob('ld-*.so*'))), None)
    if not loader or not (new / 'usr/bin' / EMULATOR).exists():
        raise SourceError(f'the packages of {suite} have no {EMULATOR}, or no '
                          'dynamic loader')

    def there(path):
        return '"$top"/' + str(path.relative_to(new))
    # The loader is what /proc/self/exe is then. 5.2 cannot tell from it where its
    # files are; 7.2 and later look for them in a qemu-bundle/ beside it, and but
    # for that would take modules of the QEMU that the machine has.
    (loader.parent / 'qemu-bundle').symlink_to(os.path.relpath(new, loader.parent))
    wrapper = new / EMULATOR
    wrapper.write_text(
        '#!/bin/sh\ntop=$(dirname "$(readlink -f "$0")")\n'
        f'export QEMU_MODULE_DIR={there(libraries[-1])}/qemu\n'
        f'exec {there(loader)} --library-path '
        + ':'.join(map(there, libraries))
        + f' "$top"/usr/bin/{EMULATOR} '
        + ' '.join(f'-L "$top"/{d}' for d in ('usr/share/qemu', 'usr/share/seabios'))
        + ' "$@"\n')
    wrapper.chmod(0o755)
    new.rename(out)
    shutil.rmtree(work)
    print(f'{out}: {EMULATOR} of {suite}')


def get_package(package, suite, entries, out, work, lock):
    """Unpacks one binary package into the directory out."""
    apt = updated_apt(suite, entries, 'deb', work, lock)
    files, new = work / 'files', work / 'files/unpacked'
    for old in files.glob('*.deb'):
        old.unlink()
    shutil.rmtree(new, ignore_errors=True)
    apt.run('apt-get', 'download', package, show=True, cwd=files)
    deb, = files.glob('*.deb')
    apt.run('dpkg-deb', '-x', str(deb), str(new))
    new.rename(out)
    shutil.rmtree(work)
    print(f'{out}: {deb.name} of {suite}')


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Get the source, or the binary, of a distribution's QEMU "
        'through apt.')
    parser.add_argument('--stock', action='store_true',
                        help='the binary, not the source')
    parser.add_argument('--package', help='this package instead')
    parser.add_argument('base', help='debian/bookworm, ... (series/bases.toml), '
                        'or apt for what this machine runs')
    parser.add_argument('dir', type=Path, help='where to unpack it')
    args = parser.parse_args(argv)
    out = args.dir.absolute()

    def stop(signum, _frame):
        raise SystemExit(128 + signum)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, stop)
    try:
        if (out / (EMULATOR if args.stock else 'usr' if args.package else
                   'VERSION')).exists():
            return 0
        if out.exists():
            raise SourceError(f'{out} is there and is something else; move it '
                              'away or give another directory')
        for tool, package in (('apt-get', 'apt'), ('dpkg-source', 'dpkg-dev')):
            if not shutil.which(tool):
                raise SourceError(f'{tool} is missing; install the package '
                                  f'{package}, or unpack the source yourself')
        project = Path(__file__).resolve().parent.parent
        bases = tomllib.loads(
            (project / 'series/bases.toml').read_text())['bases']
        distribution, own, files = machine()
        suite = suite_of(args.base, distribution, own, bases)
        if args.stock and suite == own:
            if not (installed := shutil.which(EMULATOR)):
                raise SourceError(f'{EMULATOR} is not installed; the package '
                                  'is qemu-system-ppc')
            new = out.with_name(out.name + '.new')
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            (new / EMULATOR).symlink_to(installed)
            new.rename(out)
            return 0
        entries = entries_for(parse_sources(files), suite, own)
        if not any(e.suites[0] == suite for e in entries):
            raise SourceError(f'no package source for {distribution} {own} '
                              f'(component main) in /etc/apt that could serve '
                              f'{suite}, too')
        work = out.with_name(out.name + '.apt')
        out.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir(mode=0o700, exist_ok=True)   # apt.conf may have a password
        with open(work / 'lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)    # another run may be at it
            if not out.exists():
                if args.package:
                    get_package(args.package, suite, entries, out, work, lock)
                else:
                    (get_stock if args.stock else get_source)(
                        suite, entries, out, work, lock)
    except (SourceError, OSError) as e:
        print(f'qemu-source.py: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
