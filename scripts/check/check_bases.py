#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the series fit these QEMU trees? Prints one line per tree.

With --trees DIR: each source tree in DIR; without it, each base of
series/bases.toml, whose source is fetched if it is not there. For each tree

- the series is generated, and what the tree has is compared with what
  series/bases.toml says about the release ("differs" is not a failure: forks
  and distributions backport);
- git am applies the patches, and the result is the text that the generator made;
- each topic fits without the others, except for those that it depends on;
- the tree's own checkpatch.pl does not complain about them;
- with --compile, if the tree has meson and everything that its configure needs:
  the compiler checks each C file that the patches touch, with the options of
  the tree's own build and -fsyntax-only, and does not complain.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
import mails
import series
from build import PROJECT, TARGET_LIST, Place, build_tree
from check import Tally, complaints
from process import BuildError, PlainError, guarded, run
from repository import Repository, files_below

BUILDS = PROJECT / 'build/check-bases'      # kept, so that the next run is quick
SMALLEST = 'insns-history.c'    # compiled so that the headers it needs are made first


class Misfit(Exception):
    """Why the series is not for a tree, or what is wrong with it there."""


def found_below(directory):
    """The source trees in a directory, oldest first, or itself if it is one."""
    trees = [p.parent for p in [*directory.glob('VERSION')] or
             directory.glob('*/VERSION')]
    if not trees:
        raise BuildError(f'{directory}: no QEMU source tree there: a directory '
                         'with a file VERSION')

    def age(tree):
        try:
            return series.release((tree / 'VERSION').read_text().strip()), tree
        except series.SeriesError:
            return (), tree
    return sorted(trees, key=age)


def compiled(work, tree, result):
    """How many C files were compiled, or why none could be."""
    if not (tree / 'meson.build').exists():
        return 'not compiled: older than meson'
    copy, out = work / 'patched', work / 'bin'
    repo = Repository(work / 'git', PROJECT)
    series.commit(repo, result, files_below(tree))
    repo.check_out('series', copy)
    try:
        build_tree(copy, out, TARGET_LIST, ['build.ninja'])
    except BuildError as e:
        shutil.rmtree(out, ignore_errors=True)
        said = [line for line in str(e).splitlines() if 'ERROR' in line]
        return f'not compiled: {" ".join(said[:1]) or "its configure failed"}'
    rows = {}       # file -> its first command, of those for ppc64
    for row in json.loads((out / 'compile_commands.json').read_text()):
        rows.setdefault(os.path.relpath(out / row['file'], copy), row)
    smallest = f'target/ppc/{SMALLEST}'
    if smallest not in rows:
        raise Misfit(f'{smallest} is not in what meson builds')
    try:
        run(['ninja', rows[smallest]['output']], cwd=out)
    except BuildError as e:
        raise Misfit(f'{smallest}: {e}') from e
    names = [file for file in result.final() if file in rows]

    def syntax(file):
        command = shlex.split(rows[file]['command'])
        command = command[command[0].endswith('ccache'):]
        p = subprocess.run([*command, '-fsyntax-only'], cwd=out, text=True,
                           stdin=subprocess.DEVNULL, errors='replace',
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return f'{file}: {p.stdout.strip()}' if p.stdout or p.returncode else ''
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if said := [s for s in pool.map(syntax, names) if s]:
            raise Misfit('the compiler: ' + '\n'.join(said))
    return f'{len(names)} C files compiled'


def check_tree(name, tree, compiling):
    """The result for a tree, in one line. Raises Misfit."""
    with tempfile.TemporaryDirectory(prefix='check-bases-') as scratch:
        out = Path(scratch) / 'series'
        try:
            result = series.fit(PROJECT, tree)
            for topic in result.shown:
                series.fit(PROJECT, tree, only=topic)
            repo = Repository(Path(scratch) / 'git', PROJECT)
            series.commit(repo, result)
            series.write(repo, result, out)
        except PlainError as e:
            raise Misfit(str(e)) from e
        patches = mails.patches_in(out)
        if problem := repo.am_problem('series', patches, Path(scratch) / 'am'):
            raise Misfit(problem)
        how = compiled(BUILDS / name, tree, result) if compiling else None
        for patch in patches:
            if said := complaints(tree, patch):
                raise Misfit(f'{patch.name}: checkpatch.pl:\n' + '\n'.join(said))
        seen = [f'{len(patches)} patches of {len(result.shown)} topics', 'git am',
                'checkpatch']
        if how:
            seen.append(how)
        if differs := [name for name in result.base.facts['features']
                       if result.base.has(name) != result.base.expected(name)]:
            seen.append('differs: ' + ' '.join(differs))
    return ', '.join(seen)


def main():
    p = argparse.ArgumentParser(description='Does the series fit these trees?')
    p.add_argument('--trees', metavar='DIR', type=Path,
                   help='where the trees are (default: the bases, by name)')
    p.add_argument('--compile', action='store_true',
                   help='compile the C files that the patches touch')
    args = p.parse_args()
    if args.trees:
        trees = [(tree.name, tree.resolve()) for tree in found_below(args.trees)]
    else:
        trees = []
        for name in series.load_bases(PROJECT)['bases']:
            place = Place(name, None)
            with place.locked():
                place.get_source()
            trees.append((name, place.source))
    tally = Tally()
    print(f'1..{len(trees)}', flush=True)
    for n, (name, tree) in enumerate(trees, 1):
        try:
            print(f'ok {n} - {name}: {check_tree(name, tree, args.compile)}',
                  flush=True)
            tally.passed += 1
        except Misfit as e:
            said, *more = str(e).splitlines()
            print(f'not ok {n} - {name}: {said}', *more, sep='\n# ', flush=True)
            tally.failed += 1
    return tally.result()


if __name__ == '__main__':
    guarded(main)
