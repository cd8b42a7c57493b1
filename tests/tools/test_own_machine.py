#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A distribution's own machine types: the text in docs/packaging.md, compiled into the patched QEMU, loads streams that name them.

    test_own_machine.py --tool ppc-insns --qemu BUILD/qemu-system-ppc64

BUILD is where that QEMU was built, which is not changed: one object is compiled anew, and a QEMU linked with it, elsewhere.
Prints TAP.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "unit"))

import test_products as products   # noqa: E402
from test_products import harness, tap   # noqa: E402

OPTIONS = argparse.Namespace(qemu=None)
OBJECT = "libqemu-ppc64-softmmu.fa.p/hw_ppc_spapr.c.o"
ANCHOR = 'DEFINE_SPAPR_MACHINE(2_6, "2.6", false);\n'


def text_for_packagers():
    with open(os.path.join(HERE, "..", "..", "docs", "packaging.md"), encoding="utf-8") as f:
        block, = re.findall(r"^```c\n(.*?)^```$", f.read(), re.M | re.S)
    return block


def build(work):
    """The patched QEMU with the machines of docs/packaging.md; returns its path."""
    build_dir = os.path.dirname(os.path.abspath(OPTIONS.qemu))
    with open(os.path.join(build_dir, "compile_commands.json"), encoding="utf-8") as f:
        command, = [c for c in json.load(f) if c["output"] == OBJECT]
    source = os.path.join(build_dir, command["file"])
    with open(source, encoding="utf-8") as f:
        text = f.read()
    assert text.count(ANCHOR) == 1
    changed, new_object = os.path.join(work, "spapr.c"), os.path.join(work, "spapr.o")
    with open(changed, "w", encoding="utf-8") as f:
        f.write(text.replace(ANCHOR, ANCHOR + "\n" + text_for_packagers()))
    words = shlex.split(command["command"])
    words = [{command["file"]: changed, OBJECT: new_object, OBJECT + ".d": new_object + ".d"}.get(w, w) for w in words]
    words += ["-iquote", os.path.dirname(source)]
    subprocess.run(words, cwd=build_dir, check=True)
    link = subprocess.run(["ninja", "-t", "commands", "-s", "qemu-system-ppc64"], cwd=build_dir, check=True, capture_output=True, text=True).stdout
    binary = os.path.join(work, "qemu-system-ppc64")
    words = [{OBJECT: new_object, "qemu-system-ppc64": binary}.get(w, w) for w in shlex.split(link.strip().splitlines()[-1])]
    assert new_object in words and binary in words
    words = words[:words.index("&&")] if "&&" in words else words
    subprocess.run(words, cwd=build_dir, check=True)
    return binary


class OwnMachines(unittest.TestCase):
    """Machine types that a distribution adds"""

    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory(prefix="own-machine-")      # pylint: disable=consider-using-with
        cls.binary = build(cls.work.name)

    @classmethod
    def tearDownClass(cls):
        cls.work.cleanup()

    def load(self, row, options, stream, machine):
        result = harness.load(self.binary, replace(row, machine=machine), options=options, stream=stream, save=True)
        self.assertTrue(result.loaded, "\n".join(result.describe()))
        if row.guest is harness.COUNTING:
            self.assertEqual(result.after, row.guest_probe)
        self.assertEqual(products.show(result.saved)["machine"], machine)

    def test_rhel(self):
        """pseries-rhel7.3.0: streams of RHEL 7.3 load as they are, with devices"""
        rows = [r for r in products.read_streams() if r[0].machine == "pseries-rhel7.3.0"]
        self.assertGreater(len(rows), 1)
        for row, devices, data in rows:
            with self.subTest(os.path.basename(row.path)):
                self.load(row, products.DEVICES[devices], data, "pseries-rhel7.3.0")

    def test_example(self):
        """pseries-example-1: a stream of 2.6.0 that was renamed, its words untouched"""
        row = harness.find_stream(harness.read_manifest(), "2.6.0", "pseries-2.6", "POWER8")
        arguments = ("--machine", "pseries-example-1", "--like", "pseries-2.6")
        renamed = products.must("rewrite", "--to", "7.2", "--with-series", *arguments, stdin=row.read())
        self.assertEqual(products.must("rewrite", "--to", "7.2", "--with-series", "--machine", "pseries-2.6", stdin=renamed), row.read())
        products.must("check", "--to", "7.2", "--with-series", *arguments, stdin=renamed)
        self.load(row, (), renamed, "pseries-example-1")

    def test_yakkety(self):
        """pseries-yakkety: a stream of PowerKVM 3.1.1, which has the same windows, renamed"""
        row, devices, data = next(r for r in products.read_streams() if r[0].qemu == "powerkvm-3.1.1" and r[0].machine == "pseries-2.6"
                                  and r[0].guest is harness.COUNTING and r[1] == "-")
        renamed = products.must("rewrite", "--to", "7.2", "--with-series", "--machine", "pseries-yakkety", "--like", "pseries-2.6",
                                "--global", "spapr-pci-host-bridge.ddw=on", stdin=data)
        self.load(row, products.DEVICES[devices], renamed, "pseries-yakkety")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="ppc-insns")
    parser.add_argument("--qemu", required=True, help="QEMU 7.2 with the series, in the directory where it was built")
    args = parser.parse_args()
    products.OPTIONS.tool = os.path.abspath(args.tool)
    OPTIONS.qemu = args.qemu
    tap.main()


if __name__ == "__main__":
    main()
