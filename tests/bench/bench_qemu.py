#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the series costs: the patched QEMU against the same source, built in the same way, without the series.

    bench_qemu.py --patched BIN --plain BIN [--rounds 30] [--json FILE]

Instructions are counted by valgrind (callgrind), from the start of the program to its end, and are about the same whatever else
the machine does. Times are the least of rounds that take turns, as what else the machine does can only add to them; compare
nothing but the two sides of one run.

    start     a machine that does nothing and ends
    load      the same, but a stream is loaded before the end: recorded streams, and guests with 64 and 256 CPUs made here by the
              QEMU without the series
    states    of that, what reads the states of devices, which are those of the CPUs for the most part
    per CPU   what each CPU between 64 and 256 adds to a load, and to the states alone
    wait      time from the start of QEMU until a stream is loaded
    boot      time until the guest makes its first report
    loop      time for the guest's next reports: it computes, and little else
"""
import json
import os
import re
import time
import sys
from tempfile import TemporaryDirectory

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "migration-compat"))
import harness as h  # noqa: E402

# What may be more, in instructions, and in time, which is noisy. None: only shown, as the time of a load is too short to say more
# than its instructions.
GOALS = {"start": 1.01, "load": 1.01, "states": 1.01, "per CPU": 1.01, "wait": None, "boot": 1.1, "loop": 1.1}
# POWER7: without the series, those of POWER8 do not load.
RECORDED = ("2.6.0", "pseries-2.1"), ("2.6.0", "pseries-2.6"), ("2.7.0", "pseries-2.7")
LARGE = "pseries-2.7", "POWER8"
LOOP = 60


def inclusive(profile, callee, callers):
    """The instructions of all calls of the function CALLEE from functions whose names match CALLERS, what they call included.

    PROFILE: what callgrind writes. A function's name stands there once, behind a number: "fn=(7) main"; a call is two lines
    after its "cfn=(7)", the second of which ends in the number of instructions.
    """
    names, caller, called, total = {}, None, None, 0
    lines = iter(profile.splitlines())
    for line in lines:
        if found := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line):
            kind, number, name = found.groups()
            name = names.setdefault(number, name)
            caller, called = (caller, name) if kind == "cfn" else (name, None)
        elif line.startswith("calls="):
            cost = int(next(lines).split()[-1])
            if called == callee and re.fullmatch(callers, caller):
                total += cost
    return total


def instructions(binary, machine, cpu, smp=1, stream=None):
    """How many instructions QEMU executes to start, to load STREAM (a path) if there is one, and to end; and those of them that
    read the states of devices."""
    with TemporaryDirectory() as scratch:
        wrapper = os.path.join(scratch, "qemu")
        counts = os.path.join(scratch, "counts")
        with open(wrapper, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={counts} {binary} \"$@\" "
                    f"9<{stream or '/dev/null'}\n")
        os.chmod(wrapper, 0o755)
        options = ("-S", "-accel", "tcg,thread=single")
        # From a file and not from a pipe: callgrind counts wrongly when a coroutine waits for data.
        uri = "fd:9" if h.version(h.release_of(binary)) < (8, 2) else f"file:{stream}"
        with h.Vm(wrapper, machine + h.stock_options(machine, cpu), cpu, smp, options, uri if stream else None) as vm:
            while stream and vm.qmp("query-status")["status"] == "inmigrate":
                spent = -1
                while vm.cpu_time() > spent:    # a question costs instructions
                    spent = vm.cpu_time()
                    time.sleep(1)
            vm.qmp("quit")
            if vm.wait_exit() != 0:
                raise h.HarnessError(f"{vm.name}: {vm.stderr}")
        with open(counts, encoding="utf-8") as f:
            profile = f.read()
        total = int(re.search(r"^(?:summary|totals): (\d+)", profile, re.M)[1])
        return total, inclusive(profile, "vmstate_load_state", "vmstate_load|qemu_loadvm.*")


def made_stream(binary, smp, path):
    """Saves a large guest that has not run yet into a file."""
    machine, cpu = LARGE
    with h.Vm(binary, machine + h.stock_options(machine, cpu), cpu, smp, ("-S", "-accel", "tcg,thread=single")) as vm:
        with open(path, "wb") as f:
            f.write(vm.save())


def load_time(binary, machine, cpu, smp, stream):
    """Seconds from the start of QEMU until STREAM (a path) is loaded."""
    began = time.monotonic()
    with h.Vm(binary, machine + h.stock_options(machine, cpu), cpu, smp, ("-S", "-accel", "tcg,thread=single"),
              f"exec:cat {stream}") as vm:
        while vm.qmp("query-status")["status"] == "inmigrate":
            time.sleep(0.002)
        return time.monotonic() - began


def run_times(binary):
    """Seconds to the guest's first report, and for the LOOP reports after that."""
    machine, cpu = LARGE
    began = time.monotonic()
    with h.Vm(binary, machine + h.stock_options(machine, cpu), cpu) as vm:
        if not vm.wait_reports(1):
            raise h.HarnessError(f"{vm.name}: {vm.stderr}")
        booted = time.monotonic()
        if not vm.wait_reports(1 + LOOP):
            raise h.HarnessError(f"{vm.name}: {vm.stderr}")
        return booted - began, time.monotonic() - booted


def least(rounds, pair, measure):
    """For each number that MEASURE returns for a binary, the least of ROUNDS in which the PAIR takes turns."""
    times = [[measure(binary) for binary in pair] for _ in range(rounds)]
    return [[round(min(row[side][n] for row in times), 4) for side in (0, 1)] for n in range(len(times[0][0]))]


def bench(plain, patched, rounds):
    """Yields (kind, what, number without the series, number with it)."""
    pair = plain, patched
    yield "start", "pseries-2.6 POWER8", *(instructions(q, "pseries-2.6", "POWER8")[0] for q in pair)
    rows = h.read_manifest()
    with TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "stream")

        def loads(what, *guest):
            counts = list(zip(*(instructions(q, *guest, path) for q in pair)))
            wait, = least(rounds, pair, lambda q: (load_time(q, *guest, path),))
            return counts, [("load", what, *counts[0]), ("states", what, *counts[1]), ("wait", f"{what}, seconds", *wait)]

        for qemu, machine in RECORDED:
            with open(path, "wb") as f:
                f.write(h.find_stream(rows, qemu, machine, "POWER7").read())
            yield from loads(f"{qemu} {machine} POWER7", machine, "POWER7", 1)[1]
        large = {}
        for smp in (64, 256):
            made_stream(plain, smp, path)
            large[smp], results = loads(f"{' '.join(LARGE)} smp {smp}", *LARGE, smp)
            yield from results
        for n, what in enumerate(("load", "states")):
            yield "per CPU", f"{' '.join(LARGE)}, {what}", *((b - a) // 192 for a, b in zip(large[64][n], large[256][n]))
    for kind, pair_times in zip(("boot", "loop"), least(rounds, pair, run_times)):
        yield kind, f"{' '.join(LARGE)}, seconds", *pair_times


def main(args):
    results, missed = [], 0
    print(f"{'':8} {'':36} {'without':>15} {'with':>15} {'ratio':>7}")
    for kind, what, plain, patched in bench(args.plain, args.patched, args.rounds):
        ratio = patched / plain
        bad = GOALS[kind] is not None and ratio > GOALS[kind]
        missed += bad
        results.append({"kind": kind, "what": what, "plain": plain, "patched": patched, "ratio": ratio, "goal": GOALS[kind]})
        print(f"{kind:8} {what:36} {plain:15,} {patched:15,} {ratio:7.4f}" + f"  more than {GOALS[kind]}" * bad, flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 1 if missed else 0


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--patched", metavar="BIN", required=True, help="QEMU with the series")
    parser.add_argument("--plain", metavar="BIN", required=True, help="the same without it")
    parser.add_argument("--rounds", metavar="N", type=int, default=30, help="how often times are taken (default: 30)")
    parser.add_argument("--json", metavar="FILE", help="where to write the results, too")
    h.main(main, parser)
