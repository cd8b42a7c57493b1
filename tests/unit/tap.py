# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs unittest tests and reports in TAP, as the tests in C do."""

import os
import random
import sys
import unittest


class Result(unittest.TestResult):
    """Prints a line for each test, and what failed as comments."""

    failed = 0      # the number of the last test that a part of failed

    def line(self, test, verdict, detail=''):
        text = test.shortDescription() or test.id().split('.')[-1]
        print(f'{verdict} {self.testsRun} - {text}', flush=True)
        for comment in detail.rstrip().splitlines():
            print('#', comment)

    def addSuccess(self, test):
        self.line(test, 'ok')

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, 'not ok', self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, 'not ok', self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        """One line for the test, at the first of its parts that fails."""
        super().addSubTest(test, subtest, err)
        if err:
            detail = f'{subtest}\n' + (self.failures + self.errors)[-1][1]
            if self.testsRun != self.failed:
                self.line(test, 'not ok')
            self.failed = self.testsRun
            print(*('# ' + c for c in detail.rstrip().splitlines()), sep='\n')

    def addSkip(self, test, reason):
        text = test.shortDescription() or test.id().split('.')[-1]
        print(f'ok {self.testsRun} - {text} # SKIP {reason}', flush=True)


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
    print(f'1..{tests.countTestCases()}')
    result = Result()
    tests.run(result)
    sys.exit(not result.wasSuccessful())
