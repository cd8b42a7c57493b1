# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests as tables that run side by side and report in TAP; the command line of all programs here."""
import argparse
import concurrent.futures
import os
import re
import signal
import sys
import traceback

from . import guests, settings
from .settings import ROOT, STREAMS, HarnessError, Skip
from .vm import kill_all

sys.path.insert(0, os.path.join(ROOT, "..", "unit"))
from tap import Tap  # noqa: E402  (found through the line above)

# What a test returns that is not a complaint, but worth telling.
NOTE = "note: "


def in_parallel(function, items, jobs):
    """function(item) for all ITEMS, JOBS at a time; yields the results in the order of ITEMS, as soon as that allows.

    Ctrl-C or an exception ends the QEMUs, with them what waits for them.
    """
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=jobs)
    try:
        yield from pool.map(function, items)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        kill_all(stop=True)
        raise
    finally:
        pool.shutdown()
        kill_all(stop=False)


def run_tests(tests, jobs=2, pattern=None):
    """Run a table of tests, print TAP, return the exit status.

    tests: (name, function) pairs; the function returns lines that say what is wrong, none if all is well, or raises Skip. Lines
    that begin with NOTE are printed, and are not wrong.
    pattern: a regular expression that the names of the tests to run must contain; no such test is an error.
    """
    def run(test):
        try:
            return list(test[1]()), None
        except Skip as reason:
            return [], str(reason)
        except HarnessError as error:
            return str(error).splitlines(), None
        except Exception:                       # a bug in a test is a failure of that test, not of the others
            return traceback.format_exc().splitlines(), None

    tests = [test for test in tests if not pattern or re.search(pattern, test[0])]
    if not tests:
        raise HarnessError(f"no test has a name that contains '{pattern}'" if pattern else "no tests")
    tap = Tap()
    for (name, _), (lines, skip) in zip(tests, in_parallel(run, tests, jobs)):
        tap.result(name, all(line.startswith(NOTE) for line in lines), lines, skip)
    return tap.plan()


def at_least(least):
    """The type of an argument that is a whole number, LEAST or more."""
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more")
        return int(text)
    return number


def expression(text):
    """The type of an argument that is a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"no regular expression: {error}") from error
    return text


def arguments(description):
    """An argument parser with what all programs here take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", metavar="DIR", default=STREAMS, help="recorded streams and their MANIFEST.tsv")
    parser.add_argument("--work", metavar="DIR", help="where the assembled guests go (default: build/migration-compat)")
    parser.add_argument("--jobs", metavar="N", type=at_least(1), default=2, help="how many guests to run at a time (default: %(default)s)")
    parser.add_argument("--timeout", metavar="S", type=at_least(1), default=settings.timeout, help=f"limit for one step (default: {settings.timeout} s)")
    return parser


def test_arguments(description):
    """The same, for a program that calls run_tests()."""
    parser = arguments(description)
    parser.add_argument("-k", metavar="PATTERN", type=expression, help="only tests whose names contain this regular expression")
    return parser


def main(function, parser):
    """Parse the arguments, run function(arguments), exit with what it returns. Set-up errors are one line, not a traceback."""
    args = parser.parse_args()
    settings.timeout = args.timeout
    settings.work = args.work or settings.work
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        guests.firmware()
        sys.exit(function(args))
    except HarnessError as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:                     # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
