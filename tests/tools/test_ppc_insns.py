#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of ppc-insns on the recorded streams, and of what it makes of them in a real QEMU.

    test_ppc_insns.py --tool build/core/tools/ppc-insns [--stock qemu-system-ppc64]

What is expected is from MANIFEST.tsv and from measurements with real binaries, not from the tool. Prints TAP.
"""
import argparse
import json
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import time
import unittest
import zlib
from tempfile import NamedTemporaryFile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "unit"))
sys.path.insert(0, os.path.join(HERE, "..", "migration-compat"))

import harness          # noqa: E402
import tap              # noqa: E402

OPTIONS = argparse.Namespace(tool=None, stock=None, analyze=None)


def tool(*arguments, stdin=b""):
    """Run ppc-insns; returns the finished process, its output as bytes."""
    done = subprocess.run([OPTIONS.tool, *arguments], input=stdin, capture_output=True, timeout=120)
    if done.returncode not in (0, 1, 2):
        raise AssertionError(f"{arguments}: exit status {done.returncode}\n{done.stderr.decode()}")
    return done


def show(stream):
    """What ppc-insns says of STREAM (bytes), as an object."""
    done = tool("show", "--json", stdin=stream)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)[0]


def words(shown, cpu=0):
    """The four words of a CPU as MANIFEST.tsv has them."""
    c = shown["cpus"][cpu]
    return " ".join([c["msr_mask"], c["insns_flags"], c["insns_flags2"], f'{c["nb_BATs"]:x}'])


def rewrite(stream, *arguments):
    """STREAM rewritten; AssertionError if that is refused."""
    done = tool("rewrite", *arguments, stdin=stream)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout


def without_words(stream):
    """STREAM with the four words of its CPUs blanked; they are found by what ppc-insns says the words are."""
    blank = bytearray(stream)
    shown = show(stream)
    for cpu, section in enumerate(s for s in shown["sections"] if s["name"] == "cpu"):
        c = shown["cpus"][cpu]
        value = bytes.fromhex(c["msr_mask"] + c["insns_flags"] + c["insns_flags2"]) + c["nb_BATs"].to_bytes(4, "big")
        at = stream.index(value, section["offset"], section["offset"] + section["size"])
        blank[at:at + 28] = bytes(28)
    return bytes(blank)


class Recorded(unittest.TestCase):
    """The recorded streams as they are"""

    @classmethod
    def setUpClass(cls):
        cls.rows = harness.read_manifest(harness.STREAMS)
        cls.streams = {row.name: row.read() for row in cls.rows}

    def row(self, *key):
        return harness.find_stream(self.rows, *key)

    def stream(self, *key):
        return self.streams[self.row(*key).name]

    def test_show_agrees_with_the_manifest(self):
        """show: machine, CPUs and words as in MANIFEST.tsv"""
        for row in self.rows:
            with self.subTest(row.name):
                shown = show(self.streams[row.name])
                if row.machine in ("pseries-2.1", "pseries-2.3"):       # which do not say it
                    self.assertIsNone(shown["machine"])
                    self.assertEqual(shown["machine_guessed"], row.machine)
                else:
                    self.assertEqual(shown["machine"], row.machine)
                self.assertEqual(len(shown["cpus"]), row.smp)
                for cpu in range(row.smp):
                    self.assertEqual(words(shown, cpu), harness.words_text(row.words))
                    self.assertEqual(shown["cpus"][cpu]["family"], harness.family(row.cpu))

    def test_show_names_the_releases(self):
        """show: the releases that send just this are those of the source"""
        for row in self.rows:
            with self.subTest(row.name):
                by = show(self.streams[row.name])["cpus"][0]["sent_by"][harness.family(row.cpu)]
                last = {"2.6.0": "2.6", "2.7.0": "2.7.0", "2.7.1": "2.7.1"}[row.qemu]
                if row.machine == "pseries-2.1":
                    # neither a description nor a name to tell 2.6 from 2.7.1
                    self.assertIn(last, by)
                elif row.qemu == "2.7.1":
                    self.assertEqual(by, "2.7.1 to 7.0")
                else:
                    self.assertTrue(by == last or by.endswith(" to " + last), by)

    def test_show_sections(self):
        """show: sections, versions and subsections"""
        shown = show(self.stream("2.7.1", "pseries-2.7", "POWER8"))
        sections = [(s["name"], s["version"]) for s in shown["sections"]]
        self.assertEqual(sections[:2], [("ram", 4), ("spapr/htab", 1)])
        self.assertIn(("nvram@71000001/spapr_nvram", 1), sections)
        iommu = [s for s in shown["sections"] if s["name"] == "spapr_iommu"]
        self.assertEqual([s["version"] for s in iommu], [2, 2])
        self.assertEqual([s["name"] for s in iommu[1]["subsections"]], ["spapr_iommu_ex"])
        cpu = next(s for s in shown["sections"] if s["name"] == "cpu")
        self.assertEqual([s["name"] for s in cpu["subsections"]], ["cpu/fpu", "cpu/altivec", "cpu/vsx", "cpu/slb"])
        self.assertEqual(shown["bytes_after_the_end"], 0)

    def test_show_text(self):
        """show: for people, from a file and from a pipe"""
        data = self.stream("2.6.0", "pseries-2.6", "POWER8", 4)
        with NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            file = tool("show", f.name).stdout.decode()
        pipe = tool("show", stdin=data).stdout.decode()
        self.assertEqual(file.splitlines()[1:], pipe.splitlines()[1:])
        self.assertIn("CPU 0 to 3, all alike: POWER8, PVR 004d0200", file)
        self.assertIn("what 2.6 sends for POWER8", file)
        self.assertIn("PPC2_BCTAR_ISA207", file)

    # (source, machine, CPU) -> release: what real, unpatched binaries did, under TCG
    MEASURED = [
        (("2.6.0", "pseries-2.6", "POWER7"), "2.7.0", False),
        (("2.6.0", "pseries-2.6", "POWER8"), "2.7.0", False),
        (("2.6.0", "pseries-2.6", "POWER7"), "7.2", True),
        (("2.6.0", "pseries-2.6", "POWER8"), "7.2", False),
        (("2.6.0", "pseries-2.6", "POWER7"), "2.6.2", True),
        (("2.6.0", "pseries-2.6", "POWER8"), "2.7.1", True),
        (("2.7.1", "pseries-2.6", "POWER7"), "2.6", False),
        (("2.7.1", "pseries-2.6", "POWER8"), "2.6", True),
        (("2.7.1", "pseries-2.6", "POWER7"), "2.7.0", False),
        (("2.7.1", "pseries-2.6", "POWER8"), "2.7.0", False),
        (("2.7.1", "pseries-2.7", "POWER7"), "2.7.0", False),
        (("2.7.0", "pseries-2.7", "POWER8"), "2.7.0", True),
        (("2.7.0", "pseries-2.7", "POWER8"), "2.7.1", True),
        (("2.7.0", "pseries-2.7", "POWER7"), "2.6", False),
        (("2.7.0", "pseries-2.6", "POWER7"), "2.6", False),
    ]

    def test_check_agrees_with_real_binaries(self):
        """check: no verdict that a real binary contradicts"""
        for key, release, loads in self.MEASURED:
            with self.subTest(f"{key} -> {release}"):
                done = tool("check", "--to", release, stdin=self.stream(*key))
                self.assertEqual(done.returncode, 0 if loads else 1, done.stdout.decode())

    def test_check_with_the_series(self):
        """check: with the series all recorded streams load, from 2.7 to 9.1"""
        for row in self.rows:
            for release in ("2.7.0", "2.7.1", "2.9", "2.11.0", "2.11.1", "5.2", "7.2", "9.1"):
                with self.subTest(f"{row.name} -> {release}"):
                    done = tool("check", "--with-series", "--to", release, stdin=self.streams[row.name])
                    self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_check_another_model(self):
        """check: a POWER8 stream into a POWER7, with and without a word"""
        data = self.stream("2.7.1", "pseries-2.7", "POWER8")
        old = tool("check", "--to", "2.8", "--cpu", "POWER7", stdin=data)
        self.assertEqual(old.returncode, 0)
        self.assertIn("PPC2_BCTAR_ISA207", old.stdout.decode())
        self.assertIn("with the series: no", old.stdout.decode())
        new = tool("check", "--to", "2.10", "--cpu", "POWER7", stdin=data)
        self.assertEqual(new.returncode, 1)
        self.assertIn("max-cpu-compat=power7", new.stdout.decode())

    def test_check_reasons(self):
        """check: names groups and what to do; --json has the same"""
        data = self.stream("2.6.0", "pseries-2.6", "POWER7")
        text = tool("check", "--to", "2.7", stdin=data).stdout.decode()
        self.assertIn("PPC_64BX PPC_64H PPC_CILDST PPC2_PM_ISA206", text)
        self.assertIn("ppc-insns rewrite --to 2.7.0", text)
        verdict = json.loads(tool("check", "--to", "2.7", "--json", stdin=data).stdout)
        self.assertEqual((verdict["loads"], verdict["loads_with_series"]), (False, True))
        gone = tool("check", "--to", "10.0", stdin=data)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("gone since 9.2", gone.stdout.decode())
        early = tool("check", "--to", "2.5", stdin=data)
        self.assertIn("2.5 has no pseries-2.6", early.stdout.decode())
        other = tool("check", "--to", "2.7.1", "--machine", "pseries-2.7", stdin=data)
        self.assertEqual(other.returncode, 1)

    def test_usage(self):
        """exit status 2 for what is not a stream, a release or a command"""
        for arguments in ((), ("nothing",), ("show", "/nonexistent"), ("show", "/"), ("check",), ("check", "--to", "1.0"),
                          ("rewrite",), ("rewrite", "--to", "2.6", "extra"), ("rewrite", "--to", "2.6", "--htm=on"),
                          ("history", "--family", "G5"), ("show", "--nothing")):
            with self.subTest(arguments):
                done = tool(*arguments, stdin=b"no stream at all")
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr)
        for arguments in (("--help",), ("--version",), ("show", "--help"), ("rewrite", "--help")):
            self.assertEqual(tool(*arguments).returncode, 0)
        self.assertIn(b"is a directory", tool("show", "/").stderr)

    def test_history(self):
        """history: rows with commits, and what a release has"""
        rows = json.loads(tool("history", "--json", "--family", "POWER7").stdout)
        self.assertIn({"release": "2.7", "families": ["POWER7"], "change": "got", "groups": ["PPC_64BX"],
                       "commit": "dfdd3e4362"}, rows)
        state, = json.loads(tool("history", "--json", "--family", "POWER8", "--release", "2.7.1").stdout)
        self.assertEqual(state["sends_insns_flags"], "8000600fe1ff3a61")
        self.assertIn("PPC_64H", state["groups"])
        self.assertIn("hrfid", tool("history").stdout.decode())

    # ---- rewriting ----

    def test_rewrite_to_itself(self):
        """rewrite: to the release that it is from, nothing changes"""
        for row in self.rows:
            with self.subTest(row.name):
                data = self.streams[row.name]
                self.assertEqual(rewrite(data, "--to", row.qemu), data)

    def test_rewrite_words(self):
        """rewrite: exactly the words of the target, all else byte for byte"""
        want = {(row.qemu, row.cpu): harness.words_text(row.words) for row in self.rows}
        for row in self.rows:
            if row.qemu != "2.6.0" or (("2.7.0", row.cpu) not in want):
                continue
            for release in ("2.7.0", "2.7.1"):
                with self.subTest(f"{row.name} -> {release}"):
                    data = self.streams[row.name]
                    out = rewrite(data, "--to", release)
                    shown = show(out)
                    for cpu in range(row.smp):
                        self.assertEqual(words(shown, cpu), want[release, row.cpu])
                    self.assertEqual(len(out), len(data))
                    self.assertEqual(without_words(out), without_words(data))
                    self.assertEqual(tool("check", "--to", release, stdin=out).returncode, 0)

    def test_rewrite_back(self):
        """rewrite: 2.6 to 2.7.0 and back is the same stream, but needs --force where the guest may have used lq"""
        for cpu, force in (("POWER8", ()), ("POWER7", ("--force",))):
            with self.subTest(cpu):
                data = self.stream("2.6.0", "pseries-2.6", cpu)
                there = rewrite(data, "--to", "2.7.0")
                self.assertEqual(rewrite(there, "--to", "2.6", *force), data)
                if force:
                    done = tool("rewrite", "--to", "2.6", stdin=there)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(b"PPC_64BX", done.stderr)

    def test_rewrite_refuses_before_the_device_state(self):
        """rewrite: what is refused ends before the device state"""
        data = self.stream("2.7.0", "pseries-2.6", "POWER7")
        begins = show(data)["device_state_offset"]
        done = tool("rewrite", "--to", "2.6", stdin=data)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, data[:begins])
        self.assertEqual(tool("show", stdin=done.stdout).returncode, 2)
        self.assertEqual(tool("rewrite", "--to", "2.5", stdin=data).stdout, b"")
        self.assertEqual(tool("rewrite", "--to", "10.0", stdin=data).stdout, b"")

    def test_rewrite_other_input(self):
        """rewrite: no other machine's stream, and nothing that is none, goes out"""
        other = b"QEVM\0\0\0\3\7\0\0\0\x0dpc-i440fx-2.6" + bytes(100)
        done = tool("rewrite", "--to", "2.6", stdin=other)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"pc-i440fx-2.6", done.stderr)
        done = tool("rewrite", "--to", "2.6", stdin=b"#!/bin/sh\necho no stream\n")
        self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_rewrite_passes_ram_at_once(self):
        """rewrite: passes RAM while the source still sends, the device state only when that has ended"""
        data = self.stream("2.6.0", "pseries-2.6", "POWER8")
        begins = show(data)["device_state_offset"]
        half = begins // 2
        with subprocess.Popen([OPTIONS.tool, "rewrite", "--to", "2.7.0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            out = b""

            def read_for(seconds, enough):
                nonlocal out
                end = time.monotonic() + seconds
                while len(out) < enough and time.monotonic() < end:
                    if select.select([p.stdout], [], [], 0.05)[0]:
                        out += os.read(p.stdout.fileno(), 65536)
            p.stdin.write(data[:half])
            p.stdin.flush()
            read_for(20, half - 5000)           # an entry that is not complete may wait
            self.assertGreaterEqual(len(out), half - 5000)
            p.stdin.write(data[half:begins + 1000])
            p.stdin.flush()
            read_for(20, begins)
            read_for(0.3, begins + 1)
            self.assertEqual(len(out), begins)
            p.stdin.write(data[begins + 1000:])
            p.stdin.close()
            out += p.stdout.read()
        self.assertEqual(p.returncode, 0)
        self.assertEqual(len(out), len(data))

    def test_truncated(self):
        """a recorded stream cut off anywhere is an error that names the place"""
        data = self.stream("2.6.0", "pseries-2.6", "POWER8")
        begins = show(data)["device_state_offset"]
        for size in (0, 1, 7, 8, 9, 30, begins - 1, begins, begins + 1, begins + 9000, len(data) - 7000, len(data) - 1):
            with self.subTest(size):
                done = tool("show", stdin=data[:size])
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"at offset 0x", done.stderr)

    def test_unit_on_a_recorded_stream(self):
        """the device state of a recorded stream, changed byte by byte"""
        test = os.path.join(os.path.dirname(os.path.abspath(OPTIONS.tool)), "test-stream")
        if not os.path.exists(test):
            self.skipTest("no test-stream beside the tool")
        with NamedTemporaryFile() as f:
            f.write(self.stream("2.7.1", "pseries-2.7", "POWER8"))
            f.flush()
            done = subprocess.run([test, "--tap", "-k", "-p", "/stream/recorded-flipped"], capture_output=True, timeout=300,
                                  env={**os.environ, "PPC_INSNS_STREAM": f.name})
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())


class Kept(unittest.TestCase):
    """Streams as people keep them"""

    @classmethod
    def setUpClass(cls):
        row = harness.find_stream(harness.read_manifest(harness.STREAMS), "2.6.0", "pseries-2.6", "POWER8")
        cls.data = row.read()
        cls.rewritten = rewrite(cls.data, "--to", "2.7.0")

    @staticmethod
    def libvirt(stream, compression=0, xml=b"<domain type='kvm'/>\0", magic=b"LibvirtQemudSave"):
        """A save file as virsh save writes it."""
        return magic + struct.pack("<5I", 2, len(xml), 1, compression, 0) + bytes(56) + xml + stream

    def programs(self):
        """(number in libvirt's header, name, the stream compressed)"""
        for number, name in enumerate(("gzip", "bzip2", "xz", "lzop", "zstd"), 1):
            if not shutil.which(name):
                raise unittest.SkipTest(f"{name} is not installed")
            yield number, name, subprocess.run([name, "-c"], input=self.data, stdout=subprocess.PIPE, check=True).stdout

    def as_file_and_pipe(self, data, *arguments):
        """What the tool says of DATA in a file; it must say the same of a pipe."""
        with NamedTemporaryFile() as f:
            f.write(data)
            f.flush()
            file = tool(*arguments, f.name)
        pipe = tool(*arguments, stdin=data)
        self.assertEqual(file.returncode, pipe.returncode)
        self.assertEqual(file.stdout.splitlines()[1:], pipe.stdout.splitlines()[1:])
        return file.stdout.decode()

    def test_compressed(self):
        """show, check and rewrite read what is compressed, twice over, and with bytes behind it"""
        for _, name, packed in self.programs():
            with self.subTest(name):
                self.assertIn(f"compressed with {name}", self.as_file_and_pipe(packed, "show"))
                self.assertEqual(rewrite(packed, "--to", "2.7.0"), self.rewritten)
                self.assertEqual(rewrite(packed + bytes(100000), "--to", "2.7.0"), self.rewritten)
                half = len(self.data) // 2
                two = b"".join(subprocess.run([name, "-c"], input=part, stdout=subprocess.PIPE, check=True).stdout
                               for part in (self.data[:half], self.data[half:]))
                self.assertEqual(rewrite(two, "--to", "2.7.0"), self.rewritten)

    def test_compressed_and_damaged(self):
        """what is cut off or damaged is an error, not the end of the stream"""
        for _, name, packed in self.programs():
            for size in range(1, len(packed), len(packed) // 20):
                with self.subTest(f"{name} {size}"):
                    done = tool("show", stdin=packed[:size])
                    self.assertEqual(done.returncode, 2)
                    self.assertTrue(done.stderr)
            spoilt = bytearray(packed)
            spoilt[len(packed) // 2] ^= 0x10
            with self.subTest(name):
                tool("show", stdin=bytes(spoilt))       # which fails if it is not 0 to 2

    def test_expansion_is_bounded(self):
        """--expand-limit"""
        begins = show(self.data)["device_state_offset"]
        # RAM entries that say nothing, in a piece of the section "ram", without an end
        packer = zlib.compressobj(wbits=31)
        bomb = packer.compress(self.data[:begins] + b"\2\0\0\0\2")
        for _ in range(1100):
            bomb += packer.compress((struct.pack(">Q", 0x22) + b"\0") * 116509)
        bomb += packer.flush()
        self.assertLess(len(bomb), 8 << 20)
        done = tool("show", "--expand-limit", "1", stdin=bomb)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--expand-limit", done.stderr)

    def test_libvirt(self):
        """libvirt save files: raw and compressed, finished or not, from a pipe; rewriting one gives one"""
        for number, name, packed in [(0, "raw", self.data), *self.programs()]:
            with self.subTest(name):
                file = self.libvirt(packed, number)
                self.assertIn("libvirt save file", self.as_file_and_pipe(file, "show"))
                self.as_file_and_pipe(file, "check", "--to", "2.7.0")
                self.assertEqual(rewrite(file, "--to", "2.7.0"), self.libvirt(self.rewritten))
                self.assertEqual(rewrite(file + bytes(70000), "--to", "2.7.0"), self.libvirt(self.rewritten))
        part = self.libvirt(self.data, magic=b"LibvirtQemudPart")
        self.assertIn("not finished", self.as_file_and_pipe(part, "show"))
        self.assertEqual(tool("show", stdin=part[:-10]).returncode, 2)
        for size in (17, 91, 92, 100, 115):
            self.assertEqual(tool("show", stdin=part[:size]).returncode, 2)
        # Nothing goes out of a file that is refused at once.
        self.assertEqual(tool("rewrite", "--to", "2.5", stdin=self.libvirt(self.data)).stdout, b"")

    def test_bytes_behind(self):
        """bytes after the stream, as in a volume"""
        for tail in (b"\0", b"\6" * 9, os.urandom(1 << 20), bytes(50 << 20), self.data):
            with self.subTest(len(tail)):
                with NamedTemporaryFile() as f:
                    f.write(self.data + tail)
                    f.flush()
                    shown = json.loads(tool("show", "--json", f.name).stdout)[0]
                self.assertEqual(shown["bytes_after_the_end"], len(tail))
                self.assertEqual(rewrite(self.data + tail, "--to", "2.7.0"), self.rewritten)

    def test_diff(self):
        """diff names the fields, and says nothing of what is alike"""
        with NamedTemporaryFile() as a, NamedTemporaryFile() as b:
            a.write(self.data)
            b.write(self.rewritten)
            a.flush()
            b.flush()
            done = tool("diff", a.name, b.name)
            self.assertEqual(done.returncode, 1)
            self.assertEqual([line for line in done.stdout.decode().splitlines() if line[0] != " "],
                             ["section cpu, instance 0: env.insns_flags", "section cpu, instance 0: env.insns_flags2"])
            self.assertEqual(tool("diff", a.name, a.name).returncode, 0)
            self.assertEqual(tool("diff", a.name).returncode, 2)

    def test_options_are_not_dropped(self):
        """check: options of a machine or a model are judged, named, or refused"""
        self.assertIn(b"not looked at: usb=off", tool("check", "--to", "7.2", "--machine", "pseries-2.6,usb=off", stdin=self.data).stdout)
        for arguments in (("--machine", "pseries-2.6,cap-htm=maybe"), ("--machine", "pseries-2.6,cap-nothing=on"),
                          ("--cpu", "POWER8,insns-compat=1.0"), ("--like", "pseries-foo")):
            self.assertEqual(tool("check", "--to", "7.2", *arguments, stdin=self.data).returncode, 2)
        done = tool("check", "--to", "7.2", "--machine", "pseries-2.6-foo", stdin=self.data)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"--like", done.stdout)


class Stock(unittest.TestCase):
    """What a distribution's own QEMU says to it"""

    def setUp(self):
        if not OPTIONS.stock:
            self.skipTest("no --stock")
        if harness.version(harness.release_of(OPTIONS.stock))[:2] != (7, 2):
            self.skipTest("the expectations are those of 7.2")
        self.rows = harness.read_manifest(harness.STREAMS)

    @staticmethod
    def options(cpu):
        return () if cpu.startswith("POWER7") else ("-machine", "cap-htm=off")

    def load(self, row, stream, cpu):
        result = harness.load(OPTIONS.stock, row, stream=stream, options=self.options(cpu), save=True)
        self.assertTrue(result.loaded, "\n".join(result.describe()))
        return result

    def test_there_and_back(self):
        """2.6 to stock 7.2, back to 2.6's words, and to 7.2 again: the guest goes on"""
        for machine, cpu in (("pseries-2.6", "POWER7"), ("pseries-2.6", "POWER8"), ("pseries-2.3", "POWER8"),
                             ("pseries-2.1", "POWER8")):
            with self.subTest(f"{machine} {cpu}"):
                row = harness.find_stream(self.rows, "2.6.0", machine, cpu)
                there = rewrite(row.read(), "--to", "7.2")
                self.assertEqual(tool("check", "--to", "7.2", stdin=there).returncode, 0)
                saved = self.load(row, there, cpu).saved
                self.assertEqual(tool("check", "--to", "7.2", stdin=saved).returncode, 0)
                done = tool("check", "--to", "2.6", stdin=saved)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"PPC2_MEM_LWSYNC", done.stdout)
                self.assertIn(b"spapr_iommu version 3", done.stdout)
                self.assertEqual(tool("rewrite", "--to", "2.6", stdin=saved).returncode, 1)     # addg6s
                back = rewrite(saved, "--to", "2.6", "--force")
                self.assertEqual(words(show(back)), harness.words_text(row.words))
                self.assertNotIn(b"spapr/cap/htm", back[:show(back)["device_state_offset"]])
                self.assertEqual(tool("check", "--to", "2.6", stdin=back).returncode, 0)
                self.load(row, rewrite(back, "--to", "7.2"), cpu)

    def test_refused_without_rewriting(self):
        """stock 7.2 refuses the POWER8 stream that check says it does"""
        row = harness.find_stream(self.rows, "2.6.0", "pseries-2.6", "POWER8")
        result = harness.load(OPTIONS.stock, row, options=self.options("POWER8"))
        self.assertEqual(result.verdict, "refused")
        self.assertIn("cap-htm", result.reason)

    def test_as_a_filter(self):
        """-incoming "exec:ppc-insns rewrite ...", and in a live migration"""
        row = harness.find_stream(self.rows, "2.6.0", "pseries-2.6", "POWER8")
        with NamedTemporaryFile() as f:
            f.write(row.read())
            f.flush()
            with harness.Vm(OPTIONS.stock, row.machine, row.cpu, 1, self.options(row.cpu),
                            f"exec:{OPTIONS.tool} rewrite --to 7.2 < {f.name}") as vm:
                result = harness.judge(vm, row.guest_probe)
                self.assertTrue(result.loaded, "\n".join(result.describe()))
                with harness.Vm(OPTIONS.stock, row.machine, row.cpu, 1, self.options(row.cpu), "unix") as other:
                    other.qmp("query-status")
                    connect = ("import socket, sys, shutil; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                               "shutil.copyfileobj(sys.stdin.buffer, s.makefile('wb'))")
                    failure = vm.migrate(f"exec:{OPTIONS.tool} rewrite --to 7.2 | "
                                         f"{sys.executable} -c \"{connect}\" {other.socket}")
                    self.assertIsNone(failure)
                    result = harness.judge(other)
                    self.assertTrue(result.loaded, "\n".join(result.describe()))

    # Without disk images, networks and ROMs, which the loading side would need, too
    DEVICES = ("-blockdev", "driver=null-co,size=2097152,read-zeroes=on,node-name=d", "-device", "virtio-blk-pci,drive=d,romfile=",
               "-blockdev", "driver=null-co,size=2097152,read-zeroes=on,node-name=e", "-device", "virtio-scsi-pci,id=vs,romfile=",
               "-device", "scsi-hd,bus=vs.0,drive=e", "-netdev", "hubport,id=n,hubid=0", "-device", "virtio-net-pci,netdev=n,romfile=",
               "-device", "virtio-balloon-pci,romfile=", "-device", "virtio-rng-pci,romfile=", "-device", "virtio-serial-pci,romfile=",
               "-device", "VGA,romfile=", "-device", "pci-ohci,id=oh", "-device", "usb-kbd,bus=oh.0", "-device", "nec-usb-xhci,id=xh,romfile=",
               "-device", "usb-mouse,bus=xh.0", "-device", "spapr-vscsi", "-device", "spapr-vlan",
               "-device", "spapr-pci-host-bridge,index=1")

    def test_more_devices(self):
        """rewrite: a guest with virtio, USB and VGA devices goes to 2.6's form and back, loads, and keeps running"""
        for cpu in "POWER7", "POWER8":
            with self.subTest(cpu):
                row = harness.find_stream(self.rows, "2.6.0", "pseries-2.6", cpu)
                with harness.Vm(OPTIONS.stock, row.machine, row.cpu, 2, (*self.options(cpu), *self.DEVICES)) as vm:
                    if not vm.wait_reports(2):
                        self.skipTest("stock QEMU lacks a device: " + vm.stderr)
                    data = vm.save()
                shown = show(data)
                names = [s["name"] for s in shown["sections"]]
                for device in "virtio-blk", "virtio-scsi", "virtio-net", "virtio-balloon", "virtio-rng", "virtio-console", "vga", "ohci", "xhci":
                    self.assertTrue(any(name.endswith("/" + device) for name in names), f"{device}: {names}")
                self.assertEqual(rewrite(data, "--to", "7.2"), data)
                old = rewrite(data, "--to", "2.6", "--force")
                iommu = [s["version"] for s in show(old)["sections"] if s["name"] == "spapr_iommu"]
                self.assertTrue(iommu and set(iommu) == {2}, iommu)
                self.assertEqual(show(old)["notes"], [])
                again = rewrite(old, "--to", "7.2")
                self.assertEqual(show(again)["notes"], [])
                with NamedTemporaryFile() as f:
                    f.write(again)
                    f.flush()
                    with harness.Vm(OPTIONS.stock, row.machine, row.cpu, 2, (*self.options(cpu), *self.DEVICES), f"exec:cat {f.name}") as vm:
                        result = harness.judge(vm)
                        self.assertTrue(result.loaded, "\n".join(result.describe()))

    def test_live_with_devices(self):
        """a live migration of a guest with virtio devices, with rewrite in the middle as the man page has it"""
        for cpu in "POWER7", "POWER8":
            with self.subTest(cpu):
                options = (*self.options(cpu), *self.DEVICES)
                with harness.Vm(OPTIONS.stock, "pseries-2.6", cpu, 1, options) as vm:
                    self.assertTrue(vm.wait_reports(2), vm.stderr)
                    with harness.Vm(OPTIONS.stock, "pseries-2.6", cpu, 1, options, "unix") as other:
                        other.qmp("query-status")
                        connect = ("import socket, sys, shutil; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                                   "shutil.copyfileobj(sys.stdin.buffer, s.makefile('wb'))")
                        failure = vm.migrate(f"exec:{OPTIONS.tool} rewrite --to 2.6 --force | {OPTIONS.tool} rewrite --to 7.2 | "
                                             f"{sys.executable} -c \"{connect}\" {other.socket}")
                        self.assertIsNone(failure)
                        result = harness.judge(other)
                        self.assertTrue(result.loaded, "\n".join(result.describe()))


def with_ids(stream, signed):
    """The stream with all instance ids in its vmdescription signed, or all unsigned."""
    def one(found):
        number = int(found[2]) % 2 ** 32
        return found[1] + b"%d" % (number - 2 ** 32 if signed and number >= 2 ** 31 else number)
    start = stream.index(b"{", stream.rindex(b"\0"))     # of the JSON, which ends the stream
    text = re.sub(rb'("instance_id" ?: ?)(-?\d+)', one, stream[start:])
    return stream[:start - 4] + struct.pack(">I", len(text)) + text


class Analyze(unittest.TestCase):
    """QEMU's own reader of vmdescriptions"""

    def test_rewritten_vmdescription(self):
        """scripts/analyze-migration.py reads what was rewritten to its end"""
        script = OPTIONS.analyze
        if not script:
            self.skipTest("no --analyze")
        rows = harness.read_manifest(harness.STREAMS)
        for cpu, to in (("POWER7", "2.7.0"), ("POWER8", "7.2"), ("POWER8", "2.7.1")):
            with self.subTest(f"{cpu} {to}"):
                row = harness.find_stream(rows, "2.6.0", "pseries-2.6", cpu)
                data = rewrite(row.read(), "--to", to)
                for round_trip in data, rewrite(data, "--to", "2.6", "--force"):
                    # Scripts up to 5.2 read instance ids as signed numbers, newer ones as unsigned.
                    for signed in False, True:
                        readable = with_ids(round_trip, signed)
                        with NamedTemporaryFile() as f:
                            f.write(readable)
                            f.flush()
                            done = subprocess.run([sys.executable, script, "-f", f.name], capture_output=True, timeout=120,
                                                  check=False)
                        if done.returncode == 0:
                            break
                    self.assertEqual(done.returncode, 0, done.stderr.decode())
                    read = [name.rsplit(" (", 1)[0] for name in json.loads(done.stdout)]
                    wanted = [s["name"] for s in show(round_trip)["sections"]]
                    self.assertEqual(sorted(set(wanted) - {"ram", "spapr/htab"} - set(read)), [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=os.environ.get("PPC_INSNS"), help="ppc-insns (default: $PPC_INSNS)")
    parser.add_argument("--stock", help="a distribution's qemu-system-ppc64, 7.2, for the tests that need one")
    parser.add_argument("--analyze", metavar="SCRIPT", help="scripts/analyze-migration.py of a QEMU")
    args = parser.parse_args()
    if not args.tool:
        parser.error("--tool or the environment variable PPC_INSNS must name ppc-insns")
    OPTIONS.tool = os.path.abspath(args.tool)
    OPTIONS.stock = args.stock
    OPTIONS.analyze = args.analyze
    tap.main()


if __name__ == "__main__":
    main()
