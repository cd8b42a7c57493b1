#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the examples of HACKING.md, each as the page has it."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tap

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / d) for d in ('scripts/generate', 'tests/migration-compat')]
sys.dont_write_bytecode = True
import harness      # noqa: E402
import series       # noqa: E402
from repository import Repository      # noqa: E402

# Language and, where it has one, file of each example -> its text
EXAMPLES = {m[1].strip(): m[2] for m in re.finditer(
    r'(?ms)^```(\S+(?: \S+)?)\n(.*?)^```$', (PROJECT / 'HACKING.md').read_text())}


class Hacking(unittest.TestCase):
    def setUp(self):
        self.top = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.top)
        self.project, self.tree = self.top / 'project', self.top / 'tree'
        (self.project / 'series/2-fixes').mkdir(parents=True)
        for name in 'series/bases.toml', 'series/2-fixes/cover.toml':
            shutil.copy(PROJECT / name, self.project / name)
        (self.tree / 'target/ppc').mkdir(parents=True)
        (self.tree / 'hw/ppc').mkdir(parents=True)
        (self.tree / 'VERSION').write_text('11.0.3\n')

    def example(self, what, top=None):
        """The text of an example; with top, it is written to its place below."""
        text = EXAMPLES.pop(what)
        if top:
            (top / what.split()[1]).write_text(text)
        return text

    def test_1_hook(self):
        """a patch with a hook: applied, it is the diff that the page shows"""
        self.example('c hw/ppc/example.c', self.tree)
        self.example('toml series/2-fixes/40-example.toml', self.project)
        (self.project / 'series/2-fixes/cover.toml').write_text('subject = "x"\nmessage = "x"\n')
        repo = Repository(self.top / 'git', PROJECT)
        result = series.fit(self.project, self.tree)
        series.commit(repo, result)
        series.write(repo, result, self.top / 'out')
        patch = (self.top / 'out/2-fixes/0001-example.patch').read_text()
        self.assertEqual(patch[patch.index('\n@@') + 1:].rstrip('\n'),
                         self.example('diff').rstrip('\n'))
        (self.tree / 'hw/ppc/example.c').write_text('void example_realize(int i)\n{\n    i++;\n}\n')
        with self.assertRaisesRegex(series.SeriesError, r'^series/2-fixes/40-example.toml:8: hw/ppc/example.c: '
                                    r"anchor 'example_start\(' or 'example_begin\(' matches 0 times"):
            series.fit(self.project, self.tree)

    def test_2_base(self):
        """a base: it is known, and takes a tree of its version only"""
        bases = self.project / 'series/bases.toml'
        bases.write_text(bases.read_text() + self.example('toml series/bases.toml'))
        name = list(series.load_bases(self.project)['bases'])[-1]
        self.assertEqual(series.Base(self.project, self.tree, name).release, (11, 0, 3))
        (self.tree / 'VERSION').write_text('10.2.0\n')
        with self.assertRaisesRegex(series.SeriesError, f'QEMU 10.2.0, but {name} is 11.0'):
            series.Base(self.project, self.tree, name)

    def test_3_group(self):
        """a group: the history compiles with its rows, and has them"""
        rows = self.example('c target/ppc/insns-history.h.inc').splitlines()
        for name in 'target', 'standalone':
            shutil.copytree(PROJECT / name, self.project / name)
        table = self.project / 'target/ppc/insns-history.h.inc'
        text = table.read_text()
        for row in rows:
            end = f'#undef {row.split("(")[0]}\n'
            self.assertEqual(text.count(end), 1)
            text = text.replace(end, f'{row}\n{end}')
        table.write_text(text)
        (self.top / 'main.c').write_text(
            '#include "qemu/osdep.h"\n#include "target/ppc/insns-history.h"\n'
            'int main(void)\n{\n    PPCInsns was = ppc_insns_at(PPC_FAMILY_POWER10, PPC_RELEASE(11, 0));\n'
            '    PPCInsns is = ppc_insns_at(PPC_FAMILY_POWER10, PPC_RELEASE(11, 1));\n'
            '    return (was.flags2 ^ is.flags2) != 1ULL << 40;\n}\n')
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'glib-2.0'], text=True,
                               stdout=subprocess.PIPE, check=True).stdout.split()
        for command in (['gcc', '-o', 'example', 'main.c', 'project/target/ppc/insns-history.c', '-Iproject',
                         '-Iproject/standalone', *flags], ['./example']):
            p = subprocess.run(command, cwd=self.top, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual((p.returncode, p.stdout), (0, ''), command)

    def test_4_stream(self):
        """a stream: its row is read, and is what is in the file"""
        text = self.example('tsv tests/migration-compat/streams/MANIFEST.tsv')
        streams = PROJECT / 'tests/migration-compat/streams'
        head = (streams / 'MANIFEST.tsv').read_text().split('\n')[0]
        (self.top / 'MANIFEST.tsv').write_text(f'{head}\n{text}')
        row, = harness.read_manifest(self.top)
        (self.top / row.path).symlink_to(streams / Path(row.path).name)
        self.assertEqual(set(harness.cpu_words(harness.structure(row.read()))), {row.words})

    def test_5_test(self):
        """a test: it passes, and fails where what it says is not true"""
        unit, scripts = self.project / 'tests/unit', self.project / 'scripts/generate'
        unit.mkdir(parents=True)
        shutil.copytree(PROJECT / 'scripts/generate', scripts)
        shutil.copy(PROJECT / 'tests/unit/tap.py', unit)
        self.example('python tests/unit/test_example.py', self.project)

        def run():
            p = subprocess.run([sys.executable, unit / 'test_example.py'], text=True, stdout=subprocess.PIPE)
            return p.returncode, p.stdout.splitlines()[0].split(' - ')[0]
        self.assertEqual(run(), (0, 'ok 1'))
        text = (scripts / 'series.py').read_text()
        self.assertEqual(text.count('if v[2] < 50:'), 1)
        (scripts / 'series.py').write_text(text.replace('if v[2] < 50:', 'if True:'))
        self.assertEqual(run(), (1, 'not ok 1'))

    def test_6_all(self):
        """no example of the page was left out"""
        self.assertEqual(EXAMPLES, {})


if __name__ == '__main__':
    tap.main()
