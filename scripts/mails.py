# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes mails of a series' patches, as `git format-patch` does, or of the
mails what packagers take, and writes them out all or nothing.

The commits are made in a scratch repository beside the output, which holds no
more than the files that the series touches. Of the user's git settings only
the name and the mail address count, so that the same input gives the same
bytes everywhere.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

NOBODY = ('insns-compat series', 'insns-compat@localhost')
COVER = '0000-cover-letter.patch'
COVER_TEXT = 'cover-letter.txt'     # where the rest is no mails
FORMATS = {'mail': None, 'quilt': 'series', 'rpm': 'patches.spec'}  # the list
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PlainError(Exception):
    """What is wrong and what to do, for a person to read: all that a script
    says when it ends with it."""


class MailError(PlainError):
    """What is wrong with the output, or git."""


def check_format(name):
    """Refuses a format that is none of FORMATS."""
    if name not in FORMATS:
        raise MailError(f'no format {name!r}; there are {", ".join(FORMATS)}')


def stop_on_signals():
    """From now on a signal ends the program the orderly way, once, but for
    one that whoever started it wants ignored (nohup)."""
    def stop(signum, _frame):
        for s in SIGNALS:
            signal.signal(s, signal.SIG_IGN)
        raise SystemExit(128 + signum)
    for s in SIGNALS:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, stop)


@contextmanager
def no_signals():
    """Puts signals off while something is done that must not be cut short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def scratch_dir(parent):
    """A temporary directory in parent, which is made if need be. Takes away
    those of runs that were killed: whoever is alive has its own locked."""
    path, lock = None, None

    def locked(directory):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd
    try:
        with no_signals():
            parent.mkdir(parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(prefix='.series-', dir=parent))
            lock = locked(path)
        for old in parent.glob('.series-*'):
            with suppress(OSError):
                if (fd := locked(old)) is not None:
                    shutil.rmtree(old, ignore_errors=True)
                    os.close(fd)
        yield path
    finally:
        with no_signals():
            if path:
                shutil.rmtree(path, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def identity(project):
    """(name, email) that the user has told git, or None."""
    def ask(env, key):
        try:
            return os.environ.get(env) or subprocess.run(
                ['git', 'config', key], cwd=project, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True).stdout.strip()
        except OSError as e:
            raise MailError(f'cannot run git: {e}') from e
    who = [re.sub(r'[<>\n]', '', ask(f'GIT_AUTHOR_{key.upper()}', f'user.{key}'))
           for key in ('name', 'email')]
    return who if all(who) else None


def timestamp(project):
    """Seconds since 1970 for all dates: from the environment, or the
    project's last commit, or (not a repository) the date of bases.toml."""
    date = os.environ.get('SOURCE_DATE_EPOCH') or subprocess.run(
        ['git', 'log', '-1', '--format=%ct'], cwd=project,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    try:
        return int(date or (project / 'series/bases.toml').stat().st_mtime)
    except ValueError as e:
        raise MailError(f'SOURCE_DATE_EPOCH is not a number: {date}') from e


def import_stream(result, who, date):
    """The commits as input for git fast-import: refs/heads/base has the
    original files, refs/heads/TOPIC the patches up to the last of TOPIC."""
    out = []

    def data(text):
        raw = text.encode('utf-8', 'surrogateescape')
        out.append(b'data %d\n%s\n' % (len(raw), raw))

    def commit(ref, message, files, start=None):
        out.append(f'commit {ref}\nauthor {who[0]} <{who[1]}> {date} +0000\n'
                   f'committer {who[0]} <{who[1]}> {date} +0000\n'.encode())
        data(message)
        out.append(f'from {start}\n'.encode() if start else b'')
        for path in sorted(files):
            out.append(f'M {result.modes[path]} inline {path}\n'.encode())
            data(files[path])

    commit('refs/heads/base', 'base\n', result.original)
    last = 'base'
    for p in result.patches:
        commit(f'refs/heads/{p.topic}', f'{p.subject}\n\n{p.message}\n', p.text,
               f'refs/heads/{last}' if p.topic != last else None)
        last = p.topic
    return b''.join(out)


def make_mails(scratch, result, who, date, covers, signoff):
    """topic -> file name -> mail, as bytes, for its cover letter, which covers
    has the text of, and each of its patches."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}
    env |= {'GIT_DIR': f'{scratch}/git', 'GIT_CONFIG_GLOBAL': os.devnull,
            'GIT_CONFIG_SYSTEM': os.devnull, 'GIT_ATTR_NOSYSTEM': '1',
            'HOME': str(scratch), 'XDG_CONFIG_HOME': str(scratch),
            'LC_ALL': 'C', 'TZ': 'UTC',     # the user's settings do not count
            'GIT_AUTHOR_NAME': who[0], 'GIT_AUTHOR_EMAIL': who[1],
            'GIT_COMMITTER_NAME': who[0], 'GIT_COMMITTER_EMAIL': who[1],
            'GIT_COMMITTER_DATE': f'{date} +0000'}

    def git(*args, stdin=b''):
        try:
            r = subprocess.run(['git', *args], input=stdin, cwd=scratch, env=env,
                               capture_output=True)
        except OSError as e:
            raise MailError(f'cannot run git: {e}') from e
        if r.returncode:
            raise MailError(f'git {args[0]} failed: '
                            + r.stderr.decode(errors='replace').strip())
        return r.stdout

    git('init', '-q', '--bare', '--template=')
    git('fast-import', '--quiet', stdin=import_stream(result, who, date))
    made, last = {}, 'base'
    for topic, cover in covers.items():
        git('config', f'branch.{topic}.description', cover)
        mbox = git('format-patch', '--stdout', '--cover-letter', '--zero-commit',
                   '--cover-from-description=subject', '--no-signature',
                   '--no-renames', '--binary', '--diff-algorithm=histogram',
                   *(['--signoff'] if signoff else []), f'{last}..{topic}')
        mails = re.split(rb'(?m)^(?=From 0{40} Mon Sep 17 00:00:00 2001$)', mbox)[1:]
        names = [COVER] + [f'{n:04d}-{p.name.split("-", 1)[1]}.patch' for n, p in
                           enumerate((p for p in result.patches if p.topic == topic), 1)]
        if len(mails) != len(names):
            raise MailError(f'git made {len(mails)} mails of {topic}, not {len(names)}')
        made[topic], last = dict(zip(names, mails)), topic
    return made


def dep3(patch, made_for, who, date, signoff):
    """The header that Debian's patches have (DEP-3); who may be None."""
    text = [patch.subject] + [' ' + (line or '.')
                              for line in patch.message.split('\n')]
    day = datetime.fromtimestamp(date, timezone.utc).date()
    return '\n'.join([
        f'Description: {text[0]}', *text[1:],
        f'Origin: other, patch {patch.name} of the insns-compat series, '
        f'made for {made_for}',
        *([f'Author: {who[0]} <{who[1]}>'] if who else []),
        *([f'Signed-off-by: {who[0]} <{who[1]}>'] if signoff else []),
        'Forwarded: no', f'Last-Update: {day}', '', ''])


def packaged(form, made, result, covers, header):
    """file name -> content of what a packager takes, from the mails that were
    made: for quilt (and Debian) patches with the header that header(patch)
    gives, and the lines for debian/patches/series; for rpm the mails, and the
    lines for the spec. All topics are one list."""
    mails = [mail for mbox in made.values() for name, mail in mbox.items()
             if name != COVER]
    sources = [p for p in result.patches if p.topic in made]
    if form == 'quilt':
        patches = {     # names that are the same for all bases
            f'insns-compat-{p.name}.patch': header(p).encode(
                'utf-8', 'surrogateescape') +
            mail[mail.index(b'\ndiff --git ') + 1:].rstrip(b'\n') + b'\n'
            for p, mail in zip(sources, mails)}
        lines = list(patches)
    else:
        patches = {f'{n:04d}-{p.name.split("-", 1)[1]}.patch': mail
                   for n, (p, mail) in enumerate(zip(sources, mails), 1)}
        lines = ['# Into the preamble of the spec, after its own patches;'
                 ' "%%autosetup -p1" in',
                 '# %%prep applies them. Other numbers, where these are taken.',
                 *(f'Patch{n}: {name}' for n, name in enumerate(patches, 9001))]
    cover = '\n\n\n'.join(covers[topic] for topic in made)
    return patches | {FORMATS[form]: ('\n'.join(lines) + '\n').encode(),
                      COVER_TEXT: f'{cover}\n'.encode()}


def patches_in(out):
    """The patches of the directory out, in the order in which they apply."""
    listed = next((out / name for name in FORMATS.values()
                   if name and (out / name).exists()), None)
    if listed:
        return [out / line.split()[-1] for line in listed.read_text().splitlines()
                if not line.startswith('#')]
    return sorted(p for p in out.glob('*/*.patch') if p.name != COVER)


def check_out(out):
    """Refuses to replace what was not made by this script."""
    there = {str(f.relative_to(out)) for f in out.rglob('*') if not f.is_dir()} \
        if out.is_dir() else set()
    heads = {name for name in there if Path(name).name in (COVER, COVER_TEXT)}
    if out.is_symlink() or out.exists() and not out.is_dir() or there and (
            not heads or any(not name.endswith('.patch') for name in
                             there - heads - {*FORMATS.values()})):
        raise MailError(f'{out} is there and is not a patch series; '
                        'move it away or give another --out')


def write_out(out, scratch, files):
    """Puts the files into the directory out, all or nothing."""
    new, old = scratch / 'new', scratch / 'old'
    new.mkdir()
    for name, content in files.items():
        (new / name).parent.mkdir(exist_ok=True)
        (new / name).write_bytes(content)
    check_out(out)
    with no_signals():
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
