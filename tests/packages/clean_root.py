# SPDX-License-Identifier: GPL-2.0-or-later
"""A root file system without network, in which packages are installed as their
users do, and QEMU from them runs."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import roots
import tap
from build import EMULATOR, PROJECT, BuildError
from packages import PackageError

FORWARD = PROJECT / 'tests/migration-compat/test_forward.py'


class Tap(tap.Tap):
    """Comments are for what fails."""

    def result(self, name, ok, comments=(), skip=None):
        super().result(name, ok, () if ok else comments, skip)


class Root:
    """The root, and what happens in it."""

    def __init__(self, top):
        self.top = Path(top)
        # Outside and inside by the same short name, for UNIX sockets.
        self.shared = Path(tempfile.mkdtemp(prefix='deb-', dir='/tmp'))
        self.shared.rmdir()
        (self.top / self.shared.relative_to('/')).mkdir(mode=0o1777)
        self.shared.symlink_to(self.top / self.shared.relative_to('/'))
        self.qemu = self.shared / EMULATOR
        self.qemu.write_text('#!/bin/sh\nexec ' + shlex.join(
            self.command(f'/usr/bin/{EMULATOR}')) + ' "$@"\n')
        self.qemu.chmod(0o755)

    def command(self, *command, network=False):
        return [*([] if network else ['unshare', '--net']), 'chroot',
                str(self.top), 'env', 'LC_ALL=C.UTF-8',
                'DEBIAN_FRONTEND=noninteractive', *map(str, command)]

    def run(self, *command, network=False):
        """Runs a command in the root: its status and all that it said."""
        p = subprocess.run(self.command(*command, network=network), text=True,
                           errors='replace', stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return p.returncode, p.stdout

    def output(self, *command, network=False):
        status, text = self.run(*command, network=network)
        if status:
            raise BuildError(f'{" ".join(map(str, command))} failed:\n{text}')
        return text

    def versions(self):
        """Package -> version of all that is installed."""
        text = self.output('dpkg-query', '-W', '-f',
                           '${db:Status-Abbrev}\t${Package}\t${Version}\n')
        return dict(line.split('\t')[1:] for line in text.splitlines()
                    if line.startswith('ii'))

    def of_qemu(self):
        """The installed packages that are made of the source qemu."""
        text = self.output('dpkg-query', '-W', '-f', '${source:Package} ${Package}\n')
        return [line.split()[1] for line in text.splitlines()
                if line.startswith('qemu ')]

    def devices(self):
        """All devices that QEMU has, those in its modules, too; and warnings."""
        return self.output(f'/usr/bin/{EMULATOR}', '-device', 'help')

    def load_streams(self, t):
        """All of test_forward.py as one test, and how many tests that had."""
        status, said = self.forward()
        passed = len([line for line in said if line.startswith('ok ')])
        t.result(f'the recorded streams load: all {passed} tests of test_forward.py',
                 not status and passed > 30,
                 [line for line in said if not line.startswith('ok ')])

    def forward(self, *options):
        """Runs test_forward.py with the QEMU in here: its status, what it said."""
        p = subprocess.run(
            [sys.executable, FORWARD, '--qemu', self.qemu, '--work',
             self.shared / 'guests', *options], text=True, errors='replace',
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, 'TMPDIR': str(self.shared)})
        return p.returncode, p.stdout.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shared.unlink()


@contextlib.contextmanager
def errors():
    """What apt has to say is for the user, as what our own scripts say."""
    try:
        yield
    except PackageError as e:
        raise BuildError(str(e)) from e


def one_package(place, kind, base):
    """The package that "make deb" or "make rpm" has made."""
    found = [*(place.dir / kind).glob(f'*.{kind}')]
    if len(found) != 1:
        raise BuildError(f'{len(found)} packages in {place.dir / kind}, not one; '
                         f'run: make {kind} BASE={base}')
    return found[0]


def test_in(suite, packages, script, *options):
    """Runs a test script with --root in a new root of the release with these
    packages, and shows what it prints of TAP; its exit status."""
    with errors():
        command, sources = roots.command(suite, packages, [
            shlex.join([sys.executable, script, *map(str, options)]) + ' --root "$1"'])
    # mmdebstrap writes what hooks print to stderr
    p = subprocess.run(command, input=sources, text=True, errors='replace',
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(''.join(line + '\n' for line in p.stdout.splitlines()
                  if re.match(r'(not )?ok |#|1\.\.', line)), end='', flush=True)
    if not re.search(r'(?m)^1\.\.\d+$', p.stdout):
        raise BuildError('the test came to no end:\n' + '\n'.join(
            p.stdout.splitlines()[-30:]))
    return p.returncode
