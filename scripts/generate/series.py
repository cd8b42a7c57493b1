#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the patch series for a given QEMU tree.

The project holds new files at the path they have in QEMU, and hooks, which
name places in QEMU's own files (places.py finds them). There is a file for each
patch, series/TOPIC/NN-name.toml. A topic is a series of its own, with its own
cover letter (cover.toml); they are applied in the order of their names.
What differs between QEMU trees stands in series/bases.toml. All patches are
applied to the tree's text in memory first; only if all of it fits are they made
commits of a git repository (repository.py) and from these what `git format-patch`
gives, or packagers take (mails.py). The QEMU tree is only ever read.
"""

import argparse
import difflib
import os
import re
import textwrap
import tomllib
from collections import namedtuple
from pathlib import Path
from typing import NamedTuple

import mails
import process
import repository
from places import PlaceError, Source

OPERATIONS = ('before', 'after', 'after_block', 'replace', 'append',
              'substitute')
COVER_KEYS = {'subject': str, 'message': str, 'on': list}
PATCH_KEYS = {'subject': str, 'message': str, 'needs': list, 'lacks': list,
              'files': list, 'hook': list, 'build': list}
HOOK_KEYS = {'file': str, 'inside': (str, list), 'before': (str, list),
             'after': (str, list), 'after_block': (str, list),
             'replace': (str, list), 'substitute': (str, list),
             'append': bool, 'insert': str, 'insert_file': str,
             'above_comment': bool, 'with_comment': bool,
             'step': str, 'needs': list, 'lacks': list}
BASES_KEYS = {'oldest': str, 'bases': dict, 'directories': dict, 'files': dict,
              'features': dict, 'build': dict}
BASE_KEYS = {'suite': str, 'version': str, 'fits': bool, 'dumps_vmstate': bool}
BUILD_KEYS = {'kind': str, 'name': str, 'place': str, 'with': str}
FEATURE_KEYS = {'what': str, 'from': str, 'until': str, 'file': str,
                'contains': (str, list), 'any': list, 'topic': str}

# A line that begins, flips or ends a part of our text for some bases only.
PART = re.compile(r'@\{(?:(needs|lacks):([^}]*)|else|end)\}\n')

# A directory in series/. cover: its cover.toml, in which "on" names the topics
# that it depends on; patches: (name, table) in order.
Topic = namedtuple('Topic', 'name cover patches')

# One patch of the result. text: path -> new text of each file it changes.
Patch = namedtuple('Patch', 'topic name subject message text')


class Result(NamedTuple):
    """The series for a tree. original: path -> the tree's own text of each file
    that is touched; modes: path -> mode as git has it; covers: topic -> text of its
    cover letter, the subject first; shown: the topics that were asked for; prefix: of the
    branches' names, where they are not the whole series."""
    base: 'Base'
    made_for: str
    patches: list[Patch]
    left_out: list
    original: dict[str, str]
    modes: dict[str, str]
    covers: dict[str, str]
    shown: list[str]
    prefix: str

    def branch(self, topic):
        """The name of a topic's branch."""
        return self.prefix + topic

    def final(self):
        """path -> text of each file that is touched, with all patches."""
        return {path: text for p in self.patches for path, text in p.text.items()}


class SeriesError(process.PlainError):
    """What is wrong with a tree, or the project's files."""


def check_keys(table, allowed, where):
    """Refuses keys, or types of values, that the format does not have."""
    for key, value in table.items():
        if key not in allowed:
            raise SeriesError(f'{where}: unknown key {key!r}')
        if not isinstance(value, allowed[key]) or isinstance(value, list) and \
                key not in ('hook', 'build') and where != 'series/bases.toml' and not all(isinstance(v, str) for v in value):
            raise SeriesError(f'{where}: {key} has a value of the wrong type')


def load_toml(path):
    """A TOML file as a dict."""
    try:
        return tomllib.loads(read_text(path))
    except (OSError, ValueError) as e:
        raise SeriesError(f'{path}: {e}') from e


def load_bases(project):
    """series/bases.toml, checked."""
    facts, where = load_toml(project / 'series/bases.toml'), 'series/bases.toml'
    check_keys(facts, BASES_KEYS, where)
    if missing := BASES_KEYS.keys() - facts.keys() - {'build'}:
        raise SeriesError(f'{where}: no {", ".join(sorted(missing))}')
    for name, base in facts['bases'].items():
        check_keys(base, BASE_KEYS, f'{where}: base {name}')
        if not {'version', 'fits'} <= base.keys():
            raise SeriesError(f'{where}: base {name}: no version or fits')
    for name, feature in facts['features'].items():
        check_keys(feature, FEATURE_KEYS, f'{where}: feature {name}')
    check_keys(facts.setdefault('build', {}), dict.fromkeys(facts['build'], list), where)
    for kind, hooks in facts['build'].items():
        add_places(hooks, project / where, f'build.{kind}')
    return facts


def add_places(hooks, path, table='hook'):
    """Checks the hooks of a file, and gives each the key "where": file and
    line, for error messages."""
    lines = read_text(path).split('\n') if hooks else []
    starts = [n for n, line in enumerate(lines, 1) if line.startswith(f'[[{table}]]')]
    for n, hook in enumerate(hooks):
        where = named(path) + (f':{starts[n]}' if n < len(starts) else '')
        check_hook(hook, where)
        hook['where'] = where


def named(path):
    """A file below series/, as messages name it."""
    return str(path)[str(path).rindex('series/'):]


def read_text(path):
    """A file's text, byte for byte (some of QEMU's is not UTF-8)."""
    return path.read_bytes().decode('utf-8', 'surrogateescape')


def as_list(value):
    return [value] if isinstance(value, str) else list(value)


def numbers(version):
    return tuple(int(n) for n in version.split('.'))


def release(version):
    """The release that a VERSION file stands for, as a tuple; development
    versions and release candidates (x.y.50 and up) count as the next one."""
    if not re.fullmatch(r'\d+\.\d+\.\d+(\.\d+)?', version):
        raise SeriesError(f'VERSION is {version!r}, not a QEMU version')
    v = numbers(version)
    if v[2] < 50:
        return v
    last_minor = {2: 12, 3: 1}.get(v[0], 2)     # since 4.0, x.2 ends a year
    return (v[0] + 1, 0, 0) if v[1] == last_minor else (v[0], v[1] + 1, 0)


class Base:
    """A QEMU tree, and what bases.toml knows about it.

    project: the project's directory; tree: QEMU's; name: a base in bases.toml
    or None; topics: names of the topics that are applied, None for all. Raises
    SeriesError if the tree is not what it should be."""

    def __init__(self, project, tree, name=None, topics=None):
        self.facts, self.tree, self.topics = load_bases(project), tree, topics
        bases = self.facts['bases']
        if name is not None and name not in bases:
            raise SeriesError(f'no base {name!r} in series/bases.toml; it has '
                              + ', '.join(bases))
        if not (tree / 'VERSION').is_file():
            raise SeriesError(f'{tree} is not a QEMU source tree: VERSION is '
                              'not there')
        if not any((tree / d).is_dir() for d in ('target/ppc', 'target-ppc')):
            raise SeriesError(f'{tree} has no target/ppc: this series is for '
                              'QEMU with its PowerPC targets')
        self.version = read_text(tree / 'VERSION').strip()
        self.release = release(self.version)
        wanted = bases[name]['version'] if name else self.facts['oldest']
        have = self.release[:len(numbers(wanted))]
        if (have != numbers(wanted)) if name else (have < numbers(wanted)):
            raise SeriesError(
                f'{tree} is QEMU {self.version}, but ' +
                (f'{name} is {wanted}' if name else
                 f'the series is for {wanted} and later') + '; ' + self.fits())

    def fits(self):
        """For error messages: the bases on which the series was tested."""
        return 'this series is known to fit: ' + (', '.join(
            f'{n} ({b["version"]})' for n, b in self.facts['bases'].items()
            if b['fits']) or 'none')

    def path(self, path):
        """The tree's path for one of the project or for an "@name"."""
        if path.startswith('@'):
            if path[1:] not in self.facts['files']:
                raise SeriesError(f'no {path!r} in series/bases.toml')
            candidates = self.facts['files'][path[1:]]
        else:
            candidates, prefix = [path], ''
            for d, places in self.facts['directories'].items():
                if f'{path}/'.startswith(f'{d}/') and len(d) > len(prefix):
                    prefix = d
                    place = next((p for p in places
                                  if (self.tree / p).is_dir()), places[0])
                    candidates = [place + path[len(d):]]
        for c in candidates:
            if len(candidates) == 1 or (self.tree / c).is_file():
                return c
        raise SeriesError(f'{path}: no such file in the tree; looked for '
                          + ', '.join(candidates))

    def feature(self, name):
        """The feature's table in bases.toml."""
        if name not in self.facts['features']:
            raise SeriesError(f'unknown feature {name!r}; series/bases.toml has '
                              + ', '.join(self.facts['features']))
        return self.facts['features'][name]

    def has(self, name):
        """Does the base have the feature? Look into the tree: stable releases and
        distributions backport, and forks claim odd versions. The version
        decides only if nothing in the tree can."""
        f = self.feature(name)
        if self.unwanted(f):
            return False
        if 'any' in f:
            return any(map(self.has, f['any']))
        if 'file' not in f:
            return self.expected(name)
        try:
            path = self.tree / self.path(f['file'])
        except SeriesError:
            return False            # none of the files of an "@name"
        if not path.is_file():
            return False
        wanted = as_list(f.get('contains', ''))
        text = read_text(path)
        return any(self.expand(w) in text for w in wanted)

    def unwanted(self, feature):
        """Does the feature come with a topic that is not applied?"""
        return 'topic' in feature and self.topics is not None and \
            feature['topic'] not in self.topics

    def expected(self, name):
        """Would the release that VERSION names have the feature?"""
        f = self.feature(name)
        if 'any' in f:
            return any(map(self.expected, f['any']))
        since, until = numbers(f.get('from', '0')), f.get('until')
        return self.release >= since and (
            not until or self.release[:len(numbers(until))] <= numbers(until))

    def unmet(self, table):
        """Why a patch or hook does not concern this base, or None."""
        for want, key in ((True, 'needs'), (False, 'lacks')):
            for name in table.get(key, []):
                if self.has(name) != want:
                    f = self.facts['features'][name]
                    if self.unwanted(f):
                        return f'needs {f.get("what", name)}, which {f["topic"]} has'
                    span = ' '.join(f'{k} {f[k]}' for k in ('from', 'until')
                                    if k in f)
                    return (f'{"needs" if want else "is for bases without"} '
                            f'{f.get("what", name)}' +
                            (f' (QEMU {span})' if span else ''))
        return None

    def choose(self, text):
        """Our text without what is for other bases. Text between a line
        @{needs:NAME} or @{lacks:NAME} and a line @{else} or @{end} is kept only
        if the base has, or lacks, that feature; of NAME,NAME it must have all,
        or lack one. Parts may be nested."""
        out, wanted = [], [True]    # of each part that is open
        for n, line in enumerate(re.findall(r'.*\n|.+', text), 1):
            if not (m := PART.fullmatch(line)):
                out += [line] if all(wanted) else []
            elif m[1]:
                has = all([self.has(name) for name in m[2].split(',')])
                wanted.append(has == (m[1] == 'needs'))
            elif len(wanted) == 1:
                raise SeriesError(f'{line.strip()} in line {n} ends nothing')
            elif 'else' in line:
                wanted[-1] = not wanted[-1]
            else:
                wanted.pop()
        if len(wanted) > 1:
            raise SeriesError('a part for some bases has no @{end}')
        return ''.join(out)

    def expand(self, text):
        """Our text with the tree's names for the directories of bases.toml,
        but for subjects of commits, as in ("target/ppc: Do this");
        @{last}, @{next} -> the tree's release and the one after it, as 7.2,
        or with what follows a colon in place of the point: @{last:_} -> 7_2;
        @{version} -> VERSION as it stands, @{opened} -> when development of
        the release after that begins. Parts are chosen first."""
        opened = (*self.release[:2], 50)
        releases = {'version': numbers(self.version),
                    'last': self.release[:2], 'opened': opened,
                    'next': release('.'.join(map(str, opened)))[:2]}
        text = self.choose(text)
        names = '|'.join(map(re.escape, self.facts['directories']))
        text = re.sub(rf'(?<![\w-])(?<!\(")(?:{names})(?![\w-])',
                      lambda m: self.path(m[0]), text)
        return re.sub(r'@\{(version|last|next|opened)(?::([^}]*))?\}', lambda m:
                      (m[2] or '.').join(map(str, releases[m[1]])), text)


def load_topics(project):
    """The topics in order, and the hooks of series/walk-through.toml, if there
    is one. What a patch adds to the build (key "build") is hooks, too."""
    known = load_bases(project)['build']

    def load(path, keys):
        table = load_toml(path)
        check_keys(table, keys, named(path))
        for key in ('subject', 'message'):
            if not table.get(key, '').strip():
                raise SeriesError(f'{named(path)}: no {key}')
        if '\n' in table['subject']:
            raise SeriesError(f'{named(path)}: subject has several lines')
        return table

    def load_patch(path):
        table = load(path, PATCH_KEYS)
        add_places(table.setdefault('hook', []), path)
        table['build'] = [hook for entry in table.get('build', [])
                          for hook in build_hooks(known, entry, named(path))]
        return path.stem, table
    topics = [Topic(path.parent.name, load(path, COVER_KEYS),
                    [*map(load_patch, sorted(path.parent.glob('[0-9][0-9]-*.toml')))])
              for path in sorted(project.glob('series/*/cover.toml'))]
    if not any(topic.patches for topic in topics):
        raise SeriesError(f'{project}/series: no topic with a cover.toml and patches')
    walk = project / 'series/walk-through.toml'
    steps = load_toml(walk) if walk.exists() else {'hook': []}
    check_keys(steps, {'hook': list}, 'series/walk-through.toml')
    add_places(steps['hook'], walk)
    for hook in steps['hook']:
        if 'step' not in hook:
            raise SeriesError(f'{hook["where"]}: no step')
    return topics, steps['hook']


def choose_topics(topics, only=None, without=()):
    """Those that are applied, in order: all but those of without; or only the
    one of that name, and what it is on. The number of a name can be left out."""
    def find(name):
        for topic in topics:
            if name in (topic.name, topic.name.split('-', 1)[1]):
                return topic
        raise SeriesError(f'no topic {name!r} in series/; there are '
                          + ', '.join(topic.name for topic in topics))
    left = [find(name) for name in without]
    wanted = [*map(find, find(only).cover.get('on', [])), find(only)] if only else topics
    return [topic for topic in wanted if topic not in left]


def build_hooks(known, entry, where):
    """The hooks that put one file into QEMU's build, from those that bases.toml
    has for its kind: with the entry's @{name}, @{place} and @{with}. Those that
    want @{with} are left out for an entry without it."""
    check_keys(entry, BUILD_KEYS, f'{where}: build')
    if not {'kind', 'name'} <= entry.keys() or entry['kind'] not in known:
        raise SeriesError(f'{where}: build needs a name, and a kind of series/'
                          f'bases.toml, which has {", ".join(known) or "none"}')

    def fill(value):
        if isinstance(value, list):
            return [fill(v) for v in value]
        if not isinstance(value, str):
            return value
        return re.sub(r'@\{(name|place|with)\}', lambda m: entry[m[1]], value)
    for hook in known[entry['kind']]:
        try:
            filled = {key: fill(value) for key, value in hook.items()}
        except KeyError as e:
            if e.args[0] == 'with':
                continue
            raise SeriesError(f'{where}: build: {entry["name"]} has no {e}, which '
                              f'{hook["where"]} wants') from e
        yield filled | {'where': f'{hook["where"]}, for {entry["name"]}'}


def check_hook(hook, where):
    """Refuses a hook that is not well formed."""
    check_keys(hook, HOOK_KEYS, where)
    ops = [k for k in OPERATIONS if hook.get(k)]
    texts = [k for k in ('insert', 'insert_file') if k in hook]
    if 'file' not in hook or len(texts) != 1 or len(ops) != 1:
        raise SeriesError(f'{where}: needs file, one of insert, insert_file '
                          'and exactly one of ' + ', '.join(OPERATIONS))
    if ops[0] != 'replace' and not hook[texts[0]].strip():
        raise SeriesError(f'{where}: nothing to insert')
    for flag, op in (('above_comment', 'before'), ('with_comment', 'replace')):
        if flag in hook and ops[0] != op:
            raise SeriesError(f'{where}: {flag} goes with {op} only')


def binary(text):
    """Whether git takes a file's text for binary."""
    return '\0' in text[:8000]


def for_patch(patches, left_out):
    """Both without the patches of binary files, which patch(1) cannot take, nor
    can quilt and rpmbuild, which use it."""
    gone = [p for p in patches if any(map(binary, p.text.values()))]
    return [p for p in patches if p not in gone], [*left_out, *(
        (p.topic, p.name, p.subject, 'has binary files, for git alone') for p in gone)]


def diff(before, after):
    """A unified diff, as lines, between two dicts of path -> text."""
    for path in sorted(after):
        yield from difflib.unified_diff(
            before[path].splitlines(), after[path].splitlines(),
            f'a/{path}', f'b/{path}', lineterm='')


def apply_all(project, base, topics, walk=()):
    """Applies the topics' patches in memory; returns what Result has as patches,
    left_out, original and modes. walk: hooks
    that are not applied, but shown as diffs where a file says "@{step:NAME}"
    in a line of its own, each on top of the patches and steps before it."""
    now, original, modes = {}, {}, {}       # path -> text, text, git file mode
    done, left_out = [], []

    def mode(path):
        return '100755' if os.access(path, os.X_OK) else '100644'

    def add_file(file):
        path, source = base.path(file), project / file
        if not re.fullmatch(r'[\w.+-]+(/[\w.+-]+)+', path) or '..' in path:
            raise SeriesError(f'{file}: not a path that a patch could carry')
        if path in now or os.path.lexists(base.tree / path):
            raise SeriesError(f'{path}: the tree has this file already')
        if not source.is_file():
            raise SeriesError(f'{file}: the project does not have this file')
        text = read_text(source)
        try:
            now[path] = text if binary(text) else show_steps(base.expand(text))
        except SeriesError as e:
            raise SeriesError(str(e) if 'series/' in str(e) else f'{file}: {e}') from e
        modes[path] = mode(source)
        return path

    def get(path):
        if path not in now:
            if not (base.tree / path).is_file():
                raise SeriesError(f'{path}: no such file in the tree')
            now[path] = original[path] = read_text(base.tree / path)
            modes[path] = mode(base.tree / path)
        return path

    def expanded(value):
        return [base.expand(v) for v in as_list(value)]

    def apply_hook(hook):
        path = None
        try:
            if base.unmet(hook):
                return None
            path = get(base.path(hook['file']))
            op = next(k for k in OPERATIONS if hook.get(k))
            insert = base.expand(hook['insert'] if 'insert' in hook else
                                 read_text(project / hook['insert_file']) + '\n')
            if insert and not insert.endswith('\n') and op != 'substitute':
                insert += '\n'
            now[path] = Source(path, now[path]).change(
                op, expanded(hook[op]) if op != 'append' else [], insert,
                expanded(hook.get('inside', [])),
                hook.get('above_comment') or hook.get('with_comment'))
        except PlaceError as e:
            raise SeriesError(f'{hook["where"]}: {path}: {e}') from e
        except SeriesError as e:
            raise SeriesError(f'{hook["where"]}: {e}') from e
        return path

    def show_steps(text):
        """text with the diffs of the walk-through in their places."""
        nonlocal now, original, modes
        if '@{step:' not in text:
            return text
        saved = now, original, modes
        now, original, modes = (dict(d) for d in saved)

        def show(match):
            before, touched = dict(now), set()
            for hook in walk:
                if hook['step'] == match[2]:
                    touched.add(apply_hook(hook))
            touched.discard(None)
            if not touched:
                raise SeriesError(f'the walk-through has no step {match[2]!r}')
            return ''.join(
                f'{match[1]}{line}'.rstrip() + '\n' for line in diff(
                    {p: before.get(p, original.get(p)) for p in touched},
                    {p: now[p] for p in touched}))
        try:
            return re.sub(r'^( *)@\{step:([^}]*)\}\n', show, text, flags=re.M)
        finally:
            now, original, modes = saved

    for topic, name, table in ((t.name, *patch) for t in topics for patch in t.patches):
        try:
            if reason := base.unmet(table):
                left_out.append((topic, name, table['subject'].strip(), reason))
                continue
            before, touched = dict(now), []
            for file in table.get('files', []):
                touched.append(add_file(file))
            for hook in [*table['build'], *table['hook']]:
                touched.append(apply_hook(hook))
        except SeriesError as e:
            where = '' if str(e).startswith('series/') else f'series/{topic}/{name}.toml: '
            raise SeriesError(f'{where}{e}; {base.fits()}') from e
        text = {path: now[path] for path in sorted(path for path in touched if path)
                if now[path] != before.get(path, original.get(path))}
        if any(map(binary, text.values())) and (table['build'] or table['hook']):
            raise SeriesError(f'series/{topic}/{name}.toml: binary files need a patch '
                              'without hooks, as packages leave it out')
        if text:
            subject, message = (base.expand(table[k]).strip()
                                for k in ('subject', 'message'))
            done.append(Patch(topic, name, subject, message, text))
        else:
            left_out.append((topic, name, table['subject'].strip(),
                             'has nothing to do here'))
    return done, left_out, original, modes


def cover_letter(topic, base, made_for, patches, left_out, signoff):
    """Subject and text of a topic's cover letter, the text with our own notes.
    @{patch:NAME} in it is the number that the patch has in the result."""
    names = [p.name for p in patches if p.topic == topic.name]

    def number(m):
        if m[1] not in names:
            raise SeriesError(f'{m[0]} is not among the patches for this base')
        return str(names.index(m[1]) + 1)
    try:
        message = re.sub(r'@\{patch:([^}]*)\}', number,
                         base.expand(topic.cover['message']).strip())
    except SeriesError as e:
        raise SeriesError(f'series/{topic.name}/cover.toml: {e}') from e
    notes = [f'Made for {made_for}.']
    notes += [f'Left out: "{subject}", which {reason}.'
              for where, _, subject, reason in left_out if where == topic.name]
    if not signoff:
        notes.append('The patches carry no Signed-off-by: whoever submits them '
                     'adds their own.')
    notes = [textwrap.fill(n, 75, subsequent_indent='  ', break_on_hyphens=False)
             for n in notes]
    return '\n\n'.join([base.expand(topic.cover['subject']).strip(), message,
                        '\n'.join(notes)])


def fit(project, tree, name=None, signoff=False, without=(), only=None,
        form='mail'):
    """The series for a tree, as a Result. name: a base that the tree is to be;
    without: topics to leave out; only: just this one, on what it needs; form: what is
    to be written of it. Reads the tree and writes nothing. Raises SeriesError."""
    topics, walk = load_topics(project)
    topics = choose_topics(topics, only, without)
    base = Base(project, tree, name, [topic.name for topic in topics])
    patches, left_out, original, modes = apply_all(project, base, topics, walk)
    if form != 'mail':
        patches, left_out = for_patch(patches, left_out)
    having = {p.topic for p in patches}
    shown = [topic.name for topic in topics[-1 if only else 0:] if topic.name in having]
    if not shown:
        raise SeriesError(f'no patch{" of " + topics[-1].name if only else ""} '
                          'concerns this base')
    made_for = f'QEMU {base.version}' + (f' ({name})' if name else '')
    covers = {topic.name: cover_letter(topic, base, made_for, patches, left_out, signoff)
              for topic in topics if topic.name in having}
    return Result(base, made_for, patches, left_out, original, modes, covers, shown,
                  'alone/' if only else '' if form == 'mail' else 'packages/')


def commit(repo, result, paths=None):
    """Makes the branches of a result in a repository. paths: the tree's files that
    "base" is to have; if not given, those that the patches touch."""
    base = repo.take(result.base.tree, paths or result.original, result.made_for)
    start = {'base': base} | dict(zip(
        map(result.branch, result.covers),
        [base, *(f'refs/heads/{result.branch(topic)}' for topic in result.covers)]))
    if not result.prefix:
        start['series'] = f'refs/heads/{[*result.covers][-1]}'
    repo.commit([(result.branch(p.topic), f'{p.subject}\n\n{p.message}\n',
                  {path: (result.modes[path], text) for path, text in p.text.items()})
                 for p in result.patches], start)


def write(repo, result, out, form='mail', signoff=False):
    """Writes the committed patches into the directory out, a directory for each
    topic. Raises PlainError or OSError, and then out is as it was."""
    mails.check_out(out)
    if signoff and not repo.user:
        raise SeriesError('--signoff needs your name: git config user.name and '
                          'user.email')
    made = mails.make_mails(repo, result, signoff)
    if form == 'mail':
        files = {f'{topic}/{file}': text for topic, mbox in made.items()
                 for file, text in mbox.items()}
    else:
        files = mails.packaged(form, made, result, lambda patch: mails.dep3(
            patch, result.made_for, repo.user, repo.date, signoff))
    with mails.scratch_dir(out.parent) as scratch:
        mails.write_out(out, scratch, files)


def describe(result):
    """What was made, and what not, a line each."""
    for topic in result.shown:
        yield f'{topic}:'
        for n, p in enumerate((p for p in result.patches if p.topic == topic), 1):
            yield f'{n:4}  {p.subject}'
    for topic, name, _, reason in result.left_out:
        if topic in result.shown:
            yield f'left out: {topic}/{name}, which {reason}'


def main():
    parser = argparse.ArgumentParser(
        description='Make the patch series for a QEMU source tree.')
    parser.add_argument('--tree', type=Path, required=True,
                        help='the QEMU source tree')
    parser.add_argument('--out', type=Path, help='directory for the patches')
    parser.add_argument('--base', help='refuse a tree that is not this base')
    parser.add_argument('--signoff', action='store_true',
                        help='add your own Signed-off-by')
    parser.add_argument('--format', default='mail',
                        help=f'one of {", ".join(mails.FORMATS)}')
    parser.add_argument('--topic', help='make only this one, such as fixes')
    parser.add_argument('--without', action='append', default=[],
                        metavar='TOPIC', help='leave out a topic, such as '
                        'old-machines')
    parser.add_argument('--check', action='store_true',
                        help='only see whether all of it fits; write nothing')
    parser.add_argument('--project', type=Path,
                        default=Path(__file__).resolve().parents[2])
    args = parser.parse_args()
    if not (args.out or args.check):
        parser.error('--out or --check is needed')
    mails.check_format(args.format)
    result = fit(args.project, args.tree, args.base, args.signoff, args.without, args.topic,
                 args.format)
    if not args.check:
        out = args.out.absolute()
        mails.check_out(out)
        with mails.scratch_dir(out.parent) as scratch:
            repo = repository.Repository(scratch / 'git', args.project)
            commit(repo, result)
            write(repo, result, out, args.format, args.signoff)
    print(*describe(result), sep='\n')
    return 0


if __name__ == '__main__':
    process.guarded(main)
