#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of scripts/generate/series.py and its modules, on made-up QEMU trees."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from tempfile import mkdtemp

import tap

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = PROJECT / 'scripts/generate'
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
from places import PlaceError, Source      # noqa: E402
import series                              # noqa: E402

CODE_C = '''\
#include "one.h"
#include "two.h"

/* not here: call_me(1); */
static void helper(int a);

type_init(register_it)

/* A word on mask. */
static int mask(Thing *t)
{
    int i;
    uint64_t bits = A |
        B |     /* and, by the way, C; */
        C;

    for (i = 0; i < 4; i++) {
        call_me(t, "} not a brace {",
                i);
    }

    /* Old hacks */
    if (t->old) {
        t->bits = bits;
#ifdef WIDE
        if (t->wide) {
#else
        if (t->narrow) {
#endif
            t->bits2 = 0;
        }
    } else {
        t->none = true;
    }
    return 0;

fail:
    call_other(t);
    return -1;
}

static void helper(int a)
{
    call_me(a, NULL, 0);
    call_me2(a);
}

static const Desc desc = {
    .name = "desc",
    .fields = (Field[]) {
        FIELD(bits, Thing), /* was EQUAL(bits) */
        FIELD_TEST(bits2, Thing,
                   is_old),
        END_OF_LIST()
    },
    .sub = NULL
};

struct Thing {
    int bits;
};

typedef struct {
    int x;
} Other;
'''

MESON = '''\
ss = source_set()    # the CPU's
ss.add(files(
  'one.c',
  'two.c',
))
ss.add(when: 'X', if_true: files('x.c'))
tests = \\
  (have ? ['t1'] : []) + \\
  ['t2']
# all of it: 'two.c'
if have
  more = {
    'a': [],
    'b': ['b.c',
          'c.c'],
  }
endif
'''

MAINTAINERS = '''\
First thing
M: somebody
F: one/

Second thing
M: somebody
F: two/

Second thing more
F: three/
'''


def change(path, text, op, anchor=None, insert='NEW\n', inside=None, comment=False):
    one = [anchor] if isinstance(anchor, str) else anchor or []
    inside = [inside] if isinstance(inside, str) else inside or []
    return Source(path, text).change(op, one, insert, inside, comment)


class Places(unittest.TestCase):
    """Each change is given as what becomes of one part of the text."""

    def becomes(self, before, after, *args, path='a/code.c', text=CODE_C, **kw):
        self.assertEqual(text.count(before), 1, 'the test itself is wrong')
        self.assertEqual(change(path, text, *args, **kw),
                         text.replace(before, after))

    def refused(self, message, *args, path='a/code.c', text=CODE_C, **kw):
        with self.assertRaises(PlaceError) as e:
            change(path, text, *args, **kw)
        self.assertEqual(str(e.exception), message)

    def test_before(self):
        """before: the statement that has the anchor, not its line"""
        self.becomes('        call_me(t, "}', 'NEW\n        call_me(t, "}',
                     'before', 'i)', inside='mask')
        self.becomes('    call_me2', 'NEW\n    call_me2', 'before', 'call_me2(')

    def test_before_label(self):
        """before: after a label"""
        self.becomes('    call_other', 'NEW\n    call_other', 'before', 'call_other(')

    def test_before_comment(self):
        """before: above the comment, if wanted"""
        self.becomes('/* A word', 'NEW\n/* A word', 'before', 'static int mask(',
                     comment=True)
        self.becomes('static int mask', 'NEW\nstatic int mask',
                     'before', 'static int mask(')

    def test_after(self):
        """after: the end of the statement, over lines, strings, comments"""
        self.becomes('        C;\n', '        C;\nNEW\n', 'after', 'uint64_t bits =')
        self.becomes('                i);\n', '                i);\nNEW\n',
                     'after', 'call_me(', inside='mask')
        self.becomes('type_init(register_it)\n', 'type_init(register_it)\nNEW\n',
                     'after', 'type_init(')
        self.becomes('#include "one.h"\n', '#include "one.h"\nNEW\n',
                     'after', '#include "one.h"')

    def test_after_opener(self):
        """after: what opens a block is an end"""
        self.becomes('    if (t->old) {\n', '    if (t->old) {\nNEW\n',
                     'after', 'if (t->old)')
        self.becomes('    .fields = (Field[]) {\n',
                     '    .fields = (Field[]) {\nNEW\n', 'after', '.fields =')

    def test_after_item(self):
        """after: an initializer's item"""
        self.becomes('                   is_old),\n',
                     '                   is_old),\nNEW\n', 'after', 'FIELD_TEST(bits2')
        self.becomes('/* was EQUAL(bits) */\n', '/* was EQUAL(bits) */\nNEW\n',
                     'after', 'FIELD(bits')
        self.refused("anchor '.sub =' is in a last item without a comma",
                     'after', '.sub =')

    def test_after_block(self):
        """after_block: else branches belong to it"""
        self.becomes('                i);\n    }\n', '                i);\n    }\nNEW\n',
                     'after_block', 'for (i = 0')
        self.becomes('    },\n    .sub', '    },\nNEW\n    .sub',
                     'after_block', '.fields =')
        self.refused("anchor 'call_me2(' opens no block", 'after_block', 'call_me2(')

    def test_replace(self):
        """replace: a statement, an item, with its comments if wanted"""
        self.becomes('    int i;\n', 'NEW\n', 'replace', 'int i;')
        self.becomes('        FIELD_TEST(bits2, Thing,\n                   is_old),\n',
                     'NEW\n', 'replace', 'FIELD_TEST(')
        self.becomes('    for (i = 0; i < 4; i++) {\n        call_me(t, "} not a '
                     'brace {",\n                i);\n    }\n', 'NEW\n',
                     'replace', 'for (i')
        part = CODE_C[CODE_C.index('/* A word'):CODE_C.index('static void helper(int a)\n')]
        self.becomes(part, 'NEW\n\n', 'replace', 'static int mask(', comment=True)
        self.refused("anchor 'bits = bits' does not begin a statement that has its "
                     'lines to itself', 'replace', 'bits = bits')

    def test_replace_else(self):
        """replace: if with else; unbalanced #if in it is noticed"""
        text = CODE_C.replace('#else\n        if (t->narrow) {\n', '')
        part = text[text.index('    /* Old'):text.index('    return 0;')]
        self.becomes(part, 'NEW\n', 'replace', 'if (t->old)', text=text, comment=True)
        self.refused('a block does not end (line 23)', 'replace', 'if (t->old)')
        text = 'f()\n{\n    if (x) {\n        y();\n#ifdef A\n    }\n    if (z) {\n' \
               '#else\n        z();\n#endif\n    }\n}\n'
        self.refused('an #if crosses the statement (line 3)', 'replace', 'if (x)',
                     text=text)

    def test_remove(self):
        """replace by nothing: does not leave two empty lines"""
        text = 'a(1);\n\n/* b */\nb(2);\n\nc(3);\n'
        self.assertEqual(change('x.c', text, 'replace', 'b(2)', '', comment=True),
                         'a(1);\n\nc(3);\n')

    def test_substitute(self):
        """substitute: the anchor's text alone"""
        self.becomes('t->bits = bits;', 't->bits = none;', 'substitute',
                     '= bits', '= none')

    def test_append(self):
        """append: before the closing brace of each kind of scope"""
        self.becomes('    call_me2(a);\n', '    call_me2(a);\nNEW\n', 'append',
                     inside='helper')
        self.becomes('    int bits;\n', '    int bits;\nNEW\n', 'append', inside='Thing')
        self.becomes('    int x;\n', '    int x;\nNEW\n', 'append', inside='Other')
        self.refused('cannot append: the last item ends with neither comma nor '
                     'semicolon (line 57)', 'append', inside='desc')
        self.assertEqual(change('x.c', 'int a;', 'append'), 'int a;\nNEW\n')

    def test_anchor(self):
        """anchors: whole identifiers, in code only, exactly once"""
        self.becomes('    call_me(a', 'NEW\n    call_me(a', 'before', 'call_me(a')
        self.refused("anchor 'me(' matches 0 times", 'before', 'me(')
        self.refused("anchor 't->bit' matches 0 times", 'before', 't->bit')
        self.refused("anchor 'call_me(1)' matches 0 times", 'before', 'call_me(1)')
        self.refused("anchor 'call_me(' matches 2 times (line 18, 44)",
                     'before', 'call_me(')
        self.refused("anchor 'gone(' matches 0 times inside helper",
                     'before', 'gone(', inside='helper')

    def test_alternatives(self):
        """inside and anchors: of several names, the first that is there"""
        self.becomes('    call_me2', 'NEW\n    call_me2', 'before',
                     ['call_me2(', 'call_me3('], inside=['helper', 'helperfn'])
        self.becomes('    call_me2(a);\n', '    call_me2(a);\nNEW\n', 'append',
                     inside=['gone', 'helper', 'mask'])
        self.becomes('    call_me2', 'NEW\n    call_me2', 'before',
                     ['call_me2(', 'call_me('])
        self.refused("anchor 'call_me(' matches 2 times (line 18, 44)", 'before',
                     ['call_me3(', 'call_me(', 'call_me2('])
        self.refused("anchor 'one(' or 'other(' matches 0 times", 'before',
                     ['one(', 'other('])
        self.refused('nothing or none is not defined here', 'append',
                     inside=['nothing', 'none'])

    def test_doubled_place(self):
        """inside: a function that is there twice"""
        text = 'int f(void)\n{\n}\n#ifdef X\nint f(void)\n{\n    x();\n}\n#endif\n'
        self.refused('f is defined 2 times; one definition was expected '
                     '(line 2, 6)', 'append', inside='f', text=text)

    def test_meson(self):
        """meson: statements, and items within brackets"""
        for before, after, *args in (
                ("ss = source_set()    # the CPU's\n",
                 "ss = source_set()    # the CPU's\nNEW\n", 'after', 'ss ='),
                ("ss.add(files(\n", "NEW\nss.add(files(\n", 'before', 'ss.add(files('),
                ("  'two.c',\n", "  'two.c',\nNEW\n", 'after', "'two.c'"),
                ("  'two.c',\n", "NEW\n  'two.c',\n", 'before', "'two.c'"),
                ("  ['t2']\n", "  ['t2']\nNEW\n", 'after', 'tests ='),
                ("          'c.c'],\n", "          'c.c'],\nNEW\n", 'after', "'b':"),
                ("    'a': [],\n", "NEW\n", 'replace', "'a':")):
            self.becomes(before, after, *args, path='x/meson.build', text=MESON)
        self.refused("anchor \"'x.c'\" is in an item that shares its line",
                     'after', "'x.c'", path='meson.build', text=MESON)
        self.refused('inside works in C and in plain text only', 'append',
                     inside='ss', path='meson.build', text=MESON)

    def test_make(self):
        """make: logical lines"""
        text = 'obj-y += a.o \\\n  b.o\n# obj-n\nobj-n += c.o\n'
        self.assertEqual(change('t/Makefile.objs', text, 'after', 'obj-y +='),
                         'obj-y += a.o \\\n  b.o\nNEW\n# obj-n\nobj-n += c.o\n')
        self.assertEqual(change('t/Makefile.objs', text, 'replace', 'obj-n'),
                         'obj-y += a.o \\\n  b.o\n# obj-n\nNEW\n')

    def test_plain(self):
        """plain text: lines, and paragraphs as places"""
        self.becomes('F: two/\n', 'F: two/\nNEW\n', 'append', inside='Second thing',
                     path='MAINTAINERS', text=MAINTAINERS)
        self.becomes('M: somebody\nF: two/\n', 'M: somebody\nNEW\nF: two/\n', 'after',
                     'M:', inside='Second thing', path='MAINTAINERS', text=MAINTAINERS)
        self.refused('Third thing is not defined here', 'append', inside='Third thing',
                     path='MAINTAINERS', text=MAINTAINERS)


BASES = '''\
oldest = "2.7"
[bases."fake/new"]
suite = "new"
version = "7.2"
fits = true
[bases."fake/other"]
version = "8.0"
fits = false
[directories]
"target/ppc" = ["target/ppc", "target-ppc"]
"tests/unit" = ["tests/unit", "tests"]
[files]
cpu = ["target/ppc/cpu_init.c", "target-ppc/translate_init.c"]
gone = ["a/b.c", "c/d.c"]
[features.caps]
from = "2.11.1"
[features.old]
until = "7.2"
[features.checked]
from = "7.2"
file = "target/ppc/cpu.c"
contains = "call_me2"
'''

COVER = '''\
subject = "target/ppc: a series for tests"
message = """
What it is about.
"""
'''

FIRST = '''\
subject = "target/ppc: add a thing"
message = """
Because.
"""
files = ["target/ppc/thing.c", "tests/unit/test-thing.sh"]
[[hook]]
file = "@cpu"
inside = ["realize", "realizefn"]
before = "build("
insert = """
    thing(cpu); /* in target/ppc */
"""
'''

SECOND = '''\
subject = "target/ppc: use the thing"
message = """
Caf\\u00e9.
"""
needs = ["caps"]
[[hook]]
file = "target/ppc/thing.c"
after = "int thing;"
insert = """
int more;
"""
[[hook]]
file = "target/ppc/cpu.c"
inside = "mask"
replace = "int i;"
insert = ""
lacks = ["old"]
[[hook]]
file = "target/ppc/cpu.c"
inside = "helper"
replace = "call_me2("
insert = ""
needs = ["old"]
'''

THING = 'int thing; /* see target/ppc/x, not in target/ppcemb */\n'

REALIZE = '''\
static void realize(CPU *cpu)
{
    build(cpu);
}
'''


def snapshot(*dirs):
    """A hash of all that is in some directories."""
    h = hashlib.sha256()
    for d in dirs:
        for f in sorted(d.rglob('*')):
            h.update(str(f).encode() + (f.read_bytes() if f.is_file() else b''))
    return h.hexdigest()


class Whole(unittest.TestCase):
    """The script as a whole: a project, a tree, and the patches."""

    def setUp(self):
        self.tmp = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.tmp)
        self.project, self.tree = self.tmp / 'project', self.tmp / 'tree'
        self.out = self.tmp / 'build/out'
        self.home = self.tmp / 'home'
        self.home.mkdir()
        self.files(self.tree, {
            'VERSION': '7.2.9\n', 'target/ppc/cpu_init.c': REALIZE,
            'target/ppc/cpu.c': CODE_C, 'tests/unit/meson.build': MESON})
        self.files(self.project, {
            'series/bases.toml': BASES, 'series/1-topic/cover.toml': COVER,
            'series/1-topic/01-add.toml': FIRST,
            'series/1-topic/02-use.toml': SECOND,
            'target/ppc/thing.c': THING,
            'tests/unit/test-thing.sh': '#!/bin/sh\n'})
        (self.project / 'tests/unit/test-thing.sh').chmod(0o755)

    @staticmethod
    def files(root, files):
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)

    def env(self, **extra):
        env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
        return env | {'HOME': str(self.home), 'XDG_CONFIG_HOME': str(self.home),
                      'GIT_CONFIG_NOSYSTEM': '1', 'SOURCE_DATE_EPOCH': '1600000000',
                      'GIT_CEILING_DIRECTORIES': str(self.tmp),
                      'PYTHONDONTWRITEBYTECODE': '1', **extra}

    def run_series(self, *args, out=None, **kw):
        return subprocess.run(
            [sys.executable, SCRIPTS / 'series.py', '--project', self.project,
             '--tree', self.tree, '--out', out or self.out, *args],
            capture_output=True, text=True, **{'env': self.env()} | kw)

    def made(self, *args, **kw):
        r = self.run_series(*args, **kw)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return r.stdout

    def refused(self, message, *args, **kw):
        """Exit status 1, one message, and nothing has changed."""
        before = snapshot(self.tree, self.tmp / 'build')
        r = self.run_series(*args, **kw)
        self.assertEqual((r.returncode, r.stdout, r.stderr.rstrip('\n')),
                         (1, '', 'series.py: ' + message.format(tree=self.tree)))
        self.assertEqual(snapshot(self.tree, self.tmp / 'build'), before)

    def edit(self, name, old, new):
        path = self.tmp / name
        text = path.read_text()
        self.assertIn(old, text, 'the test itself is wrong')
        path.write_text(text.replace(old, new))

    FITS = '; this series is known to fit: fake/new (7.2)'

    def test_result(self):
        """git am and git apply give exactly the text that was meant"""
        self.assertEqual(self.made('--base', 'fake/new'),
                         '1-topic:\n   1  target/ppc: add a thing\n'
                         '   2  target/ppc: use the thing\n')
        self.assertEqual(sorted(f.name for f in (self.out / '1-topic').iterdir()),
                         ['0000-cover-letter.patch', '0001-add.patch', '0002-use.patch'])
        patches = sorted(self.out.glob('1-topic/000[12]*'))
        am, plain = self.tmp / 'am', self.tmp / 'plain'
        shutil.copytree(self.tree, am)
        shutil.copytree(self.tree, plain)
        ident = self.env(GIT_AUTHOR_NAME='x', GIT_AUTHOR_EMAIL='x', GIT_COMMITTER_NAME='x',
                         GIT_COMMITTER_EMAIL='x')
        for cmd in (['init', '-q'], ['add', '-A'], ['commit', '-qm', 'x'],
                    ['am', '-q', *patches]):
            subprocess.run(['git', *cmd], cwd=am, env=ident, check=True)
        for p in patches:
            subprocess.run(['git', 'apply', p], cwd=plain, env=ident, check=True)
        for d in am, plain:
            self.assertEqual((d / 'target/ppc/thing.c').read_text(),
                             THING + 'int more;\n')
            self.assertEqual((d / 'target/ppc/cpu_init.c').read_text(), REALIZE.replace(
                '    build', '    thing(cpu); /* in target/ppc */\n    build'))
            self.assertEqual((d / 'target/ppc/cpu.c').read_text(),
                             CODE_C.replace('    call_me2(a);\n', ''))
            self.assertTrue(os.access(d / 'tests/unit/test-thing.sh', os.X_OK))

    def test_insert_file(self):
        """a hook's text may stand in a file of the project"""
        self.files(self.tree, {'MAINTAINERS': 'A\nF: a\n\nB\nF: b\n'})
        self.files(self.project, {
            'MAINTAINERS': 'C\nF: {c}\n',
            'series/1-topic/03-who.toml': 'subject = "who"\nmessage = "x"\n[[hook]]\n'
                                  'file = "MAINTAINERS"\nbefore = "B"\n'
                                  'insert_file = "MAINTAINERS"\n'})
        self.made()
        for p in sorted(self.out.glob('*/000[1-9]*')):
            subprocess.run(['git', 'apply', p], cwd=self.tree, env=self.env(), check=True)
        self.assertEqual((self.tree / 'MAINTAINERS').read_text(),
                         'A\nF: a\n\nC\nF: {c}\n\nB\nF: b\n')

    def test_walk_through(self):
        """a page shows hooks as diffs, which apply after the patches, in order"""
        self.files(self.project, {
            'docs/page.rst': 'Towards @{next}:\n\n   @{step:one}\n\nand @{last:_}:\n\n'
                             '   @{step:two}\n\nend\n',
            'series/1-topic/03-docs.toml': 'subject = "docs"\nmessage = "x"\n'
                                   'files = ["docs/page.rst"]\n',
            'series/walk-through.toml':
                '[[hook]]\nstep = "one"\nfile = "VERSION"\nreplace = "@{version}"\n'
                'insert = "@{opened}"\n[[hook]]\nstep = "two"\n'
                'file = "target/ppc/thing.c"\nafter = "int more"\n'
                'insert = "int r@{next:_};"\n[[hook]]\nstep = "two"\n'
                'file = "target/ppc/thing.c"\nafter = "int r@{next:_}"\n'
                'insert = "int last;"\n'})
        self.made()
        work = self.tmp / 'work'
        shutil.copytree(self.tree, work)
        for p in sorted(self.out.glob('*/000[1-9]*')):
            subprocess.run(['git', 'apply', p], cwd=work, env=self.env(), check=True)
        self.assertEqual((work / 'VERSION').read_text(), '7.2.9\n')
        page = (work / 'docs/page.rst').read_text()
        self.assertTrue(page.startswith('Towards 8.0:\n\n   --- a/VERSION\n'), page)
        self.assertIn('\n\nand 7_2:\n\n   --- a/target/ppc/thing.c\n', page)
        self.assertTrue(page.endswith('\n\nend\n'), page)
        shown = ''.join(line[3:] + '\n' for line in page.splitlines()
                        if line.startswith('   '))
        subprocess.run(['git', 'apply'], input=shown, cwd=work, env=self.env(),
                       text=True, check=True)
        self.assertEqual((work / 'VERSION').read_text(), '7.2.50\n')
        self.assertEqual((work / 'target/ppc/thing.c').read_text(),
                         THING + 'int more;\nint r8_0;\nint last;\n')

        walk = 'project/series/walk-through.toml'
        self.edit(walk, '"int more"', '"int less"')
        self.refused("series/walk-through.toml:6: target/ppc/thing.c: anchor "
                     "'int less' matches 0 times" + self.FITS)
        self.edit(walk, 'step = "two"\n', 'step = "three"\n')
        self.refused("series/1-topic/03-docs.toml: docs/page.rst: the walk-through has no step 'two'" + self.FITS)
        self.edit(walk, 'step = "one"\n', '')
        self.refused('series/walk-through.toml:1: no step')

    def test_mails(self):
        """the mails: numbering, dates, sender, cover letter"""
        self.made('--base', 'fake/new')
        cover = (self.out / '1-topic/0000-cover-letter.patch').read_text()
        first = (self.out / '1-topic/0001-add.patch').read_text()
        head = ('From: insns-compat series <insns-compat@localhost>\n'
                'Date: Sun, 13 Sep 2020 12:26:40 +0000\n')
        self.assertIn(head + 'Subject: [PATCH 0/2] target/ppc: a series for tests\n', cover)
        self.assertIn('\n\nWhat it is about.\n\nMade for QEMU 7.2.9 (fake/new).\n'
                      'The patches carry no Signed-off-by: whoever submits them adds '
                      'their own.\n', cover)
        self.assertIn(head + 'Subject: [PATCH 1/2] target/ppc: add a thing\n\n'
                      'Because.\n---\n', first)
        self.assertIn('Café.\n---\n', (self.out / '1-topic/0002-use.patch').read_text())

    def test_left_out(self):
        """needs and lacks: patches and hooks that do not concern the base"""
        self.files(self.tree, {'VERSION': '2.7.0\n'})
        (self.tree / 'target').rename(self.tree / 'x')
        (self.tree / 'x/ppc').rename(self.tree / 'target-ppc')
        (self.tree / 'target-ppc/cpu_init.c').rename(
            self.tree / 'target-ppc/translate_init.c')
        # The subject of a commit is as it is.
        self.edit('project/target/ppc/thing.c', THING, THING + '/* ("target/ppc: Add it") */\n')
        self.assertEqual(self.made(), '1-topic:\n   1  target-ppc: add a thing\n'
                         'left out: 1-topic/02-use, which needs caps (QEMU from 2.11.1)\n')
        cover = (self.out / '1-topic/0000-cover-letter.patch').read_text()
        self.assertIn('Left out: "target/ppc: use the thing", which needs caps (QEMU '
                      'from 2.11.1).\n', cover)
        self.edit('project/series/bases.toml', '[features.caps]\n',
                  '[features.caps]\nwhat = "capabilities"\n')
        self.assertIn('needs capabilities (QEMU from 2.11.1)\n', self.made('--check'))
        first = (self.out / '1-topic/0001-add.patch').read_text()
        self.assertIn('Subject: [PATCH 1/1] target-ppc: add a thing', first)
        self.assertIn('+++ b/target-ppc/thing.c', first)
        self.assertIn('+' + THING.replace('target/ppc/', 'target-ppc/'), first)
        self.assertIn('+/* ("target/ppc: Add it") */\n', first)
        self.assertIn('+    thing(cpu); /* in target-ppc */', first)

    def test_parts(self):
        """parts of messages and of what is inserted for some bases only; numbers"""
        self.edit('project/series/bases.toml', '[features.caps]\n',
                  '[features.absent]\nfrom = "8.0"\n\n[features.caps]\n')
        self.edit('project/series/1-topic/cover.toml', 'What it is about.\n', '''\
@{needs:caps}
Patch @{patch:02-use} is about caps,
@{end}
@{lacks:caps}
See patch @{patch:02-use}.
@{end}
@{needs:caps,old}
both,
@{end}
@{needs:caps,absent}
only one,
@{end}
@{lacks:caps,absent}
not both,
@{end}
@{lacks:caps,old}
not one,
@{end}
@{needs:old}

and in target/ppc.
@{end}
''')
        self.edit('project/series/1-topic/01-add.toml', '    thing(cpu);', '@{lacks:old}\n'
                  '    none();\n@{end}\n    thing(cpu);')
        self.made()
        self.assertIn('\n\nPatch 2 is about caps,\nboth,\nnot both,\n\nand in target/ppc.\n\nMade for',
                      (self.out / '1-topic/0000-cover-letter.patch').read_text())
        first = (self.out / '1-topic/0001-add.patch').read_text()
        self.assertIn('\n {\n+    thing(cpu); /*', first)
        self.edit('project/series/1-topic/cover.toml', '@{needs:caps}', '@{lacks:caps}')
        self.edit('project/series/1-topic/02-use.toml', 'needs = ["caps"]', 'lacks = ["caps"]')
        shutil.rmtree(self.out)
        self.edit('project/series/1-topic/cover.toml', '@{needs:old}', 'Not @{patch:02-use}.\n@{needs:caps}')
        self.refused('series/1-topic/cover.toml: @{{patch:02-use}} is not among the patches '
                     'for this base')
        self.edit('project/series/1-topic/cover.toml', 'Not @{patch:02-use}.\n@{needs:caps}', '@{needs:odd}')
        self.refused("series/1-topic/cover.toml: unknown feature 'odd'; series/bases.toml has "
                     'absent, caps, old, checked')

    def test_parts_of_files(self):
        """parts of our own files: else, parts within parts; what is not closed"""
        thing = self.project / 'target/ppc/thing.c'
        thing.write_text(THING + '@{needs:caps}\nint caps;\n@{lacks:old}\nint none;\n'
                         '@{else}\nint old;\n@{end}\nint both;\n@{else}\nint neither;\n'
                         '@{lacks:old}\nint not;\n@{end}\n@{end}\nint always;\n')
        self.made()
        self.assertIn(f'+{THING}+int caps;\n+int old;\n+int both;\n+int always;\ndiff',
                      (self.out / '1-topic/0001-add.patch').read_text())
        shutil.rmtree(self.out)
        thing.write_text(THING + '@{needs:caps}\n')
        self.refused('series/1-topic/01-add.toml: target/ppc/thing.c: a part for some bases has no '
                     '@{{end}}' + self.FITS)
        thing.write_text(THING + '@{end}\n')
        self.refused('series/1-topic/01-add.toml: target/ppc/thing.c: @{{end}} in line 2 ends nothing'
                     + self.FITS)

    def test_build(self):
        """files get into the build by what bases.toml says of their kind"""
        self.files(self.tree, {'target/ppc/Makefile': 'obj-y += one.o\nobj-y += two.o\n'})
        self.edit('project/series/bases.toml', '[features.caps]\n', '''\
[[build.object]]
needs = ["old"]
file = "target/ppc/Makefile"
before = "@{place}.o"
insert = "obj-y += @{name}.o"
[[build.object]]
needs = ["old"]
file = "target/ppc/Makefile"
after = ["three.o", "@{name}.o"]
insert = "@{name}.o: @{with}.o"
[[build.object]]
lacks = ["old"]
file = "target/ppc/meson.build"
append = true
insert = "@{name}"
[features.caps]
''')
        use = 'project/series/1-topic/02-use.toml'
        self.edit(use, 'needs = ["caps"]\n', 'needs = ["caps"]\n'
                  '[[build]]\nkind = "object"\nname = "thing"\nplace = "two"\n'
                  '[[build]]\nkind = "object"\nname = "more"\nplace = "one"\nwith = "lib"\n')
        self.made()
        subprocess.run(['git', 'apply', self.out / '1-topic/0001-add.patch', self.out / '1-topic/0002-use.patch'],
                       cwd=self.tree, env=self.env(), check=True)
        self.assertEqual((self.tree / 'target/ppc/Makefile').read_text(),
                         'obj-y += more.o\nmore.o: lib.o\nobj-y += one.o\nobj-y += thing.o\n'
                         'obj-y += two.o\n')
        (self.tree / 'target/ppc/thing.c').unlink()
        (self.tree / 'tests/unit/test-thing.sh').unlink()
        self.files(self.tree, {'target/ppc/cpu_init.c': REALIZE, 'target/ppc/cpu.c': CODE_C,
                               'target/ppc/Makefile': 'obj-y += one.o\n'})
        self.refused("series/bases.toml:15, for thing: target/ppc/Makefile: anchor 'two.o' "
                     'matches 0 times' + self.FITS)
        self.edit(use, 'place = "two"\n', '')
        self.refused("series/1-topic/02-use.toml: build: thing has no 'place', which series/"
                     'bases.toml:15 wants')
        self.edit(use, 'kind = "object"\nname = "thing"', 'kind = "subject"\nname = "thing"')
        self.refused('series/1-topic/02-use.toml: build needs a name, and a kind of series/bases.toml, '
                     'which has object')

    def test_probes(self):
        """the tree tells what it has, whatever release it says it is"""
        def has(name='checked'):
            return series.Base(self.project, self.tree).has(name)

        bases, cpu = 'project/series/bases.toml', 'tree/target/ppc/cpu.c'
        self.assertTrue(has())
        self.files(self.tree, {'VERSION': '5.2.0\n'})      # a backport
        self.assertTrue(has())
        self.assertFalse(series.Base(self.project, self.tree).expected('checked'))
        self.files(self.tree, {'VERSION': '7.2.9\n'})
        self.edit(cpu, 'call_me2', 'call_me3')
        self.assertFalse(has())
        self.edit(bases, 'contains = "call_me2"', 'contains = ["call_me3", "call_me4"]')
        self.assertTrue(has())
        self.edit(bases, 'contains = ["call_me3", "call_me4"]\n', '')
        self.assertTrue(has())      # the file is there
        self.edit(bases, 'file = "target/ppc/cpu.c"', 'file = "@gone"')
        self.assertFalse(has())
        self.assertTrue(has('old'))     # nothing to look at: the version tells

    def add_topic(self):
        """A second topic, whose patch fits with and without the first."""
        self.files(self.project, {
            'series/2-more/cover.toml': COVER.replace('a series', 'more'),
            'series/2-more/01-more.toml':
                'subject = "more"\nmessage = "m"\n[[hook]]\n'
                'file = "target/ppc/cpu_init.c"\nafter = "build("\n'
                'insert = """\n@{needs:extra}\n    extra();\n@{end}\n    more();\n"""\n'})
        with open(self.project / 'series/bases.toml', 'a') as f:
            f.write('[features.extra]\nwhat = "an extra"\nfrom = "7.0"\n'
                    'topic = "1-topic"\n')

    def test_topics(self):
        """topics: a directory and a numbering for each, one after the other; one alone"""
        self.add_topic()
        self.assertEqual(self.made(), '1-topic:\n   1  target/ppc: add a thing\n'
                         '   2  target/ppc: use the thing\n2-more:\n   1  more\n')
        cover = (self.out / '2-more/0000-cover-letter.patch').read_text()
        self.assertIn('Subject: [PATCH 0/1] target/ppc: more for tests\n', cover)
        more = self.out / '2-more/0001-more.patch'
        self.assertIn('     thing(cpu); /* in target/ppc */\n     build(cpu);\n+    extra();\n+    more();\n',
                      more.read_text())
        self.assertEqual([str(p.relative_to(self.out)) for p in series.mails.patches_in(self.out)],
                         ['1-topic/0001-add.patch', '1-topic/0002-use.patch', '2-more/0001-more.patch'])
        whole = more.read_text()
        for topic in 'more', '2-more':
            self.assertEqual(self.made('--topic', topic), '2-more:\n   1  more\n')
            self.assertEqual(list(self.out.iterdir()), [more.parent])
            self.assertIn(' {\n     build(cpu);\n+    more();\n', more.read_text())
        self.edit('project/series/2-more/cover.toml', 'message', 'on = ["1-topic"]\nmessage')
        self.assertEqual(self.made('--topic', 'more'), '2-more:\n   1  more\n')
        self.assertEqual(more.read_text(), whole)
        self.assertEqual(self.made('--without', 'topic'), '2-more:\n   1  more\n')
        self.made('--format', 'quilt')
        self.assertEqual([p.name for p in series.mails.patches_in(self.out)],
                         [f'insns-compat-{n}.patch' for n in ('01-add', '02-use', '01-more')])
        self.assertIn('\n\n\ntarget/ppc: more for tests\n', (self.out / 'cover-letter.txt').read_text())
        for option in '--topic', '--without':
            self.refused("no topic 'mor' in series/; there are 1-topic, 2-more", option, 'mor')
        self.edit('project/series/2-more/01-more.toml', 'message', 'needs = ["none"]\nmessage')
        with open(self.project / 'series/bases.toml', 'a') as f:
            f.write('[features.none]\nfrom = "9.0"\n')
        self.refused('no patch of 2-more concerns this base', '--topic', 'more')

    def test_left_out_topic(self):
        """what a topic that is left out would have brought"""
        def base(*topics):
            return series.Base(self.project, self.tree, topics=topics)
        self.add_topic()
        self.assertTrue(series.Base(self.project, self.tree).has('extra'))
        self.assertTrue(base('1-topic', '2-more').has('extra'))
        self.assertFalse(base('2-more').has('extra'))
        self.assertEqual(base('2-more').unmet({'needs': ['extra']}),
                         'needs an extra, which 1-topic has')
        self.files(self.tree, {'VERSION': '6.2.0\n'})
        self.assertFalse(base('1-topic').has('extra'))

    def test_versions(self):
        """which release a VERSION stands for"""
        for version, release in (
                ('7.2.22', (7, 2, 22)), ('2.7.0', (2, 7, 0)), ('6.0.50', (6, 1, 0)),
                ('2.12.50', (3, 0, 0)), ('3.1.91', (4, 0, 0)), ('5.2.50', (6, 0, 0))):
            self.assertEqual(series.release(version), release)
        self.files(self.tree, {'VERSION': '7.2.50\n'})      # 8.0 in the making
        self.made()
        self.assertIn('-    int i;', (self.out / '1-topic/0002-use.patch').read_text())
        self.assertEqual(
            series.Base(self.project, self.tree).expand(
                '@{version} @{last} @{opened} @{next:_}'), '7.2.50 8.0 8.0.50 8_1')

    def test_reproducible(self):
        """the same input gives the same bytes, whatever the user's settings"""
        self.made()
        (self.home / '.gitconfig').write_text(
            '[format]\nsignature = hello\nattach = true\nnumbered = false\n'
            '[diff]\nnoprefix = true\n[core]\nautocrlf = true\nhooksPath = /x\n'
            '[commit]\ngpgsign = true\n')
        self.made(out=self.tmp / 'build/again', env=self.env(
            TZ='Asia/Tokyo', LANG='C', GIT_DIFF_OPTS='-u9', GIT_DIR='/nonexistent'))
        first, second = ({f.name: f.read_bytes() for f in d.rglob('*.patch')}
                         for d in (self.out, self.tmp / 'build/again'))
        self.assertEqual(first, second)

    def test_relative_tree(self):
        """a tree that is named from where one stands"""
        self.made()
        wanted = snapshot(self.out)
        shutil.rmtree(self.out)
        self.made('--tree', 'tree', cwd=self.tmp)
        self.assertEqual(snapshot(self.out), wanted)

    def test_identity(self):
        """the user's name; --signoff needs it"""
        self.refused('--signoff needs your name: git config user.name and user.email',
                     '--signoff')
        (self.home / '.gitconfig').write_text('[user]\nname = Jo Doe\nemail = jo@x.invalid\n')
        self.made('--signoff')
        first = (self.out / '1-topic/0001-add.patch').read_text()
        self.assertIn('From: Jo Doe <jo@x.invalid>\n', first)
        self.assertIn('Because.\n\nSigned-off-by: Jo Doe <jo@x.invalid>\n---\n', first)
        cover = (self.out / '1-topic/0000-cover-letter.patch').read_text()
        self.assertNotIn('igned-off-by', cover)
        self.made()     # replaces what it made
        self.assertNotIn('Signed-off-by', (self.out / '1-topic/0001-add.patch').read_text())

    def test_quilt(self):
        """--format quilt: DEP-3, and quilt takes it as it is"""
        (self.home / '.gitconfig').write_text('[user]\nname = Jo Doe\nemail = jo@x.invalid\n')
        self.edit('project/series/1-topic/01-add.toml', 'Because.\n', 'Because:\n\n  a  b\n')
        self.made('--format', 'quilt', '--base', 'fake/new', '--signoff')
        names = ['insns-compat-01-add.patch', 'insns-compat-02-use.patch']
        self.assertEqual(sorted(f.name for f in self.out.iterdir()),
                         ['cover-letter.txt', *names, 'series'])
        self.assertEqual((self.out / 'series').read_text().split('\n'), [*names, ''])
        self.assertTrue((self.out / names[0]).read_text().startswith(
            'Description: target/ppc: add a thing\n Because:\n .\n   a  b\n'
            'Origin: other, patch 01-add of the insns-compat series, made for '
            'QEMU 7.2.9 (fake/new)\n'
            'Author: Jo Doe <jo@x.invalid>\nSigned-off-by: Jo Doe <jo@x.invalid>\n'
            'Forwarded: no\nLast-Update: 2020-09-13\n\n'
            'diff --git a/target/ppc/cpu_init.c b/target/ppc/cpu_init.c\n'))
        self.assertIn('\n Café.\n', (self.out / names[1]).read_text())
        self.assertTrue((self.out / 'cover-letter.txt').read_text().startswith(
            'target/ppc: a series for tests\n\nWhat it is about.\n'))

        self.made('--format', 'quilt', env=self.env(GIT_CONFIG_GLOBAL='/dev/null'))
        first = (self.out / names[0]).read_text()
        self.assertNotIn('Author:', first)      # nobody is made up
        self.assertNotIn('Signed-off-by:', first)
        patches = self.tree / 'debian/patches'
        shutil.copytree(self.out, patches)
        r = subprocess.run(
            ['quilt', '--quiltrc=-', 'push', '-a', '--fuzz=0'], cwd=self.tree,
            env=self.env(QUILT_PATCHES='debian/patches'), text=True, capture_output=True)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        self.assertNotRegex(r.stdout, 'Hunk|offset|fuzz')
        self.check_applied()

    def test_rpm(self):
        """--format rpm: the spec's lines in order, and patch takes the patches"""
        self.made('--format', 'rpm')
        self.assertEqual(
            sorted(f.name for f in self.out.iterdir()),
            ['0001-add.patch', '0002-use.patch', 'cover-letter.txt', 'patches.spec'])
        spec = (self.out / 'patches.spec').read_text()
        self.assertIn('%%autosetup -p1', spec)      # %% in a comment: not a macro
        lines = [line for line in spec.splitlines() if not line.startswith('#')]
        self.assertEqual(lines, ['Patch9001: 0001-add.patch', 'Patch9002: 0002-use.patch'])
        for line in lines:
            out = subprocess.run(
                ['patch', '-p1', '--fuzz=0', '-i', self.out / line.split()[1]],
                cwd=self.tree, check=True, text=True, stdout=subprocess.PIPE).stdout
            self.assertNotRegex(out, 'Hunk|offset|fuzz')
        self.check_applied()

    def test_binary(self):
        """binary files reach the tree byte for byte, and packages do without"""
        data = bytes(range(256)) * 9 + b'@{next} @{end}\n\r\n'
        self.files(self.project, {
            'series/1-topic/01-data.toml': 'subject = "tests/data: Add x"\nmessage = "x"\n'
            'files = ["tests/data/x.xz", "tests/data/x.S"]\n',
            'tests/data/x.xz': '', 'tests/data/x.S': 'source of x\n'})
        (self.project / 'tests/data/x.xz').write_bytes(data)
        (self.project / 'target/ppc/thing.c').write_bytes(b'a\0b')
        self.refused('series/1-topic/01-add.toml: binary files need a patch without hooks, as '
                     'packages leave it out')
        (self.project / 'target/ppc/thing.c').write_text(THING)
        self.assertIn('   2  tests/data: Add x\n', self.made())
        am = self.tmp / 'am'
        shutil.copytree(self.tree, am)
        ident = self.env(GIT_AUTHOR_NAME='x', GIT_AUTHOR_EMAIL='x', GIT_COMMITTER_NAME='x',
                         GIT_COMMITTER_EMAIL='x')
        for cmd in (['init', '-q'], ['add', '-A'], ['commit', '-qm', 'x'],
                    ['am', '-q', *sorted(self.out.glob('1-topic/000[123]*'))]):
            subprocess.run(['git', *cmd], cwd=am, env=ident, check=True)
        self.assertEqual((am / 'tests/data/x.xz').read_bytes(), data)
        self.assertEqual((am / 'tests/data/x.S').read_text(), 'source of x\n')
        for form, second in ('quilt', 'insns-compat-02-use.patch'), ('rpm', '0002-use.patch'):
            self.assertTrue(self.made('--format', form).endswith(
                '\nleft out: 1-topic/01-data, which has binary files, for git alone\n'))
            patches = sorted(p.name for p in self.out.glob('*.patch'))
            self.assertEqual(len(patches), 2)
            self.assertEqual(patches[1], second)
            self.assertIn('Left out: "tests/data: Add x", which has binary files, for git alone.\n',
                          (self.out / 'cover-letter.txt').read_text())
        for line in patches:
            subprocess.run(['patch', '-sp1', '--fuzz=0', '-i', self.out / line],
                           cwd=self.tree, check=True)
        self.check_applied()

    def check_applied(self):
        """The tree is what the two patches make of it."""
        for path, text in (
                ('thing.c', THING + 'int more;\n'),
                ('cpu_init.c', REALIZE.replace(
                    '    build', '    thing(cpu); /* in target/ppc */\n    build')),
                ('cpu.c', CODE_C.replace('    call_me2(a);\n', ''))):
            self.assertEqual((self.tree / 'target/ppc' / path).read_text(), text)
        self.assertTrue(os.access(self.tree / 'tests/unit/test-thing.sh', os.X_OK))

    def test_formats(self):
        """--format: mail is the default; one replaces the other, nothing else"""
        self.made()
        before = snapshot(self.out)
        self.refused("no format 'deb'; there are mail, quilt, rpm", '--format', 'deb')
        self.made('--format', 'mail')
        self.assertEqual(snapshot(self.out), before)
        self.made('--format', 'rpm')
        self.edit('tree/target/ppc/cpu_init.c', 'build(', 'build_it(')
        self.refused("series/1-topic/01-add.toml:6: target/ppc/cpu_init.c: anchor 'build(' "
                     'matches 0 times inside realize or realizefn' + self.FITS,
                     '--format', 'quilt')
        self.edit('tree/target/ppc/cpu_init.c', 'build_it(', 'build(')
        self.made('--format', 'quilt')
        self.made()
        self.assertEqual(snapshot(self.out), before)
        self.files(self.tmp / 'debian/patches', {'series': 'a.patch\n', 'a.patch': ''})
        self.refused(f'{self.tmp}/debian/patches is there and is not a patch series; move '
                     'it away or give another --out', '--format', 'quilt',
                     out=self.tmp / 'debian/patches')

    def test_anchor_errors(self):
        """hooks whose anchor is gone or doubled"""
        where = 'series/1-topic/01-add.toml:6: target/ppc/cpu_init.c: '
        self.edit('tree/target/ppc/cpu_init.c', 'build(', 'build_it(')
        self.refused(where + "anchor 'build(' matches 0 times inside realize or "
                     'realizefn' + self.FITS)
        self.edit('tree/target/ppc/cpu_init.c', '    build_it(cpu);\n',
                  '    build(cpu);\n    build(cpu);\n')
        self.refused(where + "anchor 'build(' matches 2 times inside realize or "
                     'realizefn (line 3, 4)' + self.FITS)

    def test_place_errors(self):
        """hooks whose place is gone or doubled"""
        where = 'series/1-topic/01-add.toml:6: target/ppc/cpu_init.c: '
        twice = 'is defined 2 times; one definition was expected (line 2, 6)'
        self.files(self.tree, {'target/ppc/cpu_init.c': REALIZE * 2})
        self.refused(where + f'realize {twice}' + self.FITS)
        self.files(self.tree, {'target/ppc/cpu_init.c':
                               REALIZE.replace('realize', 'realizefn') + REALIZE})
        self.made()             # the first name counts
        self.assertIn(' static void realize(CPU *cpu)\n {\n+    thing(cpu);',
                      (self.out / '1-topic/0001-add.patch').read_text())
        shutil.rmtree(self.out)
        self.files(self.tree, {'target/ppc/cpu_init.c': 'int x;\n'})
        self.refused(where + 'realize or realizefn is not defined here' + self.FITS)

    def test_file_errors(self):
        """files that are missing, or there already"""
        (self.tree / 'target/ppc/cpu.c').unlink()
        self.refused('series/1-topic/02-use.toml:18: target/ppc/cpu.c: no such file in the tree'
                     + self.FITS)
        (self.tree / 'target/ppc/cpu_init.c').rename(self.tree / 'target/ppc/init.c')
        self.refused('series/1-topic/01-add.toml:6: @cpu: no such file in the tree; looked for '
                     'target/ppc/cpu_init.c, target-ppc/translate_init.c' + self.FITS)
        self.files(self.tree, {'target/ppc/thing.c': ''})
        self.refused('series/1-topic/01-add.toml: target/ppc/thing.c: the tree has this file already'
                     + self.FITS)
        (self.tree / 'target/ppc/thing.c').unlink()
        (self.project / 'target/ppc/thing.c').unlink()
        self.refused('series/1-topic/01-add.toml: target/ppc/thing.c: the project does not have this '
                     'file' + self.FITS)

    def test_tree_errors(self):
        """trees that are not QEMU's, or another QEMU's"""
        self.refused('{tree} is QEMU 7.2.9, but fake/other is 8.0' + self.FITS,
                     '--base', 'fake/other')
        self.refused("no base 'fake/none' in series/bases.toml; it has fake/new, "
                     'fake/other', '--base', 'fake/none')
        self.files(self.tree, {'VERSION': '2.6.2\n'})
        self.refused('{tree} is QEMU 2.6.2, but the series is for 2.7 and later'
                     + self.FITS)
        self.files(self.tree, {'VERSION': 'seven\n'})
        self.refused("VERSION is 'seven', not a QEMU version")
        (self.tree / 'VERSION').unlink()
        self.refused('{tree} is not a QEMU source tree: VERSION is not there')
        self.files(self.tree, {'VERSION': '12.0.0\n'})
        (self.tree / 'target/ppc').rename(self.tree / 'target/ppd')
        self.refused('{tree} has no target/ppc: this series is for QEMU with its '
                     'PowerPC targets')
        self.assertFalse(self.out.exists())

    def test_format_errors(self):
        """patch files that are not well formed"""
        use = 'project/series/1-topic/02-use.toml'
        self.edit(use, 'needs = ["old"]', 'needs = ["checked"]')
        self.made()
        shutil.rmtree(self.out)
        self.edit(use, '"checked"', '"chequed"')
        self.refused("series/1-topic/02-use.toml:18: unknown feature 'chequed'; series/bases.toml "
                     'has caps, old, checked' + self.FITS)
        self.edit(use, 'replace = "int i;"', 'replaced = "int i;"')
        self.refused("series/1-topic/02-use.toml:12: unknown key 'replaced'")
        self.edit(use, 'replaced = "int i;"', 'before = "a"\nafter = "b"')
        self.refused('series/1-topic/02-use.toml:12: needs file, one of insert, insert_file and '
                     'exactly one of before, after, after_block, replace, append, substitute')
        self.edit(use, 'needs = ["caps"]', 'needs = "caps"')
        self.refused('series/1-topic/02-use.toml: needs has a value of the wrong type')
        self.edit(use, 'needs = "caps"', 'needed = "caps"')
        self.refused("series/1-topic/02-use.toml: unknown key 'needed'")

    def test_foreign_out(self):
        """an --out that is not a series stays as it is"""
        self.files(self.out, {'0001-mine.patch': ''})
        self.refused(f'{self.out} is there and is not a patch series; move it away or '
                     'give another --out')
        self.files(self.out, {'0000-cover-letter.patch': '', 'notes': ''})
        self.refused(f'{self.out} is there and is not a patch series; move it away or '
                     'give another --out')
        shutil.rmtree(self.out)
        self.out.mkdir()
        self.made()

    def test_check(self):
        """--check writes nothing"""
        self.assertIn('use the thing', self.made('--check'))
        self.assertFalse(self.out.exists())

    def test_no_space(self):
        """a file that cannot be written leaves the old series as it was"""
        for form in series.mails.FORMATS:
            self.no_space('--format', form)

    def no_space(self, *args):
        self.made(*args)
        before = snapshot(self.tmp / 'build')
        code = ('import resource, runpy, sys; '
                'resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); '
                'sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv.pop(0)); '
                'runpy.run_path(sys.argv[0], run_name="__main__")')
        r = subprocess.run(
            [sys.executable, '-c', code, SCRIPTS, SCRIPTS / 'series.py', '--project',
             self.project, '--tree', self.tree, '--out', self.out, *args],
            capture_output=True, text=True, env=self.env())
        self.assertEqual((r.returncode, r.stdout), (1, ''))
        self.assertRegex(r.stderr, r'\Aseries\.py: .*\n')
        self.assertEqual(snapshot(self.tmp / 'build'), before)

    def test_unreadable(self):
        """a file of the tree that may not be read; a place that may not be written"""
        drop = ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] \
            if os.geteuid() == 0 else []
        for closed, mode in ((self.tree / 'VERSION', 0),
                             (self.tree / 'target/ppc/cpu.c', 0),
                             (self.out.parent, 0o555)):
            with self.subTest(closed):
                self.out.parent.mkdir(exist_ok=True)
                was = closed.stat().st_mode
                closed.chmod(mode)
                r = subprocess.run(
                    [*drop, sys.executable, SCRIPTS / 'series.py', '--project',
                     self.project, '--tree', self.tree, '--out', self.out],
                    capture_output=True, text=True, env=self.env())
                closed.chmod(was)
                self.assertEqual((r.returncode, r.stdout), (1, ''))
                self.assertRegex(r.stderr, r'\Aseries\.py: .*Permission denied.*\n\Z')
                self.assertEqual(list(self.out.parent.iterdir()), [])
        self.made()

    def test_killed_at_random(self):
        """SIGKILL at random moments: no --out or all of it, and the next succeeds"""
        self.made()
        wanted = {f.name: f.read_bytes() for f in self.out.rglob('*.patch')}
        rng = tap.chance()
        begun = time.monotonic()
        self.made()
        takes = time.monotonic() - begun
        for n in range(12):
            if n % 2:
                shutil.rmtree(self.out, ignore_errors=True)
            with subprocess.Popen(
                    [sys.executable, SCRIPTS / 'series.py', '--project', self.project,
                     '--tree', self.tree, '--out', self.out], stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, env=self.env(),
                    start_new_session=True) as p:
                time.sleep(rng.uniform(0, takes))
                os.killpg(p.pid, signal.SIGKILL)
            if self.out.exists():
                self.assertEqual({f.name: f.read_bytes() for f in self.out.rglob('*.patch')},
                                 wanted)
        self.made()
        self.assertEqual({f.name: f.read_bytes() for f in self.out.rglob('*.patch')}, wanted)
        self.assertEqual(list(self.out.parent.iterdir()), [self.out])

    def test_killed(self):
        """SIGTERM in the middle leaves neither --out nor scratch files"""
        bin_dir, reached = self.tmp / 'bin', self.tmp / 'reached'
        self.files(bin_dir, {'git': f'#!/bin/sh\ncase "$1" in format-patch)\n'
                             f'touch {reached}; exec sleep 60;; esac\n'
                             f'exec {shutil.which("git")} "$@"\n'})
        (bin_dir / 'git').chmod(0o755)
        p = subprocess.Popen(
            [sys.executable, SCRIPTS / 'series.py', '--project', self.project,
             '--tree', self.tree, '--out', self.out], stderr=subprocess.PIPE,
            env=self.env(PATH=f'{bin_dir}:{os.environ["PATH"]}'))
        end = time.monotonic() + 30
        while not reached.exists() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertTrue(reached.exists())
        self.assertTrue(any((self.tmp / 'build').iterdir()))
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.communicate(timeout=30), (None, b''))
        self.assertEqual(p.returncode, 128 + signal.SIGTERM)
        self.assertEqual(list((self.tmp / 'build').iterdir()), [])


class Facts(unittest.TestCase):
    """The project's own series/bases.toml."""

    def test_features(self):
        """each feature is asked for by a patch, a page or a file of the series"""
        topics, walk = series.load_topics(PROJECT)
        tables = [table for topic in topics for _, table in topic.patches]
        hooks = walk + [hook for table in tables for hook in table['build'] + table['hook']]
        used = {name for table in tables + hooks for key in ('needs', 'lacks')
                for name in table.get(key, [])}
        texts = [*(topic.cover['message'] for topic in topics), *(table['message'] for table in tables),
                 *(hook.get('insert', '') for hook in hooks),
                 *(series.read_text(PROJECT / file) for table in tables
                   for file in table.get('files', []))]
        used |= {name for text in texts
                 for names in re.findall(r'@\{(?:needs|lacks):([\w,]+)\}', text)
                 for name in names.split(',')}
        features = series.load_bases(PROJECT)['features']
        used |= {name for f in features.values() for name in f.get('any', [])}
        self.assertEqual(used, set(features))


if __name__ == '__main__':
    tap.main()
