#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which release can send a guest to which? Measures it with the binaries that are there, and keeps what was seen in a JSON file.

    releases.py [--stock BINARY ...] [--patched BINARY ...] [--recorded DIR ...] [--json FILE]

    --stock, --patched  qemu-system-ppc64 without the series, and with it; each to each, live. The release is what it says itself
    --recorded          directories of recorded streams, for releases that are not here, into each of the binaries
    --table             run nothing: print the table that docs/bases.md has

Measured cells replace those of before; the others stay. A pair that was never measured is null. The guest is the one that counts,
on POWER8 with 1 CPU, with harness.stock_options() where stock QEMU needs them.
"""
import itertools
import json
import os
import sys
from collections import namedtuple

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

MACHINES = ("pseries-2.6", "pseries-2.7", "pseries-2.12", "pseries-4.2", "pseries-6.2")
CPU = "POWER8"
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "releases.json")

Side = namedtuple("Side", "binary patched")


def name_of(release, patched):
    """What the file calls one side."""
    return f"{release} patched" if patched else release


def cell(result):
    """What the file says of one migration."""
    loses = [p.instruction for p, b, a in zip(h.PROBES, result.before, result.after) if b != a and b.isupper()]
    # The source only sees a closed connection, which is not the reason.
    return {"verdict": result.verdict, "reason": result.reason.split("; source: ")[0], "loses": loses if result.loaded else [],
            "warned": bool(result.group_warnings)}


def with_options(machine, side, *others):
    """MACHINE as SIDE gets it: with what stock QEMU needs to run the guest, if SIDE is stock, or patched and one of OTHERS is
    stock. Up to 2.11.0 there is no cap-htm, and no need for it."""
    stock = [s for s in (side, *others) if not s.patched and h.version(h.release_of(s.binary)) > (2, 11, 0)]
    return machine + (h.stock_options(machine, CPU) if side in stock or side.patched and stock else "")


def live(source, target, machine):
    try:
        with h.start_guest(source.binary, with_options(machine, source, target), CPU) as vm:
            return cell(h.migrate(vm, target.binary, with_options(machine, target, source), CPU))
    except h.HarnessError as error:
        return {"verdict": "failed", "reason": str(error).splitlines()[0], "loses": [], "warned": False}


def recorded(row, target):
    result = h.load(target.binary, row, machine=with_options(row.machine, target))
    result.before = row.guest_probe
    return cell(result)


def measure(sides, streams):
    """(from, to, machine, function) of all that can be measured."""
    names = {side: name_of(h.release_of(side.binary), side.patched) for side in sides}
    for source, target in itertools.product(sides, repeat=2):
        for machine in MACHINES:
            if {machine} <= h.machines_of(source.binary) & h.machines_of(target.binary):
                yield names[source], names[target], machine, lambda s=source, t=target, m=machine: live(s, t, m)
    here = {h.release_of(side.binary) for side in sides if not side.patched}
    for directory in streams:
        for row in h.read_manifest(directory):
            if row.machine in MACHINES and (row.cpu, row.smp) == (CPU, 1) and row.qemu not in here:
                for target in sides:
                    yield row.qemu, names[target], row.machine, lambda r=row, t=target: recorded(r, t)


def order(name):
    return h.version(name.split()[0]), name


def rows(cells, same):
    """(from, [to, ...], machine -> cell or None): one for those that take the same, as same(cell) has it, from a source."""
    for source in sorted(cells, key=order):
        found = {}
        for target in sorted(cells[source], key=order):
            row = cells[source][target]
            if row:
                found.setdefault(tuple(same(row[machine]) for machine in MACHINES), []).append(target)
        for targets in found.values():
            yield source, targets, cells[source][targets[0]]


def table(cells):
    """The lines of a table: a row for a source and those that take the same from it, a column for a machine version."""
    short = {"refused": "no", "crashed": "crashes", "stuck": "hangs", "failed": "no"}
    reasons = []

    def shown(found):
        if found is None:
            return "-"
        if found["verdict"] != "loaded":
            if found["reason"] not in reasons:
                reasons.append(found["reason"])
            return f"{short[found['verdict']]} ({reasons.index(found['reason']) + 1})"
        if not found["loses"]:
            return "yes"
        return "yes, loses " + ", ".join(found["loses"]) + ("" if found["warned"] else ", silently")

    yield "| from | to | " + " | ".join(name.removeprefix("pseries-") for name in MACHINES) + " |"
    yield "|---" * (len(MACHINES) + 2) + "|"
    for source, targets, row in rows(cells, shown):
        yield f"| {source} | {', '.join(targets)} | {' | '.join(shown(row[machine]) for machine in MACHINES)} |"
    yield ""
    for number, reason in enumerate(reasons):
        yield f"{number + 1}. `{reason}`"


def read_cells(path):
    """What the file has: from -> to -> machine -> cell."""
    with open(path, encoding="utf-8") as f:
        return json.load(f)["cells"]


def run(args):
    cells = read_cells(args.json) if os.path.exists(args.json) else {}
    if args.table:
        print(*table(cells), sep="\n")
        return 0
    sides = [Side(binary, False) for binary in args.stock] + [Side(binary, True) for binary in args.patched]
    jobs = list(measure(sides, args.recorded))
    for (source, target, machine, _), found in zip(jobs, h.in_parallel(lambda job: job[3](), jobs, args.jobs)):
        print(source, target, machine, found["verdict"], found["reason"], *found["loses"], sep="\t", flush=True)
        row = cells.setdefault(source, {}).setdefault(target, None) or dict.fromkeys(MACHINES)
        row[machine] = found
        cells[source][target] = row
    names = sorted({*cells, *itertools.chain.from_iterable(cells.values())}, key=order)
    cells = {source: {target: cells.get(source, {}).get(target) for target in names} for source in names if source in cells}
    with open(args.json, "w", encoding="utf-8") as f:
        json.dump({"cpu": CPU, "guest": h.COUNTING.name, "machines": MACHINES, "cells": cells}, f, indent=1)
        f.write("\n")
    return 0


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--stock", metavar="BINARY", nargs="*", default=[])
    parser.add_argument("--patched", metavar="BINARY", nargs="*", default=[])
    parser.add_argument("--recorded", metavar="DIR", nargs="*", default=[])
    parser.add_argument("--json", metavar="FILE", default=FILE)
    parser.add_argument("--table", action="store_true", help="print what the file has as a table, and run nothing")
    h.main(run, parser)
