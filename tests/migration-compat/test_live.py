#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between a patched QEMU and the distribution's own, both ways. Prints TAP.

    test_live.py --a PATCHED --b STOCK [-k PATTERN]

Give two patched ones, or two stock ones, with --a-is and --b-is.
"""
import dataclasses
import sys

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)


@dataclasses.dataclass(frozen=True)
class Row:
    """A guest that is migrated in all the directions that there are. To test another one, add a line to ROWS."""
    machine: str
    cpu: str
    smp: int = 1
    # What a stock QEMU needs to run this under TCG at all. The patched one is run both with it and with nothing.
    stock: str = ""


# Stock pseries up to 2.11 with POWER8 or later defaults to transactional memory, which TCG does not have; stock QEMU then does
# not start, and says that it wants this. POWER7 never had it; pseries-2.12 and later default to off.
HTM = ",cap-htm=off"

# All of these work from stock 7.2.22 to stock 7.2.22 with the options in the last column (measured, also with 4 CPUs each).
# pseries-5.2 and 7.2 print warnings about cap-cfpc, cap-sbbc, cap-ibs and cap-ccf-assist, which TCG lacks; pseries-2.x do not
# ask for them. A machine version that a binary does not have is skipped.
ROWS = (
    Row("pseries-2.6", "POWER7"),
    Row("pseries-2.6", "POWER7", 4),
    Row("pseries-2.6", "POWER8", 1, HTM),
    Row("pseries-2.6", "POWER8", 4, HTM),
    Row("pseries-2.7", "POWER7"),
    Row("pseries-2.7", "POWER8", 1, HTM),
    Row("pseries-2.7", "POWER9", 1, HTM),       # a family that 2.7 did not know
    Row("pseries-2.11", "POWER7"),
    Row("pseries-2.11", "POWER8", 1, HTM),
    Row("pseries-2.11", "POWER9", 1, HTM),
    Row("pseries-2.12", "POWER7"),
    Row("pseries-2.12", "POWER8", 4),
    Row("pseries-2.12", "POWER9"),
    Row("pseries-5.2", "POWER8"),
    Row("pseries-5.2", "POWER9"),
    Row("pseries-7.2", "POWER7"),
    Row("pseries-7.2", "POWER8"),
    Row("pseries-7.2", "POWER9", 4),
)


@dataclasses.dataclass(frozen=True)
class Side:
    """One end of a migration."""
    name: str                       # what the tests call it
    binary: str
    patched: bool
    options: str = ""               # appended to the machine

    def letters(self, row):
        """What the guest of ROW must see on this side."""
        return h.letters_expected(row.cpu, row.machine, h.release_of(self.binary), self.patched)

    def says_htm_off(self, row):
        """Whether this side was told cap-htm=off where the machine's default is on."""
        return not row.stock or "cap-htm=off" in self.options


def check(row, source, destination):
    """Migrate a running guest, and look at what it sees before and after."""
    for side in (source, destination):
        if not has_machine(side.binary, row.machine):
            raise h.Skip(f"{side.binary} has no {row.machine}")
    # Without the option a patched source tells nothing about cap-htm, as QEMUs that have no capabilities: those are to take its
    # streams, too. A stock destination takes silence for "on", and refuses. Nothing on our side can please both.
    refused = source.patched and not source.says_htm_off(row) and not destination.patched
    wrong = []
    with h.start_guest(source.binary, row.machine + source.options, row.cpu, row.smp) as vm:
        before = vm.reports[-1].letters
        if before != source.letters(row):
            wrong.append(f"before the migration the guest must see {source.letters(row)}, not {before}")
        result = h.migrate(vm, destination.binary, row.machine + destination.options, row.cpu, row.smp)
    if refused:
        if result.verdict != "refused" or "cap-htm" not in result.reason:
            wrong.append("stock QEMU must refuse this because of cap-htm; if it no longer does, put this right here")
    elif not result.loaded:
        wrong.append("must arrive")
    elif result.after != destination.letters(row):
        wrong.append(f"after the migration the guest must see {destination.letters(row)}")
    # Nothing that the two send each other is foreign to them.
    if result.group_warnings:
        wrong.append("must not warn about groups")
    return wrong + (result.describe() if wrong else [])


def has_machine(binary, machine):
    """Whether a QEMU knows a machine version: 9.2 and later have no pseries-2.x, 7.1 has no pseries-7.2."""
    return machine in h.machines_of(binary)


def tests(a, a_patched, b, b_patched):
    """All tests as (name, function) pairs."""
    for row in ROWS:
        sides = [[Side(name, binary, patched, row.stock)] + ([Side(name + " (no options)", binary, patched)]
                                                            if row.stock and patched else [])
                 for name, binary, patched in (("a", a, a_patched), ("b", b, b_patched))]
        for sources, destinations in (sides, sides[::-1]):
            for source in sources:
                for destination in destinations:
                    name = f"{row.machine} {row.cpu} smp {row.smp}: {source.name} to {destination.name}"
                    yield name, lambda row=row, s=source, d=destination: check(row, s, d)


def run(args):
    for binary in (args.a, args.b):
        h.machines_of(binary)                   # a binary that does not run is one error, not as many as there are tests
    table = tests(args.a, args.a_is == "patched", args.b, args.b_is == "patched")
    return h.run_tests(table, args.jobs, args.k)


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--a", metavar="PATCHED", required=True, help="a patched qemu-system-ppc64")
    parser.add_argument("--b", metavar="STOCK", required=True, help="the distribution's own")
    parser.add_argument("--a-is", choices=("patched", "stock"), default="patched", help="what --a really is")
    parser.add_argument("--b-is", choices=("patched", "stock"), default="stock", help="what --b really is")
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose names contain this regular expression")
    h.main(run, parser)
