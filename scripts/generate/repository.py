# SPDX-License-Identifier: GPL-2.0-or-later
"""A git repository with the source of a QEMU, and the series on top of it.

The branch "base" is the source as it is; each topic is a branch on the one
before it, and "series" is the last of them. A checkout has no .git, because
QEMU's configure asks git for submodules if it finds one. Only the name and the
mail address of the user's git settings count, so the same input gives the same
commits everywhere.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from process import LOCKS, PlainError, finish, say

NOBODY = ('insns-compat series', 'insns-compat@localhost')


class GitError(PlainError):
    """What git could not do."""


def identity(project):
    """(name, email) that the user has told git, or None."""
    def ask(env, key):
        return os.environ.get(env) or finish(
            ['git', 'config', key], cwd=project, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True).stdout.strip()
    who = [re.sub(r'[<>\n]', '', ask(f'GIT_AUTHOR_{key.upper()}', f'user.{key}'))
           for key in ('name', 'email')]
    return (who[0], who[1]) if all(who) else None


def timestamp(project):
    """Seconds since 1970 for all dates: from the environment, or the
    project's last commit, or (not a repository) the date of bases.toml."""
    date = os.environ.get('SOURCE_DATE_EPOCH') or finish(
        ['git', 'log', '-1', '--format=%ct'], cwd=project,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    try:
        return int(date or (project / 'series/bases.toml').stat().st_mtime)
    except ValueError as e:
        raise GitError(f'SOURCE_DATE_EPOCH is not a number: {date}') from e


def files_below(top):
    """The paths of all files and links below a directory; without git's own,
    and without directories in which something is built."""
    found = []
    for where, directories, files in os.walk(top):
        here = Path(where)
        links = [d for d in directories if (here / d).is_symlink()]
        directories[:] = [d for d in directories
                          if d not in ('.git', '__pycache__', *links)
                          and not (here / d / 'build.ninja').exists()]
        found += [str((here / name).relative_to(top)) for name in files + links
                  if name != '.git']
    return found


class Repository:
    """The repository in the directory path, which is made if need be. Only one
    program at a time may have it."""

    def __init__(self, path, project):
        self.path, self.user, self.date = path, identity(project), timestamp(project)
        who: tuple[str, str] = self.user or NOBODY
        self.name, self.mail = who
        path.mkdir(parents=True, exist_ok=True)
        for left in ('*.lock', 'refs/heads/**/*.lock', 'objects/pack/tmp_*',
                     'fast_import_crash_*'):    # by a run that was killed
            for file in path.glob(left):
                file.unlink()
        self.git('init', '-q', '--bare', '--template=')
        for key, value in ('gc.auto', '0'), ('core.fsync', 'none'):
            self.git('config', key, value)
        (path / 'info').mkdir(exist_ok=True)    # what the tree says does not count
        (path / 'info/attributes').write_text('* -text -filter -ident\n')

    def git(self, *args, stdin=b'', tree=None, index=None, git_dir=None):
        """What a git command says, as bytes; for the files of tree, and an index
        by its name. git_dir: that of a worktree instead of the repository."""
        env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
        env |= {'GIT_DIR': str(git_dir or self.path), 'GIT_CONFIG_GLOBAL': os.devnull,
                'GIT_CONFIG_SYSTEM': os.devnull, 'GIT_ATTR_NOSYSTEM': '1',
                'HOME': str(self.path), 'XDG_CONFIG_HOME': str(self.path),
                'LC_ALL': 'C', 'TZ': 'UTC',
                'GIT_AUTHOR_NAME': self.name, 'GIT_AUTHOR_EMAIL': self.mail,
                'GIT_COMMITTER_NAME': self.name, 'GIT_COMMITTER_EMAIL': self.mail,
                'GIT_AUTHOR_DATE': f'{self.date} +0000',
                'GIT_COMMITTER_DATE': f'{self.date} +0000'}
        if tree:
            env['GIT_WORK_TREE'] = os.path.abspath(tree)
        if index:
            env['GIT_INDEX_FILE'] = str(self.path / f'{index}.index')
        p = finish(['git', *args], stdin=stdin, cwd=tree or self.path, env=env,
                   pass_fds=LOCKS, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if p.returncode:
            said = p.stderr.decode(errors='replace').strip().splitlines()
            command = next(a for a in args if a[0] != '-' and '=' not in a)
            full = shutil.disk_usage(tree or self.path).free < 1 << 20  # it may not say so
            raise GitError(f'git {command} failed: {" ".join(said[:2])}' +
                           '; there is no space left on the disk' * full)
        return p.stdout

    def names(self, *args, **kwargs):
        """The paths that a git command with -z lists."""
        return [os.fsdecode(n) for n in self.git(*args, **kwargs).split(b'\0') if n]

    def take(self, tree: Path, paths: Iterable[str], message: str) -> str:
        """Makes a commit of these files of a tree, and returns its id. What has
        not changed since the last time is not read again."""
        def stdin(names):
            return b''.join(os.fsencode(name) + b'\0' for name in names)
        paths = set(paths)
        gone = set(self.names('ls-files', '-z', index='base')) - paths
        self.git('update-index', '-z', '--force-remove', '--stdin',
                 stdin=stdin(gone), index='base', tree=tree)
        # the limit has it write one pack, not a file for each
        self.git('-c', 'core.bigFileThreshold=1', '-c', 'core.compression=1',
                 'update-index', '-z', '--add', '--stdin', stdin=stdin(sorted(paths)),
                 index='base', tree=tree)
        made = self.git('write-tree', index='base').decode().strip()
        return self.git('commit-tree', '-m', message, made).decode().strip()

    def commit(self, rows, heads=()):
        """Makes all commits or none, one for each row (branch, message, files) with
        files: path -> (mode, text). Its parent is the branch's previous row, or
        the commit that heads (branch -> commit) has for it. An existing branch
        is started again; heads without rows are just set."""
        heads, out = dict(heads), ['feature done\n'.encode()]

        def data(text):
            raw = text.encode('utf-8', 'surrogateescape')
            return b'data %d\n%s\n' % (len(raw), raw)
        for branch, message, files in rows:
            out.append(f'commit refs/heads/{branch}\ncommitter {self.name} '
                       f'<{self.mail}> {self.date} +0000\n'.encode() + data(message))
            if branch in heads:
                out.append(f'from {heads.pop(branch)}\n'.encode())
            for path, (mode, text) in sorted(files.items()):
                out.append(f'M {mode} inline {path}\n'.encode() + data(text))
        for branch, start in heads.items():
            out.append(f'reset refs/heads/{branch}\nfrom {start}\n\n'.encode())
        self.git('fast-import', '--quiet', '--force', stdin=b''.join([*out, b'done\n']))

    def with_patches(self, revision, patches):
        """What a commit's tree becomes with patches, as the id of a tree."""
        self.git('read-tree', revision, index='patches')
        if patches:
            self.git('apply', '--cached', '--whitespace=nowarn', *patches, index='patches')
        return self.git('write-tree', index='patches').decode().strip()

    def changed(self, revision='series'):
        """The paths that differ from the source; none if nothing was made yet."""
        if not self.git('for-each-ref', f'refs/heads/{revision}'):
            return []
        return self.names('diff', '--name-only', '--no-renames', '-z', 'base', revision, '--')

    def check_out(self, revision, directory):
        """Makes the directory's files those of the commit or tree. Only files that
        differ are written, and other files, such as those of builds, stay."""
        index = self.path / f'{directory.name}.index'
        if not (index.exists() and directory.exists()):
            say(f'copying the source to {directory.name}/')
            shutil.rmtree(directory, ignore_errors=True)
            index.unlink(missing_ok=True)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self.git('read-tree', '--reset', '-u', revision, tree=directory,
                     index=directory.name)
        except BaseException:
            if not index.exists():      # whole, or not there
                shutil.rmtree(directory, ignore_errors=True)
            raise

    def am_problem(self, branch, patches, tree):
        """What is wrong with the mails, or None: applied to the source with git am,
        they must give what the branch has. tree: a temporary directory for that."""
        try:
            shutil.rmtree(tree, ignore_errors=True)
            self.git('worktree', 'prune')
            self.git('worktree', 'add', '-q', '--detach', tree, 'base')
            self.git('am', '-q', '--whitespace=error', *patches, tree=tree,
                     git_dir=tree / '.git')
            other = self.git('diff', '--stat', branch, 'HEAD', '--', git_dir=tree / '.git')
            return f'git am made another text:\n{other.decode()}' if other else None
        except GitError as e:
            return str(e)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
