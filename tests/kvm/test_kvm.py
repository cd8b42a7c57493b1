#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stock and patched QEMU do under KVM, with recorded streams and with each other. Prints TAP.

    test_kvm.py --host NAME [-k PATTERN]

This runs inside a host that scripts/check/kvm.py has booted; NAME says which one that is meant to be. Under KVM the hardware decides
what a guest can execute, so the guest must see the same letters everywhere. What differs is the words on the wire.
"""
import contextlib
import itertools
import os
import re
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHARE = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(SHARE, "migration-compat"))
import harness as h  # noqa: E402  (found through the line above)

STOCK, PATCHED = "/usr/bin/qemu-system-ppc64", "/usr/bin/qemu-patched"
NAMES = {STOCK: "stock", PATCHED: "patched"}
FIRMWARE = os.path.join(SHARE, "firmware")      # the guests, assembled where there is an assembler
KVM = ("-accel", "kvm")

# A guest of POWER8 or later under KVM sees all that guest.S tries, whatever QEMU says.
LETTERS = "ADBVXQF"
VERSIONS = ("2.6", "2.7", "2.12", "7.0", "newest")
PAIRS = ((STOCK, PATCHED), (PATCHED, STOCK), (PATCHED, PATCHED))


class SleepingGuest(type(h.SLEEPING)):
    """The guest that sleeps, on hosts as slow as these: CPU 0 prints the lines, and may have no time left to sleep."""

    @staticmethod
    def moved(first, last, name):
        numbers = type(h.SLEEPING).moved(first, last, name)
        return [SleepingGuest.TICKS, *numbers[1:]] if name == "wake" else numbers

    def rested(self, _before, _after):
        return True

    def busy(self, *_):
        """On an emulated host a wake-up takes longer than a tick, so that its CPUs never rest."""
        return ""


SLEEPING, SLEEPING_XIVE = (SleepingGuest(**vars(guest)) for guest in (h.SLEEPING, h.SLEEPING_XIVE))

# name: what it is for a guest
HOSTS = {"power8": "POWER8", "power9": "POWER9", "power9-radix": "POWER9", "nested": "POWER9"}

# What AT_HWCAP and AT_HWCAP2 say of the host's CPUs, and the groups that QEMU takes from its class if they do not.
HTM = 0x40000000
MISSING = {
    "DFP": (0x400, ("insns_flags2", "PPC2_DFP"), ",cap-dfp=off"),
    "VSX": (0x80, ("insns_flags2", "PPC2_VSX"), ",cap-vsx=off"),
    "ALTIVEC": (0x10000000, ("insns_flags", "PPC_ALTIVEC"), ",cap-vsx=off"),
}
BITS = {"PPC_ALTIVEC": 0x01000000, "PPC2_VSX": 0x2, "PPC2_DFP": 0x4}


def auxval(kind):
    """An entry of this process's auxiliary vector."""
    with open("/proc/self/auxv", "rb") as f:
        return dict(struct.iter_unpack("=QQ", f.read())).get(kind, 0)


def has_tm():
    """Whether this host has transactional memory, as far as its kernel gives it to programs."""
    return bool(auxval(26) & HTM)


def machine(version, more=""):
    """What is given to -M for 'pseries-VERSION' on this host, whose KVM has no mitigations to offer."""
    if version == "newest":
        version = h.machine_versions(STOCK, PATCHED)[-1].split("-")[1]
    number = h.version(version)
    caps = ""
    if number <= (2, 11) and not has_tm():
        caps += ",cap-htm=off"
    if number >= (3, 0):
        caps += ",cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken"
    if number >= (5, 0):
        caps += ",cap-ccf-assist=off"
    return f"pseries-{version}{caps}{more}"


# ---- what is expected ---------------------------------------------------------------------------------------------------

STREAMS = h.read_manifest(os.path.join(SHARE, "migration-compat/streams"))
OURS = h.read_manifest(os.path.join(HERE, "streams"))


def recorded(release, version, cpu):
    """A recorded stream of a real old QEMU under TCG."""
    return h.find_stream(STREAMS, release, "pseries-" + version, cpu)


def words_expected(version, without=()):
    """The words of a patched QEMU on a POWER8, or on a POWER9, which neither release knew: those of the release's POWER8.

    without: groups that the host does not have, and no release under KVM would send.
    """
    words = list(struct.unpack(">QQQI", recorded(f"{version}.0", version, "POWER8").words))
    for word, group in without:
        words[1 if word == "insns_flags" else 2] &= ~BITS[group]
    return struct.pack(">QQQI", *words)


def words_of(stream):
    """The words in a stream: what stands before the first subsection of each cpu section.

    structure() would find them, too, but takes seconds for a stream here.
    """
    return [stream[found.start() - 28:found.start()] for found in re.finditer(rb"\x05\x07cpu/fpu\0\0\0\x01", stream)]


def check_words(stream, version, without=()):
    """What is wrong with the words in a stream that a patched QEMU has sent."""
    wanted = words_expected(version, without)
    found = words_of(stream)
    wrong = [] if found else ["no words in the stream"]
    return wrong + [f"words {h.words_text(words)}, not {h.words_text(wanted)}" for words in found if words != wanted]


def says_htm(stream):
    """Whether the stream has the subsection for cap-htm."""
    return b"\x05\x0dspapr/cap/htm\0\0\0\x01" in stream


# ---- guests -------------------------------------------------------------------------------------------------------------

def start(binary, name, smp=1, options=(), guest=h.COUNTING):
    """Start a guest. For use in a 'with' statement."""
    return h.start_guest(binary, name, "host", smp, (*KVM, *options), guest)


def load(binary, stream, name, smp=1, options=(), save=False, before=LETTERS, guest=h.COUNTING):
    """Load a stream; the Result."""
    with h.Vm(binary, name, "host", smp, (*KVM, *options), stream, guest) as vm:
        result = h.judge(vm, before)
        if save and result.loaded:
            result.saved = vm.save()
        return result


def arrived(result, letters=LETTERS, warnings=False):
    """What is wrong with a guest that was to arrive, and without a warning about groups unless WARNINGS."""
    wrong = []
    if not result.loaded:
        wrong.append("must arrive")
    elif result.after not in ("", letters):        # the guest that sleeps has none
        wrong.append(f"the guest must see {letters}")
    if result.group_warnings and not warnings:
        wrong.append("must not warn about groups")
    return wrong + (result.describe() if wrong else [])


def refused(result, *texts):
    """What is wrong with a refusal that must contain TEXTS."""
    wrong = [] if result.verdict == "refused" else ["must be refused"]
    wrong += [f"the message must contain '{text}'" for text in texts if text not in result.stderr]
    return wrong + (result.describe() if wrong else [])


# ---- tests --------------------------------------------------------------------------------------------------------------

def check_host(name):
    """That the host is the one that was meant, with KVM, and with or without TM as machine() thinks."""
    with open("/proc/cpuinfo", encoding="ascii") as f:
        info = f.read()
    wrong = [] if os.path.exists("/dev/kvm") else ["no /dev/kvm"]
    if HOSTS[name] not in info:
        wrong.append(f"not a {HOSTS[name]}")
    mmu = "Hash" if name in ("power8", "power9") else "Radix"
    if not re.search(rf"MMU\s*: {mmu}", info):
        wrong.append(f"the MMU is not {mmu}")
    return wrong + (info.splitlines() if wrong else [])


def check_start(binary, version):
    """A guest from its beginning: under KVM, with its letters, and what it sends."""
    with start(binary, machine(version)) as vm:
        wrong = [] if vm.qmp("query-kvm")["enabled"] else ["KVM is not in use"]
        if vm.reports[-1].letters != LETTERS:
            wrong.append(f"the guest sees {vm.reports[-1].letters}, not {LETTERS}")
        if binary == PATCHED and version in ("2.6", "2.7"):
            wrong += check_words(vm.save(), version)
        return wrong


def check_file(a, b, version, smp=1, options=()):
    """Save on A, load on B, save there, load on A again."""
    with start(a, machine(version), smp, options) as vm:
        stream = vm.save()
    there = load(b, stream, machine(version), smp, options, save=True)
    wrong = arrived(there)
    if not wrong and b == PATCHED and version in ("2.6", "2.7"):
        wrong += check_words(there.saved, version)
    return wrong or arrived(load(a, there.saved, machine(version), smp, options))


def check_live(a, b, version, smp=1, options=()):
    """From A to B and back, live."""
    with start(a, machine(version), smp, options) as vm:
        with h.arrival(vm, b, machine(version), "host", smp, (*KVM, *options)) as (there, result):
            wrong = arrived(result)
            return wrong or arrived(h.migrate(there, a, machine(version), "host", smp, (*KVM, *options)))


def check_sleeping(a, b, name, smp=1, options=(), guest=SLEEPING, back=True):
    """The guest that sleeps: from A to B through a file, and live back to A."""
    with start(a, name, smp, options, guest) as vm:
        stream = vm.save()
    with h.Vm(b, name, "host", smp, (*KVM, *options), stream, guest) as there:
        wrong = arrived(h.judge(there))
        if wrong or not back:
            return wrong
        return arrived(h.migrate(there, a, name, "host", smp, (*KVM, *options)))


def in_kernel(host):
    """Skip tests that need the in-kernel interrupt controller if the host cannot provide it. Otherwise, nothing is wrong."""
    if host in ("power9", "power9-radix"):
        raise h.Skip("KVM's XICS on the XIVE of an emulated host: the host's kernel dies in kvmppc_xive_set_xive()")
    return []


def check_threads(a, b, threads, host):
    """The guest that sleeps, on THREADS threads of one core."""
    if host == "power8":
        raise h.Skip("KVM-HV on POWER8 takes no more threads a core than its host has, and here that has one")
    return check_sleeping(a, b, machine("2.6"), threads, ("-smp", f"{threads},threads={threads},cores=1"))


def check_insns_compat(value):
    """insns-compat changes nothing for the guest, and the words on the wire."""
    with h.start_guest(PATCHED, machine("2.7"), f"host,insns-compat={value}", 1, KVM) as vm:
        wrong = [] if vm.reports[-1].letters == LETTERS else [f"the guest sees {vm.reports[-1].letters}"]
        return wrong + check_words(vm.save(), value)


def check_recorded(row, host):
    """A stream of an old QEMU, and what is sent after that."""
    version = row.machine.split("-")[1]
    if host == "POWER9":
        result = load(PATCHED, row.read(), machine(version, ",max-cpu-compat=power8"), row.smp, before=row.guest_probe, save=True)
    else:
        result = load(PATCHED, row.read(), machine(version), row.smp, before=row.guest_probe, save=True)
    # Under KVM the guest sees what the hardware has; what it did not see before is not lost.
    wrong = arrived(result, warnings=True)
    if not wrong and version in ("2.6", "2.7"):
        wrong += check_words(result.saved, version)
    if "Try -cpu" in result.stderr:
        wrong.append("KVM-HV runs no -cpu but host")
    return wrong and [*wrong, *result.describe()]


def check_foreign(host):
    """A stream of a POWER7 under -cpu host of another family: refused, with a hint that can be followed here."""
    row = recorded("2.6.0", "2.6", "POWER7")
    result = load(PATCHED, row.read(), machine("2.6"), before=row.guest_probe)
    wrong = refused(result, "max-cpu-compat")
    if "power7" not in result.stderr.lower():
        wrong += ["must say that the source was a POWER7", *result.describe()]
    if re.search(r"-cpu power\d", result.stderr):
        wrong += ["KVM-HV runs no -cpu but host", *result.describe()]
    return wrong


def check_mode_less():
    """A POWER7's stream in its compatibility mode: the hardware hides what is above it, so that nothing is gained."""
    row = recorded("2.6.0", "2.6", "POWER7")
    result = load(PATCHED, row.read(), machine("2.6", ",max-cpu-compat=power7"), before=row.guest_probe)
    wrong = [] if result.loaded else ["must arrive"]
    wrong += [f"the mode hides this: {line}" for line in result.group_warnings if re.search("ISA207|PPC2_TM", line)]
    return wrong and [*wrong, *result.describe()]


def check_mode_more():
    """A POWER8's stream in POWER7's mode: what is above it is lost, and that must be said."""
    row = recorded("2.6.0", "2.6", "POWER8")
    result = load(PATCHED, row.read(), machine("2.6", ",max-cpu-compat=power7"), before=row.guest_probe)
    wrong = [] if result.loaded else ["must arrive"]
    if not any("PPC2_BCTAR_ISA207" in line for line in result.group_warnings):
        wrong.append("must warn that the guest loses groups, PPC2_BCTAR_ISA207 among them")
    return wrong and [*wrong, *result.describe()]


@contextlib.contextmanager
def on_host_without(facility, binary):
    """A program that is BINARY on a host without a facility, as far as that can tell."""
    path = f"/tmp/{NAMES[binary]}-no{facility}"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\nLD_PRELOAD={SHARE}/nohw.so NOHW={MISSING[facility][0]:#x} exec {binary} \"$@\"\n")
    os.chmod(path, 0o755)
    yield path
    os.unlink(path)


def taken(result):
    """What is wrong with a guest that a QEMU should load that believes its host lacks a facility.

    The host does have it, so the guest uses registers that such a QEMU does not know, and reports that it lost one.
    """
    if result.reason == "the guest lost a register":
        return []
    return arrived(result)


def check_without(facility, version):
    """A guest on a host without a facility: its words lack the group; back and forth with stock; and from a host that has
    it, if both sides have the capability off, which stock accepts. There is none for AltiVec."""
    _, group, cap = MISSING[facility]
    name, wrong = machine(version, cap), []
    with on_host_without(facility, STOCK) as stock, on_host_without(facility, PATCHED) as patched:
        with start(patched, name) as vm:
            stream = vm.save()
        wrong += check_words(stream, version, (group,))
        wrong += taken(load(stock, stream, name))
        with start(stock, name) as vm:
            stream = vm.save()
        wrong += taken(load(patched, stream, name))
        for source in STOCK, PATCHED:
            with start(source, name) as vm:
                stream = vm.save()
            result = load(patched, stream, name)
            # Stock takes this, and the guest loses registers.
            wrong += refused(result, group[1]) if facility == "ALTIVEC" else taken(result)
    return wrong


def check_without_loses(facility, version):
    """From a QEMU that offers its guest a facility to a host without it: refused, and the facility is named."""
    cap = MISSING[facility][2]
    row = recorded(f"{version}.0", version, "POWER8")       # it knew no capabilities, and had all
    with on_host_without(facility, PATCHED) as patched:
        result = load(patched, row.read(), machine(version, cap), before=row.guest_probe)
    wrong = refused(result)
    if facility.lower() not in result.stderr.lower():
        wrong += [f"the message must name {facility}", *result.describe()]
    return wrong


# ---- transactional memory -----------------------------------------------------------------------------------------------

def needs_no_tm():
    if has_tm():
        raise h.Skip("this host has transactional memory")


def kvm_stream():
    """The stream of a real 2.6.0 under KVM on a POWER8 with transactional memory."""
    return h.find_stream(OURS, "2.6.0", "pseries-2.6", "POWER8")


def misses(stream):
    """What a stream has that the recorded one has not, or lacks. The ICPs' place differs, and no QEMU minds."""
    return [line for line in h.differences(h.structure(kvm_stream().read()), h.structure(stream))
            if not re.match(r"order: section icp/server \d+ stands", line)]


def used_tm(stream):
    """The stream, with a TFHAR that says that its CPU has begun a transaction at some time."""
    section = next(part for part in h.structure(stream) if part.name == "cpu")
    at = section.at + 14 + len(section.name)
    for name, size, count in section.fields:
        if name == "env.spr":
            break
        at += size * count
    at += 128 * 8
    return stream[:at] + (0x1234).to_bytes(8) + stream[at + 8:]


def check_htm_refused():
    needs_no_tm()
    name = "pseries-2.6"                        # without cap-htm
    return refused(load(PATCHED, kvm_stream().read(), name), "cap-htm=off")


def check_htm_stock():
    """What the patch is for; if stock has learned it, the patch can go."""
    needs_no_tm()
    return refused(load(STOCK, kvm_stream().read(), machine("2.6")), "cap-htm higher level (1)")


def check_htm_there_and_back():
    """Real 2.6.0 -> here -> what it sent: no section and no field more or less, and the right words."""
    result = load(PATCHED, kvm_stream().read(), machine("2.6"), save=True)
    wrong = arrived(result)
    said = [line for line in result.warnings if "transactional memory" in line]
    if not has_tm() and len(said) != 1:
        wrong.append("must warn, once, that the guest may use transactional memory")
    if has_tm() and said:
        wrong.append("must not warn: this host has transactional memory")
    if not wrong:
        wrong += misses(result.saved)
        wrong += check_words(result.saved, "2.6")
    return wrong and [*wrong, *result.describe()]


def check_htm_used():
    needs_no_tm()
    result = load(PATCHED, used_tm(kvm_stream().read()), machine("2.6"))
    wrong = arrived(result)
    if "has used transactional memory on CPU 0" not in result.stderr:
        wrong += ["must say that the guest has used it", *result.describe()]
    return wrong


def check_htm_in_transaction():
    needs_no_tm()
    return refused(load(PATCHED, h.in_transaction(kvm_stream().read()), machine("2.6")), "in a transaction")


def check_htm_onward():
    """On to a second host without it, and back to 2.6.0 from there."""
    needs_no_tm()
    with h.Vm(PATCHED, machine("2.6"), "host", 1, KVM, kvm_stream().read()) as vm:
        wrong = arrived(h.judge(vm, LETTERS))
        if wrong:
            return wrong
        with h.arrival(vm, PATCHED, machine("2.6"), "host", 1, KVM) as (there, result):
            wrong = arrived(result)
            return wrong or misses(there.save())


def check_htm_reset():
    """After a reset the guest was not offered it, the stream says so, and stock takes it."""
    needs_no_tm()
    with h.Vm(PATCHED, machine("2.6"), "host", 1, KVM, kvm_stream().read()) as vm:
        if not vm.wait_reports(3):
            return ["must arrive", vm.stderr]
        vm.qmp("system_reset")
        end = time.monotonic() + h.settings.timeout
        while not any(later.count < earlier.count for earlier, later in itertools.pairwise(list(vm.reports))):
            if time.monotonic() > end:
                return ["the guest must begin again"]
            time.sleep(0.05)
        stream = vm.save()
    if not says_htm(stream):
        return ["the stream must have spapr/cap/htm"]
    return arrived(load(STOCK, stream, machine("2.6")))


def check_htm_explicit():
    """A guest that was started with cap-htm=off says so, as in stock."""
    needs_no_tm()
    streams = []
    for binary in STOCK, PATCHED:
        with start(binary, machine("2.6")) as vm:
            streams.append(vm.save())
    return [f"{NAMES[binary]} does not send spapr/cap/htm" for binary, stream in zip((STOCK, PATCHED), streams)
            if not says_htm(stream)]


def check_with_tm():
    if not has_tm():
        raise h.Skip("needs a kernel with transactional memory, which Debian's is not")
    result = load(PATCHED, kvm_stream().read(), "pseries-2.6", save=True)
    return arrived(result) or misses(result.saved)


def tests_sleeping(host):
    """The tests with the guest that sleeps, as (name, function) pairs."""
    def xics(version, more=""):     # older ones have nothing else
        return machine(version, (",ic-mode=xics" if version == "newest" else "") + more)

    # The emulated XICS. Stock is not asked to take these: it forgets interrupts on load.
    for version, smp in itertools.product(("2.6", "newest"), (1, 2, 4)):
        name = xics(version, ",kernel-irqchip=off")
        yield (f"sleeping pseries-{version} smp {smp}, XICS emulated: stock to patched",
               lambda n=name, s=smp: check_sleeping(STOCK, PATCHED, n, s, back=False))
        yield (f"sleeping pseries-{version} smp {smp}, XICS emulated: patched to patched and back",
               lambda n=name, s=smp: check_sleeping(PATCHED, PATCHED, n, s))
    # The kernel's.
    for version, smp, (a, b) in itertools.product(("2.6", "2.7", "newest"), (1, 2, 4), PAIRS[:2]):
        yield (f"sleeping pseries-{version} smp {smp}: {NAMES[a]} to {NAMES[b]} and back",
               lambda a=a, b=b, v=version, s=smp: in_kernel(host) or check_sleeping(a, b, xics(v), s))
    for threads, (a, b) in itertools.product((2, 4), PAIRS[:2]):
        yield (f"sleeping pseries-2.6, {threads} threads a core: {NAMES[a]} to {NAMES[b]} and back",
               lambda a=a, b=b, t=threads: in_kernel(host) or check_threads(a, b, t, host))
    # It asks for radix.
    if host in ("power9-radix", "nested"):
        for smp, a in itertools.product((1, 4), (STOCK, PATCHED)):
            yield (f"sleeping pseries-newest smp {smp}, XIVE emulated: {NAMES[a]} to patched",
                   lambda a=a, s=smp: check_sleeping(a, PATCHED, machine("newest", ",ic-mode=xive,kernel-irqchip=off"), s, (),
                                                     SLEEPING_XIVE, back=False))


def tests(host):
    """All tests for a host as (name, function) pairs."""
    family = HOSTS[host]
    yield "the host", lambda: check_host(host)
    for version, binary in itertools.product(VERSIONS, (STOCK, PATCHED)):
        yield f"start pseries-{version}: {NAMES[binary]}", lambda b=binary, v=version: check_start(b, v)
    for version, (a, b) in itertools.product(VERSIONS, PAIRS):
        yield (f"file pseries-{version}: {NAMES[a]} to {NAMES[b]} and back",
               lambda a=a, b=b, v=version: check_file(a, b, v))
    for version, (a, b) in itertools.product(VERSIONS, PAIRS[:2]):
        yield (f"live pseries-{version}: {NAMES[a]} to {NAMES[b]} and back",
               lambda a=a, b=b, v=version: check_live(a, b, v))
    for smp, (a, b) in itertools.product((2, 4), PAIRS[:2]):
        yield (f"live pseries-2.6 smp {smp}: {NAMES[a]} to {NAMES[b]} and back",
               lambda a=a, b=b, s=smp: check_live(a, b, "2.6", s))
    yield from tests_sleeping(host)
    for value in "2.6", "2.7":
        yield f"insns-compat={value} on pseries-2.7", lambda v=value: check_insns_compat(v)
    if host != "nested":        # it runs no compatibility mode that needs a hash table, and no other PVR
        for row in STREAMS + OURS:
            if h.family(row.cpu) == "POWER8" and row.cpu == "POWER8" and row.machine in ("pseries-2.6", "pseries-2.7"):
                where = " (KVM)" if row in OURS else ""
                yield f"recorded {row.name}{where}", lambda r=row: check_recorded(r, family)
        yield "a POWER7's stream: what to do", lambda: check_foreign(family)
        yield "a POWER7's stream in POWER7's mode", check_mode_less
        yield "a POWER8's stream in POWER7's mode", check_mode_more
    if host == "power8":
        for facility, version in itertools.product(MISSING, ("2.6", "2.7")):
            yield f"pseries-{version}, a host without {facility}", lambda f=facility, v=version: check_without(f, v)
            yield (f"pseries-{version}, to a host without {facility}: refused",
                   lambda f=facility, v=version: check_without_loses(f, v))
        yield "HTM: without cap-htm=off", check_htm_refused
        yield "HTM: stock refuses", check_htm_stock
        yield "HTM: 2.6.0's guest under KVM, there and back", check_htm_there_and_back
        yield "HTM: a guest that has used it", check_htm_used
        yield "HTM: a guest in a transaction", check_htm_in_transaction
        yield "HTM: on to another host, and back", check_htm_onward
        yield "HTM: after a reset", check_htm_reset
        yield "HTM: an explicit cap-htm=off from the start", check_htm_explicit
        yield "HTM: a host that has it", check_with_tm


def run(args):
    return h.run_tests(list(tests(args.host)), 1, args.k)


if __name__ == "__main__":
    h.settings.firmware = FIRMWARE
    parser = h.test_arguments(__doc__)
    parser.add_argument("--host", choices=HOSTS, required=True, help="what this host is meant to be")
    h.main(run, parser)
