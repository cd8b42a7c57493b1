#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own comparison of what two QEMUs say of their state, for each machine version that both have. Prints TAP.

    test_vmstate.py --qemu PATCHED --stock STOCK --checker scripts/vmstate-static-checker.py [-k PATTERN]

-dump-vmstate lists the descriptions of all devices that were built, so that what the checker finds missing on one side must be a
device that this side was built without: the other QEMU has no such type at all. Everything else is a difference.
"""
import functools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)


# Fields of PHBs that only pseries-2.7 and older send. A dump lists them for all machine versions. A stock QEMU that does not have
# these machines does not have the fields; test_own_machines.py looks at what is really sent.
OLD_FIELDS = re.compile(r"mig_(liobn|(mem|io)_win_(addr|size))")


@functools.cache
def types_of(binary):
    """The names of all QOM types that a QEMU binary has."""
    commands = ({"execute": "qmp_capabilities"}, {"execute": "qom-list-types", "arguments": {"abstract": True}})
    with subprocess.Popen([binary, "-machine", "none", "-display", "none", "-qmp", "stdio"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        try:
            p.stdin.write("\n".join(map(json.dumps, commands)))
            p.stdin.flush()
            for line in p.stdout:
                answer = json.loads(line).get("return")
                if isinstance(answer, list):
                    return frozenset(t["name"] for t in answer)
        finally:
            p.kill()
    raise h.HarnessError(f"{binary} does not list its types")


def dump(binary, machine):
    """What a QEMU binary says of the state that it sends for a machine."""
    with tempfile.NamedTemporaryFile() as file:
        h.output_of(binary, "-M", machine, "-dump-vmstate", file.name)
        return json.load(file)


def compare(checker, source, destination, types):
    """What the checker says of two dumps; without devices that the destination, which has these types, was built without."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / side for side in ("source", "destination")]
        for file, content in zip(files, (source, destination)):
            file.write_text(json.dumps(content))
        p = subprocess.run([sys.executable, checker, "-s", files[0], "-d", files[1]], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    found = []
    for line in p.stdout.splitlines():
        missing = re.fullmatch(r'Section "(.*)" does not exist in dest', line)
        if not missing or missing[1] in types:
            found.append(line)
    # its status is the number of differences
    return found if p.returncode == 0 or p.stdout else [f"{checker} ended with status {p.returncode} and said nothing"]


def check_doctored(checker, qemu, machine):
    """That a section of another version, and one that a QEMU has but does not describe, are found."""
    wrong = []
    for what, doctor in (("version", lambda d: d["spapr-rtc"].update(version_id=99, minimum_version_id=99)),
                         ("absence", lambda d: d.pop("spapr-rtc"))):
        doctored = dump(qemu, machine)
        doctor(doctored)
        if not any("spapr-rtc" in line for line in compare(checker, dump(qemu, machine), doctored, types_of(qemu))):
            wrong.append(f"doctored {what} of spapr-rtc: not found")
    return wrong


def without_old_fields(content, other):
    """A dump without those of OLD_FIELDS that the other one does not have."""
    mine, theirs = (each["spapr-pci-host-bridge"]["Description"] for each in (content, other))
    known = {field["field"] for field in theirs["Fields"]}
    mine["Fields"] = [field for field in mine["Fields"] if field["field"] in known or not OLD_FIELDS.fullmatch(field["field"])]
    return content


def check(checker, qemu, stock, machine):
    ours, theirs = dump(qemu, machine), dump(stock, machine)
    ours = without_old_fields(ours, theirs)
    return [f"stock to patched: {line}" for line in compare(checker, theirs, ours, types_of(qemu))] + \
           [f"patched to stock: {line}" for line in compare(checker, ours, theirs, types_of(stock))]


def run(args):
    machines = h.machine_versions(args.qemu, args.stock)
    return h.run_tests([("vmstate: the checker sees doctored dumps",
                         lambda: check_doctored(args.checker, args.qemu, machines[-1]))] +
                       [(f"vmstate: {machine}", lambda m=machine: check(args.checker, args.qemu, args.stock, m))
                        for machine in machines], args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--qemu", metavar="PATCHED", required=True, help="the qemu-system-ppc64 to test")
    parser.add_argument("--stock", metavar="STOCK", required=True, help="the distribution's own")
    parser.add_argument("--checker", metavar="SCRIPT", required=True, help="vmstate-static-checker.py, in QEMU's scripts/")
    h.main(run, parser)
