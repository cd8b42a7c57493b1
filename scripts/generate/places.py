# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the place in a source file that a hook names, and makes the change there.

Everything here is a pure function of a file's text. A place is named by
identifiers, so the search must not be fooled by comments, strings or
preprocessor lines. Source therefore keeps two copies of the text, both
exactly as long as the text, so that a position in one is good for all:

    code   comments are blank: anchors are searched here
    bare   strings are filled with '"' too, preprocessor lines are blank but
           for their '#', and line breaks within comments and continued
           preprocessor lines are blank, so that each line is a whole one:
           statements, blocks and lines are told apart here

The C that is understood is C in QEMU's style: blocks have braces, and what
starts in column 0 ends at the next '}' in column 0 (braces in between may be
under #if and need not balance).
"""

import re

C_TOKEN = re.compile(r'(?P<comment>//[^\n]*|/\*.*?\*/)'
                     r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
C_DIRECTIVE = re.compile(r'^([ \t]*)#(?:\\\n|[^\n])*', re.M)
C_LABEL = re.compile(r'(?:case\b[^\n;{}]*|[A-Za-z_]\w*)[ \t]*:[ \t]*(?=\n)')
MESON_TOKEN = re.compile(r"(?P<comment>#[^\n]*)"
                         r"|'''.*?'''|'(?:\\.|[^'\\\n])*'", re.S)
MAKE_TOKEN = re.compile(r'(?P<comment>(?<!\\)#[^\n]*)')


class PlaceError(Exception):
    """A place or an anchor is not there exactly once, or does not fit."""


def kind_of(path):
    """The language of a file, as far as the search is concerned."""
    name = path.rsplit('/', 1)[-1]
    if name.endswith(('.c', '.h', '.inc')):
        return 'c'
    if name.endswith('.build'):
        return 'meson'
    if name.startswith('Makefile') or name.endswith('.mak'):
        return 'make'
    return 'plain'


class Source:
    """A file's text, to be searched and changed by hooks."""

    def __init__(self, path, text):
        self.text, self.kind = text, kind_of(path)
        self.code = self.bare = text
        token = {'c': C_TOKEN, 'meson': MESON_TOKEN,
                 'make': MAKE_TOKEN}.get(self.kind)
        if token:
            def blank(m):
                return re.sub(r'[^\n]', ' ', m[0]) if m['comment'] else m[0]

            def fill(m):
                return (' ' if m['comment'] else '"') * len(m[0])
            self.code = token.sub(blank, text)
            self.bare = token.sub(fill, text)
        if self.kind == 'c':
            self.bare = C_DIRECTIVE.sub(
                lambda m: m[1] + '#' + ' ' * (len(m[0]) - len(m[1]) - 1),
                self.bare)

    def change(self, op, anchors, insert, inside=(), comment=False):
        """The text with one hook applied. op is one of before, after,
        after_block, replace, append, substitute; anchors and inside are lists of
        alternatives: the first that is there counts. Raises PlaceError."""
        where = self.scope(inside) if inside else None
        if op == 'append':
            lo = hi = self.append_at(where)
        else:
            lo, hi = self.find(anchors, where, inside)
            if op == 'substitute':
                return self.text[:lo] + insert + self.text[hi:]
            lo, hi = self.span(op, lo, hi, comment)
        if not insert and self.blank_line(lo - 1) and self.blank_line(hi):
            hi = self.line_end(hi)      # do not leave two blank lines
        if lo and self.text[lo - 1] != '\n':
            insert = '\n' + insert      # no line break at the end of the file
        return self.text[:lo] + insert + self.text[hi:]

    def find(self, anchors, where, inside):
        """Start and end of the one match of the first anchor that is there."""
        lo, hi = (where[0], where[2] + 1) if where else (0, len(self.code))
        for anchor in anchors:
            exact = (r'(?<!\w)' if re.match(r'\w', anchor) else '') + \
                re.escape(anchor) + (r'(?!\w)' if re.search(r'\w\Z', anchor)
                                     else '')
            if hits := [*re.compile(exact).finditer(self.code, lo, hi)]:
                anchors = [anchor]
                break
        if len(hits) != 1:
            raise PlaceError(
                'anchor %s matches %d times%s%s' % (
                    ' or '.join(map(repr, anchors)), len(hits),
                    ' inside ' + ' or '.join(inside) if inside else '',
                    self.lines(m.start() for m in hits)))
        lead = len(hits[0][0]) - len(hits[0][0].lstrip())
        return hits[0].start() + lead, hits[0].end()

    def span(self, op, pos, end, comment):
        """What to replace: first and last position, both at a line's start."""
        start = self.start(pos)
        anchor = f'anchor {self.code[pos:end]!r}'
        if self.kind == 'meson' and self.item(pos) and (
                self.bare[self.line_start(start):start].strip() or
                self.bare[self.end(start) + 1:self.line_end(self.end(start))].strip()):
            raise PlaceError(f'{anchor} is in an item that shares its line')
        if op == 'before':
            at = self.line_start(start)
            at = self.above_comment(at) if comment else at
            return at, at
        if op == 'after':
            last = self.end(start)
            if self.kind in ('c', 'meson') and self.bare[last] not in ';,{}:\n' \
                    and re.match(r'\s*[])}]', self.bare[last + 1:]):
                raise PlaceError(f'{anchor} is in a last item without a comma')
            at = self.line_end(max(last, end - 1))
            return at, at
        if op == 'after_block':
            if self.kind != 'c' or self.bare[self.end(start)] != '{':
                raise PlaceError(f'{anchor} opens no block')
            at = self.line_end(self.whole_end(start))
            self.check_directives(start, at)
            return at, at
        last = max(self.whole_end(start), end - 1)
        lo, hi = self.line_start(start), self.line_end(last)
        if self.bare[lo:pos].strip() or self.bare[last + 1:hi].strip():
            raise PlaceError(f'{anchor} does not begin a statement that has '
                             'its lines to itself')
        self.check_directives(lo, hi)
        return self.above_comment(lo) if comment else lo, hi

    def check_directives(self, lo, hi):
        """Refuses a span that has the beginning of an #if, but not its end."""
        found = re.findall(r'^[ \t]*#[ \t]*(if|endif)', self.code[lo:hi], re.M)
        if self.kind == 'c' and found.count('if') != found.count('endif'):
            raise PlaceError('an #if crosses the statement' + self.lines([lo]))

    def append_at(self, where):
        """The start of the line that ends the scope (or the file)."""
        if not where:
            return len(self.text)
        if self.kind == 'plain':
            return where[2] + 1
        _, opener, close = where
        at = self.line_start(close)
        inner = self.bare[opener:close].rstrip()
        if at <= opener or inner[-1] not in '{};,#':
            raise PlaceError('cannot append: the last item ends with neither '
                             'comma nor semicolon' + self.lines([close]))
        return at

    # lines

    def line_start(self, pos):
        return self.bare.rfind('\n', 0, pos) + 1

    def line_end(self, pos):
        return (self.bare.find('\n', pos) + 1) or len(self.bare)

    def skip_blanks(self, pos: int) -> int:
        """The first position from pos on that is not blank, or the end."""
        while self.bare[pos:pos + 1].isspace():
            pos += 1
        return pos

    def blank_line(self, pos):
        lo = self.text.rfind('\n', 0, max(pos, 0)) + 1
        return pos < 0 or re.compile(r'[ \t]*(\n|\Z)').match(self.text, lo)

    def above_comment(self, at):
        """The start of the comment block that ends directly above a line."""
        while at:
            prev = self.line_start(at - 1)
            if self.bare[prev:at].strip() or not self.text[prev:at].strip():
                break
            at = prev
        return at

    def lines(self, positions):
        n = [str(self.text.count('\n', 0, p) + 1) for p in positions]
        return f' (line {", ".join(n)})' if n else ''

    # places

    def scope(self, names):
        """(start, opening brace, end) of the one definition that has the first
        name that is defined. In plain text: the paragraph whose first line is
        the name."""
        for name in names:
            if len(found := self.definitions(name)) == 1:
                return found[0]
            if found:
                raise PlaceError(f'{name} is defined {len(found)} times; one definition '
                                 'was expected' + self.lines(c[1] for c in found))
        raise PlaceError(f'{" or ".join(names)} is not defined here')

    def definitions(self, name):
        if self.kind == 'plain':
            para = re.compile(rf'(?:(?<=\n\n)|\A){re.escape(name)}\n(?:.+\n?)*')
            return [(m.start(), m.start(), m.end() - 1)
                    for m in para.finditer(self.text)]
        if self.kind != 'c':
            raise PlaceError('inside works in C and in plain text only')
        return [c for c in self.constructs() if self.defines(c, name)]

    def constructs(self):
        """All (start, opening brace, closing brace) at the file's level."""
        pos, out = 0, []
        while (opener := self.bare.find('{', pos)) >= 0:
            close = self.close(opener, True)
            out.append((self.start(opener), opener, close))
            pos = close + 1
        return out

    def defines(self, construct, name):
        """Is this the function, initializer, struct, union or enum `name`?"""
        start, opener, close = construct
        head = self.bare[start:opener]
        tail = self.bare[close + 1:self.line_end(close)]
        for m in re.finditer(rf'\b{re.escape(name)}\s*\(', head):
            if head.count('(', 0, m.start()) == head.count(')', 0, m.start()):
                return head.rstrip().endswith(')')
        n = re.escape(name)
        return (re.search(rf'\b{n}\s*(\[[^]]*\]\s*)*=[^=]*\Z', head)
                or re.search(rf'\b(struct|union|enum)\s+{n}\s*\Z', head)
                or (head.startswith('typedef')
                    and re.match(rf'\s*{n}\s*;', tail)))

    # statements

    def start(self, pos):
        """Where the statement, or initializer item, that has pos starts."""
        if self.kind != 'c':
            return self.flat_statement(pos)[0]
        bare, line = self.bare, self.line_start(pos)
        if bare[line:pos + 1].lstrip().startswith('#'):
            return bare.index('#', line)
        lo = bare.rfind('\n}', 0, pos) + 2 if '\n}' in bare[:pos] else 0
        depth, found = 0, None
        for i in range(pos - 1, lo - 1, -1):
            c = bare[i]
            if c in ')]}':
                if c == '}' and not depth and found is None:
                    found = i + 1
                depth += 1
            elif c in '([{' and depth:
                depth -= 1
            elif c == '{':
                found = i + 1 if found is None else found
                break
            elif c in '([':
                found = None            # pos is within (): look further out
            elif not depth and found is None:
                if c in ';,' or c == '\n' and self.breaks(i):
                    found = i + 1
                elif c == '#':
                    found = self.line_end(i)
        found = self.skip_blanks(lo if found is None else found)
        while (label := C_LABEL.match(bare, found)) and label.end() <= pos:
            found = self.skip_blanks(label.end())
        return found

    def breaks(self, i):
        """Does the line break at i end a statement: by an empty line, or
        because a macro call without a semicolon stands in the line?"""
        if re.compile(r'\n[ \t]*\n').match(self.text, i):
            return True
        line = self.bare[self.line_start(i):i].rstrip()
        stop = r'[^\s{})#]' if line[:1].isspace() else r'[^\s{})]'
        return line.endswith(')') and re.match(stop, self.bare[i + 1:i + 2])

    def end(self, start):
        """The last position of a statement, or of what opens its block."""
        if self.kind != 'c':
            return self.flat_statement(start)[1] - 1
        bare, depth, last = self.bare, 0, start
        if bare[start] == '#':
            return self.line_end(start) - 1
        if label := C_LABEL.match(bare, start):
            return label.end() - 1
        for i in range(start, len(bare)):
            c = bare[i]
            if c == '{' and not depth and i > start:
                return i
            if c in '([{':
                depth += 1
            elif c in ')]}':
                if not depth:
                    return last
                depth -= 1
            elif not depth and c in ';,':
                return i
            elif not depth and c == '\n' and self.breaks(i):
                return last
            if not c.isspace():
                last = i
        return last

    def whole_end(self, start):
        """As end(), but a block counts whole, with its else branches."""
        top = start == self.line_start(start)
        end = self.end(start)
        while self.kind == 'c' and self.bare[end] == '{':
            end = self.close(end, top)
            rest = self.bare[end + 1:self.line_end(end)]
            if rest.strip():
                end = self.end(self.skip_blanks(end + 1))
        return end

    def close(self, opener, top):
        """The brace that closes the one at opener."""
        limit = self.bare.find('\n}', opener) + 1 or len(self.bare)
        depth = 0
        for m in re.compile(r'[{}\n]').finditer(self.bare, opener, limit + 1):
            if m.start() == limit and not top:
                break           # that one closes what we are in
            if m[0] == '\n' and top and limit < len(self.bare):
                return limit
            depth += {'{': 1, '}': -1, '\n': 0}[m[0]]
            if not depth:
                return m.start()
        raise PlaceError('a block does not end' + self.lines([opener]))

    def flat_statement(self, pos):
        """Start and end of the statement at pos where lines count: one line;
        in build files with what a backslash or, in meson, an open bracket
        adds to it. Within meson's brackets: of the item at pos."""
        lo, depth = 0, 0
        for m in re.finditer(r'[^\n]*(?:\n|\Z)', self.bare):
            line = m[0].rstrip('\n')
            if self.kind == 'meson':
                depth += sum(line.count(c) for c in '([{') - \
                    sum(line.count(c) for c in ')]}')
            if depth <= 0 and (self.kind == 'plain' or not line.endswith('\\')):
                if pos < m.end():
                    break
                lo = m.end()
        if self.kind == 'meson' and (item := self.item(pos, lo)):
            return item
        return lo, m.end()

    def item(self, pos, lo=0):
        """Start and end (after its comma) of the item that has pos within
        meson's brackets, or None."""
        start, depth = None, 0
        for m in reversed(list(re.finditer(r'[][(){},]', self.bare[lo:pos]))):
            if m[0] == ',' and not depth and start is None:
                start = lo + m.end()
            elif m[0] in ')]}':
                depth += 1
            elif m[0] in '([{':
                depth -= 1
                if depth < 0:
                    start = lo + m.end() if start is None else start
                    break
        else:
            return None
        start, depth = self.skip_blanks(start), 0
        for m in re.compile(r'[][(){},]').finditer(self.bare, pos):
            if m[0] in '([{':
                depth += 1
            elif depth:
                depth -= m[0] != ','
            else:
                end = m.end() if m[0] == ',' else m.start()
                return start, start + len(self.bare[start:end].rstrip())
        return None
