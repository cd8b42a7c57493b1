# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs programs, and ends in an orderly way: by a signal, or with one message."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# How many lines of a program's output are shown where it failed.
TAIL = 25

# The locks of build.Place.locked(). What works in a place keeps its lock, too, so
# that no other run gets in its way if we are killed before it ends.
LOCKS: list[int] = []


class PlainError(Exception):
    """What is wrong and what to do, for a person to read. A script that ends with
    it prints only this."""


class BuildError(PlainError):
    """What went wrong while something was downloaded, made or built."""


def say(text):
    print(f'--- {text}', file=sys.stderr, flush=True)


def stop_on_signals():
    """From now on, let a signal end the program in an orderly way, once, unless the
    caller set that signal to be ignored (nohup)."""
    def stop(signum, _frame):
        for s in SIGNALS:
            signal.signal(s, signal.SIG_IGN)
        raise SystemExit(128 + signum)
    for s in SIGNALS:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, stop)


@contextlib.contextmanager
def no_signals():
    """Holds signals back during something that must not be interrupted."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def child(command, **kwargs):
    """Starts a command. A signal that ends us earlier also reaches the command and
    its children."""
    def let_signals_through():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    p = None
    try:
        with no_signals():      # or one might come when it has begun, before p is set
            try:
                p = subprocess.Popen([str(c) for c in command], process_group=0,
                                     preexec_fn=let_signals_through, **kwargs)
            except FileNotFoundError as e:
                raise BuildError(f'{command[0]} is missing; scripts/setup.sh '
                                 'installs what is needed') from e
        yield p
    except BaseException as e:
        signum = signal.SIGTERM
        if isinstance(e, SystemExit) and isinstance(e.code, int) and e.code > 128:
            signum = signal.Signals(e.code - 128)   # see stop_on_signals()
        if p:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signum)
        raise
    finally:
        if p:
            with p:
                pass


def finish(command, stdin=None, **kwargs):
    """Runs a command to its end, as subprocess.run does. stdin: what it reads, as
    bytes, or a file."""
    text = stdin if isinstance(stdin, bytes) else None
    with child(command, stdin=stdin if text is None else subprocess.PIPE, **kwargs) as p:
        out, err = p.communicate(text)
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


def run(command, **kwargs):
    """Runs a command that is to succeed, or raises BuildError with the last of
    what it said; returns its output."""
    p = finish(command, pass_fds=LOCKS, text=True, errors='replace',
               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
               stderr=subprocess.PIPE, **kwargs)
    if p.returncode:
        said = (p.stdout + p.stderr).splitlines()[-TAIL:]
        raise BuildError('\n'.join([f'failed: {" ".join(p.args)}', *said]))
    return p.stdout


def guarded(main):
    """Runs main(); a failure is one message and exit status 1."""
    stop_on_signals()
    try:
        sys.exit(main())
    except (PlainError, OSError) as e:
        if isinstance(e, shutil.Error):     # a tuple for each file
            e = e.args[0][0][2]
        sys.exit(f'{Path(sys.argv[0]).name}: {e}')
