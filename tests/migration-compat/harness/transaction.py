# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the stream of a guest in a transaction from that of another one. TCG fails all transactions, so none can be recorded."""
import struct

from .compare import structure
from .settings import HarnessError

TS_SUSPENDED = 1 << 33                      # in MSR
NAME = b"cpu/tm"
# tm_gpr, tm_vsr; tm_cr, tm_lr, tm_ctr, tm_fpscr, tm_amr, tm_ppr, tm_vrsave; tm_vscr; tm_dscr, tm_tar
SIZES = 32 * 8, 64 * 16, 7 * 8 + 4 + 2 * 8


def in_transaction(stream):
    """STREAM, with its first CPU in a suspended transaction: MSR.TS, and the subsection cpu/tm.

    Each byte of tm_vsr is 0xee, so that it is seen where it goes. No QEMU reads the description at the stream's end, which would
    have to be changed, too: it is taken away.
    """
    section = next(part for part in structure(stream) if part.name == "cpu")
    start, at = section.at + 14 + len(section.name), 0
    for name, size, count in section.fields or ():
        if name == "env.msr":
            break
        at += size * count
    else:
        raise HarnessError("the stream's first cpu section has no env.msr")
    content = section.content
    msr = section.value("env.msr") | TS_SUSPENDED
    content = content[:at] + msr.to_bytes(8) + content[at + 8:]
    content += b"\x05" + bytes([len(NAME)]) + NAME + struct.pack(">I", 1)
    content += bytes(SIZES[0]) + b"\xee" * SIZES[1] + bytes(SIZES[2])
    stream = stream[:start] + content + stream[start + len(section.content):]
    return stream[:stream.rindex(b"{", 0, stream.rindex(b'"page_size"')) - 5]
