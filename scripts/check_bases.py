#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the series fit these QEMU trees? One line a tree.

With --trees DIR: each source tree in DIR; without it, each base of
series/bases.toml, whose source is fetched if it is not there. For each tree

- the series is generated, and what the tree has is compared with what
  series/bases.toml says of the release ("differs" is no failure: forks and
  distributions backport);
- git am takes the patches, and leaves the text that the generator made;
- each topic fits without the others, but for those that it says it is on;
- the tree's own checkpatch.pl has nothing to say of them;
- with --compile, and where the tree has meson and all that its configure
  looks for: the compiler reads each C file that the patches touch, with the
  options of the tree's own build and -fsyntax-only, and has nothing to say.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mails
import series
from build import (PROJECT, TARGET_LIST, BuildError, Place, build_tree, guarded,
                   make_tree, run)
from check import Tally, complaints

BUILDS = PROJECT / 'build/check-bases'      # kept, so that the next run is quick
SMALLEST = 'insns-history.c'    # is compiled, as what it needs is made first


class Misfit(Exception):
    """Why the series is not for a tree, or what is wrong with it there."""


def found_below(directory):
    """The source trees in a directory, oldest first, or itself if it is one."""
    trees = [p.parent for p in (*directory.glob('VERSION'),
                                *directory.glob('*/VERSION'))]
    if not trees:
        raise BuildError(f'{directory}: no QEMU source tree there: a directory '
                         'with a file VERSION')

    def age(tree):
        try:
            return series.release((tree / 'VERSION').read_text().strip()), tree
        except series.SeriesError:
            return (), tree
    return sorted(trees, key=age)


def check_am(scratch, result, patches):
    """The patches as mails, applied to the files that they touch."""
    for path, text in result.original.items():
        write(scratch / path, text)
    git = ['git', '-C', scratch, '-c', 'user.name=nobody', '-c', 'gc.auto=0',
           '-c', 'user.email=nobody@localhost', '-c', 'core.autocrlf=false']
    try:
        run([*git, 'init', '-q'])
        run([*git, 'add', '-Af'])
        run([*git, 'commit', '-q', '--allow-empty', '-m', 'base'])
        run([*git, 'am', '-q', '--whitespace=error', *patches])
    except BuildError as e:
        raise Misfit(f'git am: {e}') from e
    for path, text in final(result).items():
        if series.read_text(scratch / path) != text:
            raise Misfit(f'{path}: git am made another text than the generator')


def final(result):
    """path -> text of each file that the patches touch, with all of them."""
    return {path: text for p in result.patches for path, text in p.text.items()}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode('utf-8', 'surrogateescape'))


def compiled(name, tree, result, patches):
    """How many C files the compiler has read, or why none could be."""
    if not (tree / 'meson.build').exists():
        return 'not compiled: older than meson'
    work = BUILDS / name
    copy, out = work / 'patched', work / 'bin'
    work.mkdir(parents=True, exist_ok=True)
    make_tree(copy, tree, patches)
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
    names = [file for file in final(result) if file in rows]

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
    """What was seen of a tree, in one line. Raises Misfit."""
    with tempfile.TemporaryDirectory(prefix='check-bases-') as scratch:
        out = Path(scratch) / 'series'
        try:
            base = series.Base(PROJECT, tree)
            result = series.generate(PROJECT, tree, out)
            topics = {p.topic for p in result.patches}
            for topic in topics:
                series.generate(PROJECT, tree, None, only=topic)
        except mails.PlainError as e:
            if out.exists():
                raise Misfit(f'refused, but {out} was written') from e
            raise Misfit(str(e)) from e
        patches = mails.patches_in(out)
        check_am(Path(scratch) / 'am', result, patches)
        how = compiled(name, tree, result, patches) if compiling else None
        for patch in patches:
            if said := complaints(tree, patch):
                raise Misfit(f'{patch.name}: checkpatch.pl:\n' + '\n'.join(said))
        seen = [f'{len(patches)} patches of {len(topics)} topics', 'git am',
                'checkpatch']
        if how:
            seen.append(how)
        if differs := [name for name in base.facts['features']
                       if base.has(name) != base.expected(name)]:
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
