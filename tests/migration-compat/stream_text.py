#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a recorded stream, or the guest, as text, for patches, which cannot carry binary files.

    stream_text.py STREAM.xz > STREAM.h.inc
    stream_text.py guest.bin > guest.h.inc

A stream of our guest is zeros for the most part. Each line of the text is a C string; the bytes are those of its lines in
turn:

    "x 5145564d"        these bytes, hexadecimal
    "0 4096"            so many zero bytes
    "p 2022 1000 255"   so many records of a 64-bit big-endian number and a zero byte, which is how a page of zeros is sent;
                        the first number, and by how much each is greater than the one before it, both hexadecimal

tests/qtest/ppc-insns-migration-test.c reads it.
"""
import lzma
import os
import struct
import sys

ZEROS = 12          # fewer zero bytes than that are not worth a line
HEX_BYTES = 36      # in a line

HEAD = """/*
{}
 * The lines are explained in ../ppc-insns-migration-test.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
"""
GUEST = """ * The guest of the streams, as text: guest.S by binutils for powerpc64, with
 * as -mbig -a64, and ld -EB -Ttext 0 --oformat binary.
 *"""
STREAM = """ * A migration stream, as text: saved by QEMU {1} while guest.S ran in it,
 * -M {2}-{3} -cpu {4}
 * -m 256 -nodefaults -vga none -serial chardev:vt -bios guest.bin
 *"""


def pages(data, at):
    """(first number, step, count) of the records of pages of zeros at AT."""
    count, first, step = 0, None, 0
    while at + 9 <= len(data) and data[at + 8] == 0:
        number, = struct.unpack_from(">Q", data, at)
        if count == 0:
            first = number
        elif count == 1:
            step = number - first
            if step <= 0:
                break
        elif number != first + count * step:
            break
        count, at = count + 1, at + 9
    return first, step, count


def encode(data):
    """The lines of text for DATA."""
    lines, plain, at = [], bytearray(), 0

    def flush():
        for i in range(0, len(plain), HEX_BYTES):
            lines.append("x " + plain[i:i + HEX_BYTES].hex())
        plain.clear()
    while at < len(data):
        end = at
        while end < len(data) and data[end] == 0:
            end += 1
        first, step, count = pages(data, at) if end - at < ZEROS else (0, 0, 0)
        if end - at >= ZEROS:
            flush()
            lines.append(f"0 {end - at}")
            at = end
        elif count >= 4:
            flush()
            lines.append(f"p {first:x} {step:x} {count}")
            at += 9 * count
        else:
            plain.append(data[at])
            at += 1
    flush()
    return lines


def decode(lines):
    """The bytes for lines of text; the opposite of encode()."""
    data = bytearray()
    for line in lines:
        kind, *words = line.split()
        if kind == "x":
            data += bytes.fromhex(words[0])
        elif kind == "0":
            data += bytes(int(words[0]))
        else:
            first, step, count = int(words[0], 16), int(words[1], 16), int(words[2])
            for n in range(count):
                data += struct.pack(">QB", first + n * step, 0)
    return bytes(data)


def read_text(path):
    """The lines of text in a file that this script wrote."""
    with open(path, encoding="ascii") as file:
        return [line.strip().rstrip(",").strip('"') for line in file if line.startswith('"')]


def write_text(path, out):
    """Writes the file PATH, unpacked if it is an .xz, to the file object OUT."""
    packed = path.endswith(".xz")
    with lzma.open(path) if packed else open(path, "rb") as file:
        lines = encode(file.read())
    name = os.path.basename(path).removesuffix(".stream.xz")
    out.write(HEAD.format(STREAM.format(*name.split("-", 4)) if packed else GUEST))
    out.writelines(f'"{line}",\n' for line in lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_text(sys.argv[1], sys.stdout)
