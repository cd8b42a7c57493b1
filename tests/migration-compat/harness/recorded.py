# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded streams and their MANIFEST.tsv. A *stream row* is one line of it."""
import csv
import dataclasses
import functools
import hashlib
import lzma
import os
import struct

from .guests import COUNTING, GUESTS, Guest
from .sections import Layouts
from .settings import STREAMS, HarnessError, Skip


@dataclasses.dataclass(frozen=True)
class Stream:
    """One row of MANIFEST.tsv."""
    path: str
    qemu: str
    machine: str
    cpu: str
    smp: int
    words: bytes            # msr_mask, insns_flags, insns_flags2, nb_BATs as each of the cpu sections carries them
    guest_probe: str        # the letters that the guest last reported; "-" of one that has none
    sha256: str
    guest: Guest = COUNTING
    servers: tuple = ()     # the interrupt server numbers that the guest knows, one a CPU
    moment: str = "-"       # where each CPU was: ceded, busy, awake, stopped; +ipi: an IPI was waiting for it

    @property
    def name(self):
        """What the tests call this stream: '2.6.0 pseries-2.6 POWER8 smp4', 'sleeping 2.6.0 pseries-2.6 POWER8 ceded'."""
        name = f"{self.qemu} {self.machine} {self.cpu}" + (f" smp{self.smp}" if self.smp > 1 else "")
        return name if self.guest is COUNTING else f"{self.guest.name} {name} {self.moment}"

    def read(self):
        """The stream as QEMU wrote it, after a check that the file is the one in the manifest."""
        with open(self.path, "rb") as f:
            packed = f.read()
        if hashlib.sha256(packed).hexdigest() != self.sha256:
            raise HarnessError(f"{self.path} is not the file that MANIFEST.tsv describes: its sha256 differs")
        return lzma.decompress(packed)


def read_manifest(directory=STREAMS, guest=COUNTING):
    """The rows of DIRECTORY/MANIFEST.tsv as Stream objects, in the order of the file. GUEST: whose; None for those of all."""
    rows = []
    try:
        with open(os.path.join(directory, "MANIFEST.tsv"), newline="", encoding="ascii") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                words = struct.pack(">QQQI", *(int(row[name], 16) for name in ("msr_mask", "insns_flags", "insns_flags2")),
                                    int(row["nb_BATs"], 16))
                # The last columns came later; a directory without them has the guest that counts.
                servers = row.get("servers") or "-"
                rows.append(Stream(os.path.join(directory, row["file"]), row["qemu"], row["machine"], row["cpu"],
                                   int(row["smp"]), words, row["guest_probe"], row["sha256"],
                                   GUESTS[row.get("guest") or COUNTING.name],
                                   () if servers == "-" else tuple(map(int, servers.split(","))), row.get("moment") or "-"))
    except OSError as error:
        raise HarnessError(f"no recorded streams: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"{directory}/MANIFEST.tsv, row {len(rows) + 1}: {error!r}") from error
    return [row for row in rows if guest in (None, row.guest)]


def find_stream(rows, qemu, machine, cpu, smp=1):
    """The one of ROWS that was recorded with these. Skip if it is not there, as in a directory with fewer streams."""
    for row in rows:
        if (row.qemu, row.machine, row.cpu, row.smp) == (qemu, machine, cpu, smp):
            return row
    raise Skip(f"no stream of QEMU {qemu} {machine} {cpu} smp {smp}")


@functools.cache
def layouts():
    """Sizes of the sections for pseries <= 2.2, which sends none: those that the same release sent for pseries-2.3."""
    return Layouts([row.read() for row in read_manifest() if row.machine == "pseries-2.3"])


def words_text(words):
    """Four words of a cpu section for a person: 'msr_mask insns_flags insns_flags2 nb_BATs' in hexadecimal."""
    msr_mask, flags, flags2, bats = struct.unpack(">QQQI", words)
    return f"{msr_mask:016x} {flags:016x} {flags2:016x} {bats:x}"
