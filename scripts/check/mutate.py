#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks the tests: removes one thing at a time and checks that a test fails.

    mutate.py [--base BASE | --qemu TREE] [-k REGEX] [--list]

It removes each row of the history, each line that decides something, and each
hook, in a copy of the project in build/mutations. Exit status 1 if a mutation
survives. Hooks that do not concern the base are only listed: try them with a
base that they are for.
"""

import re
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
import series
from build import PROJECT, Place, parser
from process import BuildError, finish, guarded, run, say
from repository import Repository

WORK = PROJECT / 'build/mutations'

# tests: the argument of check.py that should catch it, the quick one if possible.
Mutation = namedtuple('Mutation', 'name tests file old new')

# Lines of code that decide something: file, tests, line, what to put there.
LINES = [
    ('target/ppc/insns-history.c', 'unit',
     '    wire.insns = ppc_insns_minus(wire.insns, '
     'ppc_insns_minus(from_host, own));\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '            wire.insns.flags |= PPC_MEM_TLBIE;  /* bce009645b */\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '        wire.insns = ppc_insns_and(wire.insns, constant_mask(release));\n',
     ''),
    ('target/ppc/insns-history.c', 'unit',
     '        mask.flags2 |= PPC2_MEM_LWSYNC;\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '    if (stream.flags2 & PPC2_MEM_LWSYNC) {\n', '    if (0) {\n'),
    ('target/ppc/insns-history.c', 'unit',
     '    if (ppc_insns_empty(ppc_insns_at(source, '
     'PPC_RELEASE_LAST_ON_WIRE))) {\n', '    if (0) {\n'),
    ('target/ppc/insns-history.c', 'unit',
     '    had = ppc_insns_minus(had, unused);\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '    shown = ppc_insns_minus(shown, unused);\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '    gone = ppc_insns_minus(gone, later);\n', ''),
    ('target/ppc/insns-history.c', 'unit',
     '    PPC_64H | PPC_CILDST, PPC2_PM_ISA206 | PPC2_PRCNTL\n', '    0, 0\n'),
    ('target/ppc/insns-history.c', 'unit',
     '    PPC_MEM_TLBIE, PPC2_FP_CVT_S64 | PPC2_MEM_LWSYNC | PPC2_ISA310\n',
     '    0, 0\n'),
    ('target/ppc/insns-compat.c', 'base',
     '        env->insns_flags &= ~compat->hidden.flags;\n', ''),
    ('target/ppc/insns-compat.c', 'base',
     '        env->insns_flags2 &= ~compat->hidden.flags2;\n', ''),
    ('target/ppc/insns-migration.c', 'base',
     '        mode = ppc_insns_at(ppc_family_by_pvr(compat_pvr), -1);\n', ''),
    ('target/ppc/insns-migration.c', 'base',
     '    if (CPU(cpu) == first_cpu) {\n', '    if (true) {\n'),
]


def mutations(base):
    """All of them, from the project as it is; base: a series.Base."""
    name = 'target/ppc/insns-history.h.inc'
    table = (PROJECT / name).read_text()
    for row in re.findall(r'^CHANGE\(.*?\)\n(?=CHANGE|#undef)', table, re.S | re.M):
        words = ' '.join(row.split())
        yield Mutation(f'history: {words[:70]}', 'unit', name, row, '')

    for name, tests, line, new in LINES:
        yield Mutation(f'line: {" ".join(line.split())[:60]}', tests, name, line,
                       new)

    patches = {name: table for topic in series.load_topics(PROJECT)[0]
               for name, table in topic.patches}
    for path in sorted((PROJECT / 'series').glob('*/[0-9][0-9]-*.toml')):
        patch = patches.get(path.stem, {})
        hooks = iter(patch.get('hook', []))
        for text in re.split(r'(?m)^(?=\[\[(?:hook|build)\]\]\n)', path.read_text())[1:]:
            hook = next(hooks) if text.startswith('[[hook]]') else {}
            unmet = base.unmet(patch) or base.unmet(hook)
            what = hook.get('file') or ' '.join(text.split('\n')[1:3])
            yield Mutation(f'hook: {path.stem}, {what}',
                           'none' if unmet else 'base', series.named(path), text, '')


def copy_project(place):
    """The project's files in WORK, beside the build of the last time."""
    files = run(['git', 'ls-files', '-co', '--exclude-standard'],
                cwd=PROJECT).splitlines()
    repo = Repository(WORK.with_suffix('.git'), PROJECT)
    repo.check_out(repo.take(PROJECT, [f for f in files if (PROJECT / f).is_file()],
                             'the project'), WORK)
    if place.base:
        for path in place.source, place.source.with_name('qemu.apt'):
            link = WORK / path.relative_to(PROJECT)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(path.resolve())


def check(tests, options):
    """Whether the tests in WORK pass, and the first line that says not."""
    p = finish([sys.executable, WORK / 'scripts/check/check.py', tests, '--first',
                *options], text=True, errors='replace',
               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
               stderr=subprocess.STDOUT)
    lines = [line.strip() for line in p.stdout.splitlines()]
    said = [line for line in lines if line.startswith('not ok')] or \
        [line for line in lines if re.search(r'error|failed', line)] or \
        lines[-1:]
    return p.returncode == 0, (said or ['nothing'])[0][:100]


def main():
    p = parser(__doc__.splitlines()[0])
    p.add_argument('-k', default='', help='only those whose name matches')
    p.add_argument('--list', action='store_true', help='only list them')
    args = p.parse_args()
    place = Place(args.base, args.qemu, args.without)
    place.get_source()
    wanted = [m for m in mutations(series.Base(PROJECT, place.source))
              if re.search(args.k, m.name)]
    if args.list:
        print('\n'.join(f'{m.tests:5} {m.name}' for m in wanted))
        return 0
    options = ['--qemu', place.source] if args.qemu else ['--base', args.base]
    copy_project(place)
    for tests in sorted({m.tests for m in wanted} - {'none'}):
        say(f'without a mutation: {tests}')
        good, said = check(tests, options)
        if not good:
            raise BuildError(f'the tests fail as they are: {said}')
    survived = caught = 0
    for m in wanted:
        if m.tests == 'none':
            print(f'not here {m.name}', flush=True)
            continue
        path, text = WORK / m.file, (WORK / m.file).read_text()
        if text.count(m.old) != 1:
            raise BuildError(f'{m.name}: {m.file} does not have that just once')
        began = time.monotonic()
        try:
            path.write_text(text.replace(m.old, m.new))
            good, said = check(m.tests, options)
        finally:
            path.write_text(text)
        survived += good
        caught += not good
        print(f'{"SURVIVED" if good else "caught  "} {m.name} '
              f'({time.monotonic() - began:.0f} s)\n         {said}', flush=True)
    print(f'{caught} passed, {survived} failed')
    return 1 if survived else 0


if __name__ == '__main__':
    guarded(main)
