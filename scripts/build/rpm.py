#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes an RPM of qemu-system-ppc64 with the series, in build/PLACE/rpm, by
rpmbuild and qemu-system-ppc.spec.

It is built of the source as it is, with the patches of "make series FORMAT=rpm"
in the spec. Debian's rpm has no database of what is installed, so that it is
not asked whether what a build needs is there: configure says so.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
from build import SCRIPTS, SYSTEM_PATH, Place, logged, parser
from mails import FORMATS
from process import BuildError, guarded, say
from repository import files_below

SPEC = 'qemu-system-ppc.spec'
RELEASE = '1.insns1'


def version_of(tree):
    """The version as RPM takes it; what is 7.2.50 in VERSION is so here."""
    text = (tree / 'VERSION').read_text().strip()
    if not re.fullmatch(r'\d+(\.\d+)+', text):
        raise BuildError(f'{tree}/VERSION says {text!r}, which is no version')
    return text


def write_spec(path, version, series):
    """The spec for a version with the patches that the directory has."""
    text = (SCRIPTS / 'build' / SPEC).read_text()
    lines = (series / FORMATS['rpm']).read_text()
    for key, value in (('version', version), ('release', RELEASE),
                       ('patches', lines.rstrip('\n'))):
        text = text.replace(f'@{key}@', value)
    path.write_text(text)


def make_rpm(place):
    """The RPM; returns its path."""
    if not shutil.which('rpmbuild'):
        raise BuildError('rpmbuild is missing; install the package rpm')
    place.get_source()
    place.check_source()
    top, out = place.dir / 'rpm-build', place.dir / 'rpm'
    series = place.dir / 'series-rpm'
    place.make_series(series, quiet=True, form='rpm')
    version = version_of(place.source)
    shutil.rmtree(top, ignore_errors=True)
    sources = top / 'SOURCES'
    sources.mkdir(parents=True)
    say('packing the source')
    subprocess.run(
        ['tar', '-cf', sources / f'qemu-{version}.tar', '-C', place.source,
         f'--transform=s,^,qemu-{version}/,', '--no-recursion', '--null', '-T', '-'],
        input=b'\0'.join(os.fsencode(path) for path in files_below(place.source)),
        check=True)
    for patch in series.glob('*.patch'):
        shutil.copy2(patch, sources)
    write_spec(top / SPEC, version, series)
    say(f'building {version}-{RELEASE}')
    logged(['env', SYSTEM_PATH, 'rpmbuild', '-bb', '--nodeps', '--define',
            f'_topdir {top}', top / SPEC], top, 'build.log')
    rpm, = (top / 'RPMS').rglob('*.rpm')
    shutil.rmtree(out, ignore_errors=True)
    rpm.parent.rename(out)
    shutil.rmtree(top)
    return out / rpm.name


def main():
    args = parser('Make an RPM of qemu-system-ppc64 with the series.').parse_args()
    place = Place(args.base, args.qemu, args.without)
    with place.locked():
        rpm = make_rpm(place)
    say(f'the package is {rpm}')
    return 0


if __name__ == '__main__':
    guarded(main)
