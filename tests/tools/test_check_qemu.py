#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does ppc-insns check say what QEMU does?

    test_check_qemu.py --tool ppc-insns --stock QEMU [--patched QEMU] [--streams DIRECTORY ...] [--jobs N]

Each row of the table is a stream and a set-up: machine with its options, CPU model, devices. The truth is not written here:
the stream is loaded into both QEMUs, and the tool must have said what they do. Streams are recorded ones, and ones that the
two QEMUs save here. Prints TAP.
"""
import argparse
import concurrent.futures
import csv
import json
import lzma
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import qemu_load

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.path.join(HERE, "..", "migration-compat", "streams")

HTM_OFF = "cap-htm=off"


@dataclass(frozen=True)
class Row:
    stream: str             # a recorded one, or a name of SAVES
    machine: str            # with its options
    cpu: str
    options: tuple = ()     # devices, -smp and -global

    def name(self):
        return f'{self.stream} -> -M {self.machine} -cpu {self.cpu} {" ".join(self.options)}'.rstrip()


def virtio():
    """Devices that need no disk image and no network."""
    return ("-device", "virtio-rng-pci", "-device", "virtio-balloon-pci", "-netdev", "hubport,id=n1,hubid=0",
            "-device", "virtio-net-pci,netdev=n1,romfile=")


def disk(name):
    return ("-blockdev", f"driver=null-co,size=2097152,read-zeroes=on,node-name={name}")


def rich():
    """The devices of "rich" streams, as their README has them"""
    return (*disk("a"), *disk("b"), *disk("c"), "-device", "spapr-vscsi", "-device", "scsi-hd,drive=a", "-device", "virtio-blk-pci,drive=b",
            "-device", "virtio-scsi-pci,id=vs", "-device", "scsi-hd,bus=vs.0,drive=c", "-netdev", "hubport,id=n1,hubid=0",
            "-device", "virtio-net-pci,netdev=n1", "-netdev", "hubport,id=n2,hubid=0", "-device", "spapr-vlan,netdev=n2",
            "-netdev", "hubport,id=n3,hubid=0", "-device", "e1000,netdev=n3", "-device", "virtio-serial-pci", "-chardev", "null,id=cs",
            "-device", "virtserialport,chardev=cs,name=org.qemu.guest_agent.0", "-device", "virtio-balloon-pci",
            "-device", "virtio-rng-pci", "-device", "pci-ohci,id=oh", "-device", "usb-kbd,bus=oh.0", "-device", "nec-usb-xhci,id=xh",
            "-device", "usb-mouse,bus=xh.0", "-device", "spapr-pci-host-bridge,index=1")


# What the column "options" of MANIFEST.tsv stands for
RECORDED_DEVICES = {
    "-": (),
    "rich": rich(),
    "virtio": (*disk("b"), "-device", "virtio-blk-pci,drive=b", "-netdev", "hubport,id=n1,hubid=0", "-device", "virtio-net-pci,netdev=n1"),
}
RECORDED_DEVICES["virtio-blk-pci virtio-net-pci"] = RECORDED_DEVICES["virtio"]

# name: (machine, cpu, options), saved by the stock QEMU; by the patched one, too, under the name with a "+"
SAVES = {
    "2.1-P7": ("pseries-2.1", "POWER7", ()),
    "2.3-P8-off": (f"pseries-2.3,{HTM_OFF}", "POWER8", ()),
    "2.6-P7": ("pseries-2.6", "POWER7", ()),
    "2.6-P7+": ("pseries-2.6", "POWER7+", ()),
    "2.6-970": ("pseries-2.6", "970_v2.2", ()),
    "2.6-P5+": ("pseries-2.6", "POWER5+_v2.1", ()),
    "2.6-P8-off": (f"pseries-2.6,{HTM_OFF}", "POWER8", ()),
    "2.6-P8E-off": (f"pseries-2.6,{HTM_OFF}", "POWER8E", ()),
    "2.7-P9-as-P8": (f"pseries-2.7,{HTM_OFF},max-cpu-compat=power8", "POWER9", ()),
    "2.6-P8-devices": (f"pseries-2.6,{HTM_OFF}", "POWER8", virtio()),
    "2.7-P8-devices": (f"pseries-2.7,{HTM_OFF}", "POWER8", virtio()),
    "2.6-P7-usb-vga": ("pseries-2.6", "POWER7", ("-device", "VGA,romfile=", "-device", "pci-ohci,id=oh", "-device", "usb-kbd,bus=oh.0",
                                                 "-device", "nec-usb-xhci,id=xh", "-device", "usb-mouse,bus=xh.0")),
    "2.6-ddw": (f"pseries-2.6,{HTM_OFF}", "POWER8", ("-global", "spapr-pci-host-bridge.ddw=on")),
    "2.9-P8-off": (f"pseries-2.9,{HTM_OFF}", "POWER8", ()),
    "2.10-P9-as-P8": (f"pseries-2.10,{HTM_OFF},max-cpu-compat=power8", "POWER9", ()),
    "2.11-P8-sbbc": (f"pseries-2.11,{HTM_OFF},cap-sbbc=workaround,cap-cfpc=workaround", "POWER8", ()),
    "2.12-P8": ("pseries-2.12", "POWER8", ()),
    "2.12-sxxm": ("pseries-2.12-sxxm", "POWER8", ()),
    "2.12-P8-ibs": ("pseries-2.12,cap-ibs=fixed-ccd", "POWER8", ()),
    "3.1-P9": ("pseries-3.1", "POWER9", ()),
    "3.1-P9-decr": ("pseries-3.1,cap-large-decr=on", "POWER9", ()),
    "3.1-P9-nested": ("pseries-3.1,cap-nested-hv=on", "POWER9", ()),
    "4.0-P9": ("pseries-4.0", "POWER9", ()),
    "4.1-P9-64k": ("pseries-4.1,cap-hpt-max-page-size=16M", "POWER9", ()),
    "4.2-P9-fwnmi": ("pseries-4.2,cap-fwnmi=on,cap-ccf-assist=on", "POWER9", ()),
    "5.2-P9": ("pseries-5.2", "POWER9", ()),
    "7.2-P8": ("pseries-7.2", "POWER8", ()),
    "7.2-P9": ("pseries-7.2", "POWER9", ()),
    "7.2-P9-xics": ("pseries-7.2,ic-mode=xics", "POWER9", ()),
    "7.2-P9-xive": ("pseries-7.2,ic-mode=xive", "POWER9", ()),
    "7.2-P9v1": ("pseries-7.2", "POWER9_v1.0", ()),
    "7.2-P9-as-P8": ("pseries-7.2,max-cpu-compat=power8", "POWER9", ()),
    "7.2-P10": ("pseries-7.2", "POWER10", ()),
    "7.2-P9-broken": ("pseries-7.2,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "POWER9", ()),
}

MODELS = ("970_v2.2", "POWER5+_v2.1", "POWER7", "POWER7+", "POWER8", "POWER8E", "POWER8NVL", "POWER9", "POWER9_v1.0", "POWER10")


def recorded_rows(recorded):
    """Streams of old releases: all models, with and without what the tool may advise."""
    for stream in recorded.values():
        base, cpu = stream["machine"], stream["cpu"]
        if "rhel" in base:
            # 7.2 has no such machine, and does not even start.
            yield Row(stream["name"], "pseries-2.6", cpu)
            continue
        smp = RECORDED_DEVICES[stream["options"]] + (() if stream["smp"] == "1" else ("-smp", stream["smp"]))
        name = stream["name"]
        for options in "", f",{HTM_OFF}":
            yield Row(name, base + options, cpu, smp)
    few = ("qemu-2.6.0-pseries-2.6-POWER8", "qemu-2.7.0-pseries-2.7-POWER7", "qemu-2.6.0-pseries-2.1-POWER8", "qemu-2.7.1-pseries-2.6-POWER7")
    for name in few:
        if name not in recorded:
            continue
        base = recorded[name]["machine"]
        for cpu in MODELS:
            for options in "", f",{HTM_OFF}", ",max-cpu-compat=power7", f",max-cpu-compat=power8,{HTM_OFF}", ",max-cpu-compat=power8":
                yield Row(name, base + options, cpu)
    for name in few[:1]:
        for machine in "pseries-2.5", "pseries-2.7", "pseries-7.2", "pseries", "pseries-2.3", "pseries-2.6,type=pseries-2.6":
            yield Row(name, machine, "POWER8")
        for cpu in "POWER8,insns-compat=none", "POWER8,insns-compat=2.7", "POWER8,insns-compat=2.1", "POWER8,compat=power7":
            yield Row(name, f"pseries-2.6,{HTM_OFF}", cpu)


def saved_rows():
    """Streams of 7.2 itself"""
    for name, (machine, cpu, options) in SAVES.items():
        base = machine.split(",")[0]
        for stream in name, name + "+":
            yield Row(stream, machine, cpu, options)
            yield Row(stream, base, cpu, options)
    for name, models in (("2.6-P8-off", MODELS), ("7.2-P9", MODELS[4:]), ("7.2-P9v1", MODELS[7:]), ("7.2-P10", MODELS[7:]),
                         ("2.6-P8E-off", MODELS[4:7]), ("2.6-P7+", MODELS[2:5]), ("7.2-P9-as-P8", MODELS[4:]),
                         ("2.10-P9-as-P8", MODELS[4:]), ("2.7-P9-as-P8", MODELS[4:9]), ("2.6-970", MODELS[:3]),
                         ("2.6-P5+", MODELS[:3])):
        machine = SAVES[name][0]
        for cpu in models:
            yield Row(name, machine, cpu)
    caps = {
        "7.2-P9": ("cap-cfpc=broken", "cap-cfpc=fixed", "cap-sbbc=broken", "cap-ibs=broken", "cap-ibs=fixed-na", "cap-ccf-assist=off",
                   "cap-large-decr=off", "cap-fwnmi=off", "cap-hpt-max-page-size=4k", "cap-hpt-max-page-size=16M", "cap-nested-hv=on",
                   "cap-htm=on", "cap-htm=off", "cap-rpt-invalidate=on", "cap-vsx=off", "cap-dfp=off", "max-cpu-compat=power8",
                   "max-cpu-compat=power9", "max-cpu-compat=power10", "vsmt=1", "cap-nonsense=on", "ic-mode=xics",
                   "ic-mode=xive", "ic-mode=dual"),
        "7.2-P9-xics": ("ic-mode=dual", "ic-mode=xive"),
        "7.2-P9-xive": ("ic-mode=dual", "ic-mode=xics"),
        "4.0-P9": ("ic-mode=dual", "ic-mode=xics"),
        "3.1-P9": ("ic-mode=xics", "ic-mode=dual"),
        "2.6-P8-off": (f"{HTM_OFF},ic-mode=xics", f"{HTM_OFF},vsmt=1", f"{HTM_OFF},usb=off"),
        "7.2-P8": ("ic-mode=xive", "ic-mode=dual"),
        "7.2-P9-broken": ("cap-cfpc=broken", "cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off"),
        "2.12-P8-ibs": ("cap-ibs=workaround", "cap-ibs=fixed-na", "cap-ibs=broken"),
        "2.12-sxxm": ("cap-cfpc=broken", "cap-ibs=fixed-ibs", "cap-ibs=fixed-na"),
        "2.11-P8-sbbc": (HTM_OFF, f"{HTM_OFF},cap-sbbc=workaround", f"{HTM_OFF},cap-sbbc=fixed,cap-cfpc=fixed"),
        "3.1-P9-decr": ("cap-large-decr=off", "max-cpu-compat=power8,cap-large-decr=on"),
        "3.1-P9-nested": ("cap-nested-hv=off",),
        "4.1-P9-64k": ("cap-hpt-max-page-size=64k", "cap-hpt-max-page-size=16G"),
        "4.2-P9-fwnmi": ("cap-fwnmi=on", "cap-ccf-assist=on"),
        "2.6-P7": (HTM_OFF, "cap-htm=on", "cap-vsx=off", "cap-dfp=off", "max-cpu-compat=power7", "max-cpu-compat=power8"),
        "2.6-970": ("cap-vsx=on", "cap-dfp=on"),
        "2.12-P8": ("cap-htm=on", HTM_OFF, "max-cpu-compat=power7", "max-cpu-compat=power8"),
    }
    for name, lists in caps.items():
        machine, cpu, options = SAVES[name]
        for cap in lists:
            yield Row(name, f'{machine.split(",")[0]},{cap}', cpu, options)
    machine, cpu, _ = SAVES["2.6-ddw"]
    yield Row("2.6-P8-off", machine, cpu, ("-global", "spapr-pci-host-bridge.ddw=on"))
    for other in "pseries-2.5", "pseries-2.12", "pseries-7.2", "pseries-2.1":
        yield Row("2.6-P8-off", f"{other},{HTM_OFF}", "POWER8")
    yield Row("2.1-P7", "pseries-2.2", "POWER7")
    yield Row("2.1-P7", "pseries-2.4", "POWER7")


# ---- running -----

def load_manifests(directories, work):
    """{name: row} of the streams in DIRECTORIES, unpacked below WORK; only those of plain guests, as devices must match."""
    streams = {}
    for directory in directories:
        with open(os.path.join(directory, "MANIFEST.tsv"), encoding="utf-8") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                row.setdefault("options", "-")
                if row["options"] not in RECORDED_DEVICES:
                    continue
                name = row["file"].split(".stream")[0]
                path = os.path.join(work, name)
                with open(path, "wb") as out:
                    out.write(lzma.decompress(open(os.path.join(directory, row["file"]), "rb").read()))
                streams[name] = {**row, "name": name, "path": path}
    return streams


def tool_says(tool, row, path):
    """What ppc-insns says: (stock loads it, patched loads it), and its text."""
    command = [tool, "check", "--json", "--to", "7.2", "--machine", row.machine, "--cpu", row.cpu]
    for option, value in zip(row.options, row.options[1:]):
        if option == "-global":
            command += ["--global", value]
    done = subprocess.run([*command, path], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        # A wrong command line, which neither QEMU takes
        return (False, False), done.stderr
    verdict = json.loads(done.stdout)
    reasons = [f'{"refuses" if r["refuses"] else "note"} {"u" if r["unpatched"] else ""}{"p" if r["with_series"] else ""}: {r["what"]}'
               for r in verdict["reasons"]]
    return (verdict["loads"], verdict["loads_with_series"]), "\n".join(reasons)


def try_row(options, paths, row):
    """Returns what is wrong, '' if nothing is."""
    path = paths[row.stream]
    says, text = tool_says(options.tool, row, path)
    wrong = []
    for who, binary, said in ("stock", options.stock, says[0]), ("patched", options.patched, says[1]):
        if binary:
            loads, output = qemu_load.load(binary, row.machine, row.cpu, path, row.options)
            if loads != said:
                wrong.append(f'{who} {"loads" if loads else "refuses"} it, ppc-insns says {"yes" if said else "no"}\n{output}\n{text}')
    return "\n".join(wrong)


def main():
    p = argparse.ArgumentParser(description="Compare ppc-insns check with QEMU.")
    p.add_argument("--tool", required=True)
    p.add_argument("--stock", required=True, help="QEMU 7.2")
    p.add_argument("--patched", help="QEMU 7.2 with the series")
    p.add_argument("--streams", action="append", default=[], help="directory with streams and MANIFEST.tsv")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("pattern", nargs="?", default="")
    options = p.parse_args()
    with TemporaryDirectory(prefix="ppc-insns-check-") as work:
        recorded = load_manifests(options.streams or [RECORDED], work)
        rows = [row for row in dict.fromkeys([*recorded_rows(recorded), *saved_rows()])
                if re.search(options.pattern, row.name())]
        paths = {name: stream["path"] for name, stream in recorded.items()}
        wanted = {row.stream for row in rows}
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for name, (machine, cpu, devices) in SAVES.items():
                for binary, mark in (options.stock, ""), (options.patched, "+"):
                    if binary and name + mark in wanted and name + mark not in paths:
                        paths[name + mark] = os.path.join(work, "saved-" + name + mark)
                        qemu_load.save(binary, machine, cpu, paths[name + mark], devices)
            rows = [row for row in rows if row.stream in paths]
            print(f"1..{len(rows)}", flush=True)
            status = 0
            for number, (row, wrong) in enumerate(zip(rows, pool.map(lambda r: try_row(options, paths, r), rows)), 1):
                print(f'{"not ok" if wrong else "ok"} {number} {row.name()}', flush=True)
                if wrong:
                    status = 1
                    print("\n".join("# " + line for line in wrong.splitlines()), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
