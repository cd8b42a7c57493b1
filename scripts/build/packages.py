# SPDX-License-Identifier: GPL-2.0-or-later
"""Gets packages of any release and architecture through apt, and installs none.

The mirrors are those that the machine's own package sources name; for another
release of the same distribution, or another architecture, the same mirrors are
asked for that one. apt verifies what it downloads, as always. Its lists and
downloads go into a directory of our own; nothing in /etc and nothing in the
system's lists is changed.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

from process import PlainError, child

# One package source. options: deb822 field -> value, such as Signed-By.
Entry = namedtuple('Entry', 'uris suites components options')

# Options of one-line entries that matter for source packages.
OPTION_NAMES = {n.lower(): n for n in (
    'Signed-By', 'Trusted', 'Allow-Insecure', 'Allow-Weak', 'By-Hash',
    'Allow-Downgrade-To-Insecure', 'Check-Valid-Until', 'Valid-Until-Min',
    'Valid-Until-Max', 'Check-Date', 'Date-Max-Future', 'InRelease-Path')}
ALIASES = ('stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid')


class PackageError(PlainError):
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


def last_words(output):
    """What a program complained about first, or else said last."""
    lines = output.strip().splitlines()
    errors = [e for e in lines if re.match(r'[EW]:|.*error:', e)]
    return ' '.join(' '.join(errors[:2] or lines[-1:]).split())


class Apt:
    """apt with lists, cache and package sources of its own, in one directory.
    Everything else (proxies, keys, passwords) is as the machine has it.
    lock: a locked file; what runs here keeps it locked, even if we are killed
    before it ends. architecture: Debian's name; None is the machine's own."""

    def __init__(self, work, sources, lock, architecture=None):
        for d in ('lists/partial', 'cache/archives/partial', 'parts', 'files'):
            (work / d).mkdir(parents=True, exist_ok=True)
        self.work, self.lock = work, lock
        (work / 'parts/qemu.sources').write_text(sources)
        # Filter a dump: there is no other way to leave out the machine's update
        # hooks, which work on the system's lists.
        ours = (r'(APT::Update|DPkg|Dir::State|Dir::Cache)\b'
                r'|Dir::Etc::(source|main|parts)')
        if architecture:
            ours += r'|APT::Architectures?\b'
        dump = [line for line in self.run('apt-config', 'dump').splitlines()
                if not re.match(ours, line)]
        if architecture:
            dump += [f'{key} "{architecture}";' for key in (
                'APT::Architecture', 'APT::Architectures::')]
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
        """Runs a command; its output if it is not shown. Raises PackageError
        with its last words."""
        env = os.environ | {'LC_ALL': 'C.UTF-8'}
        if (self.work / 'apt.conf').exists() and command[0] != 'apt-config':
            env['APT_CONFIG'] = str(self.work / 'apt.conf')
        lines = []
        with child(command, cwd=cwd, env=env, text=True, errors='replace',
                   pass_fds=[self.lock.fileno()], stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT if show
                   else subprocess.DEVNULL) as p:
            for line in p.stdout:
                lines.append(line)
                if show:
                    print(line, end='', flush=True)
        if p.returncode:
            raise PackageError(f'{" ".join(command[:2])} failed: '
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

    def depends(self, package):
        """The names of the packages that a package depends on, alternatives
        and all, in its order."""
        text = self.run('apt-cache', 'depends', '--important', package)
        return re.findall(r'(?m)^ [ |](?:Pre)?Depends: ([^<\s]+)$', text)

    def unpack(self, packages, out, depends=False):
        """Downloads binary packages, with what they depend on or without it, and
        unpacks them into the new directory out; returns the names of their files.
        A file that was complete before an interruption is not downloaded again.
        """
        files = self.work / 'files'
        if depends:
            files = self.work / 'cache/archives'
            try:
                self.run('apt-get', 'install', '-y', '--download-only',
                         '--no-install-recommends', *packages, show=True)
            except PackageError as e:
                raise PackageError(f'{e}\nWhat was downloaded is kept in {files}; '
                                   'run this again to go on') from e
            names = sorted(path.name for path in files.glob('*.deb'))
        else:
            self.run('apt-get', 'download', *packages, show=True, cwd=files)
            # 'URI' NAME SIZE HASH, a line for each
            uris = self.run('apt-get', 'download', '--print-uris', *packages)
            names = [line.split()[1] for line in uris.splitlines()]
        shutil.rmtree(out, ignore_errors=True)
        for name in names:
            self.run('dpkg-deb', '-x', str(files / name), str(out))
        return names

    def suites(self, kind):
        """The suites whose lists are there; kind: Sources or Packages."""
        text = self.run('apt-get', 'indextargets', '--format',
                        '$(CODENAME) $(RELEASE) $(FILENAME)',
                        f'Identifier: {kind}')
        return {word for line in text.splitlines()
                if Path(line.split()[-1]).exists() for word in line.split()[:-1]}


def updated_apt(suite, entries, kind, work, lock, architecture=None):
    """An Apt with the package lists of a release."""
    apt = Apt(work, sources_text(entries, kind), lock, architecture)
    wanted = {e.suites[0] for e in entries}
    try:
        problem = last_words(apt.run('apt-get', 'update', show=True))
    except PackageError as e:
        problem = str(e)    # perhaps one suite no longer exists
    suites = apt.suites('Packages' if kind == 'deb' else 'Sources')
    for_whom = f' for {architecture}' if architecture else ''
    if suite not in suites:
        raise PackageError(
            f'no package list of {suite}{for_whom}. {problem}\nCheck the network, the '
            'proxy, and the mirrors in /etc/apt; then run this again')
    for missing in sorted(wanted - suites):
        print(f'warning: no {missing} on the mirrors; going on without it',
              file=sys.stderr)
    return apt


def serving(suite, system):
    """The package sources for a release on a machine(), or PackageError."""
    distribution, own, files = system
    entries = entries_for(parse_sources(files), suite, own)
    if not any(e.suites[0] == suite for e in entries):
        raise PackageError(f'no package source for {distribution} {own} '
                           f'(component main) in /etc/apt that could serve '
                           f'{suite}, too')
    return entries


@contextlib.contextmanager
def workplace(out):
    """A private directory for making out, DIR.apt beside it, and a lock in it that
    is held meanwhile, because another run may be using it."""
    work = out.with_name(out.name + '.apt')
    out.parent.mkdir(parents=True, exist_ok=True)
    work.mkdir(mode=0o700, exist_ok=True)   # apt.conf may have a password
    with open(work / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield work, lock
