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

packages.py says where apt gets them. Package lists and downloads go into
DIR.apt. DIR appears when it is complete. What was downloaded before an
interruption is kept; within a file, apt goes on if the mirror supports it.
"""

import argparse
import os
import shutil
import sys
import tomllib
from pathlib import Path

from packages import (PackageError, end_on_signals, machine, serving,
                      updated_apt, workplace)

EMULATOR = 'qemu-system-ppc64'


def suite_of(base, distribution, own, bases):
    """The release that is meant by a base's name."""
    if base == 'apt':
        if not own:
            raise PackageError('/etc/os-release names no release '
                               '(VERSION_CODENAME); give a base by name')
        return own
    if base not in bases or 'suite' not in bases[base]:
        raise PackageError(f'no base {base!r} in series/bases.toml; it has '
                           + ', '.join([*bases, 'apt']))
    if base.split('/')[0] != distribution:
        raise PackageError(
            f'{base} comes from {base.split("/")[0]}\'s mirrors, but this '
            f'machine runs {distribution}; use a machine or container that runs '
            'it, or unpack the source yourself and give its directory')
    return bases[base]['suite']


def get_source(suite, entries, out, work, lock):
    """Unpacks the newest QEMU of a release into the directory out."""
    apt = updated_apt(suite, entries, 'deb-src', work, lock)
    version = apt.newest('qemu')
    if not version:
        raise PackageError(f'{suite} has no source package qemu')
    try:
        apt.run('apt-get', 'source', '--only-source', '--download-only',
                f'qemu={version}', show=True, cwd=work / 'files')
    except PackageError as e:
        raise PackageError(f'{e}\nWhat was downloaded is kept in {work}/files; '
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
    except PackageError as e:
        raise PackageError(f'{e}\nWhat was downloaded is kept in {work}/cache; '
                           'run this again to go on') from e
    new = work / 'unpacked'
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for package in sorted((work / 'cache/archives').glob('*.deb')):
        apt.run('dpkg-deb', '-x', str(package), str(new))
    libraries = [d for d in ('lib', 'usr/lib') for d in (new / d).glob('*-linux-*')]
    loader = next((f for d in libraries for f in sorted(d.glob('ld-*.so*'))), None)
    if not loader or not (new / 'usr/bin' / EMULATOR).exists():
        raise PackageError(f'the packages of {suite} have no {EMULATOR}, or no '
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
    new = work / 'unpacked'
    name, = apt.unpack([package], new)
    new.rename(out)
    shutil.rmtree(work)
    print(f'{out}: {name} of {suite}')


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
    end_on_signals()
    try:
        if (out / (EMULATOR if args.stock else 'usr' if args.package else
                   'VERSION')).exists():
            return 0
        if out.exists():
            raise PackageError(f'{out} is there and is something else; move it '
                               'away or give another directory')
        for tool, package in (('apt-get', 'apt'), ('dpkg-source', 'dpkg-dev')):
            if not shutil.which(tool):
                raise PackageError(f'{tool} is missing; install the package '
                                   f'{package}, or unpack the source yourself')
        project = Path(__file__).resolve().parent.parent
        bases = tomllib.loads(
            (project / 'series/bases.toml').read_text())['bases']
        system = machine()
        distribution, own, _ = system
        suite = suite_of(args.base, distribution, own, bases)
        if args.stock and suite == own:
            if not (installed := shutil.which(EMULATOR)):
                raise PackageError(f'{EMULATOR} is not installed; the package '
                                   'is qemu-system-ppc')
            new = out.with_name(out.name + '.new')
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            (new / EMULATOR).symlink_to(installed)
            new.rename(out)
            return 0
        entries = serving(suite, system)
        with workplace(out) as (work, lock):
            if not out.exists():
                if args.package:
                    get_package(args.package, suite, entries, out, work, lock)
                else:
                    (get_stock if args.stock else get_source)(
                        suite, entries, out, work, lock)
    except (PackageError, OSError) as e:
        print(f'qemu-source.py: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
