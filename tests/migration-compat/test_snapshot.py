#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots of a guest (savevm), loaded one after the other into the QEMU that runs it. Prints TAP.

    test_snapshot.py --qemu PATCHED [-k PATTERN]

Each load meets a machine that is in use, not a fresh one. What a load left in it, such as a line that is raised, a timer that runs
or the guest's server numbers, must not be there after the next.
"""
import os
import sys
import time

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

# Machine version, CPU, number of CPUs, guest, and the QEMU whose recorded stream it is; None: it starts here.
ROWS = (
    ("pseries-2.6", "POWER8", 1, h.COUNTING, None),
    ("pseries-2.6", "POWER8", 4, h.SLEEPING, "2.6.0"),
    ("newest", "POWER8", 4, h.SLEEPING, None),
    ("newest", "POWER9", 4, h.SLEEPING_XIVE, None),
)
# Lines of the guest between two snapshots. The load of one is seen by the count that goes back.
APART = 5
# Which snapshots are loaded, one after the other, before the guest goes on: another one, the same one twice, a long way back.
ORDERS = ((1,), (0, 1), (1, 1), (1, 0))


def job(vm, command, **arguments):
    """Execute a QMP command that starts a job, and wait for that to end."""
    vm.qmp(command, job_id="job", **arguments)
    end = time.monotonic() + h.settings.timeout
    while time.monotonic() < end:
        state = next(each for each in vm.qmp("query-jobs") if each["id"] == "job")
        if state["status"] == "concluded":
            vm.qmp("job-dismiss", id="job")
            if "error" in state:
                raise h.HarnessError(f"{vm.name}: {command}: {state['error']}")
            return
        time.sleep(0.01)                        # a step of polling, not a wait
    raise h.HarnessError(f"{vm.name}: {command} is not over after {h.settings.timeout} s")


def add_disk(vm):
    """A qcow2 image for snapshots, which the guest does not see."""
    path, size = os.path.join(vm.dir, "snapshots"), 1 << 20
    job(vm, "blockdev-create", options={"driver": "file", "filename": path, "size": 0})
    vm.qmp("blockdev-add", driver="file", filename=path, node_name="file")
    job(vm, "blockdev-create", options={"driver": "qcow2", "file": "file", "size": size})
    vm.qmp("blockdev-add", driver="qcow2", file="file", node_name="disk")


def monitor(vm, command):
    """Execute a command of the human monitor that says nothing, or warns, if it succeeds."""
    said = vm.qmp("human-monitor-command", command_line=command).splitlines()
    errors = [line for line in said if line.strip() and not line.startswith("warning:")]
    if errors:
        raise h.HarnessError(f"{vm.name}: {command}: {' '.join(errors)}")


def begin(row, binary):
    """The guest of ROW, running."""
    machine, cpu, smp, guest, recorded = row
    if not recorded:
        return h.start_guest(binary, machine + h.stock_options(machine, cpu), cpu, smp, guest=guest)
    stream = next(each for each in h.read_manifest(h.STREAMS, guest=guest)
                  if (each.qemu, each.machine, each.cpu, each.smp) == (recorded, machine, cpu, smp))
    return h.Vm(binary, machine, cpu, smp, incoming=stream.read(), guest=guest)


def check(row, binary):
    """Take two snapshots of a guest, and load them in each order."""
    if row[0] not in h.machines_of(binary):
        raise h.Skip(f"this QEMU has no {row[0]}")
    with begin(row, binary) as vm:
        add_disk(vm)
        for name in "0", "1":
            result = h.judge(vm)
            if not result.loaded:
                return ["before any snapshot was loaded:", *result.describe()]
            monitor(vm, f"savevm {name}")
            vm.wait_reports(len(vm.reports) + APART)
        for order in ORDERS:
            vm.qmp("stop")
            for name in order:
                monitor(vm, f"loadvm {name}")
            vm.qmp("cont")
            if not vm.wait_back():
                return [f"after {order} the guest says nothing"]
            result = h.judge(vm)
            if not result.loaded:
                return [f"after {order}:", *result.describe()]
            vm.wait_reports(len(vm.reports) + APART)
    return []


def run(args):
    newest = h.machine_versions(args.qemu, args.qemu)[-1]
    rows = [(newest if row[0] == "newest" else row[0], *row[1:]) for row in ROWS]
    return h.run_tests([(" ".join([row[0], row[1], f"smp {row[2]}", row[3].name, *(["recorded"] if row[4] else [])]),
                         lambda r=row: check(r, args.qemu)) for row in rows], args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--qemu", metavar="PATCHED", required=True, help="a patched qemu-system-ppc64")
    h.main(run, parser)
