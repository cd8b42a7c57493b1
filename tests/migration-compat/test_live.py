#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Live migration between a patched QEMU and the distribution's own, both ways, over a UNIX socket. Prints TAP.

    test_live.py --a PATCHED --b STOCK [-k PATTERN] [--full]

Give two patched ones, or two stock ones, with --a-is and --b-is. Three kinds of test:
    a guest goes from one side to the other, for each row of TABLE; the guest that sleeps also from a patched side to itself
    a guest goes to the other side and comes back: what it lost or gained there is as it was
    moment: the guest that sleeps is saved by a patched side just when an interrupt waits, or a CPU is stopped, and loaded there

Stock QEMU itself loses the sleeping guest when it loads it. This is reported, but is not a failure.
"""
import dataclasses
import itertools
import sys
import time

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

MACHINES = ("pseries-2.6", "pseries-2.7", "pseries-2.12", "pseries-6.2", "newest")
# 2.7 and older did not know POWER9; 7.2 runs it there all the same. Since 8.1 "POWER9" is another model than before.
CPUS = ("POWER7", "POWER8", "POWER9_v2.0")
EACH_DEVICE = tuple(name for name in h.DEVICES if name not in ("bare", "all devices"))

COUNTS, SLEEPS = (h.COUNTING,), (h.SLEEPING,)

# Machine versions, CPUs, numbers of CPUs, device sets (see harness.DEVICES), guests (see harness.GUESTS): all combinations in a
# line are tested, each once. To test another one, add a line. "newest" is the newest machine version that both sides have, "all" are all of them; what is newer
# than that is left out. All of these work from stock 7.2.22 to stock 7.2.22 with harness.stock_options().
# pseries-3.0 to 7.2 print warnings about cap-cfpc, cap-sbbc, cap-ibs and cap-ccf-assist, which TCG lacks; pseries-2.x do not
# ask for them.
TABLE = (
    (MACHINES, CPUS, (1, 4), ("bare", "all devices"), COUNTS),
    (MACHINES, ("POWER8",), (1,), EACH_DEVICE, COUNTS),
    (("pseries-2.11",), CPUS, (1,), ("bare",), COUNTS),
    (("all",), ("POWER8",), (1,), ("bare",), COUNTS),
    (("pseries-2.6", "newest"), ("POWER7", "POWER8"), (1, 4), ("bare",), SLEEPS),
    (("newest",), ("POWER9_v2.0",), (1, 4), ("bare",), SLEEPS + (h.SLEEPING_XIVE,)),
    (("newest",), ("POWER10",), (4,), ("bare",), (h.SLEEPING_XIVE,)),
)
FULL = (
    (MACHINES, CPUS, (1, 4), EACH_DEVICE, COUNTS),
    (MACHINES, CPUS, (1, 2, 4), ("bare", "all devices"), SLEEPS),
    (("newest",), ("POWER9", "POWER10"), (1, 2, 4), ("bare", "all devices"), (h.SLEEPING_XIVE,)),
)

THERE_AND_BACK = (
    (("pseries-2.6", "pseries-2.7"), CPUS, (1,), ("bare",), COUNTS),
    (("pseries-2.6", "pseries-2.7", "newest"), ("POWER8",), (4,), ("all devices",), COUNTS),
)

# The same, for guests that are saved at a moment (see harness.MOMENTS); the moments come last.
AT_MOMENTS = (
    (("pseries-2.6",), ("POWER7",), (4,), ("bare",), SLEEPS, ("IPI",)),
    (("pseries-2.6",), ("POWER8",), (4,), ("bare",), SLEEPS, ("stopped",)),
    (("newest",), ("POWER8",), (1,), ("bare",), SLEEPS, ("device", "displaced")),
    (("newest",), ("POWER8",), (4,), ("bare",), SLEEPS, ("IPI",)),
    (("newest",), ("POWER9",), (1,), ("bare",), SLEEPS, ("device",)),
    (("newest",), ("POWER9",), (1,), ("bare",), (h.SLEEPING_XIVE,), ("device",)),
    (("newest",), ("POWER9",), (4,), ("bare",), (h.SLEEPING_XIVE,), ("IPI", "stopped")),
    (("newest",), ("POWER10",), (1,), ("bare",), (h.SLEEPING_XIVE,), ("IPI",)),
)

# Seconds that a guest gets in a stock QEMU, which is nearly always lost there.
STOCK_PATIENCE = 2


@dataclasses.dataclass(frozen=True)
class Row:
    """A guest that is migrated."""
    machine: str
    cpu: str
    smp: int
    devices: str
    guest: h.guests.Guest
    moment: str | None = None

    def __str__(self):
        return f"{self.machine} {self.cpu} smp {self.smp} {self.devices}" + \
            (f" {self.guest.name}" if self.guest is not h.COUNTING else "") + (f", {self.moment}" if self.moment else "")


def rows_of(table, machines):
    """The lines of a table as Row objects, each once. MACHINES: all machine versions that there are, oldest first."""
    names = {"newest": machines[-1:], "all": machines}
    newest = h.version(machines[-1].split("-")[1])
    found = {}
    for wanted, *others in table:
        for machine in itertools.chain.from_iterable(names.get(name, (name,)) for name in wanted):
            if h.version(machine.split("-")[1]) <= newest:
                found.update((Row(machine, *each), None) for each in itertools.product(*others))
    return [row for row in found if h.version(row.machine.split("-")[1]) >= row.guest.since]


@dataclasses.dataclass(frozen=True)
class Side:
    """One end of a migration."""
    name: str                       # what the tests call it
    binary: str
    patched: bool
    helped: bool = True             # run with harness.stock_options(), which the patched one does not need

    def machine(self, row):
        """What is given to -M."""
        return row.machine + (h.stock_options(row.machine, row.cpu) if self.helped else "")

    def letters(self, row):
        """What the guest of ROW must see on this side."""
        return h.letters_expected(row.cpu, row.machine, h.release_of(self.binary), self.patched)

    def silent(self, row):
        """Whether this side says nothing about cap-htm where the machine's default is on."""
        return not self.helped and bool(h.stock_options(row.machine, row.cpu))


def start(row, side):
    """Start the guest of ROW on a side."""
    if row.machine not in h.machines_of(side.binary):
        raise h.Skip(f"{side.binary} has no {row.machine}")
    return h.start_guest(side.binary, side.machine(row), row.cpu, row.smp, h.DEVICES[row.devices], row.guest)


def move(vm, row, side, stopped=False):
    """Migrate the guest of ROW to a side, and return the Result. stopped: see harness.arrival()."""
    if row.machine not in h.machines_of(side.binary):
        raise h.Skip(f"{side.binary} has no {row.machine}")
    patience = STOCK_PATIENCE if row.guest is not h.COUNTING and not side.patched else None
    return h.migrate(vm, side.binary, side.machine(row), row.cpu, row.smp, h.DEVICES[row.devices], patience, stopped)


def complaints(row, source, side, result):
    """What is wrong with a guest that was to arrive on a side, from a source."""
    wrong = []
    if not result.loaded:
        wrong.append("must arrive")
    elif result.after != side.letters(row):
        wrong.append(f"on {side.name} the guest must see {side.letters(row)}")
    # What a guest loses is said, where the words tell: up to pseries-2.7.
    changes = side.patched and source.letters(row) != side.letters(row) and h.compat_version(row.machine) is not None
    if len(result.group_warnings) != changes:
        wrong.append(f"must warn {int(changes)} times about groups")
    return wrong


def check(row, source, destination):
    """Migrate a running guest, and look at what it sees before and after."""
    # Without the option a patched source tells nothing about cap-htm, as QEMUs that have no capabilities: those are to take its
    # streams, too. A stock destination takes silence for "on", and refuses. Nothing on our side can please both.
    refused = source.patched and source.silent(row) and not destination.patched
    with start(row, source) as vm:
        before = vm.reports[-1].letters
        result = move(vm, row, destination)
    wrong = []
    if before != source.letters(row):
        wrong.append(f"before the migration the guest must see {source.letters(row)}, not {before}")
    if not refused:
        wrong += complaints(row, source, destination, result)
    elif result.verdict != "refused" or "cap-htm" not in result.reason:
        wrong.append("stock QEMU must refuse this because of cap-htm; if it no longer does, put this right here")
    return wrong + (result.describe() if wrong else [])


def check_sleeper(row, source, destination):
    """Migrate the guest that sleeps: where the destination is patched, it goes on with the CPUs that it knew."""
    with start(row, source) as vm:
        before, began = vm.reports[-1], time.monotonic()
        result = move(vm, row, destination, stopped=not source.patched)
        took = time.monotonic() - began
    if result.lost and not destination.patched:
        return [f"{h.NOTE}stock QEMU loses this guest: {result.reason}"]
    wrong = sleeps_on(result, before.numbers["srv"])
    if not wrong:
        # The guest's clock is that of the host, also while it is on its way: it neither jumps nor goes back, which looks like a
        # jump of two minutes, as the number wraps.
        passed = h.SLEEPING.seconds(before, result.console[-1])
        if passed > took + 1:
            wrong = [f"the guest's clock went on by {passed:.2f} s, in {took:.2f} s", *result.describe()]
    return wrong


def sleeps_on(result, servers):
    """What is wrong with the guest that sleeps, which was to arrive and knows its CPUs as SERVERS."""
    wrong = [] if result.loaded else ["must arrive, and go on"]
    if result.loaded and result.console[-1].numbers["srv"] != servers:
        wrong.append(f"the guest must know its CPUs as {servers}")
    return wrong + (result.describe() if wrong else [])


def check_moment(row, side):
    """Save the guest that sleeps at a moment, and load it into the same QEMU."""
    with start(row, side) as vm:
        stream = h.save_at(vm, row.moment)
        servers = vm.reports[-1].numbers["srv"]
    # The guest that sleeps sets each decrementer; what it shows is to be the same after the load.
    unsaved = [number for number, cpu in enumerate(h.cpus(h.structure(stream))) if not cpu.decr and not cpu.stopped]
    if unsaved:
        return [f"the decrementer of CPU {unsaved} must be in the stream"]
    recorded = h.Stream("", h.release_of(side.binary), side.machine(row), row.cpu, row.smp, b"", "", "", row.guest)
    return sleeps_on(h.load(side.binary, recorded, stream=stream, stopped=True), servers)


def check_back(row, home, abroad):
    """Migrate a running guest to the other side and back."""
    with start(row, home) as first:
        letters = first.reports[-1].letters
        with h.arrival(first, abroad.binary, abroad.machine(row), row.cpu, row.smp, h.DEVICES[row.devices]) as (second, result):
            wrong = complaints(row, home, abroad, result)
            if not wrong:
                result = move(second, row, home)
                wrong = complaints(row, abroad, home, result)
                if result.after != letters:
                    wrong.append(f"at home again the guest must see {letters}, as before")
    return wrong + (result.describe() if wrong else [])


def tests(a, b, full):
    """All tests as (name, function) pairs."""
    machines = h.machine_versions(a.binary, b.binary)
    # The alias POWER9 is v2.2 from 8.1 on, and v2.0 before.
    alias_differs = len({h.version(h.release_of(side.binary)) >= (8, 1) for side in (a, b)}) > 1

    def rows(table):
        for row in rows_of(table, machines):
            yield dataclasses.replace(row, cpu="POWER9_v2.0") if alias_differs and row.cpu == "POWER9" else row

    for row in rows(TABLE + (FULL if full else ())):
        sides = [[side] for side in (a, b)]
        if row.guest is not h.COUNTING:
            for source, destination in ((a, b), (b, a), (a, a), (b, b)):
                if source is not destination or source.patched:
                    yield f"{row}: {source.name} to {destination.name}", \
                        lambda r=row, s=source, d=destination: check_sleeper(r, s, d)
            continue
        if h.stock_options(row.machine, row.cpu) and row.devices == "bare":
            for variants in sides:
                if variants[0].patched:
                    variants.append(dataclasses.replace(variants[0], name=variants[0].name + " (no options)", helped=False))
        for sources, destinations in (sides, sides[::-1]):
            for source, destination in itertools.product(sources, destinations):
                yield f"{row}: {source.name} to {destination.name}", lambda r=row, s=source, d=destination: check(r, s, d)
    for row in rows(THERE_AND_BACK):
        for home, abroad in ((a, b), (b, a)):
            yield f"{row}: {home.name} to {abroad.name} and back", lambda r=row, s=home, d=abroad: check_back(r, s, d)
    for row in rows(AT_MOMENTS):
        for side in (a, b):
            if side.patched:
                yield f"moment: {row}: {side.name} to {side.name}", lambda r=row, s=side: check_moment(r, s)


def run(args):
    sides = [Side(name, binary, kind == "patched") for name, binary, kind in (("a", args.a, args.a_is), ("b", args.b, args.b_is))]
    return h.run_tests(tests(*sides, args.full), args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--a", metavar="PATCHED", required=True, help="a patched qemu-system-ppc64")
    parser.add_argument("--b", metavar="STOCK", required=True, help="the distribution's own")
    parser.add_argument("--a-is", choices=("patched", "stock"), default="patched", help="what --a really is")
    parser.add_argument("--b-is", choices=("patched", "stock"), default="stock", help="what --b really is")
    parser.add_argument("--full", action="store_true", help="each device with each CPU and number of CPUs, too")
    h.main(run, parser)
