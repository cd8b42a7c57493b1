#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams of real old QEMUs into a patched one: what must load, what must be refused, and in which words. Prints TAP.

    test_forward.py --qemu PATCHED [--streams DIR] [--jobs 2] [-k PATTERN]

Two tables, two kinds of test; test_wire.py looks at what is sent:
    load    every recorded stream, with nothing but its own machine, CPU and number of CPUs; the guest that counts must see its
            instructions and keep its registers, the one that sleeps ("load: sleeping ...") must wake, each of its CPUs
    option  streams that meet another CPU, a compatibility mode, the insns-compat property; damaged streams
"""
import dataclasses
import re
import sys

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)


# ---- load ---------------------------------------------------------------------------------------------------------------

def letters_after(row, release):
    """What the guest of a recorded stream must see in a patched QEMU of RELEASE.

    The machine version decides, not the QEMU that wrote the stream:
      - A (addg6s) joined in 7.1, so that no pseries up to 2.7 shows it;
      - Q (lq) joined POWER7 in 2.7, so that pseries-2.7 shows it and pseries up to 2.6 does not. So it is even for a
        guest of 2.7.0 and 2.7.1, which tied no groups to machine versions and showed it lq on pseries-2.6, too. A guest that
        needs it is started with insns-compat=2.7; that is a row of the next table.
    """
    return h.letters_expected(row.cpu, row.machine, release, patched=True)


def check_sleeper(qemu, row):
    """The guest that sleeps: it goes on, and knows its CPUs by the server numbers that it was born with. So after another hop."""
    result = h.load(qemu, row, save=True)
    wrong = [] if result.loaded else ["must load, and go on"]
    if result.loaded and result.console[-1].numbers["srv"] != row.servers:
        wrong.append(f"MANIFEST.tsv says that its server numbers are {row.servers}")
    if not wrong:
        result = h.load(qemu, row, stream=result.saved)
        if not result.loaded:
            wrong.append("must load again, when it was saved here, and go on")
    return wrong + (result.describe() if wrong else [])


def check_load(qemu, row):
    result = h.load(qemu, row)
    expected = letters_after(row, h.release_of(qemu))
    wrong = []
    if row.qemu.startswith("2.6.") and expected != row.guest_probe:
        wrong.append(f"the rule says {expected}, but 2.6 really showed {row.guest_probe}: the rule is wrong")
    if not result.loaded:
        wrong.append("must load")
    elif result.after != expected:
        wrong.append(f"the guest must see {expected}")
    # What the guest loses is said once, and nothing else is.
    if len(result.group_warnings) != (expected != row.guest_probe):
        wrong.append("must warn about groups once if the guest loses any, and not otherwise")
    return wrong + (result.describe() if wrong else [])


# ---- option -------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Case:
    """One load that is not plain."""
    name: str
    stream: tuple                   # (release, machine, CPU[, CPUs]) of the recorded stream
    verdict: str                    # loaded | refused
    cpu: str | None = None          # in place of the stream's
    machine: str | None = None
    options: tuple = ()
    letters: str | None = None      # what the guest must see
    warnings: int = 0               # how many warnings about groups, exactly
    says: tuple = ()                # regular expressions, each of which must match in stderr
    cut: float | None = None        # the stream ends here in its first cpu section: 0 at its start, 1 at the end of the words
    since: str = "2.1"              # first release in which it is so
    until: str = "99"               # and the first in which it is so no longer


P8_26 = ("2.6.0", "pseries-2.6", "POWER8")
P7_26 = ("2.6.0", "pseries-2.6", "POWER7")
P7_270 = ("2.7.0", "pseries-2.6", "POWER7")
POWER7_MODE = "pseries-2.6,max-cpu-compat=power7"
# A message is good if it names the groups, both CPUs and the machine, and says what to try.
GROUPS = (r"\bPPC2_ISA207S\b",)
TRY = r"\bUse the -cpu model of the source\b"
# Refused while it was loaded, not before that for some other reason.
CUT = (r"load of migration failed",)

CASES = (
    Case("POWER8 into POWER7 is refused, with advice", P8_26, "refused", cpu="POWER7",
         says=GROUPS + (r"\bPOWER8", r"\bPOWER7", r"\bpseries-2\.6\b", TRY)),
    # In POWER7 mode the guest was promised nothing above POWER7. This guest was never told, so that it shows the loss.
    Case("POWER8 into POWER7 in POWER7 mode loads, with a warning", P8_26, "loaded", cpu="POWER7", machine=POWER7_MODE,
         letters="aDbvXqF", warnings=1, says=GROUPS + (r"Unless the guest runs",)),
    Case("4 CPUs make one warning, not four", P8_26 + (4,), "loaded", cpu="POWER7", machine=POWER7_MODE,
         letters="aDbvXqF", warnings=1, says=GROUPS),
    Case("4 CPUs are refused with the same advice", P8_26 + (4,), "refused", cpu="POWER7", says=GROUPS + (TRY,)),
    Case("POWER7 into POWER8 is refused for its PVR, both are named", P7_26, "refused", cpu="POWER8",
         says=(r"\bpower7_v2\.3\b", r"(?i)\bpower8", TRY), since="2.10"),
    # Of one family, but two models; up to 6.0 they pass for one.
    Case("POWER7 into POWER7+ is refused for its PVR, with the model to use", P7_26, "refused", cpu="POWER7+",
         says=(r"\bpower7_v2\.3\b", TRY + r": -cpu power7_v2\.3\n"), since="7.2"),
    Case("POWER7 into POWER8 loads, with a warning, where the PVR is ignored", P7_26, "loaded", cpu="POWER8",
         letters="aDBVXQF", warnings=1, says=GROUPS, until="2.10"),
    Case("POWER7 into POWER8 in POWER7 mode loads, with a warning", P7_26, "loaded", cpu="POWER8", machine=POWER7_MODE,
         letters="aDBVXQF", warnings=1, says=GROUPS),
    Case("insns-compat=2.7 by -global keeps lq for a guest of 2.7.0", P7_270, "loaded",
         options=("-global", "powerpc64-cpu.insns-compat=2.7"), letters="aDbvXQF"),
    Case("insns-compat=2.7 by -cpu keeps lq for a guest of 2.7.0", P7_270, "loaded", cpu="POWER7,insns-compat=2.7",
         letters="aDbvXQF"),
    Case("insns-compat=2.6 by -cpu overrides pseries-2.7", ("2.7.0", "pseries-2.7", "POWER7"), "loaded",
         cpu="POWER7_v2.3,insns-compat=2.6", letters="aDbvXqF", warnings=1, says=(r"\bPPC_64BX\b", r"insns-compat=2\.7\b")),
    Case("insns-compat=none shows POWER8 all it has", P8_26, "loaded", cpu="POWER8,insns-compat=none", letters="native",
         warnings=1, says=(r"\bPPC2_BCDA_ISA206\b", r"did not have"), since="7.1"),
    Case("insns-compat=none shows POWER7 all it has", P7_26, "loaded", cpu="POWER7,insns-compat=none", letters="native",
         warnings=1, says=(r"\bPPC_64BX\b", r"did not have")),
    Case("insns-compat=2.65 is an error that says what there is", P7_26, "refused", cpu="POWER7,insns-compat=2.65",
         says=(r"2\.65", r"\bfrom 2\.1 to [0-9]+\.[0-9]+\b", r"\bnone\b")),
    Case("insns-compat on a Macintosh is an error", P7_26, "refused", machine="mac99", cpu="G4,insns-compat=2.6",
         says=(r"only with pseries machines",)),
    Case("a stream that ends at the start of the cpu section", P7_26, "refused", cut=0.0, says=CUT),
    Case("a stream that ends within the cpu section", P7_26, "refused", cut=0.5, says=CUT),
    Case("a stream that ends within the words of the cpu section", P7_26, "refused", cut=0.9985, says=CUT),
    Case("a stream that ends right after the words", P7_26, "refused", cut=1.0, says=CUT),
)


def cut_stream(row, where):
    """The stream of ROW up to a point of its first cpu section (see Case.cut)."""
    stream = row.read()
    section = next(section for section in h.structure(stream) if section.name == "cpu")
    body = section.at + 14 + len(section.name)
    return stream[:section.at + int((body + section.start - section.at) * where)]


def check_case(qemu, rows, case):
    cpu, machine = case.cpu, case.machine
    if machine == POWER7_MODE and h.version(h.release_of(qemu)) < (2, 10):
        cpu, machine = cpu + ",compat=power7", None         # what the option of the machine was before 2.10
    row = h.find_stream(rows, *case.stream)
    stream = None if case.cut is None else cut_stream(row, case.cut)
    result = h.load(qemu, row, cpu, machine, case.options, stream)
    letters = h.letters_of(row.cpu, h.release_of(qemu)) if case.letters == "native" else case.letters
    wrong = []
    if result.verdict != case.verdict:
        wrong.append(f"must be {case.verdict}")
    if letters and result.after != letters:
        wrong.append(f"the guest must see {letters}")
    if case.verdict == "loaded" and len(result.group_warnings) != case.warnings:
        wrong.append(f"must warn {case.warnings} times about groups, did {len(result.group_warnings)} times")
    # What is said about the groups of a stream that loads belongs into that warning, not into some other line.
    text = "\n".join(result.group_warnings) if case.warnings else result.stderr
    wrong += [f"must say something that matches {pattern}" for pattern in case.says if not re.search(pattern, text)]
    return wrong + (result.describe() if wrong else [])


def check_icps(qemu, rows, number):
    """A sleeping guest of 2.6.0 with NUMBER interrupt servers, which is what maxcpus=NUMBER made of it: most have no CPU.

    The ones that the recorded stream lacks are made here, after its last one. Eight or more a CPU may have been made by a QEMU
    that numbers CPUs 0, 8, 16: then it must be said which option helps, and that must help.
    """
    for row in rows:
        stream = row.read()
        icps = [section for section in h.structure(stream) if section.name == "icp/server"]
        if row.qemu == "2.6.0" and len(icps) > row.smp:
            break
    else:
        raise h.Skip("no stream with more interrupt servers than CPUs")
    last, at = icps[-1], len("icp/server") + 6      # type, number and length come before the name, the instance after it
    whole = stream[last.at:last.end]
    more = b"".join(whole[:at] + n.to_bytes(4) + whole[at + 4:] for n in range(last.instance + 1, number))
    stream = stream[:last.end] + more + stream[last.end:]
    if h.version(h.release_of(qemu)) < (2, 10):
        result = h.load(qemu, row, stream=stream, smp=f"{row.smp},maxcpus={number}")
    elif number < 8 * row.smp:
        result = h.load(qemu, row, stream=stream)
    else:
        with h.Vm(qemu, row.machine, row.cpu, row.smp, incoming=stream, guest=row.guest) as vm:
            result = h.judge(vm, patience=1)
            # The interrupt of the vty goes to a server that no CPU has here.
            vm.type(b"x")
            status = vm.wait_exit(1)
        if status is not None:
            return [f"a key that was typed ended QEMU, with status {status}", *result.describe()]
        if len([line for line in result.stderr.splitlines() if "vsmt=1" in line]) != 1:
            return ["must name the option vsmt=1, once", *result.describe()]
        result = h.load(qemu, row, machine=row.machine + ",vsmt=1", stream=stream)
    return [] if result.loaded else ["must load, and go on", *result.describe()]


def check_in_transaction(qemu, row):
    """A guest in a transaction. cpu/tm stays where it belongs: in 4.0 and later it has overwritten the CPU's compatibility mode, too.
    4.0 and later refuse the guest, as there is no transactional memory."""
    result = h.load(qemu, row, stream=h.in_transaction(row.read()))
    if h.version(h.release_of(qemu)) < (4, 0):
        return [] if result.loaded else ["must load, and go on", *result.describe()]
    if result.verdict == "refused" and "the guest is in a transaction" in result.stderr:
        return []
    return ["must be refused, because the guest is in a transaction", *result.describe()]


def tests(qemu, rows):
    """All tests as (name, function) pairs."""
    # 7.1 and later send a newer spapr_iommu, which older releases refuse.
    if h.version(h.release_of(qemu)) < (7, 1):
        rows = [row for row in rows if h.version(row.qemu) < (7, 1)]
    for row in rows:
        check_row = check_load if row.guest is h.COUNTING else check_sleeper
        yield f"load: {row.name}", lambda row=row, check_row=check_row: check_row(qemu, row)
    sleepers = [row for row in rows if row.guest is not h.COUNTING]
    for number in (31, 64):
        yield f"option: sleeping, with {number} interrupt servers for 4 CPUs", lambda n=number: check_icps(qemu, sleepers, n)
    rows = [row for row in rows if row.guest is h.COUNTING]
    yield "option: a guest in a transaction", lambda: check_in_transaction(qemu, h.find_stream(rows, *P8_26))
    release = h.version(h.release_of(qemu))
    for case in CASES:
        if not h.version(case.since) <= release < h.version(case.until):
            continue
        yield f"option: {case.name}", lambda case=case: check_case(qemu, rows, case)


def run(args):
    h.release_of(args.qemu)                     # a binary that does not run is one error, not as many as there are tests
    return h.run_tests(tests(args.qemu, h.read_manifest(args.streams, guest=None)), args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--qemu", metavar="PATCHED", required=True, help="the qemu-system-ppc64 to test")
    h.main(run, parser)
