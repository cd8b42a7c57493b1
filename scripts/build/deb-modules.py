#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that modules of a QEMU without the series work in one with it.

    deb-modules.py BUILD-DIRECTORY HEADER...

HEADER is a file that the series changes, by its path in the tree. It is an
error if a module includes one: the module may assume that a struct is smaller
than it is. Needs what "ninja qemu-system-ppc64" makes; builds no modules.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def headers_of(row):
    """The files that a command of compile_commands.json reads."""
    command, kept = iter(shlex.split(row['command'])), []
    for word in command:
        if word in ('-o', '-MF', '-MQ'):
            next(command)
        elif word not in ('-c', '-MD'):
            kept.append(word)
    made = subprocess.run([*kept, '-M'], cwd=row['directory'], text=True,
                          check=True, stdout=subprocess.PIPE).stdout
    return {os.path.realpath(os.path.join(row['directory'], path))
            for path in re.split(r'[\s\\]+', made.partition(':')[2]) if path}


def main():
    build, *headers = sys.argv[1:]
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        modules = [row for row in json.load(f) if '-DBUILD_DSO' in row['command']]
    if not modules or not headers:
        sys.exit(f'deb-modules.py: {len(modules)} files of modules and '
                 f'{len(headers)} headers of the series, so that there is '
                 'nothing to compare; was the wrong tree built?')
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        read = list(workers.map(headers_of, modules))
    bad = [f'{row["file"]} is compiled with {header}'
           for row, files in zip(modules, read) for header in headers
           if os.path.realpath(header) in files]
    if bad:
        sys.exit('\n'.join([
            "deb-modules.py: the modules of the distribution's packages would "
            'not fit a QEMU with this series:', *bad,
            'Build all packages of the source package, as docs/packaging.md says.']))
    print(f'{len(modules)} files of modules, none of which is compiled with the '
          f'{len(headers)} headers that the series changes')


if __name__ == '__main__':
    main()
