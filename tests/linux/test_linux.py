#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves a Debian Linux guest between QEMUs, and checks that it keeps running.

    test_linux.py --qemu BIN --stock BIN [--streams DIR] [--full] [--rounds N] [-k REGEX] [--keep DIR]
    test_linux.py --qemu BIN --stock BIN --ram [--stop-first]

The guest (guest.py, init) runs on --qemu, the patched one, and on --stock, the distribution's. It is saved to a file, which
is loaded into the other and into the same QEMU, and it is migrated live. It keeps running if it continues to report that
all is well, and every CPU reports that its timer works; see init. Prints TAP, a table, and "N passed, N failed".

A guest that the patched QEMU loses is a failure. Two cases that no patched QEMU can prevent are counted as skipped: the
stock QEMU loads the guest, and it stops there; or the stream differs from the source's memory, because a stock QEMU 7.2
under TCG loses writes to RAM while it migrates. To detect that, the loaded memory is compared with the source's page by
page.
"""
import argparse
import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import lzma
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
import guest  # noqa: E402  (no bytecode beside the sources)
from vm import Vm, VmError, kill_all  # noqa: E402
from harness import HarnessError, machine_versions, output_of, release_of, stock_options  # noqa: E402  (vm knows where)

PROJECT = Path(__file__).resolve().parents[2]
MEMORY = 512                    # MiB
DISK = 8 << 20                  # bytes
PAGE = 4096                     # of the comparison of memory, in bytes
BOOT = 240                      # seconds for the guest to start, on a busy machine
LINES = 3                       # how many ticks, and how many counts of each CPU, show that a guest runs
WORKS = ("idle", "spin", "io")
SMPS = (1, 2, 4)

ARRIVED = ("paused", "prelaunch", "postmigrate")        # the run states of a QEMU that has loaded a guest, and does not run it
TROUBLE = re.compile(r"rcu[^\n]*stall|soft lockup|hard LOCKUP|Oops|Kernel panic|unhandled|blocked for more|I/O error")


class Interrupted(BaseException):
    """We have been told to end."""


# ---- the guest's command line -------------------------------------------------------------------------------------------

@functools.cache
def has_cpu(binary, cpu):
    """Whether a QEMU has a CPU model."""
    return re.search(rf"(?mi)^\s*(?:PowerPC )?{cpu}\s", output_of(binary, "-M", "pseries", "-cpu", "help")) is not None


@dataclasses.dataclass(frozen=True)
class Config:
    """One guest."""
    machine: str
    cpu: str
    smp: int
    work: str

    @property
    def row(self):
        """What the table calls it."""
        return f"{self.machine} {self.cpu}"

    def __str__(self):
        return f"{self.row} smp {self.smp} {self.work}"

    @property
    def label(self):
        """As it stands in the name of a kept stream."""
        return f"{self.machine.split(',')[0]}-{self.cpu}-smp{self.smp}-linux-{self.work}"


HTM_OFF = ",cap-htm=off"


def needs_htm_off(machine):
    """Whether a stock QEMU starts a machine with a POWER8 under TCG only without transactional memory."""
    return stock_options(machine, "POWER8") == HTM_OFF


def machine_option(machine, stock):
    """The value of -M. The patched QEMU is to need nothing but the machine's name."""
    return machine + (HTM_OFF if stock and needs_htm_off(machine) else "")


def guest_options(config, stock, disk, kernel, initramfs):
    """The options of a QEMU that runs the guest, or takes it."""
    return ["-M", machine_option(config.machine, stock), "-cpu", config.cpu, "-smp", config.smp, "-m", MEMORY,
            "-drive", f"file={disk},format=raw,if=none,id=d", "-device", "virtio-blk-pci,drive=d,romfile=",
            "-netdev", "hubport,id=n0,hubid=0", "-netdev", "hubport,id=n1,hubid=0",
            "-device", "virtio-net-pci,netdev=n0,romfile=", "-device", "virtio-net-pci,netdev=n1,romfile=",
            "-device", "virtio-rng-pci", "-kernel", kernel, "-initrd", initramfs,
            "-append", f"console=hvc0 loglevel=5 panic=-1 work={config.work}"]


def firmware_options(args, where):
    """Where the patched QEMU finds its firmware, if the caller says."""
    return ["-L", args.firmware] if args.firmware and where == "patched" else []


# ---- what becomes of a guest --------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Outcome:
    """What became of one guest that was moved."""
    verdict: str                # runs | part | hangs | crashed | refused; broken: nothing was moved
    detail: str = ""
    lost_writes: bool = False   # the stream did not have what the source's memory had

    @property
    def runs(self):
        return self.verdict == "runs"


def ticks(text):
    """(number, word) of each tick."""
    return re.findall(r"^tick (\d+) (\S+).*\n", text, re.M)


def counts(text):
    """{CPU: how many counts}"""
    found = {}
    for cpu in re.findall(r"^(?:cpu |c)(\d+) .*up=", text, re.M):
        found[int(cpu)] = found.get(int(cpu), 0) + 1
    return found


def uptimes(text):
    """The guest's clock in the lines of each of its processes: {"tick": [...], "cpu 0": [...]}."""
    found = {}
    for who, up in re.findall(r"^(tick|cpu \d+|c\d+) .*up=([\d.]+)\s*\n", text, re.M):
        found.setdefault(who, []).append(float(up))
    return found


def clock_fault(text, before, spent):
    """What is wrong with the guest's clock: it went back, or faster than ours. None if nothing is.

    before: what it was at the save, or None. spent: seconds since the load. QEMU adds at most one second for the time
    between the two; the rest is for a busy machine.
    """
    clocks = uptimes(text)
    shown = [up for each in clocks.values() for up in each]
    if not shown:
        return None
    for who, each in clocks.items():
        if sorted(each) != each:
            return f"the clock goes back ({who})"
    start = min(shown) if before is None else before
    if min(shown) < start - 3 or max(shown) > start + spent + 4:
        return f"the clock goes from {start:.1f} to {min(shown):.1f}, {max(shown):.1f} s in {spent:.1f} s"
    return None


def usage(vm, seconds=2):
    """How much of a host CPU QEMU uses, in percent."""
    before = vm.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return 100 * (vm.cpu_seconds() - before[0]) / (time.monotonic() - before[1])


def judge(vm, smp, limit, before=None, counters=True, typed=()):
    """Watch the console of a QEMU that has loaded a guest. Type at it, too.

    before: the guest's uptime at the save. counters: whether the guest has one for each CPU; None: as it says.
    typed: what the source said, and a line that was typed there just before the save, which is not to be lost.
    """
    start, first = time.monotonic(), None
    said_before, lines = (typed[0], [typed[1], "here"]) if typed else ("", [])
    vm.type("here")
    while True:
        text, ended, spent = vm.text(), vm.ended, time.monotonic() - start
        seen, cpus = ticks(text), counts(text)
        if first is None and (seen or cpus):
            first = spent
        wanted = range(smp) if counters or counters is None and cpus else ()
        done = [len(seen), *(cpus.get(cpu, 0) for cpu in wanted)]
        # The source may have said the beginning of a line.
        lost = [line for line in lines if not re.search(rf"^typed {line}\r?\n", said_before + text, re.M)]
        if ended or min(done) >= LINES and not lost or spent > limit:
            break
        time.sleep(0.1)
    bad = [word for _, word in seen if word != "ok"]
    trouble = sorted(set(TROUBLE.findall(text)))
    detail = [f"{len(seen)} ticks", "counts " + ",".join(map(str, done[1:]))] if wanted else [f"{len(seen)} ticks"]
    if first is not None:
        detail.append(f"first after {first:.1f} s")
    if bad:
        detail.append("says " + ", ".join(sorted(set(bad))))
    if lost:
        detail.append("does not see what is typed: " + ", ".join(lost))
    if trouble:
        detail.append("console has " + ", ".join(trouble))
    wrong = bool(bad or trouble or lost)
    if fault := clock_fault(text, before, spent):
        wrong = True
        detail.append(fault)
    if ended:
        return Outcome("crashed", f"{vm.status}: {vm.said()}")
    if said := vm.said():
        detail.append("QEMU: " + said)
    verdict = "runs" if min(done) >= LINES and not wrong else "part" if seen or cpus else "hangs"
    return Outcome(verdict, "; ".join(detail))


def different_pages(one, other, scratch):
    """The addresses of the pages of RAM that differ between two QEMUs that stand still."""
    paths = [scratch / f"ram-{n}" for n in (1, 2)]
    try:
        for vm, path in zip((one, other), paths):
            vm.qmp("pmemsave", val=0, size=MEMORY << 20, filename=str(path))
        with open(paths[0], "rb") as a, open(paths[1], "rb") as b:
            bad = []
            for start in range(0, MEMORY << 20, 1 << 20):
                x, y = a.read(1 << 20), b.read(1 << 20)
                if x != y:
                    bad += [start + at for at in range(0, 1 << 20, PAGE) if x[at:at + PAGE] != y[at:at + PAGE]]
            return bad
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


# ---- moving it ----------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Way:
    """From where to where, and how: 'patched to stock, live'."""
    source: str
    destination: str
    how: str

    def __str__(self):
        return f"{self.source} to {self.destination}, {self.how}"


class Mover:
    """One guest, from its start on one QEMU: saved, loaded and migrated; report() is given what becomes of it."""

    def __init__(self, args, config, source, report):
        self.args, self.config, self.source, self.report = args, config, source, report
        self.binaries = {"patched": args.qemu, "stock": args.stock}
        self.random = random.Random(f"{args.seed} {config} {source}")
        self.number = self.words = 0
        self.idle = None            # percent of a host CPU that the idle guest used at its start

    def options(self, where, disk):
        return guest_options(self.config, where == "stock", disk, self.args.kernel, self.args.initramfs) + \
            firmware_options(self.args, where)

    def ways(self, how):
        """The ways from here that the caller wants to see.

        A guest that is to go to a stock QEMU that needs cap-htm=off was started with it in the patched one, too. That is a
        row of its own, for this way only.
        """
        machine = self.config.machine
        found = [Way(self.source, to, how) for to in ("patched", "stock")
                 if "patched" in (self.source, to) and not (to == "stock" and needs_htm_off(machine))
                 and not (self.source == "stock" and HTM_OFF in machine)]
        return [way for way in found if not self.args.k or re.search(self.args.k, f"{self.config}: {way}")]

    def limit(self, way):
        """How long to wait for the guest. Its first lines show that it runs; a lost guest, as in stock, prints none."""
        return self.args.limit if way.destination == "patched" else min(self.args.limit, 12)

    def run(self):
        """All ways from this source."""
        with tempfile.TemporaryDirectory(prefix="linux-", dir=self.args.scratch) as scratch:
            self.scratch = Path(scratch)
            disk = self.scratch / "disk"
            with open(disk, "wb") as file:
                file.truncate(DISK)
            files = self.ways("ram" if self.args.ram else "file")
            lives = [] if self.args.ram else self.ways("live")
            with contextlib.ExitStack() as stack:
                try:
                    vm = stack.enter_context(Vm(self.binaries[self.source], self.options(self.source, disk)))
                    self.boot(vm)
                except VmError as error:
                    for way in files + lives:
                        self.report(self.config, way, Outcome("broken", f"the source does not start: {error}"))
                    return
                for _ in range(self.args.rounds if files else 0):
                    if not self.by_file(vm, disk, files):
                        return
                self.live(vm, disk, lives, stack)

    def boot(self, vm):
        end = time.monotonic() + BOOT
        while len(ticks(vm.text())) < LINES:
            if vm.ended or time.monotonic() > end:
                raise VmError(f"{vm.status}; {vm.said()}; the console ends with {vm.text()[-200:]!r}")
            time.sleep(0.2)
        if bad := [word for _, word in ticks(vm.text()) if word != "ok"]:
            raise VmError(f"the guest says {bad[0]}")
        if self.config.work == "idle" and not self.args.ram:
            self.idle = usage(vm)

    def pause(self):
        """Lets the guest run until a moment that nobody chose."""
        time.sleep(self.random.uniform(0.3, 2.5))

    def word(self):
        """Something to type, another each time."""
        self.words += 1
        return f"there{self.words}"

    @staticmethod
    def clock(vm):
        """The guest's clock now: that of its last line, and the time since."""
        return max(up for each in uptimes(vm.text()).values() for up in each) + time.time() - vm.console.stat().st_mtime

    def by_file(self, vm, disk, ways):
        """Save the guest, load that, and let the source go on. False if the source does not save."""
        self.pause()
        word = self.word()
        stream, saved_disk, its_disk = (self.scratch / name for name in ("stream", "saved-disk", "its-disk"))
        try:
            if self.args.stop_first:
                vm.qmp("stop")
            vm.type(word)
            vm.save(stream)
        except VmError as error:
            for way in ways:
                self.report(self.config, way, Outcome("broken", f"the source does not save: {error}"))
            return False
        before, typed = self.clock(vm), (vm.text(), word)
        shutil.copyfile(disk, saved_disk)
        for way in ways:
            shutil.copyfile(saved_disk, its_disk)
            outcome = self.load_ram(vm, stream, its_disk, way) if way.how == "ram" else \
                self.load(vm, stream, its_disk, saved_disk, before, typed, way)
            self.report(self.config, way, outcome)
        try:
            vm.qmp("cont")
        except VmError as error:
            self.report(self.config, ways[0], Outcome("broken", f"the source does not go on after the save: {error}"))
            return False
        return True

    def load(self, source, stream, disk, saved_disk, before, typed, way):
        with Vm(self.binaries[way.destination], self.options(way.destination, disk), stream) as vm:
            try:
                self.wait_running(vm, self.args.stop_first)
            except VmError as error:
                outcome = Outcome("refused", str(error))
            else:
                outcome = self.settle(vm, before, typed, way)
            if not outcome.runs and way.destination == "patched":
                self.keep(way, outcome, source, vm, stream, saved_disk)
        if not outcome.runs and way.source == "stock" and way.destination == "patched":
            shutil.copyfile(saved_disk, disk)
            self.blame(outcome, self.load_ram(source, stream, disk, way))
        return outcome

    @staticmethod
    def wait_running(vm, stopped):
        """Wait until a guest that arrives runs. A guest that was stopped at the source does not do so by itself."""
        if stopped:
            vm.wait_status(*ARRIVED)
            vm.qmp("cont")
        vm.wait_status("running")

    def settle(self, vm, before, typed, way):
        """What becomes of a guest that runs in its destination now."""
        try:
            outcome = judge(vm, self.config.smp, self.limit(way), before, typed=typed)
        except VmError as error:
            return Outcome("crashed", str(error))
        if outcome.runs and self.idle is not None and way.destination == "patched":
            now = usage(vm)
            outcome.detail += f"; host CPU {self.idle:.0f}% before, {now:.0f}% after"
            if now > 2 * self.idle + 20:
                outcome.verdict = "part"
        return outcome

    @staticmethod
    def blame(outcome, ram):
        """If the stream did not have the source's memory, that is why the guest is lost."""
        outcome.lost_writes = ram.lost_writes
        outcome.detail += f"; {ram.detail}"

    def load_ram(self, source, stream, disk, way):
        """Load a stream, run nothing, and compare the memory."""
        with Vm(self.binaries[way.destination], self.options(way.destination, disk), stream, stopped=True) as vm:
            try:
                vm.wait_status(*ARRIVED)
                return self.compare(source, vm)
            except VmError as error:
                return Outcome("refused", str(error))

    def compare(self, source, vm):
        bad = different_pages(source, vm, self.scratch)
        if not bad:
            return Outcome("runs", f"all {(MEMORY << 20) // PAGE} pages of RAM are equal")
        return Outcome("part", f"{len(bad)} of {(MEMORY << 20) // PAGE} pages of RAM are not what the source had: "
                       + " ".join(map(hex, bad[:6])), lost_writes=True)

    def live(self, vm, disk, ways, stack):
        """Migrate the guest live; each time, it goes on from where it has arrived. To stock last, and once."""
        stays = [way for way in ways if way.destination == way.source]
        for way in stays * self.args.rounds + [way for way in ways if way not in stays]:
            self.pause()
            compare = way.source == "stock"
            target = stack.enter_context(Vm(self.binaries[way.destination], self.options(way.destination, disk), "defer",
                                            stopped=compare))
            ram = None
            try:
                socket = f"unix:{target.dir}/migration"
                target.qmp("migrate-incoming", uri=socket)
                if self.args.stop_first:
                    vm.qmp("stop")
                word = self.word()
                vm.type(word)
                vm.migrate(socket)
                before, typed = self.clock(vm), (vm.text(), word)
                if compare:
                    target.wait_status(*ARRIVED)
                    ram = self.compare(vm, target)
                self.wait_running(target, compare or self.args.stop_first)
            except VmError as error:
                said = "" if not target.ended else f"; destination: {target.status}; {target.said()}"
                outcome = Outcome("refused", f"{error}{said}")
            else:
                outcome = self.settle(target, before, typed, way)
                if ram and not outcome.runs:
                    self.blame(outcome, ram)
            if not outcome.runs and way.destination == "patched":
                self.keep(way, outcome, vm, target)
            self.report(self.config, way, outcome)
            vm.close()
            vm = target
            if not outcome.runs:
                return

    def keep(self, way, outcome, source, vm, stream=None, disk=None):
        """Keep what is needed to find out why the guest was lost; a stream, so that --streams finds it again."""
        if not self.args.keep:
            return
        self.number += 1
        release = release_of(self.binaries[way.source])
        path = self.args.keep / f"qemu-{release}-{self.config.label}-{way.source}-{way.how}-{os.getpid()}-{self.number}"
        self.args.keep.mkdir(parents=True, exist_ok=True)
        if stream:
            shutil.copyfile(stream, f"{path}.stream")
            shutil.copyfile(disk, f"{path}.disk")
            Path(f"{path}.options").write_text(json.dumps(list(map(str, self.options(way.destination, "DISK")))))
        said = [f"{self.config}: {way}: {outcome.verdict}: {outcome.detail}"]
        for name, each in ("source", source), ("destination", vm):
            said.append(f"--- {name}: {' '.join(map(str, each.command))}")
            with contextlib.suppress(VmError):
                if each is vm:
                    each.qmp("stop")
                said += [each.hmp("info pic"), each.hmp("info registers -a")]
            said.append(f"--- console of the {name}\n{each.text()[-4000:]}")
        Path(f"{path}.txt").write_text("\n".join(said))


# ---- recorded streams ---------------------------------------------------------------------------------------------------

STREAM_NAME = re.compile(r"qemu-(?P<release>.+?)-(?P<machine>pseries-[^-]+)-(?P<cpu>[^-]+)"
                         r"(?:-smp(?P<smp>\d+)(?:max(?P<max>\d+))?)?(?P<rest>-.*)?\.stream(?:\.xz)?")

# What they were started with, unless a file NAME.options says it.
RECORDED = ["-m", 512, "-drive", "file=DISK,format=raw,if=none,id=d", "-device", "virtio-blk-pci,drive=d",
            "-netdev", "hubport,id=n,hubid=0", "-device", "virtio-net-pci,netdev=n",
            "-device", "virtio-balloon-pci", "-device", "virtio-rng-pci"]


def unpack(path, out):
    with (lzma.open if path.suffix == ".xz" else open)(path, "rb") as packed, open(out, "wb") as file:
        shutil.copyfileobj(packed, file, 1 << 20)


def load_recorded(args, path):
    """Load one recorded stream into the patched QEMU, with a copy of its disk."""
    found = STREAM_NAME.fullmatch(path.name)
    stem = path.with_name(path.name[:path.name.rindex(".stream")])
    disks = [disk for disk in (Path(f"{stem}.disk.xz"), Path(f"{stem}.disk")) if disk.exists()]
    if not disks:
        return Outcome("refused", f"there is no {stem.name}.disk.xz beside it")
    smp = int(found["smp"] or 1)
    with tempfile.TemporaryDirectory(prefix="linux-", dir=args.scratch) as scratch:
        stream, disk = Path(scratch) / "stream", Path(scratch) / "disk"
        unpack(path, stream)
        unpack(disks[0], disk)
        kept = Path(f"{stem}.options")
        if kept.exists():
            options = json.loads(kept.read_text())
        else:
            options = ["-M", found["machine"], "-cpu", found["cpu"],
                       "-smp", f"{smp},maxcpus={found['max']}" if found["max"] else smp, *RECORDED]
        options = [str(option).replace("file=DISK,", f"file={disk},") for option in options] + args.option
        if "-L" not in options:
            options += firmware_options(args, "patched")
        with Vm(args.qemu, options, stream) as vm:
            try:
                vm.wait_status("running")
            except VmError as error:
                return Outcome("refused", str(error))
            try:
                outcome = judge(vm, smp, args.limit, counters=True if kept.exists() else None)
            except VmError as error:
                return Outcome("crashed", str(error))
            if not outcome.runs and args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(VmError):
                    (args.keep / f"{stem.name}.txt").write_text("\n".join(
                        [outcome.detail, vm.hmp("info pic"), vm.hmp("info registers -a"), vm.text()[-4000:]]))
            return outcome


# ---- which guests, and what is said of them -----------------------------------------------------------------------------

def release(machine):
    """The release that a machine version is of, as numbers that can be compared."""
    return tuple(map(int, machine.removeprefix("pseries-").split(".")))


def configurations(args):
    """The guests that are moved. By default each machine with 1, 2 and 4 CPUs, idle, spinning and reading its disk, each
    number of CPUs with one of these; --full: all with all, and every machine version that both QEMUs have."""
    common = [name for name in machine_versions(args.qemu, args.stock)
              if re.fullmatch(r"pseries-[\d.]+", name) and release(name) >= (2, 6)]
    if not common:
        raise HarnessError(f"{args.qemu} and {args.stock} have no version of pseries in common")
    newest = common[-1]
    rows = []
    for name in common if args.full else [name for name in common if name in ("pseries-2.6", "pseries-2.12", newest)]:
        rows.append((name, "POWER8"))
        if needs_htm_off(name):
            rows.append((name + HTM_OFF, "POWER8"))
    rows += [(f"{newest},ic-mode=xics", "POWER9")]
    # On a POWER10, Debian's libraries use instructions that 5.2 does not have; 7.0 has them.
    models = ("POWER9", "POWER10") if release(newest) >= (7, 0) else ("POWER9",)
    rows += [(newest, cpu) for cpu in models if all(has_cpu(q, cpu) for q in (args.qemu, args.stock))]
    for number, (machine, cpu) in enumerate(rows):
        for place, smp in enumerate(SMPS):
            for work in WORKS if args.full else (WORKS[(number + place) % 3],):
                yield Config(machine, cpu, smp, work)


class Report:
    """Prints a line for each guest that was moved, and the table at the end."""

    def __init__(self):
        self.lock = threading.Lock()
        self.number = self.passed = self.failed = self.skipped = 0
        self.cells = {}         # (row, column) -> [ran, moved, {why not}]
        self.columns = []

    def __call__(self, config, way, outcome):
        self.line(config.row, str(way), f"{config}: {way}", outcome,
                  excuse=None if outcome.runs or outcome.verdict in ("broken", "refused") else
                  "stock loses it" if way.destination == "stock" else
                  "the source lost writes" if way.source == "stock" and outcome.lost_writes else None)

    def line(self, row, column, name, outcome, excuse=None):
        """excuse: why it is not the patched QEMU's fault that the guest is lost."""
        with self.lock:
            self.number += 1
            cell = self.cells.setdefault((row, column), [0, 0, {}])
            cell[0] += outcome.runs
            cell[1] += 1
            text = f"{name}: {outcome.verdict}; {outcome.detail}".replace("#", "")
            if outcome.runs:
                self.passed += 1
                print(f"ok {self.number} - {text}", flush=True)
            else:
                why = excuse or outcome.verdict
                cell[2][why] = cell[2].get(why, 0) + 1
                if excuse:
                    self.skipped += 1
                    print(f"ok {self.number} - {text} # SKIP {excuse}", flush=True)
                else:
                    self.failed += 1
                    print(f"not ok {self.number} - {text}", flush=True)

    def end(self):
        """The plan, the table and the sum. Returns the exit status."""
        print(f"1..{self.number}\n")
        rows, columns = ([*dict.fromkeys(key[n] for key in self.cells)] for n in (0, 1))
        table = [["", *columns]]
        for row in sorted(rows, key=lambda name: [int(n) for n in re.findall(r"\d+", name)] + [name]):
            line = [row]
            for column in columns:
                ran, moved, why = self.cells.get((row, column), (0, 0, {}))
                line.append(f"{ran}/{moved}" + "".join(f", {number} {text}" for text, number in why.items()) if moved else "")
            table.append(line)
        widths = [max(len(line[n]) for line in table) for n in range(len(table[0]))]
        for line in table:
            print("# " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
        print(f"\n{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed or not self.passed else 0


def work(args, report):
    """Everything, --jobs guests at a time."""
    jobs = []
    for path in sorted(args.streams.iterdir()) if args.streams else ():
        found = STREAM_NAME.fullmatch(path.name)
        if not found or "linux" not in (found["rest"] or "") or args.k and not re.search(args.k, path.name):
            continue

        def recorded(path=path, found=found):
            report.line(f"{found['machine']} {found['cpu']}", f"recorded {found['release']}, file", path.name,
                        load_recorded(args, path))
        jobs += [recorded] * args.rounds
    if args.streams and not jobs:
        raise HarnessError(f"{args.streams} has no stream of a Linux guest (qemu-*-linux*.stream.xz)"
                           + (f" that -k {args.k} takes" if args.k else ""))
    if not args.only_streams:
        for config in configurations(args):
            for source in "patched", "stock":
                mover = Mover(args, config, source, report)
                if mover.ways("ram") if args.ram else mover.ways("file") + mover.ways("live"):
                    jobs.append(mover.run)
    if not jobs:
        raise HarnessError(f"nothing to do: -k {args.k} takes none")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            for future in [pool.submit(job) for job in jobs]:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            kill_all()
            raise


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--qemu", metavar="BIN", required=True, help="the patched qemu-system-ppc64")
    parser.add_argument("--stock", metavar="BIN", default=shutil.which("qemu-system-ppc64"),
                        help="the distribution's own (default: the one in PATH)")
    parser.add_argument("--firmware", metavar="DIR", help="where --qemu finds its firmware (-L), if it does not know itself")
    parser.add_argument("--streams", metavar="DIR", type=Path, help="also load the Linux guests recorded there")
    parser.add_argument("--only-streams", action="store_true", help="and do nothing else")
    parser.add_argument("--option", action="append", default=[], help="a further option for recorded streams")
    parser.add_argument("--full", action="store_true", help="all machine versions, CPUs and works, each with each")
    parser.add_argument("--ram", action="store_true", help="do not run what arrives; compare its memory with the source's")
    parser.add_argument("--stop-first", action="store_true", help="stop the guest before it is migrated")
    parser.add_argument("--rounds", metavar="N", type=int, default=1, help="how many times each guest is moved (default: 1)")
    parser.add_argument("-k", metavar="REGEX", help="only those whose line matches")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="how many guests run at a time (default: 2)")
    parser.add_argument("--limit", metavar="S", type=float, default=30, help="seconds until a guest is lost (default: 30)")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="where to keep the streams whose guests are lost")
    parser.add_argument("--guest", metavar="DIR", type=Path, default=PROJECT / "build/linux/guest",
                        help="where the guest's kernel is, or goes")
    parser.add_argument("--seed", type=int, default=None, help="for the moments at which guests are saved")
    args = parser.parse_args()
    args.seed = random.randrange(1 << 32) if args.seed is None else args.seed

    def stop(signum, _frame):
        raise Interrupted(signum)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    report = Report()
    try:
        if not args.stock:
            raise HarnessError("no stock QEMU: install the package qemu-system-ppc, or name the binary with --stock")
        args.kernel, args.initramfs = guest.make(args.guest)
        with tempfile.TemporaryDirectory(prefix="linux-", dir=args.guest.absolute().parent) as scratch:
            args.scratch = scratch
            print(f"# seed {args.seed}", flush=True)
            work(args, report)
    except (guest.packages.PackageError, HarnessError, OSError) as error:
        print(f"test_linux.py: {error}", file=sys.stderr)
        return 1
    except Interrupted as signum:
        return 128 + signum.args[0]
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
