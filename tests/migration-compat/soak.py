#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest, sent around between two QEMUs many times: nothing may get lost, and nothing may grow. Prints TAP.

    soak.py --a PATCHED --b STOCK [--rounds 200] [--jobs 2] [-k PATTERN]

A round is a live migration from A to B, or back, into a new QEMU. In each, the guest goes on counting where it was, with its
registers intact and the probe letters that are right there: stock shows it more than its machine version's release had. What does
not come out of RAM has the same size in the stream at the end as at the beginning, and the QEMUs of the last rounds have no more
memory resident than those of the first ones. The guest that sleeps goes from A to A, for half as many rounds: stock loses it.
"""
import statistics
import sys

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

# The memory is compared as the median of this many rounds of a side at the beginning and at the end, or of half the rounds each
# if there are fewer. Up to 2% more does not count as growth; with few samples, one of which may be 5% below the others, up to 10%.
WINDOW = 10
GROWTH, GROWTH_OF_FEW = 1.02, 1.1
# The fewest rounds: two for each side, so that there is something to compare.
LEAST = 4

# Machine version, CPU, number of CPUs, guest. "newest" is the newest machine version that both have.
GUESTS = (
    ("pseries-2.6", "POWER8", 1, h.COUNTING),
    ("pseries-2.7", "POWER8", 1, h.COUNTING),
    ("newest", "POWER8", 1, h.COUNTING),
    ("pseries-2.6", "POWER7", 1, h.COUNTING),
    ("newest", "POWER8", 4, h.SLEEPING),
    ("newest", "POWER9", 2, h.SLEEPING_XIVE),
)


def state_size(vm):
    """The bytes of all sections but RAM, in the stream of a guest that goes on afterwards."""
    size = sum(len(section.content or b"") for section in h.structure(vm.save(), tool=False))
    vm.qmp("cont")
    return size


def ends(samples):
    """The median of the first of SAMPLES, and that of the last."""
    window = min(WINDOW, len(samples) // 2)
    return statistics.median(samples[:window]), statistics.median(samples[-window:])


def soak(pair, machine, cpu, smp, guest, rounds):
    """Sends a guest around; returns what is wrong."""
    machine += h.stock_options(machine, cpu)
    vm = h.start_guest(pair[0], machine, cpu, smp, guest=guest)
    letters = [h.letters_expected(cpu, machine, h.release_of(binary), patched=binary == pair[0]) if guest is h.COUNTING else ""
               for binary in pair]
    memory, sizes, wrong = ([], []), ([], []), []
    try:
        for number in range(1, rounds + 1):
            side = number % 2
            source, vm = vm, h.Vm(pair[side], machine, cpu, smp, incoming="unix", guest=guest)
            with source:
                vm.qmp("query-status")
                failure = source.migrate("unix:" + vm.socket)
                result = h.judge(vm, letters[side])
            if failure or not result.loaded:
                return [f"round {number}: {failure or result.verdict}", *result.describe()]
            # The source has ended, and its console was read to the end. Of the line that was being written, each side may have
            # a part.
            last, first = source.reports[-1].count, vm.reports[0].count
            if not 0 < first - last <= 2:
                wrong.append(f"round {number}: the count goes from {last} to {first}")
            if result.after != letters[side]:
                wrong.append(f"round {number}: letters {result.after}, not {letters[side]}")
            # Stock QEMU shows more than 2.6 had, and so what it sends is warned about, once; nothing else is.
            hidden = side == 0 and letters[0] != letters[1]
            if len(result.group_warnings) != hidden:
                wrong += [f"round {number}: {len(result.group_warnings)} warnings about groups, not {hidden:d}", *result.group_warnings]
            memory[side].append(vm.memory())
            if number <= 2 or number > rounds - 2:      # the first and the last of each side
                sizes[side].append(state_size(vm))
        print(f"# {guest.name} {machine} {cpu}: {rounds} rounds, the count is at {vm.reports[-1].count}", file=sys.stderr)
    finally:
        vm.close()
    for side, name in ((1, "B"), (0, "A")):
        (small, large), (first, last) = sizes[side], ends(memory[side])
        print(f"# {guest.name} {machine} {cpu}: {name}: state of {small} bytes at first, {large} at last; memory of {first:.0f} KiB at first, "
              f"{last:.0f} at last", file=sys.stderr)
        if small != large:
            wrong.append(f"the state that {name} sends has {large} bytes at last, {small} at first")
        if last > first * (GROWTH if len(memory[side]) >= 2 * WINDOW else GROWTH_OF_FEW):
            wrong.append(f"memory of {name} grows: {memory[side]}")
    return wrong[:20]


def run(args):
    newest = h.machine_versions(args.a, args.b)[-1]
    tests = []
    for machine, cpu, smp, guest in GUESTS:
        machine = newest if machine == "newest" else machine
        if h.version(machine.split("-")[1]) < guest.since:
            continue
        pair, rounds = ((args.a, args.b), args.rounds) if guest is h.COUNTING else ((args.a, args.a), max(args.rounds // 2, LEAST))
        name = "soak: " + ("" if guest is h.COUNTING else f"{guest.name} ") + f"{machine} {cpu}, {rounds} rounds"
        tests.append((name, lambda p=pair, m=machine, c=cpu, n=smp, g=guest, r=rounds: soak(p, m, c, n, g, r)))
    return h.run_tests(tests, args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--a", metavar="PATCHED", required=True, help="one QEMU")
    parser.add_argument("--b", metavar="STOCK", required=True, help="the other")
    parser.add_argument("--rounds", metavar="N", type=h.at_least(LEAST), default=200,
                        help=f"migrations of each guest, {LEAST} or more (default: 200)")
    h.main(run, parser)
