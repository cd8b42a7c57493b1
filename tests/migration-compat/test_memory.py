#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a guest's memory arrives as it was, if it is sent while the guest writes to it. Prints TAP.

    test_memory.py --a PATCHED --b STOCK [-k PATTERN]

The guest is sent so slowly that QEMU goes over its memory several times. Each time QEMU asks which pages the guest has written to
since; TCG must notice the next write to each of them. The destination does not run, so that both sides stand still in the end, and
every page can be compared.

Stock QEMU before 9.0 misses writes. That is told, and fails no test.
"""
import os
import sys
import time

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

PAGE, SIZE = 4096, 256 << 20
# How often QEMU must have asked for the pages that were written to before the migration may end
ROUNDS = 8
# and how often at least, if the guest has not written anything in a round
LEAST = 3
# Bytes a second, and milliseconds: what the guest writes in one round is too much to be sent at once, until we let it
BANDWIDTH, DOWNTIME = 1 << 20, 1

ROWS = (
    ("pseries-2.6", "POWER7", 1, h.COUNTING),
    ("pseries-2.6", "POWER8", 4, h.SLEEPING),
    ("newest", "POWER8", 4, h.SLEEPING),
    ("newest", "POWER9", 4, h.SLEEPING_XIVE),
)


def send(source, destination):
    """Migrate, over several rounds. Returns None, or why it failed."""
    source.qmp("migrate-set-parameters", max_bandwidth=BANDWIDTH, downtime_limit=DOWNTIME)
    source.qmp("migrate", uri="unix:" + destination.socket)
    end = time.monotonic() + h.settings.timeout
    released = False
    while time.monotonic() < end:
        state = source.qmp("query-migrate")
        if state["status"] == "completed":
            # the first round sends all, the last one what was written when the guest stood still
            rounds = state["ram"]["dirty-sync-count"]
            return None if rounds >= LEAST else f"it was over after {rounds} rounds: nothing was tested"
        if state["status"] in ("failed", "cancelled"):
            return state.get("error-desc", state["status"])
        if not released and state.get("ram", {}).get("dirty-sync-count", 0) >= ROUNDS:
            source.qmp("migrate-set-parameters", max_bandwidth=1 << 33, downtime_limit=2000)
            released = True
        time.sleep(0.02)                        # a step of polling, not a wait
    return f"it is not over after {h.settings.timeout} s"


def memory(vm):
    """The guest's memory."""
    path = os.path.join(vm.dir, "memory")
    vm.qmp("pmemsave", val=0, size=SIZE, filename=path)
    with open(path, "rb") as file:
        return file.read()


def check(row, binary, patched):
    """Send a guest, and compare its memory on both sides."""
    machine, cpu, smp, guest = row
    if machine not in h.machines_of(binary):
        raise h.Skip(f"this QEMU has no {machine}")
    machine += h.stock_options(machine, cpu)
    with h.start_guest(binary, machine, cpu, smp, (), guest) as source, \
            h.Vm(binary, machine, cpu, smp, ("-S",), "unix", guest) as destination:
        destination.qmp("query-status")         # once it answers, it listens
        failure = send(source, destination)
        if failure:
            return [failure]
        end = time.monotonic() + h.settings.timeout
        while destination.qmp("query-status")["status"] == "inmigrate" and time.monotonic() < end:
            time.sleep(0.02)                    # a step of polling, not a wait
        here, there = memory(source), memory(destination)
    different = [at for at in range(0, SIZE, PAGE) if here[at:at + PAGE] != there[at:at + PAGE]]
    if not different:
        return []
    text = f"{len(different)} pages are not as they were, the first at 0x{different[0]:x}"
    return [text if patched else f"{h.NOTE}stock QEMU misses writes: {text}"]


def run(args):
    def tests():
        newest = h.machine_versions(args.a, args.b)[-1]
        for name, binary, patched in (("a", args.a, True), ("b", args.b, False)):
            for machine, *others in ROWS:
                row = (newest if machine == "newest" else machine, *others)
                yield f"{row[0]} {row[1]} smp {row[2]} {row[3].name}: {name} to itself", \
                    lambda r=row, b=binary, p=patched: check(r, b, p)
    return h.run_tests(list(tests()), args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--a", metavar="PATCHED", required=True, help="a patched qemu-system-ppc64")
    parser.add_argument("--b", metavar="STOCK", required=True, help="the distribution's own")
    h.main(run, parser)
