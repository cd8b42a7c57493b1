# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes TAP, as the tests in C do, and runs unittest tests that report in it."""

import os
import random
import sys
import unittest


class Tap:
    """Prints TAP: each result as it comes."""

    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.count = self.failed = 0

    def result(self, name, ok, comments=(), skip=None):
        """One test. comments: lines for a person; skip: why it did not run."""
        self.count += 1
        self.failed += not ok and skip is None
        verdict = 'ok' if ok or skip is not None else 'not ok'
        name = name.replace('#', '')
        print(f'{verdict} {self.count} - {name}' +
              (f' # SKIP {skip}' if skip is not None else ''), file=self.out)
        self.comment(comments)

    def comment(self, lines):
        """Lines for a person."""
        for line in lines:
            print('#   ' + line.rstrip(), file=self.out)
        self.out.flush()

    def plan(self):
        """The plan, last of all. Returns the exit status of the program."""
        print(f'1..{self.count}', file=self.out, flush=True)
        return 1 if self.failed else 0


class Result(unittest.TestResult):
    """Prints a line for each test, and what failed as comments."""

    def __init__(self):
        super().__init__()
        self.tap = Tap()
        self.told = None        # the test that a part of failed

    def line(self, test, ok, detail='', skip=None):
        name = test.shortDescription() or test.id().split('.')[-1]
        self.tap.result(name, ok, detail.rstrip().splitlines(), skip)

    def addSuccess(self, test):
        self.line(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, False, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, False, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        """One line for the test, at the first of its parts that fails."""
        super().addSubTest(test, subtest, err)
        if err:
            if self.told is not test:
                self.line(test, False)
            self.told = test
            detail = (self.failures + self.errors)[-1][1]
            self.tap.comment([str(subtest), *detail.rstrip().splitlines()])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, True, skip=reason)


def chance():
    """A random.Random, whose seed is printed. FAULTS_SEED in the environment
    repeats a run; in CI the seed is 0, so that a failure comes of a change."""
    seed = int(os.environ.get('FAULTS_SEED') or
               (0 if os.environ.get('CI') else random.randrange(1 << 32)))
    print(f'# seed {seed}', flush=True)
    return random.Random(seed)


def main():
    """Runs the tests of the main module; exits nonzero if one fails."""
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    result = Result()
    tests.run(result)
    result.tap.plan()
    sys.exit(not result.wasSuccessful())
