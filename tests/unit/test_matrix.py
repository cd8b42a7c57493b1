#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of how scripts/show/matrix.py shows what an earlier run found."""

import json
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import tap

SCRIPTS = Path(__file__).resolve().parents[2] / 'scripts/show'
EMPTY = {'br', 'meta', 'link'}      # HTML's elements without an end


def cell(state, text='', why='', fine=True):
    return {'state': state, 'text': text, 'why': why, 'fine': fine}


def table(name, heads, groups, columns, head, cells):
    return {'id': name, 'title': f'Title {name}', 'note': f'note of {name}', 'heads': heads, 'groups': groups,
            'columns': columns, 'rows': [{'head': head, 'cells': cells}]}


def found():
    """What a run could have found; with what HTML must escape."""
    return {'date': '2001-02-03 04:05 UTC', 'binaries': {'stock': 'version 1 <one>', 'patched': 'version 2 "two"'},
            'summary': [['3 of 4', 'things & more']], 'fine': True, 'tables': [
        table('recorded', ['QEMU', 'machine', 'CPU', 'CPUs', 'guest saw'], ['into', 'back'], ['s', 'p', 's', 'p'],
              ['2.6.0', 'pseries-2.6', 'POWER7', '4', 'aDb'],
              [cell('changed', '+lq', 'a < b'), cell('ok'), cell('would', '', 'version 3'), cell('wire', 'with X', 'a < b')]),
        table('wire', ['machine'], [], ['970'], ['pseries-2.1'], [cell('words')]),
        table('live', ['machine'], ['P7', 'P8'], ['s → p', 'p → s'] * 2, ['pseries-2.7'],
              [cell('ok'), cell('refused', 'refused', 'no & never', False), cell('none'), cell('ok')]),
        table('devices', ['machine', 'CPUs'], [], ['OHCI'], ['pseries-2.12', '1'], [cell('ok')]),
        table('releases', ['from', 'to'], [], ['pseries-6.2'], ['2.6.0', '5.2.0, 5.2.0 patched'],
              [cell('refused', '', 'another version', None)])]}


class Page(HTMLParser):
    """The elements' nesting, the text and the titles of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.titles, self.links, self.ids = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.titles += [attrs['title']] if 'title' in attrs else []
        self.links += [attrs['href']] if 'href' in attrs else []
        self.ids += [attrs['id']] if 'id' in attrs else []
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f'</{tag}> closes another element')

    def handle_data(self, data):
        self.words.append(data)


class Shown(unittest.TestCase):
    def show(self, data):
        """Exit status, what was printed, page and drawing."""
        with tempfile.TemporaryDirectory() as top:
            (Path(top) / 'in.json').write_text(json.dumps(data))
            p = subprocess.run(['/usr/bin/python3', SCRIPTS / 'matrix.py', '--render', f'{top}/in.json', '--out', top],
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertIn(p.returncode, (0, 1), p.stdout)
            self.assertIn('written: ', p.stdout)
            self.assertEqual(json.loads((Path(top) / 'matrix.json').read_text()), data)
            return p.returncode, p.stdout, (Path(top) / 'matrix.html').read_text(), (Path(top) / 'matrix.svg').read_text()

    def test_page(self):
        """the page is well formed, and has all that was found; each number leads to its reason"""
        status, printed, text, _ = self.show(found())
        page = Page(text)
        said = ' '.join(page.words)
        self.assertEqual((status, page.open), (0, []))
        for word in ('version 1 <one>', 'version 2 "two"', '3 of 4', 'things & more', 'Title live', 'note of wire', 'aDb',
                     'pseries-2.12', 'with X', 'a < b', '5.2.0, 5.2.0 patched', 'another version', 'no & never', 'would be refused', '→'):
            self.assertIn(word, said)
            self.assertTrue(word in printed or word in ('would be refused', '→', 'with X'), word)
        self.assertIn('runs, other instructions: a < b', page.titles)
        self.assertEqual(len(page.links), 5)                    # one for each cell with a reason
        self.assertEqual(set(page.links), {f'#{n}' for n in page.ids if n.startswith('n')})     # "a < b" has one number
        self.assertEqual(text.count(' wrong"'), 1)

    def test_drawing(self):
        """the drawing is XML with a cell for each that was run, and for each state in the legend"""
        root = ET.fromstring(self.show(found())[3])
        space = '{http://www.w3.org/2000/svg}'
        cells = [g for g in root.iter(f'{space}g')]
        self.assertEqual(len(cells), 4 + 1 + 4 + 1 + 7)
        self.assertIn('refused: no & never', [g.find(f'{space}title').text for g in cells])
        wide, high = (float(root.get(key)) for key in ('width', 'height'))
        for box in root.iter(f'{space}rect'):
            self.assertLessEqual(float(box.get('x', 0)) + float(box.get('width')), wide)
            self.assertLessEqual(float(box.get('y', 0)) + float(box.get('height')), high)

    def test_status(self):
        """what is not as it must be shows in the exit status"""
        self.assertEqual(self.show(found() | {'fine': False})[0], 1)


if __name__ == '__main__':
    tap.main()
