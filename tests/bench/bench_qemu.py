#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the series costs: the patched QEMU against the same source, built in the same way, without the series.

    bench_qemu.py --patched BIN --plain BIN [--rounds 9] [--json FILE]

Instructions are counted by valgrind (callgrind), from the start of the program to its end, and are about the same whatever else
the machine does. Times are the medians of rounds that take turns; compare nothing but the two sides of one run.

    start     a machine that does nothing and ends
    load      the same, but a stream is loaded before the end: recorded streams, and guests with 64 and 256 CPUs made here by the
              QEMU without the series
    per CPU   what each CPU between 64 and 256 adds to a load
    boot      time until the guest makes its first report
    loop      time for the guest's next reports: it computes, and little else
"""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "migration-compat"))
import harness as h  # noqa: E402

# What may be more, in instructions, and in time, which is noisy
GOALS = {"start": 1.01, "load": 1.01, "per CPU": 1.01, "boot": 1.1, "loop": 1.1}
# POWER7: without the series, those of POWER8 do not load.
RECORDED = ("2.6.0", "pseries-2.1"), ("2.6.0", "pseries-2.6"), ("2.7.0", "pseries-2.7")
LARGE = "pseries-2.7", "POWER8"
LOOP = 60


def instructions(binary, machine, cpu, smp=1, stream=None):
    """How many instructions QEMU executes to start, to load STREAM (a path) if there is one, and to end."""
    with tempfile.TemporaryDirectory() as scratch:
        wrapper = os.path.join(scratch, "qemu")
        counts = os.path.join(scratch, "counts")
        with open(wrapper, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={counts} {binary} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        options = ("-S", "-accel", "tcg,thread=single")
        with h.Vm(wrapper, machine + h.stock_options(machine, cpu), cpu, smp, options, f"exec:cat {stream}" if stream else None) as vm:
            while vm.qmp("query-status")["status"] == "inmigrate":
                time.sleep(0.5)
            vm.qmp("quit")
            if vm.wait_exit() != 0:
                raise h.HarnessError(f"{vm.name}: {vm.stderr}")
        with open(counts, encoding="utf-8") as f:
            return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M)[1])


def made_stream(binary, smp, path):
    """Saves a large guest that has not run yet into a file."""
    machine, cpu = LARGE
    with h.Vm(binary, machine + h.stock_options(machine, cpu), cpu, smp, ("-S", "-accel", "tcg,thread=single")) as vm:
        with open(path, "wb") as f:
            f.write(vm.save())


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


def bench(plain, patched, rounds):
    """Yields (kind, what, number without the series, number with it)."""
    pair = plain, patched
    yield "start", "pseries-2.6 POWER8", *(instructions(q, "pseries-2.6", "POWER8") for q in pair)
    rows = h.read_manifest()
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "stream")
        for qemu, machine in RECORDED:
            with open(path, "wb") as f:
                f.write(h.find_stream(rows, qemu, machine, "POWER7").read())
            yield "load", f"{qemu} {machine} POWER7", *(instructions(q, machine, "POWER7", 1, path) for q in pair)
        large = {}
        for smp in (64, 256):
            made_stream(plain, smp, path)
            large[smp] = [instructions(q, *LARGE, smp, path) for q in pair]
            yield "load", f"{' '.join(LARGE)} smp {smp}", *large[smp]
        yield "per CPU", f"{' '.join(LARGE)}", *((b - a) // 192 for a, b in zip(large[64], large[256]))
    times = ([], [])
    for _ in range(rounds):
        for side, binary in enumerate(pair):
            times[side].append(run_times(binary))
    for n, kind in enumerate(("boot", "loop")):
        yield kind, f"{' '.join(LARGE)}, seconds", *(round(statistics.median(t[n] for t in side), 3) for side in times)


def main(args):
    results, missed = [], 0
    print(f"{'':8} {'':30} {'without':>15} {'with':>15} {'ratio':>7}")
    for kind, what, plain, patched in bench(args.plain, args.patched, args.rounds):
        ratio = patched / plain
        bad = ratio > GOALS[kind]
        missed += bad
        results.append({"kind": kind, "what": what, "plain": plain, "patched": patched, "ratio": ratio, "goal": GOALS[kind]})
        print(f"{kind:8} {what:30} {plain:15,} {patched:15,} {ratio:7.4f}" + f"  more than {GOALS[kind]}" * bad, flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    return 1 if missed else 0


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--patched", metavar="BIN", required=True, help="QEMU with the series")
    parser.add_argument("--plain", metavar="BIN", required=True, help="the same without it")
    parser.add_argument("--rounds", metavar="N", type=int, default=9, help="how often times are taken (default: 9)")
    parser.add_argument("--json", metavar="FILE", help="where to write the results, too")
    h.main(main, parser)
