# SPDX-License-Identifier: GPL-2.0-or-later
"""Throw-away root file systems of a Debian release, by mmdebstrap.

Hooks say what is to happen in one; when they are done, it is gone. It is made
with mounts and chroot, as root or with sudo.
"""

import os
import shutil
import subprocess

from packages import PackageError, machine, serving, sources_text


def command(suite, include, hooks):
    """The command that makes a root of the release with these packages in it,
    and what it reads from stdin. hooks: lines for a shell; "$1" is the root."""
    if not shutil.which('mmdebstrap'):
        raise PackageError('mmdebstrap is missing; install the package of that '
                           'name')
    dump = subprocess.run(['apt-config', 'dump'], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    # proxies and the like, as the machine has them
    options = [f'--aptopt={line}' for line in dump.splitlines()
               if line.startswith('Acquire::') and '::IndexTargets' not in line
               and not line.endswith(' "";')]
    sudo = ['sudo'] if os.geteuid() else []
    return ([*sudo, 'mmdebstrap', '--mode=root', '--variant=apt', '--format=null',
             '--dpkgopt=force-unsafe-io',     # it is gone at the end anyway
             f'--include={",".join(include)}', *options,
             *(f'--customize-hook={hook}' for hook in hooks), suite, '/dev/null',
             '-'], sources_text(serving(suite, machine()), 'deb'))
