#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the distribution's package qemu-system-ppc with the series, in
build/PLACE/deb, by its own debian/rules; deb.mk has the steps.

The distribution's other packages stay as they are: the new one depends on the
qemu-system-common of the distribution and uses the modules in it. It is built in
a temporary root file system of the release: QEMU's configure uses whatever
libraries it finds, so a package made on a machine with more libraries would
depend on them.
"""

import os
import re
import shlex
import shutil
import sys
import time
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
import distribution
import packages
import roots
from build import PROJECT, SCRIPTS, Place, logged, parser
from process import BuildError, guarded, run, say
from repository import timestamp
from series import load_bases

PACKAGE = 'qemu-system-ppc'
STEPS = ['deb.mk', 'deb-modules.py']


def suite_of(place):
    """The release of a base."""
    return distribution.suite_of(place.base, *packages.machine()[:2],
                                 load_bases(PROJECT)['bases'])


def newest_stock(place, suite):
    """The distribution's own package, downloaded; its path."""
    with packages.workplace(place.dir / 'deb-stock') as (work, lock):
        entries = packages.serving(suite, packages.machine())
        apt = packages.updated_apt(suite, entries, 'deb', work, lock)
        apt.run('apt-get', 'download', PACKAGE, show=True, cwd=work / 'files')
        uris = apt.run('apt-get', 'download', '--print-uris', PACKAGE)
        return work / 'files' / uris.split()[1]


def fields(deb):
    """The control fields of a package."""
    text = run(['dpkg-deb', '-f', deb])
    return dict(re.findall(r'(?m)^([\w-]+): ((?:.*)(?:\n .*)*)', text))


def source_and_build(version):
    """A package's version without +bN, the mark of a rebuild of the same source;
    and N, or 0 if there is none."""
    source, _, build = re.fullmatch(r'(.+?)(\+b(\d+))?', version).groups()
    return source, int(build or 0)


def version_for(stock):
    """The new package's version: above the distribution's, and below its next,
    whether that is a new source or the same one, built again."""
    source, build = source_and_build(stock)
    return f'{source}+b{build}+insns1'


def later_versions(stock):
    """Versions that the distribution's next package may have."""
    source, build = source_and_build(stock)
    update = re.sub(r'\d+$', lambda n: str(int(n[0]) + 1), source)
    first = [] if '+deb' in source else [f'{source}+deb13u1', f'{source}.1']
    return [f'{source}+b{build + 1}', update, *first]


def with_provides(control):
    """debian/control in which the package also provides the distribution's version:
    qemu-block-extra and others depend on exactly that."""
    control, found = re.subn(
        rf'(?m)(^Package: {PACKAGE}\n(?:.+\n)*?Provides: .*?),?[ \t]*$',
        rf'\1, {PACKAGE} (= ${{binary:Version}})', control)
    if found != 1:
        raise BuildError(f'debian/control has {found} fields Provides of {PACKAGE}, '
                         'not one')
    return control


def prepare(place, stock, tree):
    """Makes tree the source package with the series, for deb.mk; returns the
    variables that this gets."""
    dsc = place.make_deb_src()
    source, = (d for d in dsc.parent.iterdir() if d.is_dir())
    of_source = run(['dpkg-parsechangelog', '-S', 'Version', '-l',
                     place.source / 'debian/changelog']).strip()
    ours = run(['dpkg-parsechangelog', '-S', 'Version', '-l',
                source / 'debian/changelog']).strip()
    package = fields(stock)
    built_of = re.search(r'\((.+)\)', package.get('Source', ''))
    if (built_of := built_of[1] if built_of else package['Version']) != of_source:
        raise BuildError(
            f'the source in {place.source} is {of_source}, and the newest package '
            f'is of {built_of}; remove {place.dir} and run this again, which gets '
            'the newest source')
    say('copying the source package')
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(source, tree, symlinks=True)
    for name in STEPS:
        shutil.copy2(SCRIPTS / 'build' / name, tree)
    debian = tree / 'debian'
    (debian / 'changelog').rename(debian / 'changelog.insns')
    text = (place.source / 'debian/changelog').read_text()
    if package['Version'] != of_source:     # it was built again, without a change
        date = time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(
            timestamp(PROJECT)))
        text = (f'qemu ({package["Version"]}) unstable; urgency=low, '
                'binary-only=yes\n\n  * Built again.\n\n'
                f' -- {PACKAGE} <nobody@localhost>  {date}\n\n{text}')
    (debian / 'changelog').write_text(text)
    control = with_provides((debian / 'control').read_text())
    (debian / 'control').unlink()           # it may be a link, or read-only
    (debian / 'control').write_text(control)
    (debian / 'control-in').unlink(missing_ok=True)     # it would be made anew
    return {'DEB_VERSION': package['Version'],
            'version': version_for(package['Version']), 'source_version': ours}


def environment():
    jobs = len(os.sched_getaffinity(0))
    return {'DEB_BUILD_OPTIONS': f'parallel={jobs} terse nocheck',
            'LC_ALL': 'C.UTF-8'}


def make(variables):
    return ['make', '-f', STEPS[0], *(f'{k}={v}' for k, v in variables.items()),
            'insns-deb']


def build_in_root(suite, tree, variables):
    """In a root of the release, with its own compiler and libraries."""
    where = f'/build/{tree.name}'
    settings = ' '.join(f'{k}={shlex.quote(v)}' for k, v in environment().items())
    apt = 'DEBIAN_FRONTEND=noninteractive apt-get -qq -y'
    inside = (f'cd {where} && {apt} build-dep --no-install-recommends --arch-only ./'
              f' && {apt} clean && {settings} {shlex.join(make(variables))}')
    here = shlex.quote(str(tree))
    command, sources = roots.command(suite, ['build-essential', 'ca-certificates'], [
        'mkdir "$1"/build', f'copy-in {here} /build',
        f'chroot "$1" sh -c {shlex.quote(inside)}',
        f'copy-out {where}/result {here}',
        f'chown -R --reference={here} {here}/result'])
    say(f'building {PACKAGE} {variables["version"]} in a root of {suite}')
    (tree / 'root.sources').write_text(sources)
    command[-1] = tree / 'root.sources'
    logged(command, tree, 'build.log')


def make_deb(place):
    """The package; returns its path. Only what is new is made."""
    place.get_source()
    suite = suite_of(place)
    stock = newest_stock(place, suite)
    tree, out = place.dir / 'deb-build', place.dir / 'deb'
    variables = prepare(place, stock, tree)
    build_in_root(suite, tree, variables)
    deb, = (tree / 'result').glob('*.deb')
    shutil.rmtree(out, ignore_errors=True)
    (tree / 'result').rename(out)
    shutil.rmtree(tree)
    return out / deb.name


def main():
    args = parser(f'Make the package {PACKAGE} with the series.').parse_args()
    if args.qemu:
        raise BuildError('a package is made for a base, whose debian/ directory '
                         'it needs')
    place = Place(args.base, None, args.without)
    with place.locked():
        deb = make_deb(place)
    say(f'the package is {deb}')
    return 0


if __name__ == '__main__':
    guarded(main)
