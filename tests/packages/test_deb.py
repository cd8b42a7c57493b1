#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs the package of "make deb" as its users do. Prints TAP.

    test_deb.py --base debian/bookworm

In a root file system of the release, which has the distribution's own packages
and, from then on, no network: the new package replaces the distribution's and
nothing else, the recorded streams load, and the distribution's next version
replaces it. Needs root or sudo, mmdebstrap, and build/PLACE/deb.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[2]
sys.path += [*map(str, (PROJECT / 'scripts').glob('*/')), str(PROJECT / 'tests/unit')]
import clean_root  # noqa: E402  (found through the line above)
import deb  # noqa: E402
from build import Place, guarded  # noqa: E402

# qemu-block-extra wants the very version of one of QEMU's packages.
INSTALLED = [deb.PACKAGE, 'qemu-block-extra']


def contents(package):
    """The paths in a package; without changelogs, of which the distribution's
    has one more if it was built again."""
    text = subprocess.run(['dpkg-deb', '-c', package], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    return sorted(p for p in re.findall(r'(?m)^\S+ \S+ +\d+ \S+ \S+ (.+)$', text)
                  if '/changelog' not in p)


def next_packages(root, stock, later):
    """A repository in the root with the distribution's next version: its own
    packages under that version."""
    where = root.top / 'next'
    where.mkdir()
    names = root.of_qemu()
    root.output('sh', '-c', 'cd /next && apt-get download ' + ' '.join(
        f'{name}={stock}' for name in names if name != 'qemu-system-data'),
        network=True)
    for package in where.glob('*.deb'):
        root.output('dpkg-deb', '-R', f'/next/{package.name}', '/next/unpacked')
        control = where / 'unpacked/DEBIAN/control'
        control.write_text(control.read_text().replace(stock, later))
        root.output('dpkg-deb', '-b', '/next/unpacked', '/next')
        shutil.rmtree(where / 'unpacked')
        package.unlink()
    index = subprocess.run(['dpkg-scanpackages', '-m', '.'], cwd=where, text=True,
                           check=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL).stdout
    (where / 'Packages').write_text(index)


def test(t, root, new, stock_deb):
    """All tests, in their order."""
    stock, version = (deb.fields(d)['Version'] for d in (stock_deb, new))
    for later in deb.later_versions(stock):
        for a, b in (stock, version), (version, later):
            t.result(f'{a} is older than {b}', not subprocess.run(
                ['dpkg', '--compare-versions', a, 'lt', b]).returncode)
    t.result('the same files as in the distribution\'s package',
             contents(new) == contents(stock_deb),
             sorted(set(contents(new)) ^ set(contents(stock_deb))))
    a, b = (deb.fields(d) for d in (stock_deb, new))
    provides = f'{deb.PACKAGE} (= {stock})'

    def said(package, key):     # in any order
        return set(package.get(key, '').split(', ')) - {provides}
    differ = [f'{key}: {a.get(key)} -> {b.get(key)}' for key in sorted(a | b)
              if key not in ('Version', 'Source', 'Installed-Size', 'Maintainer')
              and said(a, key) != said(b, key)]
    t.result('the same dependencies, and it provides '
             f'{provides.replace(deb.PACKAGE, "itself")}',
             not differ and provides in b.get('Provides', ''), differ)

    next_packages(root, stock, later := deb.later_versions(stock)[0])
    for path in (root.top / 'etc/apt/sources.list', *(
            root.top / 'etc/apt/sources.list.d').glob('*')):
        path.unlink(missing_ok=True)
    lines = root.output('cat', '/proc/net/dev').splitlines()[2:]
    t.result('the root has no network', [line.split(':')[0].strip()
                                         for line in lines] == ['lo'], lines)
    before, devices = root.versions(), root.devices()
    t.result(f'the distribution\'s {deb.PACKAGE} {stock} is installed',
             before.get(deb.PACKAGE) == stock, [str(before.get(deb.PACKAGE))])
    some = ('-k', r'load: .*2\.6\.0.*pseries-2\.6.*POWER8')
    status, said = root.forward(*some)
    t.result('guests of 2.6.0 do not load in it',
             status and any(line.startswith('not ok') for line in said)
             and not any(line.startswith('ok') for line in said), said[-20:])

    shutil.copy(new, root.top / 'new.deb')
    status, said = root.run('apt-get', 'install', '-y', '/new.deb')
    after = root.versions()
    t.result('apt-get install ./package replaces it, and nothing else',
             not status and after == before | {deb.PACKAGE: version},
             said.splitlines())
    status, said = root.run('sh', '-c', 'apt-get check && dpkg --audit && '
                            f'dpkg --verify {deb.PACKAGE}')
    t.result('apt and dpkg have nothing to say', not status and '??' not in said,
             said.splitlines())
    modules = [name for name in re.findall(r'(?m)^name "([^"]+)"', devices)
               if 'gpu' in name or 'qxl' in name]
    t.result('it has all devices, those in the modules of qemu-system-common, too',
             modules and root.devices() == devices, [str(modules)])
    root.load_streams(t)

    (root.top / 'etc/apt/sources.list.d/next.list').write_text(
        'deb [trusted=yes] file:/next ./\n')
    root.output('apt-get', 'update')
    status, said = root.run('apt-get', 'upgrade', '-y')
    now = root.versions()
    t.result(f'apt-get upgrade replaces it by the distribution\'s next, {later}',
             not status and now.get(deb.PACKAGE) == later and
             now.keys() == before.keys(), said.splitlines())
    status, said = root.forward(*some)
    t.result('guests of 2.6.0 do not load in that',
             status and not any(line.startswith('ok') for line in said), said[-20:])


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--base', default='debian/bookworm')
    p.add_argument('--root', help=argparse.SUPPRESS)    # for clean_root.test_in
    p.add_argument('--new', type=Path, help=argparse.SUPPRESS)
    p.add_argument('--stock', type=Path, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.root:
        with clean_root.Root(args.root) as root:
            t = clean_root.Tap()
            test(t, root, args.new, args.stock)
            return t.plan()
    place = Place(args.base, None)
    new = clean_root.one_package(place, 'deb', args.base)
    with clean_root.errors():
        suite = deb.suite_of(place)
        stock = deb.newest_stock(place, suite)
    return clean_root.test_in(suite, INSTALLED, __file__, '--new', new, '--stock', stock)


if __name__ == '__main__':
    guarded(main)
