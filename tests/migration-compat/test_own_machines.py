#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing back old machine versions changes nothing for those that QEMU has. Prints TAP.

    test_own_machines.py --qemu PATCHED --other OTHER [--stock] [-k PATTERN]

For each pseries version of OTHER: the same objects with the same properties, and streams with the same sections and fields. OTHER
is the same QEMU with the series but without the old machines (OLD_MACHINES=no), or, with --stock, as the distribution has it; then
the differences that the rest of the series makes on purpose are left out.
"""
import re
import sys

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)

OPTIONS = ("-S", "-device", "spapr-vscsi", "-device", "virtio-rng-pci", "-device", "e1000,romfile=",
           "-device", "spapr-pci-host-bridge,index=1")

# Properties that the rest of the series adds to a CPU.
OURS = re.compile(r"insns-(compat|groups)")
# Properties that old machines set, and that this QEMU had lost. For all others they are what upstream made of them.
BROUGHT_BACK = re.compile(r"/(migrate-extra|emergency-write|qemu-4-0-config-size): bool$")


def objects(vm, path="/machine"):
    """Path and type of each property of each object below PATH, in order."""
    found = []
    for each in vm.qmp("qom-list", path=path):
        found.append(f"{path}/{each['name']}: {each['type']}")
        if each["type"].startswith("child<"):
            found += objects(vm, f"{path}/{each['name']}")
    return sorted(found)


def sections(vm):
    """The sections of a stream, with their versions, subsections and fields, as lines."""
    found = []
    for section in h.structure(vm.save(), tool=False):
        found.append(f"{section.key} version {section.version}")
        found += [f"{name} version {version}" for name, version in section.subsections]
        found += [f"{section.key}: {name} {size} {count}" for name, size, count in section.fields or ()]
    return found


def on_purpose(line):
    """Whether that is what the rest of the series changes."""
    return OURS.search(line) or line.startswith(("cpu/slb version", "spapr_iommu"))


def differences(old, new, stock):
    if stock:
        old, new = ([line for line in side if not on_purpose(line)] for side in (old, new))
    before, after = set(old), set(new)
    found = [f"- {line}" for line in old if line not in after]
    found += [f"+ {line}" for line in new if line not in before and not BROUGHT_BACK.search(line)]
    return found or (["their order differs"] if old != [line for line in new if line in before] else [])


def check(args, machine):
    """What differs between the two QEMUs for a machine version."""
    if machine not in h.machines_of(args.qemu):
        return [f"{args.qemu} does not have it"]
    seen = []
    for binary in args.other, args.qemu:
        with h.Vm(binary, machine, None, 2, OPTIONS) as vm:     # None: the CPU model is the machine's default
            seen.append((objects(vm), sections(vm)))
    old, new = seen
    wrong = [line for before, after in zip(old, new) for line in differences(before, after, args.stock)]
    return wrong[:20] if all(old) else ["nothing was seen"]


def run(args):
    own = sorted((name for name in h.machines_of(args.other) if re.fullmatch(r"pseries-[\d.]+", name)),
                 key=lambda name: h.version(name.split("-")[1]))
    return h.run_tests([(f"{machine}: objects and streams", lambda m=machine: check(args, m)) for machine in own],
                       args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--qemu", metavar="PATCHED", required=True, help="with the old machines")
    parser.add_argument("--other", metavar="OTHER", required=True, help="without them")
    parser.add_argument("--stock", action="store_true", help="OTHER is without the rest of the series, too")
    h.main(run, parser)
