# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is expected to see in a QEMU, and what must be said to a stock QEMU so that it runs the guest at all.

*Letters* are the probes of guest.S (see PROBES), upper case where the instruction executed, lower case where it raised a program
interrupt.
"""
import dataclasses
import functools
import re
import subprocess

from . import settings
from .settings import HarnessError


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
        return subprocess.run(command, capture_output=True, text=True, timeout=settings.timeout, check=True).stdout
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
