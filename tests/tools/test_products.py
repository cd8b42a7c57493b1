#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of PowerKVM, RHEL and hostos: what `ppc-insns options` prints, and `rewrite` makes, lets them run on.

    test_products.py --tool ppc-insns [--patched QEMU] [--stock QEMU] [--streams DIRECTORY]

Each stream of products/ is converted and loaded, with the command line that the tool prints and the devices that the stream was
recorded with. The truth is what the guest says then. Without QEMUs, only what needs none runs. Prints TAP.
"""
import unittest
import argparse
import csv
import functools
import json
import os
import re
import shlex
import struct
import sys
import subprocess
import tempfile
from dataclasses import replace
from xml.etree import ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "unit"))
sys.path.insert(0, os.path.join(HERE, "..", "migration-compat"))

import harness          # noqa: E402
import qemu_load        # noqa: E402
import tap              # noqa: E402

OPTIONS = argparse.Namespace(tool=None, stock=None, patched=None, streams=os.path.join(HERE, "products"))

PRODUCTS = {
    "powerkvm-3.1": "PowerKVM 3.1 or PowerKVM 3.1.1",       # its machines are also those of 3.1.1, to the byte
    "powerkvm-3.1.1": "PowerKVM 3.1.1",
    "rhev-2.6.0-28.el7": "RHEL 7.3",
    "hostos-stable-2.8.0": "hostos 2.8",
    "2.7.0": "QEMU 2.7.0",
}


WINDOW = 0x800000000000000      # where the second DMA window of a PCI host bridge begins


class WindowGuest(harness.guests.Guest):
    """The guest that has opened a second DMA window (window.S): its five letters say what it sees of it."""
    LINE = re.compile(rb"([0-9a-f]{8}) (ok|BAD) +([A-Za-z]{5})")


WITH_WINDOW = WindowGuest("window", "window.bin", os.path.join(HERE, "products", "window.S"))
harness.GUESTS[WITH_WINDOW.name] = WITH_WINDOW
GUESTS = {"guest.S": harness.COUNTING, "idle.S": harness.SLEEPING, "window.S": WITH_WINDOW}


def disk(name):
    return ("-blockdev", f"driver=null-co,size=2097152,read-zeroes=on,node-name={name}")


def network(device, name):
    return ("-netdev", f"hubport,id={name},hubid=0", "-device", f"{device},netdev={name}" + ("" if "vlan" in device else ",romfile="))


def rich(e1000=True):
    """In this order, as the devices have no addresses."""
    return (*disk("a"), *disk("b"), *disk("c"), "-device", "spapr-vscsi", "-device", "scsi-hd,drive=a", "-device", "virtio-blk-pci,drive=b",
            "-device", "virtio-scsi-pci,id=vs", "-device", "scsi-hd,bus=vs.0,drive=c", *network("virtio-net-pci", "n1"),
            *network("spapr-vlan", "n2"), *(network("e1000", "n3") if e1000 else ()), "-device", "virtio-serial-pci",
            "-chardev", "null,id=cs", "-device", "virtserialport,chardev=cs,name=org.qemu.guest_agent.0",
            "-device", "virtio-balloon-pci", "-device", "virtio-rng-pci", "-device", "pci-ohci,id=oh", "-device", "usb-kbd,bus=oh.0",
            "-device", "nec-usb-xhci,id=xh", "-device", "usb-mouse,bus=xh.0", "-device", "spapr-pci-host-bridge,index=1")


DEVICES = {
    "-": (),
    "virtio-blk-pci virtio-net-pci": (*disk("b"), "-device", "virtio-blk-pci,drive=b", *network("virtio-net-pci", "n1")),
    "rich": rich(),
    "rich without e1000": rich(False),
}


def tool(*arguments, stdin=b""):
    done = subprocess.run([OPTIONS.tool, *arguments], input=stdin, capture_output=True, timeout=120, check=False)
    if done.returncode not in (0, 1, 2):
        raise AssertionError(f"{arguments}: exit status {done.returncode}\n{done.stderr.decode()}")
    return done


def must(*arguments, stdin):
    done = tool(*arguments, stdin=stdin)
    if done.returncode:
        raise AssertionError(f"{arguments}: {done.stdout.decode(errors='replace')[-2000:]}{done.stderr.decode()}")
    return done.stdout


def show(stream):
    return json.loads(must("show", "--json", stdin=stream))[0]


def recipe(stream, *arguments):
    """What `options` prints: {option: value}, the values of -global, and the arguments of `rewrite`."""
    text = must("options", "--to", "7.2", *arguments, stdin=stream).decode()
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert len(lines) % 2 == 0, text
    pairs = list(zip(lines[::2], lines[1::2]))
    rewrite, = (line for line in text.splitlines() if line.startswith("# load it through: ppc-insns "))
    return dict(pairs), [value for option, value in pairs if option == "-global"], shlex.split(rewrite.split("ppc-insns ", 1)[1])


def read_streams():
    """[(row, column "options", stream)]"""
    with open(os.path.join(OPTIONS.streams, "MANIFEST.tsv"), encoding="ascii") as f:
        raw = list(csv.DictReader(f, delimiter="\t"))
    rows = []
    for row in raw:
        words = b"" if row["msr_mask"] == "-" else bytes.fromhex("".join(
            f'{int(row[name], 16):016x}' for name in ("msr_mask", "insns_flags", "insns_flags2")) + f'{int(row["nb_BATs"], 16):08x}')
        guest = GUESTS[row["guest"]]
        stream = harness.Stream(os.path.join(OPTIONS.streams, row["file"]), row["qemu"], row["machine"], row["cpu"], int(row["smp"]),
                                words, row["guest_probe"], row["sha256"], guest)
        rows.append((stream, row["options"], stream.read()))
    return rows


# (start of the stream's name, arguments of rewrite or None, -M, [-global]): who loads it is for QEMU to say.
CONFIGURATION, FOOTER = "migration.send-configuration=off", "migration.send-section-footer=off"
DDW, NO_DDW = "spapr-pci-host-bridge.ddw=on", "spapr-pci-host-bridge.ddw=off"
LOADS = [
    ("qemu-powerkvm-3.1.1-pseries-2.4-POWER8-guest", None, "pseries-2.3", ()),
    ("qemu-powerkvm-3.1.1-pseries-2.4-POWER8-guest", None, "pseries-2.4", (CONFIGURATION, FOOTER)),
    *(("qemu-powerkvm-3.1.1-pseries-2.4-POWER8-guest", (), machine, some)
      for machine in ("pseries-2.3", "pseries-2.4", "pseries-2.3,cap-htm=off", "pseries-2.4,cap-htm=off")
      for some in ((), (CONFIGURATION,), (FOOTER,), (CONFIGURATION, FOOTER))),
    *(("qemu-powerkvm-3.1.1-pseries-2.4-POWER8-guest", ("--machine", "pseries-2.4"), machine, some)
      for machine in ("pseries-2.3,cap-htm=off", "pseries-2.4,cap-htm=off") for some in ((), (CONFIGURATION,), (FOOTER,))),
    *(("qemu-powerkvm-3.1.1-pseries-2.6-POWER8-guest", how, "pseries-2.6,cap-htm=off", some)
      for how in (None, (), ("--global", DDW)) for some in ((), (DDW,))),
    ("qemu-powerkvm-3.1.1-pseries-2.6-POWER8-guest", ("--machine", "pseries-2.7", "--global", DDW), "pseries-2.7,cap-htm=off", ()),
    *(("qemu-rhev-2.6.0-28.el7-pseries-rhel7.2.0-POWER7-smp4", how, machine, some)
      for how in (("--machine", "pseries-2.5"), ("--machine", "pseries-2.5", "--global", FOOTER), ("--machine", "pseries-2.3"))
      for machine in ("pseries-2.5", "pseries-2.3") for some in ((), (FOOTER,))),
    *(("qemu-rhev-2.6.0-28.el7-pseries-rhel7.3.0-POWER8-smp4", ("--machine", machine), f"{machine},cap-htm=off", some)
      for machine in ("pseries-2.6", "pseries-2.7") for some in ((), (DDW,))),
    ("qemu-rhev-2.6.0-28.el7-pseries-rhel7.3.0-POWER8-smp4", None, "pseries-2.6,cap-htm=off", (DDW,)),
    *(("qemu-powerkvm-3.1.1-pseries-2.6-POWER8-window", how, f"{machine},cap-htm=off", some)
      for how, machine in ((None, "pseries-2.6"), (("--global", DDW), "pseries-2.6"), (("--machine", "pseries-2.7"), "pseries-2.7"))
      for some in ((), (DDW,), (NO_DDW,))),
    *(("qemu-v2.7.0-pseries-2.7-POWER8-window", how, "pseries-2.7,cap-htm=off", some)
      for how in (None, ()) for some in ((), (DDW,), (NO_DDW,))),
]


def each_stream(test, needs=None):
    """The test with each stream: what it was recorded with, its devices, its bytes"""
    @functools.wraps(test)
    def run(self):
        if needs and not getattr(OPTIONS, needs):
            self.skipTest(f"no --{needs}")
        for row, devices, data in self.rows:
            with self.subTest(os.path.basename(row.path)):
                test(self, row, devices, data)
    return run


def with_patched(test):
    return each_stream(test, "patched")


def with_stock(test):
    return each_stream(test, "stock")


def iommus(stream):
    """The bytes of all DMA windows"""
    return [stream[s["offset"]:s["offset"] + s["size"]] for s in show(stream)["sections"] if s["name"] == "spapr_iommu"]


def second_window(stream):
    """(bus offset, page shift, table) of the second DMA window of a stream of upstream, None if there is none"""
    for section in show(stream)["sections"]:
        if section["name"] == "spapr_iommu" and section["instance"] == 0x80000001:
            at = section["offset"] + 1 + 4 + 1 + len("spapr_iommu") + 4 + 4 + 4
            count = int.from_bytes(stream[at:at + 4], "big")
            table = struct.unpack(f">{count}Q", stream[at + 5:at + 5 + 8 * count])
            ex = stream.index(b"\x0espapr_iommu_ex", at) + 15 + 4
            return (*struct.unpack(">QI", stream[ex:ex + 12]), table)
    return None


class Products(unittest.TestCase):
    """Streams of products, and upstream's 7.2"""

    @classmethod
    def setUpClass(cls):
        cls.rows = read_streams()

    @each_stream
    def test_show_names_the_product(self, row, _, data):
        """show: who sent it; two products where they send the same"""
        origin = show(data)["origin"]
        expected = PRODUCTS[row.qemu]
        if row.qemu == "powerkvm-3.1.1" and row.machine in ("pseries-2.3", "pseries-2.4"):
            expected = PRODUCTS["powerkvm-3.1"]
        if row.qemu.startswith("hostos"):
            self.assertTrue(origin.endswith(", or " + expected), origin)
        else:
            self.assertEqual(origin, expected)

    @each_stream
    def test_check_before(self, row, _, data):
        """check: as it is, no stream of PowerKVM or RHEL loads into 7.2"""
        if not row.qemu.startswith(("hostos", "2.")):
            self.assertEqual(tool("check", "--to", "7.2", stdin=data).returncode, 1)
            self.assertEqual(tool("check", "--to", "7.2", "--with-series", stdin=data).returncode, 1)
            self.assertEqual(tool("check", "--to", "2.6", stdin=data).returncode, 1)

    @each_stream
    def test_check_home(self, row, _, data):
        """check: into the QEMU that it is from, it loads"""
        home = {"powerkvm-3.1": "powerkvm-3.1", "powerkvm-3.1.1": "powerkvm-3.1.1", "rhev-2.6.0-28.el7": "rhel-7.3",
                "hostos-stable-2.8.0": "hostos-2.8", "2.7.0": "2.7.0"}
        must("check", "--to", home[row.qemu], *(("--machine", row.machine) if row.machine == "pseries-2.4" else ()), stdin=data)

    @each_stream
    def test_back_is_the_same(self, row, _, data):
        """rewrite: there and back is the same stream, but for windows that nobody opened and the description"""
        home = {"powerkvm-3.1.1": ("powerkvm-3.1.1", ()), "rhev-2.6.0-28.el7": ("rhel-7.3", ("--machine", None))}
        if row.qemu not in home:
            return
        to, machine = home[row.qemu]
        machine = ("--machine", row.machine) if machine or row.machine == "pseries-2.4" else ()
        _, _, arguments = recipe(data, "--with-series")
        there = must(*arguments, stdin=data)
        back = must("rewrite", "--to", to, *machine, stdin=there)
        before, after = show(data), show(back)

        def parts(shown):
            return [(s["name"], s["instance"], s["version"], s.get("size")) for s in shown["sections"]]
        wanted = parts(before)
        missing = [p for p in wanted if p not in parts(after)]
        self.assertEqual([p for p in parts(after) if p not in wanted], [])
        self.assertTrue(all(p[0] == "spapr_iommu" and p[3] < 200 for p in missing), missing)
        self.assertEqual((after["machine"], after["footers"]), (before["machine"], before["footers"]))
        self.assertEqual([c["insns_flags"] for c in after["cpus"]], [c["insns_flags"] for c in before["cpus"]])

    def test_mixture(self):
        """a stream that is half PowerKVM's is a mixture, and not rewritten"""
        data = next(d for r, _, d in self.rows if r.qemu == "powerkvm-3.1.1" and r.machine == "pseries-2.6" and r.smp == 1)
        section = next(s for s in show(data)["sections"] if s["name"] == "spapr")
        at = section["offset"] + 1 + 4 + 1 + len("spapr") + 4
        self.assertEqual(data[at:at + 4], bytes((0, 0, 0, 4)))
        mixed = data[:at] + bytes((0, 0, 0, 3)) + data[at + 4:]
        self.assertIn("spapr", show(mixed)["mixture"])
        self.assertIn(b"mixture", tool("check", "--to", "7.2", stdin=mixed).stdout)
        done = tool("rewrite", "--to", "7.2", "--force", stdin=mixed)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"mixture", done.stderr)

    def test_error_injection(self):
        """rewrite: a token of error injection in use is a refusal, one that was closed again is not"""
        data = next(d for r, _, d in self.rows if r.qemu == "powerkvm-3.1.1" and r.machine == "pseries-2.6" and r.smp == 1)
        section = next(s for s in show(data)["sections"] if s["name"] == "spapr")
        at = section["offset"] + section["size"] - 4
        for token, status in (0, 0), (1, 1), (2, 0):
            used = data[:at] + token.to_bytes(4, "big") + data[at + 4:]
            done = tool("rewrite", "--to", "7.2", stdin=used)
            self.assertEqual(done.returncode, status, done.stderr)
        done = tool("rewrite", "--to", "7.2", stdin=data[:at] + bytes((0, 0, 0, 1)) + data[at + 4:])
        self.assertIn(b"error injection", done.stderr)
        must("rewrite", "--to", "7.2", "--force", stdin=data[:at] + bytes((0, 0, 0, 1)) + data[at + 4:])

    def test_open_window(self):
        """rewrite: a second DMA window that the guest has opened is kept or refused, never dropped"""
        for row, devices, data in self.rows:
            if row.guest is not WITH_WINDOW:
                continue
            with self.subTest(os.path.basename(row.path)):
                window, = show(data)["second_dma_windows"]
                self.assertEqual(window, {"liobn": 0x80000001, "open": True, "bus_offset": f"{WINDOW:016x}", "page_shift": 16,
                                          "pages": 4096})
                self.assertIn(b"open, 256 MiB at 0x800000000000000", must("show", stdin=data))
                for to, how in (("2.6", ("--machine", "pseries-2.6")), ("2.6", ("--machine", "pseries-2.6", "--global", DDW)),
                                ("7.2", ("--machine", "pseries-2.6")), ("7.2", ("--global", NO_DDW))):
                    done = tool("rewrite", "--to", to, "--force", *how, stdin=data)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(b"has opened a second DMA window", done.stderr)
                    said = tool("check", "--to", to, *how, stdin=data)
                    self.assertEqual(said.returncode, 1)
                    self.assertIn(b"the guest has opened a second DMA window (0x80000001,", said.stdout)
                _, _, rewrite = recipe(data, "--with-series")
                converted = must(*rewrite, stdin=data)
                offset, shift, table = second_window(converted)
                self.assertEqual((offset, shift, table[:64]), (WINDOW, 16, tuple((63 - page) << 16 | 3 for page in range(64))))
                self.assertEqual((any(table[64:-1]), table[-1] & 0xffff), (False, 3))
                if row.qemu == "powerkvm-3.1.1":
                    self.assertEqual(iommus(must("rewrite", "--to", "powerkvm-3.1.1", stdin=converted)), iommus(data))
                if OPTIONS.patched:
                    result = self.load(OPTIONS.patched, row, devices, data, "--with-series", save=True)
                    self.assertTrue(result.loaded, "\n".join(result.describe()))
                    self.assertEqual(second_window(result.saved)[:2], (WINDOW, 16))
                    self.assertEqual(second_window(result.saved)[2][:-1], table[:-1])       # it goes on to map its last page

    def test_closed_window(self):
        """rewrite: 2.6 has no ddw, whatever its options say, so a second window that is not open is left out for it"""
        data = next(d for r, _, d in self.rows if r.qemu == "powerkvm-3.1.1" and r.machine == "pseries-2.6" and r.guest is harness.COUNTING)
        for how in (), ("--global", DDW):
            converted = must("rewrite", "--to", "2.6", *how, stdin=data)
            self.assertEqual(show(converted)["second_dma_windows"], [])
            must("check", "--to", "2.6", *how, stdin=converted)

    @each_stream
    def test_advice(self, row, _, data):
        """check: what it says to try are commands that the tool takes"""
        named = set()
        for to in "2.6", "2.7", "7.2", "powerkvm-3.1", "powerkvm-3.1.1", "hostos-2.8", "rhel-7.3":
            verdict = json.loads(tool("check", "--json", "--to", to, stdin=data).stdout)
            for reason in verdict["reasons"]:
                named.update(re.findall(r"ppc-insns rewrite --to ([^ ,;]+)", reason["try"] or ""))
        for to in named:
            self.assertLess(tool("options", "--to", to, stdin=data).returncode, 2, to)

    def test_from(self):
        """--from: overrides, and refuses names that are none"""
        data = self.rows[0][2]
        done = tool("show", "--from", "windows-95", stdin=data)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"powerkvm-3.1.1", done.stderr)
        shown = json.loads(must("show", "--json", "--from", "rhel-7.3", stdin=data))[0]
        self.assertEqual((shown["product"], shown["origin"]), ("rhel-7.3", "RHEL 7.3"))

    @each_stream
    def test_libvirt(self, row, _, data):
        """options --libvirt: XML with the same machine, CPU and options"""
        options, globals_, _ = recipe(data)
        xml = ElementTree.fromstring(must("options", "--libvirt", "--to", "7.2", stdin=data))
        self.assertEqual(xml.find("os/type").get("machine"), options["-M"].split(",")[0])
        self.assertEqual(xml.find("vcpu").text, str(row.smp))
        self.assertEqual(xml.find("cpu/model").text, options["-cpu"])
        arguments = [a.get("value") for a in xml.iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]
        self.assertEqual([v for o, v in zip(arguments[::2], arguments[1::2]) if o == "-global"], globals_)

    def load(self, binary, row, devices, data, *arguments, save=False):
        options, globals_, rewrite = recipe(data, *arguments)
        self.assertEqual(options["-smp"], str(row.smp))
        self.assertEqual(options["-m"], f"{256 << 10}k")
        extra = [part for value in globals_ for part in ("-global", value)]
        return harness.load(binary, replace(row, machine=options["-M"], cpu=options["-cpu"]), options=(*extra, *DEVICES[devices]),
                            stream=must(*rewrite, stdin=data), save=save)

    @with_patched
    def test_patched(self, row, devices, data):
        """options, rewrite, load: runs on in the patched 7.2 with its instructions"""
        result = self.load(OPTIONS.patched, row, devices, data, "--with-series")
        self.assertTrue(result.loaded, "\n".join(result.describe()))
        if row.guest is not harness.SLEEPING:
            self.assertEqual(result.after, row.guest_probe)

    @with_stock
    def test_stock(self, row, devices, data):
        """options, rewrite, load: runs on in the stock 7.2, but for guests that sleep"""
        if row.guest is not harness.SLEEPING:
            result = self.load(OPTIONS.stock, row, devices, data)
            self.assertTrue(result.loaded, "\n".join(result.describe()))

    def test_check_is_what_qemu_does(self):
        """check: says of converted streams, well and badly started, what both QEMUs do"""
        if not (OPTIONS.patched and OPTIONS.stock):
            self.skipTest("no --patched, or no --stock")
        for name, how, machine, globals_ in LOADS:
            row, _, data = next(r for r in self.rows if os.path.basename(r[0].path).startswith(name))
            with self.subTest(f"{name} {how} -M {machine} {globals_}"), tempfile.NamedTemporaryFile() as f:
                if how is not None:
                    data = must("rewrite", "--to", "7.2", *how, stdin=data)
                f.write(data)
                f.flush()
                verdict = json.loads(tool("check", "--json", "--to", "7.2", "--machine", machine, "--cpu", row.cpu,
                                          *(part for value in globals_ for part in ("--global", value)), f.name).stdout)
                extra = [part for value in globals_ for part in ("-global", value)]
                loads = [qemu_load.load(binary, machine, row.cpu, f.name, ("-smp", str(row.smp), *extra))
                         for binary in (OPTIONS.stock, OPTIONS.patched)]
                self.assertEqual((verdict["loads"], verdict["loads_with_series"]), tuple(load[0] for load in loads),
                                 f'{loads} {verdict["reasons"]}')

    def test_not_without(self):
        """check: without what options prints for virtio, QEMU refuses RHEL's guests, and the tool says so"""
        if not OPTIONS.patched:
            self.skipTest("no --patched")
        row, devices, data = next(r for r in self.rows if r[0].machine == "pseries-rhel7.3.0" and "rich" in r[1])
        options, globals_, rewrite = recipe(data, "--with-series")
        stream = must(*rewrite, stdin=data)
        for without in globals_:
            some = [g for g in globals_ if g != without]
            with self.subTest(without):
                extra = [part for value in some for part in ("-global", value)]
                result = harness.load(OPTIONS.patched, replace(row, machine=options["-M"], cpu=options["-cpu"]),
                                      options=(*extra, *DEVICES[devices]), stream=stream)
                said = tool("check", "--to", "7.2", "--with-series", "--machine", options["-M"],
                            *(part for value in some for part in ("--global", value)), stdin=stream)
                self.assertEqual((result.loaded, said.returncode), (False, 1), said.stdout.decode())
        must("check", "--to", "7.2", "--with-series", "--machine", options["-M"],
             *(part for value in globals_ for part in ("--global", value)), stdin=stream)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=os.environ.get("PPC_INSNS"), help="ppc-insns (default: $PPC_INSNS)")
    parser.add_argument("--patched", help="QEMU 7.2 with the series")
    parser.add_argument("--stock", help="a distribution's qemu-system-ppc64, 7.2")
    parser.add_argument("--streams", default=OPTIONS.streams, help="directory with streams and MANIFEST.tsv")
    args = parser.parse_args()
    if not args.tool:
        parser.error("--tool or the environment variable PPC_INSNS must name ppc-insns")
    OPTIONS.__dict__.update(vars(args), tool=os.path.abspath(args.tool))
    tap.main()


if __name__ == "__main__":
    main()
