# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a migration stream section by section, each byte of it, with what its own description says of the sizes.

    "QEVM" version(4)                           the header
    07 length(4) machine                        pseries-2.4 and later
    01|04 id(4) length(1) name instance(4) version(4) content [7e id(4)]
    02|03 id(4) content [7e id(4)]              another part of a section that began with 01: RAM, the hash table
    08 command(2) length(2) data
    00                                          the end of the sections
    06 length(4) JSON                           the description: pseries-2.3 and later

pseries up to 2.2 send no description. Another stream that has one lends it, and which subsections there are is then seen from the
stream alone, as QEMU sees it. Footers (7e) are sent by pseries-2.4 and later.
"""
import dataclasses
import json
import re
import struct

from .settings import HarnessError

EOF, START, PART, END, FULL, SUBSECTION, DESCRIPTION, CONFIGURATION, COMMAND, FOOTER = (*range(9), 0x7e)
PAGE = 4096
# Flags of a record of RAM, in the low bits of an address.
ZERO, SIZES, DATA, EOS, CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
# A run of pages that are zero, of the block of the page before: most of a stream is that.
_ZEROS = re.compile(rb"(?:.{6}[\x00\x10\x20\x30\x40\x50\x60\x70\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0]\x22.)+", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of a stream: the state of one device, or of RAM."""
    name: str
    instance: int
    version: int
    content: bytes | None           # without header and footer; None where it comes in many parts (RAM, hash table)
    subsections: tuple = ()         # (name, version) in the order of the stream
    # (name, size, count) in the order of the stream, those of subsections last; None in a stream without a description.
    fields: tuple | None = None
    start: int = 0                  # where the first subsection begins in the content; its end if there is none
    blocks: tuple = ()              # of RAM: (name, size) of its blocks
    at: int = 0                     # where its header begins in the stream
    end: int = 0                    # where the next section begins; of RAM, where its second part does

    @property
    def key(self):
        """What a destination finds the section by."""
        return f"{self.name} {self.instance:#x}" if self.instance > 255 else f"{self.name} {self.instance}"

    def value(self, name, index=0):
        """The number in the field NAME of the section, or at INDEX if that is an array."""
        at = 0
        for field, size, count in self.fields or ():
            if field == name and index < count:
                return int.from_bytes(self.content[at + index * size:at + (index + 1) * size])
            at += size * count
        raise HarnessError(f"section {self.key} has no field {name}")


class Cursor:
    """A place in a stream, which moves on as it is read."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, size):
        """The next SIZE bytes."""
        data = self.data[self.at:self.at + size]
        if len(data) != size:
            raise HarnessError(f"offset {self.at:#x}: the stream ends where {size} bytes are due")
        self.at += size
        return data

    def number(self, size):
        """The next SIZE bytes as a number."""
        return int.from_bytes(self.bytes(size))

    def text(self):
        """A string with its length in one byte before it."""
        data = self.bytes(self.number(1))
        try:
            return data.decode("ascii")
        except UnicodeDecodeError:
            raise HarnessError(f"offset {self.at - len(data):#x}: a name is due, not {data!r}") from None

    def next(self):
        """The next byte, which stays there; None at the end."""
        return self.data[self.at] if self.at < len(self.data) else None


# ---- descriptions -------------------------------------------------------------------------------------------------------

def _described_fields(item, prefix=""):
    """The fields of one device of a description as (name, size, count), down to what is not a struct; subsections follow."""
    for field in item.get("fields", ()):
        name = prefix + field["name"]
        if "struct" in field and field["struct"].get("fields"):
            inner = list(_described_fields(field["struct"], name + "."))
            for _ in range(field.get("array_len", 1)):
                yield from inner
        else:
            yield name, field["size"], field.get("array_len", 1)
    for subsection in item.get("subsections", ()):
        # Its header is no field, but it takes room: type, length, name, version.
        yield f"<{subsection['vmsd_name']}>", 6 + len(subsection["vmsd_name"]), 1
        yield from _described_fields(subsection, subsection["vmsd_name"] + ": ")


def described(stream):
    """What the description at the end of STREAM says: (name, instance) -> fields. Nothing if there is none.

    It is the last thing in a stream, begins with its length, and is JSON; each byte before it is checked by whoever reads the
    sections, who must come to just here.
    """
    at = len(stream)
    while (at := stream.rfind(bytes([DESCRIPTION]), 0, at)) >= 0:
        if at + 5 < len(stream) and int.from_bytes(stream[at + 1:at + 5]) == len(stream) - at - 5 and stream[at + 5] == ord("{"):
            try:
                devices = json.loads(stream[at + 5:])["devices"]
            except (ValueError, KeyError, TypeError) as error:
                raise HarnessError(f"offset {at:#x}: the description is damaged: {error}") from error
            return {(device["name"], device["instance_id"] & 0xffffffff): tuple(_described_fields(device)) for device in devices}
    return {}


class Layouts:
    """Sizes for streams without a description, from streams that have one."""

    def __init__(self, streams):
        self.main, self.subsections = {}, {}
        for stream in streams:
            for (name, _), fields in described(stream).items():
                size, inner = 0, None
                for field, width, count in fields:
                    if field.startswith("<"):
                        inner = field[1:-1]
                        self.subsections[inner] = 0
                    elif inner is not None:
                        self.subsections[inner] += width * count
                    else:
                        size += width * count
                self.main[name] = size


# ---- sections -----------------------------------------------------------------------------------------------------------

def _subsection(cursor):
    """The header of a subsection, as (name, version)."""
    if cursor.number(1) != SUBSECTION:
        raise HarnessError(f"offset {cursor.at - 1:#x}: a subsection is due")
    return cursor.text(), cursor.number(4)


def _by_description(cursor, fields):
    """Reads the content of a section; returns its subsections, and where the first of them begins."""
    subsections, first = [], None
    for name, size, count in fields:
        if name.startswith("<"):
            first = cursor.at if first is None else first
            found = _subsection(cursor)
            if found[0] != name[1:-1]:
                raise HarnessError(f"offset {cursor.at:#x}: subsection {found[0]} is not what the description says: {name[1:-1]}")
            subsections.append(found)
        else:
            cursor.bytes(size * count)
    return subsections, first


def _by_layout(cursor, name, layouts):
    """The same, with sizes that other streams lend."""
    if name not in layouts.main:
        raise HarnessError(f"offset {cursor.at:#x}: section {name} is unknown")
    cursor.bytes(layouts.main[name])
    subsections, first = [], None
    while cursor.next() == SUBSECTION:
        first = cursor.at if first is None else first
        found = _subsection(cursor)
        if found[0] not in layouts.subsections:
            raise HarnessError(f"offset {cursor.at:#x}: subsection {found[0]} is unknown")
        cursor.bytes(layouts.subsections[found[0]])
        subsections.append(found)
    return subsections, first


def _ram(cursor):
    """Reads a part of section "ram"; returns the blocks if it lists them, as (name, size) pairs."""
    blocks = ()
    while True:
        head = cursor.number(8)
        flags, left = head & (PAGE - 1), head & ~(PAGE - 1)
        if flags == EOS:
            return blocks
        if flags == SIZES:
            found = []
            while left > 0:
                found.append((cursor.text(), cursor.number(8)))
                left -= max(found[-1][1], 1)
            blocks = tuple(found)
        elif flags & ~CONTINUE in (ZERO, DATA):
            if not flags & CONTINUE:
                cursor.text()
            cursor.bytes(1 if flags & ZERO else PAGE)
            zeros = _ZEROS.match(cursor.data, cursor.at)
            if zeros:
                cursor.at = zeros.end()
        else:
            raise HarnessError(f"offset {cursor.at - 8:#x}: a record of RAM has the flags {flags:#x}")


def _hash_table(cursor):
    """Reads a part of section "spapr/htab": its size or, after a zero, index, valid and invalid entries, up to an empty record."""
    if cursor.number(4):
        return
    while any(record := struct.unpack(">IHH", cursor.bytes(8))):
        cursor.bytes(16 * record[1])


_ITERABLE = {"ram": _ram, "spapr/htab": _hash_table}


def read_sections(stream, layouts=None):
    """The sections of a whole STREAM in their order, as a list of Section objects. Each byte must be accounted for.

    layouts: what lends sizes (Layouts) where the stream has no description.
    """
    cursor, sections, parts = Cursor(stream), [], {}
    if cursor.bytes(4) != b"QEVM" or cursor.number(4) != 3:
        raise HarnessError("this is not a migration stream of version 3")
    known = described(stream)

    def footer(number):
        if cursor.next() == FOOTER:
            cursor.bytes(1)
            if cursor.number(4) != number:
                raise HarnessError(f"offset {cursor.at - 4:#x}: this footer is not that of section {number}")

    if cursor.next() == CONFIGURATION:
        cursor.bytes(1)
        cursor.bytes(cursor.number(4))
    while (kind := cursor.number(1)) != EOF:
        at = cursor.at - 1
        if kind in (START, FULL):
            number, name, instance, version = cursor.number(4), cursor.text(), cursor.number(4), cursor.number(4)
            body = cursor.at
            if kind == START:
                if name not in _ITERABLE:
                    raise HarnessError(f"offset {at:#x}: section {name} comes in parts, and nothing here reads it")
                parts[number] = _ITERABLE[name]
                blocks = parts[number](cursor) or ()
                footer(number)
                sections.append(Section(name, instance, version, None, blocks=blocks, at=at, end=cursor.at))
                continue
            fields = known.get((name, instance))
            if known and fields is None:
                raise HarnessError(f"section {name} {instance}: the description does not have it")
            try:
                if not known and layouts is None:
                    raise HarnessError(f"offset {body:#x}: the stream has no description")
                subsections, first = _by_description(cursor, fields) if known else _by_layout(cursor, name, layouts)
                content = stream[body:cursor.at]
                footer(number)
                if cursor.next() is None or cursor.next() not in (EOF, START, PART, END, FULL, COMMAND):
                    raise HarnessError(f"offset {cursor.at:#x}: no section begins here")
            except HarnessError as error:
                raise HarnessError(f"section {name} {instance}: {error}") from error
            sections.append(Section(name, instance, version, content, tuple(subsections), fields,
                                    len(content) if first is None else first - body, at=at, end=cursor.at))
        elif kind in (PART, END):
            number = cursor.number(4)
            if number not in parts:
                raise HarnessError(f"offset {at:#x}: a part of section {number}, which did not begin")
            parts[number](cursor)
            footer(number)
        elif kind == COMMAND:
            cursor.number(2)
            cursor.bytes(cursor.number(2))
        else:
            raise HarnessError(f"offset {at:#x}: no section begins with {kind:#x}")
    if not sections:
        raise HarnessError("no sections: this is not the stream of a whole machine")
    at = cursor.at
    if cursor.next() is not None and (cursor.number(1) != DESCRIPTION or cursor.number(4) != len(stream) - cursor.at):
        raise HarnessError(f"offset {at:#x}: behind the last section there is something else than the description")
    return sections
