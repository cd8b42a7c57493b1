#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the English: phrases that a reader stumbles over, and the subjects
of patches."""

import re
import tomllib
import unittest
from pathlib import Path

import tap

PROJECT = Path(__file__).resolve().parents[2]
TEXTS = ['README.md', 'HACKING.md', 'MAINTAINERS', 'Makefile'] + [
    f'{where}/**/*{suffix}' for where in (
        'docs', 'series', 'scripts', 'target', 'hw', 'include', 'tests', 'tools')
    for suffix in ('.md', '.rst', '.toml', '.1', '.c', '.h', '.inc', '.py', '.sh', '.S')]

# What we wrote too often -> what to write. A phrase may go over a line's end.
STUMBLES = {
    r'(is|are|was|were) told by': 'is identified by',
    r'the (latter|former)': 'the name of what is meant',
    r'there (is|are|was|were) not': 'there is no, or: it does not exist',
    r'for want of': 'because there is no',
    r'at hand': 'available',
    r'(what|this|that|it) is no (?!longer|more|less|\w+er\b)[a-z]+': 'is not a',
    r'other than \w+ (has|have) it': 'unlike',
    r'as is true': 'which is true',
    r'of its own accord': 'by itself',
}
# A subject says what applying the patch does: "area: Verb what".
SUBJECT = re.compile(r'[\w./,{} -]+: (?P<verb>[A-Z][a-z]+)\b')
LENGTH = 72


class Prose(unittest.TestCase):

    def test_phrases(self):
        """no phrase of the list is in any text"""
        gap = r'[\s*#]+'        # a comment may go on in the next line
        found = []
        for path in sorted({p for text in TEXTS for p in PROJECT.glob(text)}):
            text = path.read_text()
            if path == Path(__file__).resolve():
                continue
            for phrase, better in STUMBLES.items():
                for m in re.finditer(rf'\b{phrase.replace(" ", gap)}\b', text, re.I):
                    line = text.count('\n', 0, m.start()) + 1
                    found.append(f'{path.relative_to(PROJECT)}:{line}: '
                                 f'"{" ".join(m[0].split())}": write "{better}"')
        self.assertFalse(found, '\n' + '\n'.join(found))

    def test_subjects(self):
        """the subject of each patch is short, and begins with what it does"""
        for path in sorted((PROJECT / 'series').glob('*/*.toml')):
            with self.subTest(path.name):
                subject = tomllib.loads(path.read_text())['subject']
                m = SUBJECT.match(subject)
                self.assertTrue(path.name == 'cover.toml' or m, subject)
                self.assertLessEqual(len(subject), LENGTH)
                if m:
                    self.assertNotRegex(m['verb'], r'(ing|ed|[^s]s)$', subject)


if __name__ == '__main__':
    tap.main()
