# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts, loads, saves and migrates a guest, and judges what became of it.

The verdicts come from the guest itself: a stream counts as loaded only if the guest goes on, as its row in guests.py says, not
merely because QEMU did not exit.
"""
import contextlib
import dataclasses
import re
import time

from . import settings
from .compare import structure
from .expect import release_of, version
from .guests import COUNTING, LOST, RUNS, WAIT
from .settings import HarnessError
from .vm import Vm


@dataclasses.dataclass
class Result:
    """What became of a guest in the QEMU that was to take it."""
    verdict: str                    # loaded | refused | crashed | stuck
    reason: str = ""                # if not loaded: why, in one line
    before: str = ""                # letters before
    after: str = ""                 # letters after
    status: int | None = None       # QEMU's exit status; None if it ran on
    stderr: str = ""
    console: list = dataclasses.field(default_factory=list)
    command: str = ""
    cpus: list = dataclasses.field(default_factory=list)       # if it is stuck: registers of its CPUs, as QEMU shows them
    seconds: float = 0.0
    saved: bytes = b""              # the guest as saved again after the load, if that was asked for

    @property
    def loaded(self):
        return self.verdict == "loaded"

    @property
    def lost(self):
        """It was taken, and does not go on."""
        return self.verdict in ("stuck", "crashed")

    @property
    def warnings(self):
        """The lines of stderr that are warnings, without QEMU's name before them."""
        return [line for line in map(without_name, self.stderr.splitlines()) if line.startswith("warning:")]

    @property
    def group_warnings(self):
        """The warnings that are about instruction groups: those that name a group, or the property."""
        return [line for line in self.warnings if re.search(r"\bPPC2?_[A-Z0-9]|insns", line)]

    def describe(self):
        """Lines for a person who must find out why a test failed."""
        text = [f"{self.verdict}: {self.reason}" if self.reason else self.verdict, f"command: {self.command}",
                f"letters: {self.before or '?'} -> {self.after or '?'}; exit status: {self.status}"]
        text += [f"guest: {report.count:08x} {report.state} {report.letters}" +
                 "".join(f" {name} " + " ".join(f"{number:04x}" for number in numbers) for name, numbers in report.numbers.items())
                 for report in self.console[:1] + self.console[1:][-2:]]
        text += [f"registers: {line}" for line in self.cpus]
        return text + [f"stderr: {line}" for line in self.stderr.splitlines()]


def without_name(line):
    """A line of QEMU's stderr without the program's name and the option that QEMU sometimes put before it."""
    return re.sub(r"^(?:\S*qemu-system-\S+|\S*qemu[^ :]*): (?:-\S+ \S+: )?", "", line)


# Lines that say that something failed, without saying what.
_EMPTY_WORDS = re.compile(r"error while loading state|load of migration failed|terminating on signal")


def condense(stderr):
    """The lines of STDERR that give a reason, as one line."""
    lines = [without_name(line).strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line and not line.startswith("warning:")]
    telling = [line for line in lines if not _EMPTY_WORDS.search(line)]
    return "; ".join(telling or lines)


def registers(vm):
    """Some registers of all CPUs in VM, as lines for a person who asks why they do not wake."""
    try:
        text = vm.qmp("human-monitor-command", command_line="info registers -a")
    except HarnessError as error:
        return [str(error)]
    return [line.strip() for line in text.splitlines() if re.search(r"CPU#|NIP|MSR|DECR|LPCR", line)]


def judge(vm, before="", patience=None):
    """Watch what the guest does in VM, that was given its stream, and return the Result.

    patience: seconds after which a guest that says nothing, or not enough, is lost; without, what the guest's row says.
    """
    start = time.monotonic()
    patience = min(patience or vm.guest.patience, settings.timeout)
    guest, opinion = vm.guest, (WAIT, "")

    def decided(reports):
        nonlocal opinion
        opinion = guest.judge(reports, vm.smp)
        return opinion[0] != WAIT

    vm.wait_for(decided, patience)
    if opinion[0] == RUNS and guest.question:
        asked = vm.reports[-1]
        vm.type(guest.question)
        if not vm.wait_for(lambda reports: guest.answered(asked, reports[-1]), patience):
            opinion = WAIT, "the guest took no interrupt from the device that was used"
    if opinion[0] == RUNS:
        rests, used = vm.reports[-1], vm.cpu_time()
        if not vm.wait_for(lambda reports: guest.rested(rests, reports[-1]), patience):
            opinion = WAIT, "the guest ran, and stopped"
        elif busy := guest.busy(rests, vm.reports[-1], vm.smp, vm.cpu_time() - used):
            opinion = LOST, busy
    reports = list(vm.reports)
    result = Result("stuck", before=before, command=vm.command, console=reports)
    if reports:
        result.after = reports[-1].letters
    if opinion[0] == WAIT and vm.ended:
        # Without a console QEMU has ended, or is about to.
        result.status = vm.wait_exit()
        if result.status is None:
            result.reason = "QEMU has closed its console, and does not end"
        elif result.status < 0 or reports or result.status != 1:
            result.verdict = "crashed"
            result.reason = f"exit status {result.status} after {len(reports)} reports; " + condense(vm.stderr)
        else:
            result.verdict = "refused"
            result.reason = condense(vm.stderr)
    elif opinion[0] == WAIT:
        result.reason = f"{opinion[1]}, in {time.monotonic() - start:.0f} s"
        result.cpus = registers(vm)
    elif opinion[0] == LOST:
        result.reason = opinion[1]
    else:
        result.verdict = "loaded"
    result.stderr = vm.stderr
    result.seconds = time.monotonic() - start
    return result


def resume(vm):
    """Let a guest go on that was stopped when it was saved, once it is loaded. If it is refused, judge() sees it."""
    end = time.monotonic() + settings.timeout
    try:
        while vm.qmp("query-status")["status"] == "inmigrate" and time.monotonic() < end:
            time.sleep(0.01)                    # a step of polling, not a wait
        vm.qmp("cont")
    except HarnessError:
        if vm.wait_exit(10) is None:
            raise


def smp_for(binary, row):
    """What -smp must say. Up to 2.9 QEMU takes just the ICPs that it has itself, so maxcpus has to be the source's there."""
    if version(release_of(binary)) >= (2, 10):
        return row.smp
    icps = sum(section.name == "icp/server" for section in structure(row.read()))
    return f"{row.smp},maxcpus={icps}" if icps > row.smp else row.smp


def load(binary, row, cpu=None, machine=None, options=(), stream=None, save=False, patience=None, stopped=False, smp=None):
    """Load a recorded stream into BINARY and return the Result.

    cpu, machine: in place of the row's own. options: further ones for QEMU's command line. stream: bytes to load in place
    of the file, such as a damaged copy. save: if it loads, save it again, into Result.saved. patience: see judge().
    stopped: the guest was stopped when it was saved, and is let go on. smp: in place of the row's, see Vm.
    """
    start = time.monotonic()
    smp = smp or smp_for(binary, row)
    with Vm(binary, machine or row.machine, cpu or row.cpu, smp, options, stream or row.read(), row.guest) as vm:
        if stopped:
            resume(vm)
        result = judge(vm, row.guest_probe, patience)
        if save and result.loaded:
            result.saved = vm.save()
        result.seconds = time.monotonic() - start
        return result


def start_guest(binary, machine, cpu, smp=1, options=(), guest=COUNTING):
    """Start the guest from its beginning and wait until it runs. Returns the Vm; raises HarnessError if it does not run."""
    vm = Vm(binary, machine, cpu, smp, options, guest=guest)
    try:
        if vm.wait_for(lambda reports: guest.started(reports, smp)):
            return vm
        if vm.ended:
            vm.wait_exit()
        message = condense(vm.stderr) or f"the guest says nothing, or too little: {vm.reports[-1:]}"
    except BaseException:
        vm.close()
        raise
    vm.close()
    raise HarnessError(f"{vm.name} does not run: {message}")


def save_guest(binary, machine, cpu, smp=1, options=(), guest=COUNTING):
    """Start the guest, save it once it reports, and return the stream."""
    with start_guest(binary, machine, cpu, smp, options, guest) as vm:
        return vm.save()


@contextlib.contextmanager
def arrival(source, binary, machine, cpu, smp=1, options=(), patience=None, stopped=False):
    """Migrate the guest of SOURCE (a Vm) live to a new QEMU. For use in a 'with' statement, as (Vm, Result) of the new one.

    Both stderr texts are in the Result. stopped: stop the guest first, and let it go on in the new QEMU. A stock source may
    miss what the guest writes while it is sent (see test_memory.py), and then the guest is lost through no fault of the new one.
    """
    with Vm(binary, machine, cpu, smp, options, "unix", source.guest) as vm:
        before = source.reports[-1].letters
        failure = None
        try:
            vm.qmp("query-status")              # once it answers, it listens
            if stopped:
                source.qmp("stop")
            failure = source.migrate("unix:" + vm.socket)
            if stopped and not failure:
                resume(vm)
        except HarnessError:
            # A destination that did not start, or ended under way: what it said on its way out is the better answer.
            if vm.wait_exit(10) is None:
                raise
        result = judge(vm, before, patience)
        if failure and not result.loaded:
            result.reason = "; ".join(filter(None, (result.reason, f"source: {failure}")))
        if source.stderr:
            result.stderr += "".join(f"source: {line}\n" for line in source.stderr.splitlines())
        yield vm, result


def migrate(source, binary, machine, cpu, smp=1, options=(), patience=None, stopped=False):
    """As arrival(), for when nothing more is to be done with the guest: returns the Result."""
    with arrival(source, binary, machine, cpu, smp, options, patience, stopped) as (_, result):
        return result
