# SPDX-License-Identifier: GPL-2.0-or-later
"""Follows "Adding a group" of docs/devel/ppc-insns-compat.rst in a copy of the
patched tree: applies the diffs that it shows, and checks what it says.
"""

import os
import re
import shutil
import subprocess
import textwrap

from build import EMULATOR, TARGET_LIST, build_tree, link_firmware, tests_in

PAGE = 'docs/devel/ppc-insns-compat.rst'
HISTORY = 'target/ppc/insns-history.h.inc'
GUARD = '/ppc64/ppc-insns-compat/guard'

# 03abfd90cf gave all classes PPC2_MEM_LWSYNC, and nothing noticed what that did
# to migration. The families whose rows somebody had to write then.
MISTAKE = '03abfd90cf', 'PPC2_MEM_LWSYNC', [7, 1]
MISTAKEN = ['970', 'POWER10', 'POWER5P', 'POWER7', 'POWER8', 'POWER9']

ROW = re.compile(r'CHANGE\(R\((\d+), (\d+)\), F\((\w+)\), (\w+), (\w+), (\w+), '
                 r'NULL\)')


def diffs(page):
    """The texts of the page's diffs, in order."""
    blocks = re.findall(r'^( *)\.\. code-block:: diff\n\n((?:\1 +.*\n|\n)+)',
                        page.read_text(), re.M)
    return [whole(textwrap.dedent(text).rstrip('\n')) for _, text in blocks]


def whole(diff):
    """A diff with the blank lines at its end that a page does not show."""
    size, hunk = re.findall(r'^@@ -\d+,(\d+) .*\n([^@]*)\Z', diff, re.M)[0]
    missing = int(size) - len(re.findall(r'^(?!\+)', hunk, re.M))
    return diff + '\n' + ' \n' * missing


class WalkThrough:
    """The tree, where it is built, and the page's diffs as patch files."""

    def __init__(self, place):
        self.place = place
        self.tree = place.dir / 'walk-through'
        self.bin = place.dir / 'walk-through-bin'
        self.qemu = self.bin / EMULATOR
        steps = place.dir / 'walk-through.diffs'
        shutil.rmtree(steps, ignore_errors=True)
        steps.mkdir()
        self.diffs = []
        for n, text in enumerate(diffs(place.patched / PAGE), 1):
            self.diffs.append(steps / f'{n}.diff')
            self.diffs[-1].write_text(text)

    def build(self, count):
        """Builds QEMU with the first diffs applied."""
        repo = self.place.repository
        repo.check_out(repo.with_patches('series', self.diffs[:count]), self.tree)
        build_tree(self.tree, self.bin, TARGET_LIST,
                   [EMULATOR, *tests_in(self.tree)])
        link_firmware(self.bin)

    def guard(self, qemu):
        """Whether the guard that is built here passes with that QEMU, and
        the rows that it says are missing."""
        test = next(t for t in tests_in(self.tree) if 'insns-compat-test' in t)
        p = subprocess.run([self.bin / test, '--tap', '-k', '-p', GUARD],
                           text=True, errors='replace', cwd=self.bin,
                           env={**os.environ, 'QTEST_QEMU_BINARY': str(qemu)},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL)
        return (re.search('^ok 1 ', p.stdout, re.M) is not None,
                set(ROW.findall(p.stdout)))

    def follow(self):
        """Yields (name, what is wrong or None) of each thing that the page
        says. In the end all of its diffs are applied, and that is built."""
        adds = next(n for n, d in enumerate(self.diffs)
                    if f'+++ b/{HISTORY}\n' in d.read_text() and
                    ROW.search(d.read_text()))
        row = set(ROW.findall(self.diffs[adds].read_text()))
        self.build(adds)
        good, rows = self.guard(self.qemu)
        yield ('the guard fails where a class has gained a group, and prints '
               'the row that the next step adds',
               None if not good and row and rows == row else
               f'passes: {good}; prints {rows}, not {row}')
        yield from self.replay()

        self.build(len(self.diffs))
        good, rows = self.guard(self.qemu)
        yield ('after the last step the guard passes',
               None if good else f'prints {rows}')

    def replay(self):
        """As follow(), for a history that never heard of MISTAKE: what the
        guard would have said to whoever made it. Leaves the tree's history
        like that."""
        commit, group, since = MISTAKE
        release = (self.place.patched / 'VERSION').read_text().split('.')[:2]
        wanted = {(*release, family, 'ADDED', '0', group)
                  for family in MISTAKEN if [*map(int, release)] >= since}
        history = self.tree / HISTORY
        rows = re.compile(r'^CHANGE\((?:(?!\nCHANGE)[^"])*"%s"\)\n' % commit, re.M)
        history.write_text(rows.sub('', history.read_text()))
        build_tree(self.tree, self.bin, TARGET_LIST, tests_in(self.tree))
        good, rows = self.guard(self.place.qemu)
        yield (f'a history without {commit} fails the guard where the classes '
               'have its group',
               None if rows == wanted and good == (not wanted) else
               f'passes: {good}; prints {rows}, not {wanted}')
