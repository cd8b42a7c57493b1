# SPDX-License-Identifier: GPL-2.0-or-later
"""Saves the guest that sleeps at a moment that is known, so that a fault shows each time and not once in a while.

The guest is stopped and saved over and over, until the stream itself says that the moment has come.
"""
import dataclasses
import time

from . import settings
from .compare import structure
from .settings import HarnessError

LPCR = 318
PECE = 0x1f000                  # bits of LPCR that let a CPU wake; one that waits for start-cpu has none
EE = 0x8000
IPI, DEVICES = 2, 0x1000        # interrupts in an XISR
WORK = range(0xa00, 0xa20)      # where idle.S works with interrupts off


@dataclasses.dataclass(frozen=True)
class Cpu:
    """What a stream says of one CPU."""
    halted: bool
    nip: int
    msr: int
    lpcr: int
    xisr: int                   # the interrupt that is presented to it and was not taken; 0: none
    mfrr: int                   # the IPI that it was sent; 0xff: none
    signalled: bool             # XIVE: something is presented to it and was not taken


def cpus(sections):
    """The CPUs in the sections of a stream, as Cpu objects."""
    found = {}
    for section in sections:
        if section.name in ("cpu_common", "cpu", "icp/server", "xive-tctx"):
            found.setdefault(section.instance, {})[section.name] = section
    result = []
    for parts in found.values():
        if "cpu" not in parts:
            continue            # an ICP that no CPU uses
        cpu, icp, tctx = parts["cpu"], parts.get("icp/server"), parts.get("xive-tctx")
        result.append(Cpu(bool(parts["cpu_common"].value("halted")), cpu.value("env.nip"), cpu.value("env.msr"),
                          cpu.value("env.spr", LPCR), icp.value("xirr") & 0xffffff if icp else 0,
                          icp.value("mfrr") if icp else 0xff, bool(tctx and tctx.content[0x10] & 0x80)))
    return result


# A moment: whether a key is typed while the guest stands still, and what must then be true of a CPU.
MOMENTS = {
    # A device interrupt is presented, and not taken.
    "device": (True, lambda cpu: cpu.xisr >= DEVICES or cpu.signalled),
    # An IPI is.
    "IPI": (False, lambda cpu: cpu.xisr == IPI or cpu.signalled),
    # A device interrupt is, to a CPU that has interrupts off and is yet to be sent an IPI, which takes its place.
    "displaced": (True, lambda cpu: cpu.xisr >= DEVICES and not cpu.msr & EE and cpu.nip in WORK and cpu.mfrr == 0xff),
    # A CPU has stopped, and only start-cpu may wake it.
    "stopped": (False, lambda cpu: cpu.halted and not cpu.lpcr & PECE),
}


def save_at(vm, moment):
    """Save the guest of VM at a MOMENT, one of MOMENTS; it stands still in the stream. Returns the stream."""
    typed, come = MOMENTS[moment]
    end = time.monotonic() + settings.timeout
    while time.monotonic() < end:
        vm.qmp("stop")
        if typed:
            vm.type(b"x")
        stream = vm.save()
        if any(map(come, cpus(structure(stream, tool=False)))):
            return stream
        lines = len(vm.reports)
        vm.qmp("cont")
        if not vm.wait_reports(lines + 2):      # so that the key is read
            raise HarnessError(f"{vm.name}: the guest does not go on after a stop\n{vm.stderr}")
    raise HarnessError(f"{vm.name}: the moment '{moment}' has not come in {settings.timeout} s")
