#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the versions and the control file of "make deb", the spec of "make
rpm", and of how the job for GitLab is put together."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tap

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = map(str, (PROJECT / 'scripts').glob('*/'))
import build
import deb
import gitlab
import rpm


def less(a, b):
    return not subprocess.run(['dpkg', '--compare-versions', a, 'lt',
                               b]).returncode


class Versions(unittest.TestCase):
    # the distribution's package, and what may be its next
    KNOWN = {
        '1:7.2+dfsg-7+deb12u18+b3': ['1:7.2+dfsg-7+deb12u18+b4',
                                     '1:7.2+dfsg-7+deb12u19', '1:7.2+dfsg-8'],
        '1:7.2+dfsg-7+deb12u9': ['1:7.2+dfsg-7+deb12u9+b1',
                                 '1:7.2+dfsg-7+deb12u10'],
        '1:5.2+dfsg-11+deb11u5': ['1:5.2+dfsg-11+deb11u6'],
        '1:10.0.13+ds-0+deb13u1': ['1:10.0.13+ds-0+deb13u2',
                                   '1:10.0.14+ds-0+deb13u1'],
        '1:11.0.2+ds-2': ['1:11.0.2+ds-2+b1', '1:11.0.2+ds-2.1',
                          '1:11.0.2+ds-2+deb14u1', '1:11.0.2+ds-3']}

    def test_between(self):
        """The version is above the distribution's, and below its next"""
        for stock, later in self.KNOWN.items():
            version = deb.version_for(stock)
            self.assertTrue(version.endswith('+insns1'))
            self.assertTrue(less(stock, version), version)
            for other in [*later, *deb.later_versions(stock)]:
                self.assertTrue(less(version, other), f'{version} {other}')


CONTROL = '''Source: qemu

Package: qemu-system-misc
Provides: ${sysprovides:misc}
Description: x
 y

Package: qemu-system-ppc
Depends: ${shlibs:Depends}
# a comment
 seabios
Provides: qemu-kvm [linux-ppc64], ${sysprovides:ppc}
Breaks: qemu-kvm

Package: qemu-system-sparc
Provides: ${sysprovides:sparc}
'''


class Control(unittest.TestCase):
    def test_provides(self):
        """The package, and no other, provides the distribution's version of itself"""
        old, new = (text.splitlines() for text in (
            CONTROL, deb.with_provides(CONTROL)))
        changed = [line for line in new if line not in old]
        self.assertEqual(changed, [
            'Provides: qemu-kvm [linux-ppc64], ${sysprovides:ppc}, '
            'qemu-system-ppc (= ${binary:Version})'])
        self.assertEqual(len(new), len(old))

    def test_missing(self):
        """A control file without that field is an error"""
        with self.assertRaisesRegex(build.BuildError, 'Provides'):
            deb.with_provides(CONTROL.replace('qemu-system-ppc\n', 'x\n'))


class Spec(unittest.TestCase):
    def test_filled_in(self):
        """The spec has the version and all patches, and nothing is left open"""
        with tempfile.TemporaryDirectory() as top:
            top = Path(top)
            (top / 'patches.spec').write_text('Patch9001: a.patch\n')
            rpm.write_spec(top / 'spec', '7.2.22', top)
            text = (top / 'spec').read_text()
        self.assertIn('\nVersion: 7.2.22\n', text)
        self.assertIn('\nPatch9001: a.patch\n', text)
        self.assertNotRegex(text.partition('Name:')[2], r'@\w+@')


class Job(unittest.TestCase):
    JOBS = {
        '.base': {'before_script': ['a', 'b']},
        '.template': {'before_script': [['.base', 'before_script'], 'c'],
                      'script': ['d', 'e']},
        gitlab.JOB: {'extends': '.template', 'needs': [{'job': 'container'}],
                     'before_script': [['.template', 'before_script'], 'f'],
                     'script': [['.template', 'script'], 'g']}}

    def test_order(self):
        """The lines of the templates stand where the job refers to them"""
        self.assertEqual(gitlab.script(self.JOBS), list('abcfdeg'))
        self.assertEqual(gitlab.script(self.JOBS, own_only=True), list('fg'))

    def test_wanted(self):
        """All that the job refers to is looked for"""
        self.assertEqual(gitlab.wanted(self.JOBS, [gitlab.JOB]),
                         {'.template', 'container'})

    def test_yaml(self):
        """!reference, which only GitLab has, is read as a list"""
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            file.write('x:\n  - !reference [.template, script]\n')
            file.flush()
            self.assertEqual(json.loads(build.run([*gitlab.YAML, file.name])),
                             [{'x': [['.template', 'script']]}])


if __name__ == '__main__':
    tap.main()
