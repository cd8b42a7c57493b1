# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the recorded guest under a QEMU, load streams into it, migrate it, and say what the guest then sees.

This is a library for the tests beside it and for scripts/demo.py; it needs nothing but Python 3.11 and, to assemble the
guest, binutils for powerpc64. The verdicts come from the guest itself: a stream counts as loaded only if the guest goes on
counting with all its registers intact, not merely because QEMU did not exit.

Words: a *stream row* is one line of streams/MANIFEST.tsv; *letters* are the guest's probes (see PROBES), upper case where
the instruction executed, lower case where it raised a program interrupt.
"""
import argparse
import atexit
import concurrent.futures
import contextlib
import csv
import dataclasses
import functools
import hashlib
import itertools
import json
import lzma
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir, mkdtemp

HERE = os.path.dirname(os.path.abspath(__file__))
STREAMS = os.path.join(HERE, "streams")
GUEST_SOURCE = os.path.join(HERE, "guest", "guest.S")
WORK = os.path.join(HERE, "..", "..", "build", "migration-compat")

# ppc-insns, if it is there: a second reader of streams, which must see what structure() sees.
TOOL = None

# A load takes about half a second on an idle machine. The limit is there for one that is slow and not idle, and for valgrind.
TIMEOUT = 120
# Reports that the guest must make after a load before we believe that it runs.
REPORTS = 5


class HarnessError(Exception):
    """Something about the set-up, not about what is tested: a missing tool, a damaged stream, a machine that is too slow."""


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


# ---- what a guest is expected to see ------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Probe:
    """One instruction that the guest tries."""
    letter: str
    instruction: str
    group: str
    # Release in which a family got the instruction; "-" where it never did. Families that are not here always had it.
    since: dict = dataclasses.field(default_factory=dict)


# The order is the one in which the guest prints them. What joined when is a fact of target/ppc/insns-history.c; this says
# only what a guest notices of it, written down a second time on purpose, so that an error there does not excuse itself here.
PROBES = (
    Probe("A", "addg6s", "PPC2_BCDA_ISA206", {"POWER7": "7.1", "POWER8": "7.1", "POWER9": "7.1", "POWER10": "7.1"}),
    Probe("D", "divde", "PPC2_DIVE_ISA206"),
    Probe("B", "bctar", "PPC2_BCTAR_ISA207", {"POWER7": "-"}),
    Probe("V", "vaddudm", "PPC2_ALTIVEC_207", {"POWER7": "-"}),
    Probe("X", "lxvd2x", "PPC2_VSX"),
    Probe("Q", "lq", "PPC_64BX", {"POWER7": "2.7"}),
    Probe("F", "dadd", "PPC2_DFP"),
)


def version(text):
    """'2.7.1' as (2, 7, 1), to compare releases with each other."""
    return tuple(int(part) for part in text.split("."))


def family(cpu):
    """The family of a CPU model as given to -cpu: 'POWER8NVL' and 'POWER8,insns-compat=none' are of family 'POWER8'."""
    found = re.match(r"(?i)power\d+", cpu)
    if not found:
        raise HarnessError(f"no probe letters are known for CPU '{cpu}'")
    return found[0].upper()


def compat_version(machine):
    """The compat version that a machine version stands for, '2.6' or '2.7'; None if it shows all that the CPU has.

    2.3 to 2.6 had one and the same set of groups for every machine version, so pseries-2.1 to 2.6 are all '2.6'.
    """
    found = re.match(r"pseries-(\d+\.\d+)", machine)
    if found and version(found[1]) <= (2, 6):
        return "2.6"
    if found and version(found[1]) == (2, 7):
        return "2.7"
    return None


def stock_options(machine, cpu):
    """What must be appended to MACHINE so that a stock QEMU runs CPU under TCG at all: ",cap-htm=off", or nothing.

    Stock pseries up to 2.11 with POWER8 or later defaults to transactional memory, which TCG does not have; stock QEMU then
    does not start, and says that it wants this. POWER7 never had it; pseries-2.12 and later default to off.
    """
    found = re.fullmatch(r"pseries-(\d+\.\d+)", machine)
    had_it = re.match(r"(?i)power(8|9|10)", cpu)
    return ",cap-htm=off" if found and had_it and version(found[1]) <= (2, 11) else ""


_DISK = ("-blockdev", "driver=null-co,read-zeroes=on,node-name=disk0")
# Devices that a guest of pseries usually has, as options for the command line. The guest touches none of them; what is tested is
# that their sections are understood. No option ROMs: a distribution may have other ones than a fresh build, or none.
DEVICES = {
    "bare": (),
    "vscsi": _DISK + ("-device", "spapr-vscsi,id=vscsi0", "-device", "scsi-hd,bus=vscsi0.0,drive=disk0"),
    "virtio-blk": _DISK + ("-device", "virtio-blk-pci,drive=disk0,romfile="),
    "virtio-scsi": _DISK + ("-device", "virtio-scsi-pci,id=vs0,romfile=", "-device", "scsi-hd,bus=vs0.0,drive=disk0"),
    "virtio-net": ("-netdev", "hubport,hubid=0,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="),
    "OHCI": ("-device", "pci-ohci"),
    "second PHB": ("-device", "spapr-pci-host-bridge,index=1,id=phb1"),
}
# Each with a disk of its own.
DEVICES["all devices"] = tuple(part.replace("disk0", f"disk{number}") for number, name in enumerate(DEVICES)
                               for part in DEVICES[name])


def letters_of(cpu, release):
    """The letters that QEMU RELEASE ('2.6', '7.2.22') shows to a guest on CPU."""
    result = ""
    for probe in PROBES:
        since = probe.since.get(family(cpu), "0")
        there = since != "-" and version(since) <= version(release)
        result += probe.letter if there else probe.letter.lower()
    return result


def letters_expected(cpu, machine, release, patched, compat=None):
    """The letters that a guest must see on MACHINE with CPU in a QEMU of RELEASE.

    Stock QEMU shows everything that the release has. The patched one shows what the machine's compat version had, or what
    COMPAT says: a release, or "none" for everything.
    """
    if patched:
        shown = compat or compat_version(machine) or "none"
        if shown != "none" and version(shown) < version(release):
            release = shown
    return letters_of(cpu, release)


def output_of(*command):
    """What a short COMMAND prints."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise HarnessError(f"cannot run {command[0]}: {error}") from error


@functools.cache
def machines_of(binary):
    """The names of all machines that a QEMU binary has."""
    return frozenset(line.split()[0] for line in output_of(binary, "-M", "help").splitlines()[1:] if line.strip())


def machine_versions(*binaries):
    """The pseries machine versions that all BINARIES have, oldest first."""
    common = frozenset.intersection(*map(machines_of, binaries))
    names = [name for name in common if re.fullmatch(r"pseries-\d+\.\d+(-\w+)?", name)]
    return sorted(names, key=lambda name: (version(name.split("-")[1]), name))


@functools.cache
def release_of(binary):
    """The release of a QEMU binary as text, such as '7.2.22'."""
    text = output_of(binary, "--version")
    found = re.search(r"version (\d+\.\d+(\.\d+)?)", text)
    if not found:
        raise HarnessError(f"{binary} --version says nothing like a QEMU version: {text.strip()!r}")
    return found[1]


# ---- guest and streams --------------------------------------------------------------------------------------------------

def find_tool(name, variable):
    """Path of the powerpc64 'as' or 'ld', from environment VARIABLE or under the names distributions give it."""
    wanted = [os.environ[variable]] if os.environ.get(variable) else [f"powerpc64-linux-gnu-{name}", f"powerpc-linux-gnu-{name}"]
    for candidate in wanted:
        path = shutil.which(candidate)
        if path:
            return path
    raise HarnessError(f"no assembler for the test guest: {' or '.join(wanted)} not found. Install the Debian package "
                       f"binutils-powerpc64-linux-gnu, or name the program in the environment variable {variable}.")


@functools.cache
def firmware(work=None):
    """Assemble the guest; return a directory that holds guest.bin and a spapr-rtas.bin, and no other firmware.

    QEMU up to 5.2 will not start without a spapr-rtas.bin. The guest never calls it, so that eight bytes of our own do.
    Files appear under their names only when complete: tests that run side by side share the directory.
    """
    work = os.path.abspath(work or WORK)
    os.makedirs(work, exist_ok=True)
    assembler, linker = find_tool("as", "AS"), find_tool("ld", "LD")
    with TemporaryDirectory(dir=work) as scratch:
        parts = {name: os.path.join(scratch, name) for name in ("guest.o", "guest.bin", "spapr-rtas.bin")}
        for command in ([assembler, "-mbig", "-a64", "-o", parts["guest.o"], GUEST_SOURCE],
                        [linker, "-EB", "-Ttext", "0", "--oformat", "binary", "-o", parts["guest.bin"], parts["guest.o"]]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise HarnessError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
        with open(parts["spapr-rtas.bin"], "wb") as f:
            f.write(b"no RTAS\n")
        for name in ("guest.bin", "spapr-rtas.bin"):
            os.replace(parts[name], os.path.join(work, name))
    return work


@dataclasses.dataclass(frozen=True)
class Stream:
    """One row of MANIFEST.tsv."""
    path: str
    qemu: str
    machine: str
    cpu: str
    smp: int
    words: bytes            # msr_mask, insns_flags, insns_flags2, nb_BATs as each of the cpu sections carries them
    guest_probe: str
    sha256: str

    @property
    def name(self):
        """What the tests call this stream: '2.6.0 pseries-2.6 POWER8 smp4'."""
        return f"{self.qemu} {self.machine} {self.cpu}" + (f" smp{self.smp}" if self.smp > 1 else "")

    def read(self):
        """The stream as QEMU wrote it, after a check that the file is the one in the manifest."""
        with open(self.path, "rb") as f:
            packed = f.read()
        if hashlib.sha256(packed).hexdigest() != self.sha256:
            raise HarnessError(f"{self.path} is not the file that MANIFEST.tsv describes: its sha256 differs")
        return lzma.decompress(packed)


def read_manifest(directory=STREAMS):
    """All rows of DIRECTORY/MANIFEST.tsv as Stream objects, in the order of the file."""
    rows = []
    try:
        with open(os.path.join(directory, "MANIFEST.tsv"), newline="", encoding="ascii") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                words = struct.pack(">QQQI", *(int(row[name], 16) for name in ("msr_mask", "insns_flags", "insns_flags2")),
                                    int(row["nb_BATs"], 16))
                rows.append(Stream(os.path.join(directory, row["file"]), row["qemu"], row["machine"], row["cpu"],
                                   int(row["smp"]), words, row["guest_probe"], row["sha256"]))
    except OSError as error:
        raise HarnessError(f"no recorded streams: {error}") from error
    return rows


def find_stream(rows, qemu, machine, cpu, smp=1):
    """The one of ROWS that was recorded with these. Skip if it is not there, as in a directory with fewer streams."""
    for row in rows:
        if (row.qemu, row.machine, row.cpu, row.smp) == (qemu, machine, cpu, smp):
            return row
    raise Skip(f"no stream of QEMU {qemu} {machine} {cpu} smp {smp}")


def words_text(words):
    """Four words of a cpu section for a person: 'msr_mask insns_flags insns_flags2 nb_BATs' in hexadecimal."""
    msr_mask, flags, flags2, bats = struct.unpack(">QQQI", words)
    return f"{msr_mask:016x} {flags:016x} {flags2:016x} {bats:x}"


# ---- what is in a stream ------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Section:
    """One section of a stream: the state of one device, or of RAM."""
    name: str
    instance: int
    version: int
    content: bytes | None           # without header and footer; None where it comes in many parts (RAM, hash table)
    subsections: tuple = ()         # (name, version) in the order of the stream
    # (name, size, count) in the order of the stream, those of subsections last; None in a stream without a description.
    fields: tuple | None = None
    start: int = 0                  # where the first subsection begins in the content; its end if there is none
    blocks: tuple = ()              # of RAM: (name, size) of its blocks

    @property
    def key(self):
        """What a destination finds the section by."""
        return f"{self.name} {self.instance:#x}" if self.instance > 255 else f"{self.name} {self.instance}"


# START (1) or FULL (4), number of the section, length of the name. No name has less than three bytes, and no version is 0: registers
# may hold what looks like a shorter one.
_HEADER = re.compile(rb"([\x01\x04])(\0\0[\0-\x0f].)([\x03-\x7f])", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_/:@.,+ -]*")
_SUBSECTION = re.compile(rb"\x05([\x04-\x7f])[a-z]", re.DOTALL)
_FOOTER, _DESCRIPTION = b"\x7e", b"\x06"


def _each(pattern, data, end):
    """All matches of PATTERN in DATA up to END, also those that begin within another: one of them is a chance match."""
    found = pattern.search(data, 0, end)
    while found:
        yield found
        found = pattern.search(data, found.start() + 1, end)


def _named(data, at, length):
    """The name and the rest of a header whose name has LENGTH bytes at AT, or None if that is no name."""
    name = data[at:at + length]
    return name.decode() if len(name) == length and _NAME.fullmatch(name) else None


def _described_fields(item, prefix=""):
    """The fields of one device of a description as (name, size, count), down to what is no struct; subsections follow."""
    for field in item.get("fields", ()):
        name = prefix + field["name"]
        if "struct" in field and field["struct"].get("fields"):
            inner = list(_described_fields(field["struct"], name + "."))
            for _ in range(field.get("array_len", 1)):
                yield from inner
        else:
            yield name, field["size"], field.get("array_len", 1)
    for subsection in item.get("subsections", ()):
        # Its header is no field, but it takes room: type, length, name, version.
        yield f"<{subsection['vmsd_name']}>", 6 + len(subsection["vmsd_name"]), 1
        yield from _described_fields(subsection, subsection["vmsd_name"] + ": ")


def _ram_blocks(data):
    """The RAM blocks that the first part of section "ram" lists, as (name, size) pairs: total size, then the blocks."""
    left, at, blocks = struct.unpack_from(">Q", data)[0] & ~0xfff, 8, []
    while left > 0:
        end = at + 1 + data[at]
        size = int.from_bytes(data[end:end + 8])
        blocks.append((data[at + 1:end].decode(), size))
        left, at = left - max(size, 1), end + 8
    return tuple(blocks)


def structure(stream, tool=True):
    """The sections of a whole STREAM in their order, as a list of Section objects.

    The headers are read from the stream itself, so that this works for pseries <= 2.2, too, which sends no description.
    Where there is one, it must account for every byte; a header that is none would not go unnoticed. TOOL must see the same.
    tool: False for a stream that it cannot read, one with devices and no description.
    """
    end, described = len(stream), {}
    at = stream.rfind(b'"page_size"')
    at = stream.rfind(b"{", 0, at) if at >= 0 else -1
    if at >= 5 and stream[at - 5:at - 4] == _DESCRIPTION and int.from_bytes(stream[at - 4:at]) == end - at:
        for device in json.loads(stream[at:])["devices"]:
            described[device["name"], device["instance_id"] & 0xffffffff] = tuple(_described_fields(device))
        end = at - 5
    heads = []
    for found in _each(_HEADER, stream, end):
        length = found[3][0]
        name = _named(stream, found.start() + 6, length)
        body = found.start() + 14 + length
        if name and body <= end:
            instance, number = struct.unpack_from(">II", stream, body - 8)
            if 0 < number < 256:
                heads.append((found.start(), body, found[1] == b"\x04", found[2], name, instance, number))
    sections = []
    for (_, body, full, footer, name, instance, number), following in zip(heads, [head[0] for head in heads[1:]] + [end - 1]):
        content = stream[body:following]
        if content.endswith(_FOOTER + footer):
            content = content[:-5]
        if not full:
            sections.append(Section(name, instance, number, None, blocks=_ram_blocks(content) if name == "ram" else ()))
            continue
        subsections, start = [], len(content)
        for found in _each(_SUBSECTION, content, len(content)):
            inner = _named(content, found.start() + 2, found[1][0])
            after = found.start() + 2 + found[1][0]
            inner_version = int.from_bytes(content[after:after + 4])
            if inner and inner_version < 256:
                subsections.append((inner, inner_version))
                start = min(start, found.start())
        fields = described.get((name, instance))
        if described and (fields is None or sum(size * count for _, size, count in fields) != len(content)):
            raise HarnessError(f"section {name} {instance}: {len(content)} bytes are not what the stream's description says")
        sections.append(Section(name, instance, number, content, tuple(subsections), fields, start))
    if not sections:
        raise HarnessError("no sections: this is no stream of a whole machine")
    if TOOL and tool:
        check_with_tool(stream, sections)
    return sections


def check_with_tool(stream, sections):
    """Raise HarnessError unless the stream tool sees the same sections in STREAM, and the same words."""
    def flat(part):
        for inner in part["subsections"]:
            yield inner["name"], inner["version"]
            yield from flat(inner)

    try:
        done = subprocess.run([TOOL, "show", "--json"], input=stream, capture_output=True, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        raise HarnessError(f"cannot run {TOOL}: {error}") from error
    if done.returncode:
        raise HarnessError(f"{TOOL} does not read the stream: {done.stderr.decode(errors='replace').strip()}")
    report = json.loads(done.stdout)[0]
    theirs = [(part["name"], part["instance"], part["version"], list(flat(part)), part.get("size"))
              for part in report["sections"]]
    # Subsections of virtio's common parts are inside what a description calls a buffer, where the tool does not look.
    ours = [(part.name, part.instance, part.version,
             [each for each in part.subsections if not re.match("virtio(_pci)?/", each[0])],
             None if part.content is None else 14 + len(part.name) + len(part.content)) for part in sections]
    for mine, other in itertools.zip_longest(ours, theirs):
        if mine != other:
            raise HarnessError(f"{TOOL} sees {other} where there is {mine}")
    words = [struct.pack(">QQQI", *(int(cpu[name], 16) for name in ("msr_mask", "insns_flags", "insns_flags2")), cpu["nb_BATs"])
             for cpu in report["cpus"] if "msr_mask" in cpu]
    if words and words != cpu_words(sections):
        raise HarnessError(f"{TOOL} sees the words {[words_text(each) for each in words]}")
    blocks = tuple((block["name"], block["size"]) for block in report["ram"]["blocks"])
    if (blocks,) != tuple(part.blocks for part in sections if part.name == "ram"):
        raise HarnessError(f"{TOOL} sees the RAM blocks {blocks}")


def cpu_words(sections):
    """What the cpu sections of a pseries <= 2.7 stream carry as their words: the last 28 bytes before the subsections."""
    return [section.content[section.start - 28:section.start] for section in sections if section.name == "cpu"]


def _moved(old, new):
    """Those of the list NEW that stand in another place than in OLD, which has the same items: as few as explain it."""
    places = {item: place for place, item in enumerate(old)}
    best = []                                   # best[i]: longest run of items in the old order that ends with new[i]
    for i, item in enumerate(new):
        runs = [best[j] for j in range(i) if places[new[j]] < places[item]]
        best.append(max(runs, key=len, default=[]) + [item])
    stayed = max(best, key=len, default=[])
    return [item for item in new if item not in stayed]


def differences(old, new):
    """In what the sections NEW differ from the sections OLD, as lines for a person; none if a reader of OLD can read NEW.

    Names of fields are not compared: they stand in the description alone, which no QEMU reads when it loads a stream.
    """
    olds, news = ({section.key: section for section in sections} for sections in (old, new))
    lines = [f"section {key}: missing" for key in olds if key not in news]
    lines += [f"section {key}: not in the old stream" for key in news if key not in olds]
    for key in olds:
        if key not in news:
            continue
        a, b = olds[key], news[key]
        if a.version != b.version:
            lines.append(f"section {key}: version {b.version}, not {a.version}")
        if a.subsections != b.subsections:
            text = [", ".join(f"{name} v{number}" for name, number in section.subsections) or "none" for section in (a, b)]
            lines.append(f"section {key}: subsections {text[1]}, not {text[0]}")
        if a.blocks != b.blocks:
            lines.append(f"section {key}: blocks {b.blocks}, not {a.blocks}")
        if a.content is not None and b.content is not None and len(a.content) != len(b.content):
            lines.append(f"section {key}: {len(b.content)} bytes, not {len(a.content)}")
        if a.fields is not None and b.fields is not None:
            sizes = [[field[1:] for field in section.fields] for section in (a, b)]
            if sizes[0] != sizes[1]:
                where = next((i for i, pair in enumerate(zip(*sizes)) if pair[0] != pair[1]), min(map(len, sizes)))
                text = [section.fields[where][0] if where < len(section.fields) else "the end" for section in (a, b)]
                lines.append(f"section {key}: field {text[1]} stands where the old stream has {text[0]}")
    shared = [key for key in olds if key in news]
    return lines + [f"order: section {key} stands in another place" for key in _moved(shared, [k for k in news if k in olds])]


# ---- a running QEMU -----------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Report:
    """One line of the guest."""
    count: int
    state: str              # 'ok', or 'BAD' once a register was lost
    letters: str


# The guest writes a line in two pieces; the first line after a load may lack the first.
REPORT_LINE = re.compile(rb"^([0-9a-f]{8}) (ok|BAD) +([A-Za-z]{7})$")

_running = set()
_running_lock = threading.Lock()
_stopping = False               # no new QEMU: what waits for workers is ending


def kill_all():
    """Kill every QEMU that is still running. For exits that no 'with' sees: a signal, worker threads."""
    with _running_lock:
        machines = list(_running)
    for machine in machines:
        machine.kill()


atexit.register(kill_all)


class Vm:
    """A QEMU with the test guest, for use in a 'with' statement; it is killed at the end of that.

    incoming: None (the guest runs from its beginning), "unix" (wait at self.socket), "defer" or any URI for -incoming,
    or bytes: a whole stream to load.
    """

    def __init__(self, binary, machine, cpu, smp=1, options=(), incoming=None):
        self.reports = []
        self.name = f"{os.path.basename(binary)} -M {machine} -cpu {cpu}"
        # The path of a UNIX socket has at most 107 bytes; some set TMPDIR to something long.
        self.dir = mkdtemp(prefix="mc-", dir="/tmp" if len(gettempdir()) > 80 else None)
        self.socket = os.path.join(self.dir, "migration")
        self._stderr = os.path.join(self.dir, "stderr")
        self._news = threading.Condition()
        self._ended = False
        self._qmp = None
        self._qmp_lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self.dir, "qmp"))
        self._listener.listen(1)
        guest = firmware()
        command = [binary, "-no-user-config", "-nodefaults", "-vga", "none", "-display", "none", "-m", "256", "-L", guest,
                   "-bios", os.path.join(guest, "guest.bin"), "-M", machine, "-cpu", cpu,
                   "-chardev", "stdio,id=vt,signal=off", "-serial", "chardev:vt", "-qmp", "unix:" + os.path.join(self.dir, "qmp")]
        if smp > 1:
            command += ["-smp", str(smp)]
        command += options
        with TemporaryFile() as stream:
            fds = ()
            if isinstance(incoming, bytes):
                stream.write(incoming)
                stream.seek(0)
                fds = (stream.fileno(),)
                command += ["-incoming", f"fd:{stream.fileno()}"]
            elif incoming:
                command += ["-incoming", f"unix:{self.socket}" if incoming == "unix" else incoming]
            self.command = shlex.join(command)
            try:
                # A session of its own: Ctrl-C is for us, and we end QEMU.
                with open(self._stderr, "wb") as stderr:
                    self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                     stderr=stderr, pass_fds=fds, start_new_session=True)
            except OSError as error:
                self._listener.close()
                shutil.rmtree(self.dir, ignore_errors=True)
                raise HarnessError(f"cannot run {binary}: {error}") from error
        with _running_lock:
            _running.add(self)
            stop = _stopping
        if stop:
            self._process.kill()
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read_console(self):
        for line in self._process.stdout:
            found = REPORT_LINE.match(line.rstrip(b"\r\n"))
            if found:
                with self._news:
                    self.reports.append(Report(int(found[1], 16), found[2].decode(), found[3].decode()))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_reports(self, number):
        """Wait until there are NUMBER reports in self.reports; False if QEMU ended before or time ran out."""
        with self._news:
            self._news.wait_for(lambda: self._ended or len(self.reports) >= number, TIMEOUT)
            return len(self.reports) >= number

    def wait_exit(self, timeout=None):
        """Wait for QEMU to end. Returns its exit status (negative: the signal that killed it), None if it goes on."""
        try:
            return self._process.wait(timeout or TIMEOUT)
        except subprocess.TimeoutExpired:
            return None

    @property
    def ended(self):
        """Whether QEMU has closed its console, as it does when it ends."""
        return self._ended

    @property
    def stderr(self):
        """All that QEMU has said on stderr so far, up to close().

        It is a file, so that what QEMU wrote before a report is there once that report is, whichever is read first.
        """
        with open(self._stderr, encoding="utf-8", errors="replace") as stderr:
            return stderr.read()

    def _connect(self):
        end = time.monotonic() + TIMEOUT
        self._listener.settimeout(0.05)
        while True:
            try:
                connection, _ = self._listener.accept()
                break
            except TimeoutError:
                if self._ended or time.monotonic() > end:
                    raise HarnessError(f"{self.name}: no QMP connection\n{self.stderr}") from None
        connection.settimeout(TIMEOUT)
        self._qmp = connection.makefile("rw", encoding="utf-8")
        connection.close()
        self._execute("qmp_capabilities", {})

    def _execute(self, command, arguments):
        try:
            self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._qmp.flush()
            for line in self._qmp:
                reply = json.loads(line)
                if "error" in reply:
                    raise HarnessError(f"{self.name}: QMP {command}: {reply['error']['desc']}")
                if "return" in reply:
                    return reply["return"]      # anything else is the greeting, or an event
        except OSError as error:
            raise HarnessError(f"{self.name}: QMP {command}: {error}\n{self.stderr}") from error
        raise HarnessError(f"{self.name}: QEMU ended during QMP {command}\n{self.stderr}")

    def qmp(self, command, **arguments):
        """Execute a QMP command and return what it returns. '_' in an argument's name stands for '-'."""
        with self._qmp_lock:
            if self._qmp is None:
                self._connect()
            return self._execute(command, {name.replace("_", "-"): value for name, value in arguments.items()})

    def migrate(self, uri):
        """Migrate to URI, to the end. Returns None, or in words why this side says that it failed."""
        self.qmp("migrate", uri=uri)
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            state = self.qmp("query-migrate")
            if state.get("status") == "completed":
                return None
            if state.get("status") in ("failed", "cancelled"):
                return state.get("error-desc", "migration " + state["status"])
            time.sleep(0.02)
        return f"migration still {state.get('status')} after {TIMEOUT} s"

    def save(self):
        """Save the running guest as a whole stream, and return that.

        It ends where QEMU closes it. (With exec:, QEMU has completed the migration when its command has yet to write the
        last of it.) A thread reads it, as 2.7 connects, but sends nothing before it is asked how far it is.
        """
        path = os.path.join(self.dir, "saved")
        with socket.socket(socket.AF_UNIX) as listener, concurrent.futures.ThreadPoolExecutor(1) as reader:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(TIMEOUT)

            def receive():
                connection, _ = listener.accept()
                connection.settimeout(TIMEOUT)
                with connection, connection.makefile("rb") as stream:
                    return stream.read()

            try:
                received = reader.submit(receive)
                failure = self.migrate("unix:" + path)
                if failure:
                    raise HarnessError(f"{self.name}: cannot save: {failure}\n{self.stderr}")
                return received.result()
            except BaseException as error:
                self.kill()                     # or the reader, which is waited for, might read for ever
                if isinstance(error, OSError):
                    raise HarnessError(f"{self.name}: cannot save: {error}\n{self.stderr}") from error
                raise
            finally:
                listener.shutdown(socket.SHUT_RDWR)     # wakes a reader that nobody connected to
                os.unlink(path)

    def memory(self):
        """How much memory QEMU has resident, in KiB."""
        with open(f"/proc/{self._process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def kill(self):
        """Kill QEMU with all that it started, and wait for it to be gone."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def close(self):
        """Kill QEMU and remove what it left behind."""
        self.kill()
        self._reader.join(TIMEOUT)              # reports has all that the guest wrote, then
        for pipe in (self._process.stdout, self._qmp, self._listener):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
        with _running_lock:
            _running.discard(self)


# ---- loading and migrating ----------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Result:
    """What became of a guest in the QEMU that was to take it."""
    verdict: str                    # loaded | refused | crashed | stuck
    reason: str = ""                # if not loaded: why, in one line
    before: str = ""                # letters before
    after: str = ""                 # letters after
    counting: bool = False          # it made REPORTS reports, with a growing count and state ok
    status: int | None = None       # QEMU's exit status; None if it ran on
    stderr: str = ""
    console: list = dataclasses.field(default_factory=list)
    command: str = ""
    seconds: float = 0.0
    saved: bytes = b""              # the guest as saved again after the load, if that was asked for

    @property
    def loaded(self):
        return self.verdict == "loaded"

    @property
    def warnings(self):
        """The lines of stderr that are warnings, without QEMU's name before them."""
        return [line for line in map(without_name, self.stderr.splitlines()) if line.startswith("warning:")]

    @property
    def group_warnings(self):
        """The warnings that are about instruction groups: those that name a group, or the property."""
        return [line for line in self.warnings if re.search(r"\bPPC2?_[A-Z0-9]|insns", line)]

    def describe(self):
        """Lines for a person who must find out why a test failed."""
        text = [f"{self.verdict}: {self.reason}" if self.reason else self.verdict, f"command: {self.command}",
                f"letters: {self.before or '?'} -> {self.after or '?'}; exit status: {self.status}"]
        text += [f"guest: {r.count:08x} {r.state} {r.letters}" for r in self.console[-3:]]
        return text + [f"stderr: {line}" for line in self.stderr.splitlines()]


def without_name(line):
    """A line of QEMU's stderr without the program's name and the option that QEMU sometimes put before it."""
    return re.sub(r"^(?:\S*qemu-system-\S+|\S*qemu[^ :]*): (?:-\S+ \S+: )?", "", line)


# Lines that say that something failed, without saying what.
_EMPTY_WORDS = re.compile(r"error while loading state|load of migration failed|terminating on signal")


def condense(stderr):
    """The lines of STDERR that give a reason, as one line."""
    lines = [without_name(line).strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line and not line.startswith("warning:")]
    telling = [line for line in lines if not _EMPTY_WORDS.search(line)]
    return "; ".join(telling or lines)


def judge(vm, before=""):
    """Watch what the guest does in VM, that was given its stream, and return the Result."""
    start = time.monotonic()
    enough = vm.wait_reports(REPORTS)
    reports = list(vm.reports)
    result = Result("stuck", before=before, command=vm.command, console=reports)
    if reports:
        result.after = reports[-1].letters
    if not enough:
        # Without a console QEMU has ended, or is about to.
        result.status = vm.wait_exit() if vm.ended else None
        if result.status is None:
            result.reason = f"the guest made {len(reports)} of {REPORTS} reports in {TIMEOUT} s"
        elif result.status < 0 or reports or result.status != 1:
            result.verdict = "crashed"
            result.reason = f"exit status {result.status} after {len(reports)} reports; " + condense(vm.stderr)
        else:
            result.verdict = "refused"
            result.reason = condense(vm.stderr)
    else:
        counts = [report.count for report in reports]
        if any(report.state != "ok" for report in reports):
            result.reason = "the guest lost a register"
        elif any(later != earlier + 1 for earlier, later in zip(counts, counts[1:])):
            result.reason = f"the guest does not count on: {counts}"
        else:
            result.verdict = "loaded"
            result.counting = True
    result.stderr = vm.stderr
    result.seconds = time.monotonic() - start
    return result


def load(binary, row, cpu=None, machine=None, options=(), stream=None, save=False):
    """Load a recorded stream into BINARY and return the Result.

    cpu, machine: in place of the row's own. options: further ones for QEMU's command line. stream: bytes to load in place
    of the file, such as a damaged copy. save: if it loads, save it again, into Result.saved.
    """
    start = time.monotonic()
    with Vm(binary, machine or row.machine, cpu or row.cpu, row.smp, options, stream or row.read()) as vm:
        result = judge(vm, row.guest_probe)
        if save and result.loaded:
            result.saved = vm.save()
        result.seconds = time.monotonic() - start
        return result


def start_guest(binary, machine, cpu, smp=1, options=()):
    """Start the guest from its beginning and wait until it reports. Returns the Vm; raises HarnessError if it does not run."""
    vm = Vm(binary, machine, cpu, smp, options)
    if not vm.wait_reports(3):
        if vm.ended:
            vm.wait_exit()
        message = condense(vm.stderr) or "the guest says nothing"
        vm.close()
        raise HarnessError(f"{vm.name} does not run: {message}")
    return vm


def save_guest(binary, machine, cpu, smp=1, options=()):
    """Start the guest, save it once it reports, and return the stream."""
    with start_guest(binary, machine, cpu, smp, options) as vm:
        return vm.save()


@contextlib.contextmanager
def arrival(source, binary, machine, cpu, smp=1, options=()):
    """Migrate the guest of SOURCE (a Vm) live to a new QEMU. For use in a 'with' statement, as (Vm, Result) of the new one.

    Both stderr texts are in the Result.
    """
    with Vm(binary, machine, cpu, smp, options, "unix") as vm:
        before = source.reports[-1].letters
        failure = None
        try:
            vm.qmp("query-status")              # once it answers, it listens
            failure = source.migrate("unix:" + vm.socket)
        except HarnessError:
            # A destination that did not start, or ended under way: what it said on its way out is the better answer.
            if vm.wait_exit(10) is None:
                raise
        result = judge(vm, before)
        if failure and not result.loaded:
            result.reason = "; ".join(filter(None, (result.reason, f"source: {failure}")))
        if source.stderr:
            result.stderr += "".join(f"source: {line}\n" for line in source.stderr.splitlines())
        yield vm, result


def migrate(source, binary, machine, cpu, smp=1, options=()):
    """As arrival(), for when nothing more is to be done with the guest: returns the Result."""
    with arrival(source, binary, machine, cpu, smp, options) as (_, result):
        return result


# ---- tests as tables, TAP as output -------------------------------------------------------------------------------------

class Tap:
    """Prints TAP: results as they come, the plan at the end."""

    def __init__(self, out=None):
        self.out = out or sys.stdout
        self.count = 0
        self.failed = 0

    def result(self, name, ok, diagnostics=(), skip=None):
        """One test. DIAGNOSTICS are lines for a person, printed if it failed; SKIP is the reason if it did not run."""
        self.count += 1
        name = name.replace("#", "")
        if skip is not None:
            print(f"ok {self.count} - {name} # SKIP {skip}", file=self.out)
        else:
            print(f"{'ok' if ok else 'not ok'} {self.count} - {name}", file=self.out)
            if not ok:
                self.failed += 1
                for line in diagnostics:
                    print("#   " + line.rstrip(), file=self.out)
        self.out.flush()

    def plan(self):
        """The plan, last of all. Returns the exit status of the program."""
        print(f"1..{self.count}", file=self.out, flush=True)
        return 1 if self.failed else 0


def in_parallel(function, items, jobs):
    """function(item) for all ITEMS, JOBS at a time; yields the results in the order of ITEMS, as soon as that allows.

    Ctrl-C or an exception ends the QEMUs, with them what waits for them.
    """
    global _stopping
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=jobs)
    try:
        yield from pool.map(function, items)
    except BaseException:
        _stopping = True
        pool.shutdown(wait=False, cancel_futures=True)
        kill_all()
        raise
    finally:
        pool.shutdown()
        _stopping = False


def run_tests(tests, jobs=2, pattern=None):
    """Run a table of tests, print TAP, return the exit status.

    tests: (name, function) pairs; the function returns lines that say what is wrong, none if all is well, or raises Skip.
    pattern: a regular expression that the names of the tests to run must contain; no such test is an error.
    """
    def run(test):
        try:
            return list(test[1]()), None
        except Skip as reason:
            return [], str(reason)
        except HarnessError as error:
            return str(error).splitlines(), None
        except Exception:                       # a bug in a test is a failure of that test, not of the others
            return traceback.format_exc().splitlines(), None

    tests = [test for test in tests if not pattern or re.search(pattern, test[0])]
    if not tests:
        raise HarnessError(f"no test has a name that contains '{pattern}'" if pattern else "no tests")
    tap = Tap()
    for (name, _), (complaints, skip) in zip(tests, in_parallel(run, tests, jobs)):
        tap.result(name, not complaints, complaints, skip)
    return tap.plan()


def at_least(least):
    """The type of an argument that is a whole number, LEAST or more."""
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more")
        return int(text)
    return number


def expression(text):
    """The type of an argument that is a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"no regular expression: {error}") from error
    return text


def arguments(description):
    """An argument parser with what all programs here take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", metavar="DIR", default=STREAMS, help="recorded streams and their MANIFEST.tsv")
    parser.add_argument("--work", metavar="DIR", help="where the assembled guest goes (default: build/migration-compat)")
    parser.add_argument("--jobs", metavar="N", type=at_least(1), default=2, help="how many guests to run at a time (default: 2)")
    parser.add_argument("--timeout", metavar="S", type=at_least(1), default=TIMEOUT, help=f"limit for one step (default: {TIMEOUT} s)")
    return parser


def test_arguments(description):
    """The same, for a program that calls run_tests()."""
    parser = arguments(description)
    parser.add_argument("-k", metavar="PATTERN", type=expression, help="only tests whose names contain this regular expression")
    return parser


def main(function, parser):
    """Parse the arguments, run function(arguments), exit with what it returns. Set-up errors are one line, not a traceback."""
    global TIMEOUT, WORK
    args = parser.parse_args()
    TIMEOUT = args.timeout
    WORK = args.work or WORK
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        firmware()
        sys.exit(function(args))
    except HarnessError as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:                     # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
