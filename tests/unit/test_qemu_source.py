#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/qemu-source.py: which package sources it would use."""

import importlib.util
import tempfile
import unittest
from pathlib import Path

import tap

SCRIPT = Path(__file__).resolve().parents[2] / 'scripts/qemu-source.py'
spec = importlib.util.spec_from_file_location('qemu_source', SCRIPT)
qs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(qs)

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
        return qs.entries_for(qs.parse_sources(named), suite, own)

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
        self.assertEqual(qs.sources_text(found[1:], 'deb-src'), '''\
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
            distribution, own, files = qs.machine(Path(tmp))
        self.assertEqual((distribution, own), ('debian', 'bookworm'))
        self.assertEqual([Path(f).name for f in files], ['debian.sources'])

    def test_suite(self):
        """a base's name gives the release, or says what is wrong"""
        bases = {'debian/trixie': {'suite': 'trixie'}}
        self.assertEqual(qs.suite_of('debian/trixie', 'debian', 'bookworm', bases),
                         'trixie')
        self.assertEqual(qs.suite_of('apt', 'ubuntu', 'noble', bases), 'noble')
        for base, distribution, own, message in (
                ('debian/trixie', 'ubuntu', 'noble', 'this machine runs ubuntu'),
                ('debian/sarge', 'debian', 'bookworm', "no base 'debian/sarge'"),
                ('apt', 'debian', '', 'names no release')):
            with self.assertRaisesRegex(qs.SourceError, message):
                qs.suite_of(base, distribution, own, bases)

    def test_last_words(self):
        """the first complaints of a program are passed on"""
        self.assertEqual(qs.last_words('Get:1\nE: no  key\nW: x\nE: y\n'),
                         'E: no key W: x')
        self.assertEqual(qs.last_words('one\ntwo\n'), 'two')


if __name__ == '__main__':
    tap.main()
