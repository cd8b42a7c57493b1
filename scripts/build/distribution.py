# SPDX-License-Identifier: GPL-2.0-or-later
"""Gets the source of a distribution's QEMU, its binary, or one package, through
apt; packages.py decides from which mirror.

The directory DIR appears when it is complete. Package lists and downloads go
into DIR.apt. What was downloaded before an interruption is kept; apt resumes a
partial file if the mirror supports it.
"""

import os
import shutil

from packages import PackageError, machine, serving, updated_apt, workplace

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
    """Unpacks QEMU's package, and all that it needs, into the directory out, and
    makes there what runs it with its own libraries."""
    new = work / 'unpacked'
    updated_apt(suite, entries, 'deb', work, lock).unpack(['qemu-system-ppc'], new, True)
    libraries = [d for d in ('lib', 'usr/lib') for d in (new / d).glob('*-linux-*')]
    loader = next((f for d in libraries for f in sorted(d.glob('ld-*.so*'))), None)
    if not loader or not (new / 'usr/bin' / EMULATOR).exists():
        raise PackageError(f'the packages of {suite} have no {EMULATOR}, or no '
                           'dynamic loader')

    def there(path):
        return '"$top"/' + str(path.relative_to(new))
    # /proc/self/exe is the loader then. 5.2 cannot find its files from that; 7.2
    # and later look for them in a qemu-bundle/ beside it, and without one would
    # load the modules of the machine's own QEMU.
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


def get(base, bases, out, what='source'):
    """Makes the directory out, unless it is there. base: one of bases, which are
    those of bases.toml, or apt for the release that the machine runs. what: the
    source of QEMU; or stock, DIR/qemu-system-ppc64, which for the machine's own
    release is a link to what is installed; or a package by its name, without what
    it depends on."""
    there = {'source': 'VERSION', 'stock': EMULATOR}.get(what, 'usr')
    if (out / there).exists():
        return
    if out.exists():
        raise PackageError(f'{out} is there and is something else; move it '
                           'away or give another directory')
    for tool, package in (('apt-get', 'apt'), ('dpkg-source', 'dpkg-dev')):
        if not shutil.which(tool):
            raise PackageError(f'{tool} is missing; install the package '
                               f'{package}, or unpack the source yourself')
    system = machine()
    distribution, own, _ = system
    suite = suite_of(base, distribution, own, bases)
    if what == 'stock' and suite == own:
        if not (installed := shutil.which(EMULATOR)):
            raise PackageError(f'{EMULATOR} is not installed; the package '
                               'is qemu-system-ppc')
        new = out.with_name(out.name + '.new')
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        (new / EMULATOR).symlink_to(installed)
        new.rename(out)
        return
    entries = serving(suite, system)
    with workplace(out) as (work, lock):
        if out.exists():        # another run made it
            return
        if what == 'source':
            get_source(suite, entries, out, work, lock)
        elif what == 'stock':
            get_stock(suite, entries, out, work, lock)
        else:
            get_package(what, suite, entries, out, work, lock)
