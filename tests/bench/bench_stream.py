#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast ppc-insns reads and rewrites a large stream, and how much memory it takes.

The stream is made from a recorded one by adding full pages to its RAM, in a temporary file under build/, which stays in
the page cache for the run. All times are of one run on that file, the best of several rounds, so that their ratios mean
something on any machine:

    show         against `cat FILE >/dev/null`, and against scripts/analyze-migration.py of a QEMU source tree, if --qemu names one
    rewrite      `cat FILE | ppc-insns rewrite | cat >/dev/null` against `cat FILE | cat | cat >/dev/null`
"""
import argparse
import json
import lzma
import os
import struct
import subprocess
import sys
import time
from tempfile import NamedTemporaryFile

PROJECT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
RECORDED = os.path.join(PROJECT, "tests", "migration-compat", "streams", "qemu-2.6.0-pseries-2.6-POWER8.stream.xz")

# What the tool is to reach: (name, ratio, at least?)
GOALS = {"show, times as fast as analyze-migration.py": (20, True), "show, times cat's time": (2, False),
         "rewrite, part of cat's throughput": (0.7, True), "memory, MiB": (64, False)}

PAGE = 4096
FULL, CONTINUE, EOS = 0x08, 0x20, 0x10


def insert_at(stream):
    """Offset of the first entry of the second piece of RAM, its block's name and size: pages go there."""
    at = 8
    if stream[at] == 7:                                 # the configuration section
        at += 5 + struct.unpack_from(">I", stream, at + 1)[0]
    assert stream[at] == 1 and stream[at + 5:at + 9] == b"\3ram"
    at += 5 + 4 + 8
    total = struct.unpack_from(">Q", stream, at)[0] & ~(PAGE - 1)
    at += 8
    length = stream[at]
    name = stream[at + 1:at + 1 + length]
    size, = struct.unpack_from(">Q", stream, at + 1 + length)
    assert size == total, "the recorded guest has one RAM block"
    at += 1 + length + 8
    assert struct.unpack_from(">Q", stream, at)[0] == EOS
    at += 8 + 5                                         # the footer
    assert stream[at] == 1                              # spapr/htab
    at += 5 + 1 + stream[at + 5] + 8 + 4 + 5
    assert stream[at] == 2                              # a piece of RAM
    return at + 5, name, size


def make_stream(path, size):
    """Write a stream with SIZE bytes of full pages more than the recorded one to PATH."""
    with lzma.open(RECORDED) as f:
        stream = f.read()
    # The script reads instances as unsigned and does not find what 2.6 described as signed; the length stays.
    stream = stream.replace(b" -2147483648,", b"  2147483648,")
    at, name, block = insert_at(stream)
    body = os.urandom(PAGE)
    pages = size // PAGE
    with open(path, "wb") as out:
        out.write(stream[:at])
        out.write(struct.pack(">Q", FULL) + bytes([len(name)]) + name + body)
        done = 1
        while done < pages:
            count = min(pages - done, 4096)
            out.write(b"".join(struct.pack(">Q", ((done + i) * PAGE % block) | FULL | CONTINUE) + body for i in range(count)))
            done += count
        out.write(stream[at:])


def checked(process, command):
    """Wait for PROCESS; no time counts if it failed."""
    if process.wait():
        sys.exit(f"bench_stream.py: exit status {process.returncode} of: {command}")


def most_memory(process):
    """The most memory that PROCESS takes until it ends, in MiB: looked at often, as rusage counts the parent's, too."""
    most = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
                most = max([most] + [int(line.split()[1]) for line in f if line.startswith("VmHWM:")])
        except OSError:
            break
        time.sleep(0.0005)
    return most / 1024


def run(command, path, rounds, memory=False):
    """The best time of COMMAND with PATH in seconds; or the most memory that it takes, in MiB."""
    best = None
    for _ in range(1 if memory else rounds):
        start = time.monotonic()
        process = subprocess.Popen([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if memory:
            best = most_memory(process)
        checked(process, command)
        if not memory:
            took = time.monotonic() - start
            best = took if best is None else min(best, took)
    return best


def pipeline(middle, path, rounds, memory=False):
    """As run(), of `cat PATH | MIDDLE | cat >/dev/null`; the memory is MIDDLE's."""
    best = None
    for _ in range(1 if memory else rounds):
        start = time.monotonic()
        first = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        second = subprocess.Popen(middle, stdin=first.stdout, stdout=subprocess.PIPE)
        third = subprocess.Popen(["cat"], stdin=second.stdout, stdout=subprocess.DEVNULL)
        first.stdout.close()
        second.stdout.close()
        if memory:
            best = most_memory(second)
        for process in (first, second, third):
            checked(process, middle)
        if not memory:
            took = time.monotonic() - start
            best = took if best is None else min(best, took)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=os.environ.get("PPC_INSNS"), help="ppc-insns, built without sanitizers")
    parser.add_argument("--size", type=float, default=4, metavar="GIB", help="how much RAM to add (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts (default: 3)")
    parser.add_argument("--qemu", metavar="DIR", help="a QEMU source tree with scripts/analyze-migration.py")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there (default: build/bench-stream.json)")
    args = parser.parse_args()
    if not args.tool:
        parser.error("--tool or the environment variable PPC_INSNS must name ppc-insns")
    build = os.path.join(PROJECT, "build")
    os.makedirs(build, exist_ok=True)

    with NamedTemporaryFile(dir=build, prefix="bench-", suffix=".stream") as file:
        make_stream(file.name, int(args.size * 2 ** 30))
        size = os.path.getsize(file.name)
        path = file.name
        # name: (how to run it, command)
        commands = {"cat": (run, ["cat"]), "show": (run, [args.tool, "show"]), "check": (run, [args.tool, "check", "--to", "2.6"]),
                    "cat | cat | cat": (pipeline, ["cat"]),
                    "cat | rewrite | cat": (pipeline, [args.tool, "rewrite", "--to", "2.7.0"])}
        if args.qemu:
            script = os.path.join(args.qemu, "scripts", "analyze-migration.py")
            commands["analyze-migration.py"] = (run, [sys.executable, script, "-f"])
        times = {name: how(command, path, 1 if name.startswith("analyze") else args.rounds)
                 for name, (how, command) in commands.items()}
        memory = {name: how(command, path, 1, memory=True)
                  for name, (how, command) in commands.items() if args.tool in command}

    ratios = {"show, times cat's time": times["show"] / times["cat"],
              "rewrite, part of cat's throughput": times["cat | cat | cat"] / times["cat | rewrite | cat"],
              "memory, MiB": max(memory.values())}
    if args.qemu:
        ratios["show, times as fast as analyze-migration.py"] = times["analyze-migration.py"] / times["show"]

    print(f"stream of {size / 2 ** 30:.2f} GiB, best of {args.rounds} rounds")
    for name, took in times.items():
        print(f"  {name:24} {took:8.3f} s {size / took / 2 ** 30:8.2f} GiB/s" +
              (f" {memory[name]:8.1f} MiB" if name in memory else ""))
    good = True
    for name, ratio in ratios.items():
        goal, least = GOALS[name]
        met = ratio >= goal if least else ratio <= goal
        good &= met
        print(f"  {name:44} {ratio:8.2f}  {'at least' if least else 'at most'} {goal}: {'ok' if met else 'MISSED'}")
    with open(args.json or os.path.join(build, "bench-stream.json"), "w", encoding="utf-8") as f:
        json.dump({"size": size, "rounds": args.rounds, "seconds": times, "memory_mib": memory, "ratios": ratios}, f, indent=2)
        f.write("\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
