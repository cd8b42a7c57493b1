# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the commits of a series into mails, as `git format-patch` does, or into
patches for packagers, and writes out all of them or nothing.
"""

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from process import PlainError, no_signals

COVER = '0000-cover-letter.patch'
COVER_TEXT = 'cover-letter.txt'     # where the rest is no mails
FORMATS = {'mail': None, 'quilt': 'series', 'rpm': 'patches.spec'}  # the list


class MailError(PlainError):
    """What is wrong with the output, or git."""


def check_format(name):
    """Refuses a format that is none of FORMATS."""
    if name not in FORMATS:
        raise MailError(f'no format {name!r}; there are {", ".join(FORMATS)}')


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


def make_mails(repository, result, signoff):
    """topic -> file name -> mail, as bytes, for its cover letter and each of its
    patches, which the repository has as commits."""
    made, last = {}, 'base'
    for topic, cover in result.covers.items():
        branch = result.branch(topic)
        repository.git('config', f'branch.{branch}.description', cover)
        mbox = repository.git(
            'format-patch', '--stdout', '--cover-letter', '--zero-commit',
            '--cover-from-description=subject', '--no-signature',
            '--no-renames', '--full-index', '--binary', '--diff-algorithm=histogram',
            *(['--signoff'] if signoff else []), f'{last}..{branch}')
        mails = re.split(rb'(?m)^(?=From 0{40} Mon Sep 17 00:00:00 2001$)', mbox)[1:]
        names = [COVER] + [f'{n:04d}-{p.name.split("-", 1)[1]}.patch' for n, p in
                           enumerate((p for p in result.patches if p.topic == topic), 1)]
        if len(mails) != len(names):
            raise MailError(f'git made {len(mails)} mails of {topic}, not {len(names)}')
        made[topic], last = dict(zip(names, mails)), branch
    return {topic: made[topic] for topic in result.shown}


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


def packaged(form, made, result, header):
    """file name -> content for packagers, made from the mails: for quilt (and
    Debian), patches with the header that header(patch) returns, and the lines
    for debian/patches/series; for rpm, the mails, and the lines for the spec.
    All topics are one list."""
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
    cover = '\n\n\n'.join(result.covers[topic] for topic in made)
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
    """Refuses to replace anything that this script did not make."""
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
