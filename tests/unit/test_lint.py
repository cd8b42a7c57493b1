#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What linters say of the project's own Python: nothing. setup.cfg says what they are asked."""

import shutil
import subprocess
import unittest
from pathlib import Path

import tap

PROJECT = Path(__file__).resolve().parents[2]

# The generator, whose types mypy can follow.
TYPED = [f'scripts/generate/{name}.py' for name in ('series', 'places', 'repository', 'mails', 'process')]


def sources():
    """All of the project's Python files."""
    return sorted(path.relative_to(PROJECT) for top in ('scripts', 'tests', 'tools')
                  for path in (PROJECT / top).rglob('*.py'))


class Lint(unittest.TestCase):
    def silent(self, tool, *args, expected=''):
        if not shutil.which(tool):
            self.skipTest(f'{tool} is not installed; scripts/setup.sh does that')
        p = subprocess.run([tool, *args], cwd=PROJECT, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((p.returncode, p.stdout), (0, expected), p.stdout)

    def test_names(self):
        """pyflakes: no name that is unknown, or not used"""
        # what a package's __init__ imports is there for others
        self.silent('pyflakes3', *(f for f in sources() if f.name != '__init__.py'))

    def test_style(self):
        """pycodestyle: one style"""
        self.silent('pycodestyle', *sources())

    def test_types(self):
        """mypy: the generator's types"""
        self.silent('mypy', *TYPED, expected=f'Success: no issues found in {len(TYPED)} source files\n')


if __name__ == '__main__':
    tap.main()
