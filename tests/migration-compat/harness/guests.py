# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests: what runs in a QEMU, how its lines are read, and how one sees that it goes on.

A guest is a row of GUESTS. Everything that starts, loads, moves or judges a guest takes the row as a parameter and knows nothing
else of it. A guest says of the lines it wrote since it arrived whether it runs (judge()), and may want to be asked something first
(question, answered()).
"""
import dataclasses
import functools
import os
import re
import shutil
import subprocess
from tempfile import TemporaryDirectory

from . import settings
from .settings import HarnessError


@dataclasses.dataclass(frozen=True)
class Report:
    """One line of a guest."""
    count: int
    state: str                      # 'ok', or 'BAD'
    letters: str = ""               # of the guest that counts: its probes
    numbers: dict = dataclasses.field(default_factory=dict)    # of the one that sleeps: name -> numbers, most of them one a CPU


# What judge() says of a guest.
RUNS, LOST, WAIT = "runs", "lost", "wait"


@dataclasses.dataclass(frozen=True)
class Guest:
    """The guest that counts (guest.S): its registers and instructions are what they were."""
    name: str
    image: str                      # the assembled guest
    source: str
    symbols: tuple = ()             # for the assembler
    patience: int = 120             # seconds after which it is lost; the limit for a step counts, too
    question: bytes = b""           # what is typed on its console to see that it answers
    since: tuple = (2, 1)           # the first machine version that can run it

    # Reports that it must make after a load before we believe that it runs.
    REPORTS = 5
    # It writes a line in two pieces; the first line after a load may lack the first.
    LINE = re.compile(rb"([0-9a-f]{8}) (ok|BAD) +([A-Za-z]{7})")

    def report(self, line):
        """The Report in a line of the console; None if it is not a whole one."""
        found = self.LINE.fullmatch(line.rstrip(b"\r\n"))
        return Report(int(found[1], 16), found[2].decode(), found[3].decode()) if found else None

    def started(self, reports, _smp):
        """Whether a guest that was just started is ready to be moved."""
        return len(reports) >= 3

    def judge(self, reports, _smp):
        """RUNS, LOST or WAIT, and in words what is wrong or missing."""
        counts = [report.count for report in reports]
        if any(report.state != "ok" for report in reports):
            return LOST, "the guest lost a register"
        if any(later != earlier + 1 for earlier, later in zip(counts, counts[1:])):
            return LOST, f"the guest does not count on: {counts}"
        if len(reports) < self.REPORTS:
            return WAIT, f"the guest made {len(reports)} of {self.REPORTS} reports"
        return RUNS, ""

    def answered(self, _before, _after):
        """Whether what it said since it was asked is the answer."""
        return True

    def rested(self, _before, _after):
        """Whether the time between two reports is enough to see whether it rests (busy())."""
        return True

    def busy(self, _before, _after, _smp, _seconds):
        """In words, why a guest that was to rest did not, if QEMU used so many seconds of CPU time between two reports."""
        return ""


class SleepingGuest(Guest):
    """The guest that sleeps (idle.S): each CPU still wakes, and takes timer interrupts, IPIs and those of devices."""

    # Ticks of CPU 0 to look at, and how often each CPU must have taken a timer interrupt and an IPI, and left H_CEDE, by then.
    TICKS = 10
    # Ticks in which its CPUs are watched, and how much of them they may run. They work for 3 ms of the 20 of a tick; one of four
    # that never sleeps makes it more than a third. Other work on the host makes it less, never more.
    REST, SHARE, TICK = 25, 0.3, 0.020
    # Lines that say BAD, in a row, after which there is no hope: three seconds.
    BAD = 150

    LINE = re.compile(rb"([0-9a-f]{8}) (ok |BAD)((?: [a-z]+(?: [0-9a-f]{4})+)+)")
    SILENT = "CPU 0 does not wake: the guest says nothing"
    NAMES = {"dec": "timer interrupts", "ipi": "IPIs", "wake": "wake-ups"}

    def report(self, line):
        found = self.LINE.fullmatch(line.rstrip(b"\r\n"))
        if not found:
            return None
        numbers = {name: tuple(int(number, 16) for number in each.split())
                   for name, each in re.findall(r" ([a-z]+)((?: [0-9a-f]{4})+)", found[3].decode())}
        return Report(int(found[1], 16), found[2].decode().strip(), numbers=numbers)

    def started(self, reports, smp):
        return bool(reports) and all(len(reports[-1].numbers.get(name, ())) == smp and all(reports[-1].numbers[name])
                                     for name in self.NAMES)

    @staticmethod
    def moved(first, last, name):
        """By how much the numbers NAME grew between two reports; they have 16 bits."""
        return [(after - before) & 0xffff for before, after in zip(first.numbers[name], last.numbers[name])]

    def judge(self, reports, smp):
        if not reports:
            return WAIT, self.SILENT
        if any(len(report.numbers.get(name, ())) != smp for report in reports for name in self.NAMES):
            return LOST, f"the guest has not {smp} CPUs: {reports[-1]}"
        good = len(reports)             # the reports since the last that was BAD
        while good and reports[good - 1].state == "ok":
            good -= 1
        window = reports[good:]
        first, last = (window or reports)[0], reports[-1]
        ticks = last.count - first.count
        moved = {name: self.moved(first, last, name) for name in self.NAMES}
        few = [f"{what} on CPU " + ", ".join(str(cpu) for cpu, number in enumerate(moved[name]) if number < self.TICKS)
               for name, what in self.NAMES.items() if min(moved[name]) < self.TICKS]
        if len(window) < 2 or few:
            if not ticks:               # a line may have been begun before it was moved
                return WAIT, self.SILENT
            text = f"in {ticks} ticks there were too few " + ", ".join(few) if few else "the guest says BAD"
            return LOST if len(reports) >= self.BAD and self.always_bad(reports) else WAIT, text
        # CPU 0 sends each CPU one IPI a tick. One that was under way may come on top, and one more that a reader is late for.
        if any(number > ticks + 2 for number in moved["ipi"]):
            return LOST, f"interrupt storm: in {ticks} ticks the CPUs took {moved['ipi']} IPIs"
        # CPU 1 is stopped and started every 32 ticks, by guests that say so.
        if smp > 1 and "up" in last.numbers and not self.moved(first, last, "up")[1]:
            return (WAIT if ticks < 200 else LOST), f"in {ticks} ticks CPU 1 was not started again"
        return RUNS, ""

    def always_bad(self, reports):
        """Whether the last reports are BAD without exception."""
        return all(report.state == "BAD" for report in reports[-self.BAD:])

    def answered(self, before, after):
        return any(self.moved(before, after, "dev"))

    def seconds(self, before, after):
        """The time between two reports by the time base, which has 512 MHz and is printed in units of 2^20."""
        return self.moved(before, after, "tb")[0] * 2 ** 20 / 512e6

    def rested(self, before, after):
        return after.count >= before.count + self.REST

    def busy(self, before, after, smp, seconds):
        share = seconds / self.TICK / (after.count - before.count) / smp
        return "" if share <= self.SHARE else f"its CPUs were to rest, and ran for {share:.0%} of the time"


COUNTING = Guest("counting", "guest.bin", "guest.S")
SLEEPING = SleepingGuest("sleeping", "idle.bin", "idle.S", patience=60, question=b"x")
# XIVE is there without an option since pseries-4.1.
SLEEPING_XIVE = SleepingGuest("sleeping-xive", "idle-xive.bin", "idle.S", ("XIVE=1",), patience=60, question=b"x", since=(4, 1))
# It waits two seconds before it starts its other CPUs.
SLEEPING_LATE = SleepingGuest("sleeping-late", "idle-late.bin", "idle.S", ("LATE=1",), patience=60, question=b"x")
GUESTS = {guest.name: guest for guest in (COUNTING, SLEEPING, SLEEPING_XIVE, SLEEPING_LATE)}


def find_tool(name, variable):
    """Path of the powerpc64 'as' or 'ld', from environment VARIABLE or under the names distributions give it."""
    wanted = [os.environ[variable]] if os.environ.get(variable) else [f"powerpc64-linux-gnu-{name}", f"powerpc-linux-gnu-{name}"]
    for candidate in wanted:
        path = shutil.which(candidate)
        if path:
            return path
    raise HarnessError(f"no assembler for the test guests: {' or '.join(wanted)} not found. Install the Debian package "
                       f"binutils-powerpc64-linux-gnu, or name the program in the environment variable {variable}.")


@functools.cache
def _assemble(work):
    """Assemble the guests into the directory WORK."""
    os.makedirs(work, exist_ok=True)
    assembler, linker = find_tool("as", "AS"), find_tool("ld", "LD")
    with TemporaryDirectory(dir=work) as scratch:
        for guest in GUESTS.values():
            image, compiled = os.path.join(scratch, guest.image), os.path.join(scratch, guest.image + ".o")
            symbols = [part for symbol in guest.symbols for part in ("--defsym", symbol)]
            source = os.path.join(settings.ROOT, "guest", guest.source)
            for command in ([assembler, "-mbig", "-a64", *symbols, "-o", compiled, source],
                            [linker, "-EB", "-Ttext", "0", "--oformat", "binary", "-o", image, compiled]):
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise HarnessError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
            os.replace(image, os.path.join(work, guest.image))
        rtas = os.path.join(scratch, "spapr-rtas.bin")
        with open(rtas, "wb") as f:
            f.write(b"no RTAS\n")
        os.replace(rtas, os.path.join(work, "spapr-rtas.bin"))
    return work


def firmware(work=None):
    """Assemble the guests; return a directory that holds them and a spapr-rtas.bin, and no other firmware.

    QEMU up to 5.2 will not start without a spapr-rtas.bin. The guests never call it, so that eight bytes of our own do.
    Files appear under their names only when complete: tests that run side by side share the directory.
    """
    return settings.firmware or _assemble(os.path.abspath(work or settings.work))
