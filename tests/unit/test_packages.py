#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/build/packages.py: which package sources it would use, and how."""

import fcntl
import sys
import tempfile
import unittest
from pathlib import Path

import tap

sys.path[:0] = map(str, (Path(__file__).resolve().parents[2] / 'scripts').glob('*/'))
import packages  # noqa: E402  (found through the line above)

DEB822 = '''\
# what this machine installs from
Types: deb
# http://old.invalid/debian
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /keys/archive.gpg

Types: deb
URIs: http://mirror.invalid/security
Suites:
 bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.invalid/tools
Suites: tools
Components: main
'''


def keys(entries):
    return [(e.uris[0], e.suites[0]) for e in entries]


class Sources(unittest.TestCase):

    def entries(self, suite, own='bookworm', **files):
        named = {name.replace('_', '.'): text for name, text in files.items()}
        return packages.entries_for(packages.parse_sources(named), suite, own)

    def test_deb822(self):
        """deb822: comments, disabled, multi-line fields, other archives"""
        found = self.entries('bookworm', debian_sources=DEB822)
        self.assertEqual(keys(found), [
            ('http://mirror.invalid/debian', 'bookworm'),
            ('http://mirror.invalid/debian', 'bookworm-updates'),
            ('http://mirror.invalid/security', 'bookworm-security')])
        self.assertEqual(found[0].options, {'Signed-By': '/keys/archive.gpg'})
        self.assertEqual(found[0].components, ['main'])

    def test_written(self):
        """what is written keeps Signed-By, embedded keys too"""
        found = self.entries('bookworm', debian_sources=DEB822)
        self.assertEqual(packages.sources_text(found[1:], 'deb-src'), '''\
Types: deb-src
URIs: http://mirror.invalid/debian
Suites: bookworm-updates
Components: main
Signed-By: /keys/archive.gpg

Types: deb-src
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----
''')

    def test_other_release(self):
        """another release comes from the same mirrors"""
        found = self.entries('trixie', debian_sources=DEB822)
        self.assertEqual(keys(found), [
            ('http://mirror.invalid/debian', 'trixie'),
            ('http://mirror.invalid/debian', 'trixie-updates'),
            ('http://mirror.invalid/security', 'trixie-security')])

    def test_configured(self):
        """entries for the other release itself are preferred"""
        found = self.entries('trixie', debian_sources=DEB822, more_list='''
deb-src [signed-by=/keys/new.gpg] http://new.invalid/debian trixie main
''')
        self.assertEqual(keys(found), [('http://new.invalid/debian', 'trixie')])

    def test_one_line(self):
        """one-line entries: options, comments, slashes, duplicates"""
        found = self.entries('bookworm', sources_list='''
# deb http://off.invalid/debian bookworm main
deb [arch=amd64,arm64 signed-by=/keys/a.gpg,/keys/b.gpg] http://m.invalid/debian/ bookworm main non-free # mine
deb-src http://m.invalid/debian bookworm main
deb http://m.invalid/debian bookworm-backports main
deb http://tools.invalid/ ./
deb cdrom:[Disc]/ bookworm main
deb http://m.invalid/extra bookworm contrib
''')
        self.assertEqual(keys(found), [('http://m.invalid/debian/', 'bookworm')])
        self.assertEqual(found[0].options, {'Signed-By': '/keys/a.gpg /keys/b.gpg'})

    def test_alias(self):
        """a machine whose sources say stable"""
        found = self.entries('bookworm', sources_list='''
deb http://m.invalid/debian stable main
deb http://m.invalid/security stable-security main
''')
        self.assertEqual(keys(found), [
            ('http://m.invalid/debian', 'bookworm'),
            ('http://m.invalid/security', 'bookworm-security')])

    def test_machine(self):
        """reads os-release and all source files below a root"""
        with tempfile.TemporaryDirectory() as tmp:
            etc = Path(tmp) / 'etc'
            (etc / 'apt/sources.list.d').mkdir(parents=True)
            (etc / 'os-release').write_text(
                'NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=bookworm\n')
            (etc / 'apt/sources.list.d/debian.sources').write_text(DEB822)
            (etc / 'apt/sources.list.d/old.list.save').write_text('deb x y z\n')
            distribution, own, files = packages.machine(Path(tmp))
        self.assertEqual((distribution, own), ('debian', 'bookworm'))
        self.assertEqual([Path(f).name for f in files], ['debian.sources'])

    def test_last_words(self):
        """the first complaints of a program are passed on"""
        self.assertEqual(packages.last_words('Get:1\nE: no  key\nW: x\nE: y\n'),
                         'E: no key W: x')
        self.assertEqual(packages.last_words('one\ntwo\n'), 'two')


class Architecture(unittest.TestCase):
    """what apt is told about the architecture"""

    def setting(self, architecture, name):
        with tempfile.TemporaryDirectory() as tmp, \
                open(Path(tmp) / 'lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            apt = packages.Apt(Path(tmp), '', lock, architecture)
            return apt.run('sh', '-c', f'apt-config dump {name}')

    def test_foreign(self):
        """a foreign architecture replaces the machine's own, and is the only one"""
        self.assertEqual(self.setting('ppc64el', 'APT::Architecture'),
                         'APT::Architecture "ppc64el";\n')
        listed = self.setting('ppc64el', 'APT::Architectures').splitlines()
        self.assertEqual([line for line in listed if '::Architectures::' in line],
                         ['APT::Architectures:: "ppc64el";'])

    def test_own(self):
        """without one, the machine's own stays"""
        own = packages.subprocess.run(
            ['dpkg', '--print-architecture'], check=True, text=True,
            stdout=packages.subprocess.PIPE).stdout.strip()
        self.assertEqual(self.setting(None, 'APT::Architecture'),
                         f'APT::Architecture "{own}";\n')


if __name__ == '__main__':
    tap.main()
