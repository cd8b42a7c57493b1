#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the patched QEMU puts on the wire, against the recorded streams and against stock QEMU. Prints TAP.

    test_wire.py --qemu PATCHED [--stock STOCK] [--tool PPC-INSNS] [--streams DIR] [--jobs 2] [-k PATTERN]

    reader   doctored streams: the comparison notices what was done to them
    table    the words below are those of the recorded streams
    again    every recorded stream, loaded and saved again: words and structure are those of the old release
    fresh    a guest started here, pseries-2.1 to 2.7, every model: words, and structure where that machine was recorded
    compat   -global powerpc64-cpu.insns-compat: the words of the release it names
    absent   a stream whose words were turned off: nothing is compared with what is not there
    stock    all machine versions, with devices: structure as stock's, but for what the series changes on purpose
    sent     all machine versions: what no older release takes another version of
    onward   every recorded stream, loaded here, saved again, loaded into stock
    back     a guest of stock, migrated here and saved: words and structure are those of the old release

The last three need a stock QEMU that has capabilities (2.11.1 and later), and so must the patched one.

Structure means: the same sections with the same names, instances and versions, the same subsections, fields of the same sizes, in
the same order. pseries-2.1 and 2.2 send no description of their fields; there sections are compared by their sizes, and "stock"
asks for the description. With --tool the tool must see the same in each of these streams, section by section.
"""
import dataclasses
import re
import struct
import sys

sys.dont_write_bytecode = True
import harness as h  # noqa: E402  (no __pycache__ beside the sources)


# ---- what is expected -----------------------------------------------------------------------------------------------------

# What a release sent for a family on any pseries: msr_mask, insns_flags, insns_flags2, nb_BATs. Written down by hand from real
# streams (2.6, 2.7) and from the sources of 2.1 and 2.2; "table" compares it with MANIFEST.tsv.
WORDS = {
    ("2.1", "POWER7"): (0x800000000280ff37, 0x8000600fe1ff3a21, 0x0000fb6, 0),
    ("2.1", "POWER8"): (0x800000010280ff37, 0x8000600fe1ff3a61, 0x000fff6, 0),
    ("2.2", "POWER7"): (0x800000000280ff37, 0x8000600fe1ff3a21, 0x0010fb6, 0),
    ("2.2", "POWER8"): (0x800000010280ff37, 0x8000600fe1ff3a61, 0x001fff6, 0),
    ("2.6", "970"): (0x800000000204ff36, 0x0000600fe1dd2221, 0x0010000, 4),
    ("2.6", "POWER5P"): (0x800000000204ff36, 0x0000600fe0dd2221, 0x0010000, 4),
    ("2.6", "POWER7"): (0x800000000280ff37, 0x8000600fe1ff3a21, 0x0010fb6, 0),
    ("2.6", "POWER8"): (0x800000010280ff37, 0x8000600fe1ff3a61, 0x003fff6, 0),
    ("2.7", "970"): (0x800000000204ff36, 0x0000600fe1dd2221, 0x0010000, 4),
    ("2.7", "POWER5P"): (0x800000000204ff36, 0x0000600fe0dd2221, 0x0010000, 4),
    ("2.7", "POWER7"): (0x800000000280ff37, 0x8000600fe1ff7ae1, 0x0050fb6, 0),
    ("2.7", "POWER8"): (0x800000010280ff37, 0x8000600fe1ff7ae1, 0x007fff6, 0),
}

# Model -> family.
MODELS = {
    "970": "970", "POWER5+": "POWER5P", "POWER7": "POWER7", "POWER7+_v2.1": "POWER7",
    "POWER8": "POWER8", "POWER8E": "POWER8", "POWER8NVL": "POWER8",
}

MACHINES = tuple(f"pseries-2.{minor}" for minor in range(1, 8))

# Differences that a recorded release accepts, as regular expressions on the lines of harness.differences(), each with the reason.
ACCEPTED = (
    (r"order: section icp/server \d+ stands in another place",
     "Since 2.10 an ICP is made together with its CPU, and so saved after it; before, all of them came first. A destination "
     "finds each section by name and instance, and loading an ICP under TCG looks at no CPU. Measured: 2.6.0, 2.6.2 and 2.7.1 "
     "run streams in this order, with 1 and with 4 CPUs."),
    (r"order: section (timer|ics) \d+ stands in another place",
     "The ICPs of a guest that knows its CPUs as 0, 1, 2, 3 are sent first, before these two. A destination finds each section by "
     "name and instance."),
    (r"section icp/server [4-7]: missing",
     "2.6.0 with -smp 4,maxcpus=8 sends those of CPUs that are not there, and newer releases do not take that for pseries-2.6. A "
     "destination keeps what its reset made of them."),
    (r"section globalstate 0: field runstate stands where the old stream has runstate",
     "Since 8.2 the last 68 of the 100 bytes for the name of the state are two flags and 66 unused bytes. 100 bytes they still are."),
)


def is_iommu_v2(line):
    """Whether a difference from stock is only that spapr_iommu is version 2 here and 3 there: one field of one byte less."""
    found = re.fullmatch(r"section spapr_iommu 0x\w+: (?:version 2, not 3|(\d+) bytes, not (\d+)|"
                         r"field .* stands where the old stream has def_win)", line)
    return bool(found) and (not found[1] or int(found[2]) - int(found[1]) == 1)


def words(release, model):
    """The words of a model in a release, as bytes on the wire."""
    return struct.pack(">QQQI", *WORDS[release, MODELS[model]])


# ---- comparisons ----------------------------------------------------------------------------------------------------------

def check_words(sections, expected, smp):
    """The words of all cpu sections; what is wrong with them."""
    found = h.cpu_words(sections)
    if found == [expected] * smp:
        return []
    return [f"{smp} times on the wire must be: {h.words_text(expected)}"] + \
        [f"there is:                      {h.words_text(each)}" for each in found]


def check_iommu(sections, machine):
    """Every QEMU before 7.1 refuses version 3 of spapr_iommu; from pseries-7.1 on it is what is sent."""
    expected = {2} if h.version(machine.split("-")[1]) <= (7, 0) else {3}
    versions = {section.version for section in sections if section.name == "spapr_iommu"}
    return [] if versions == expected else [f"version of section spapr_iommu must be {expected}, is {versions}"]


def check_structure(old, new):
    """The differences between recorded sections and new ones that no entry of ACCEPTED explains."""
    return [line for line in h.differences(old, new) if not any(re.fullmatch(pattern, line) for pattern, _ in ACCEPTED)]


PER_CPU = ("icp/server", "cpu_common", "cpu")


def with_cpus(sections, number):
    """Recorded sections of a guest with one CPU as the same release sends them for NUMBER CPUs."""
    single = [section for section in sections if section.name in ("cpu_common", "cpu")]
    result = []
    for section in sections:
        if section.name == "icp/server":        # first all ICPs, then CPU by CPU: so in the recorded stream of 4 CPUs
            result += [dataclasses.replace(section, instance=i) for i in range(number)]
        elif section == single[0]:
            result += [dataclasses.replace(each, instance=i) for i in range(number) for each in single]
        elif section not in single:
            result.append(section)
    return result


def without_subsections(sections):
    """Sections, those of CPUs cut down to what all models have: which subsections there are is a matter of the CPU."""
    return [dataclasses.replace(section, content=section.content[:section.start], subsections=(), fields=None)
            if section.name == "cpu" else section for section in sections]


def without_device_tree(sections):
    """Sections, "spapr" without the guest's device tree, whose size is another one in another release."""
    def cut(section):
        return dataclasses.replace(section, content=None, fields=tuple(
            (name, 0, count) if name.endswith("fdt_blob") else (name, size, count) for name, size, count in section.fields))
    return [cut(section) if section.name == "spapr" and section.fields else section for section in sections]


def recorded(rows, machine, model, smp):
    """The recorded sections to compare a fresh guest of MACHINE with, and whether the cpu sections count in full.

    A stream of that machine from the release that the compat version names; of the same model or family and the same number of
    CPUs if there is one, else from the nearest. None if none of that machine was recorded.
    """
    release = h.compat_version(machine) + ".0"
    candidates = [row for row in rows if (row.qemu, row.machine) == (release, machine)]
    if not candidates:
        return None, False
    row = max(candidates, key=lambda row: (MODELS[row.cpu] == MODELS[model], row.smp == smp, row.cpu == model))
    sections = h.structure(row.read())
    return sections if row.smp == smp else with_cpus(sections, smp), MODELS[row.cpu] == MODELS[model]


# ---- the comparison itself -------------------------------------------------------------------------------------------------

def section_of(stream, name):
    """The first section NAME of a stream."""
    return next(section for section in h.structure(stream, tool=False) if section.name == name)


def swapped(stream, first, second):
    """A stream in which two sections that follow each other have changed places."""
    a, b = section_of(stream, first), section_of(stream, second)
    assert a.end == b.at
    return stream[:a.at] + stream[b.at:b.end] + stream[a.at:a.end] + stream[b.end:]


def cut_out(stream, name):
    """A stream without a section."""
    section = section_of(stream, name)
    return stream[:section.at] + stream[section.end:]


def put(stream, name, where, data, over=0):
    """A stream with DATA in place of OVER bytes, WHERE from the beginning of the content of section NAME."""
    section = section_of(stream, name)
    at = section.at + 14 + len(name) + where
    return stream[:at] + data + stream[at + over:]


def replaced(stream, name, old, new):
    """A stream in whose section NAME, with header and footer, OLD became NEW, which is as long."""
    section = section_of(stream, name)
    text = stream[section.at:section.end]
    assert text.count(old) == 1 and len(old) == len(new)
    return stream[:section.at] + text.replace(old, new) + stream[section.end:]


# What is done to the recorded stream of 2.6.0, on which machine version, and what the comparison, or the reader, must say.
DOCTORED = (
    ("nothing", "pseries-2.1", lambda s: s, None),
    ("nothing", "pseries-2.6", lambda s: s, None),
    ("another version", "pseries-2.1", lambda s: put(s, "PCIBUS", -4, b"\0\0\0\2", 4), "section PCIBUS 0: version 2, not 1"),
    ("another version", "pseries-2.6", lambda s: put(s, "PCIBUS", -4, b"\0\0\0\2", 4), "section PCIBUS 0: version 2, not 1"),
    ("another instance", "pseries-2.1", lambda s: put(s, "PCIBUS", -8, b"\0\0\0\1", 4), "section PCIBUS 0: missing"),
    ("another name", "pseries-2.1", lambda s: replaced(s, "spapr/rtc", b"spapr/rtc", b"spapr/rtx"), ".*spapr/rtx is unknown"),
    ("another name", "pseries-2.6", lambda s: replaced(s, "spapr/rtc", b"spapr/rtc", b"spapr/rtx"),
     "section spapr/rtx 0: the description does not have it"),
    ("a byte more", "pseries-2.1", lambda s: put(s, "spapr_pci", 0, b"\0"), "(section spapr_pci 0: )?offset .*"),
    ("a byte more", "pseries-2.6", lambda s: put(s, "spapr_pci", 0, b"\0"), "(section spapr_pci 0: )?offset .*"),
    ("a byte less", "pseries-2.1", lambda s: put(s, "spapr_pci", 0, b"", 1), "(section spapr_pci 0: )?offset .*"),
    ("a byte less", "pseries-2.6", lambda s: put(s, "spapr_pci", 0, b"", 1), "(section spapr_pci 0: )?offset .*"),
    ("another subsection", "pseries-2.1", lambda s: replaced(s, "cpu", b"\x07cpu/vsx", b"\x07cpu/vsy"), ".*subsection cpu/vsy is unknown"),
    ("another subsection", "pseries-2.6", lambda s: replaced(s, "cpu", b"\x07cpu/vsx", b"\x07cpu/vsy"),
     ".*subsection cpu/vsy is not what the description says: cpu/vsx"),
    ("another version of a subsection", "pseries-2.1", lambda s: replaced(s, "cpu", b"cpu/vsx\0\0\0\1", b"cpu/vsx\0\0\0\2"),
     r"section cpu 0: subsections .*cpu/vsx v2.*, not .*cpu/vsx v1.*"),
    ("a section less", "pseries-2.1", lambda s: cut_out(s, "spapr/rtc"), "section spapr/rtc 0: missing"),
    ("another order", "pseries-2.1", lambda s: swapped(s, "cpu_common", "cpu"), r"order: section cpu(_common)? 0 stands in another place"),
    ("another RAM block", "pseries-2.6", lambda s: replaced(s, "ram", b"ppc_spapr.ram", b"ppc_spapr.rom"), "section ram 0: blocks .*"),
    ("a header inside a section", "pseries-2.1", lambda s: put(s, "cpu", 0, b"\4\0\0\0\7\3cpu", 9), None),
    ("another word", "pseries-2.1", lambda s: replaced(s, "cpu", bytes.fromhex("000000000003fff6"), bytes.fromhex("000000000007fff6")),
     "there is: .*7fff6 0"),
)


def check_doctored(rows, machine, doctor, expected):
    """Compare a doctored stream with the real one."""
    row = h.find_stream(rows, "2.6.0", machine, "POWER8")
    stream = row.read()
    try:
        old, new = (h.structure(each, tool=False) for each in (stream, doctor(stream)))
        lines = h.differences(old, new) + check_words(new, row.words, row.smp)
    except h.HarnessError as error:
        lines = [str(error)]
    if any(re.fullmatch(expected, line) for line in lines) if expected else not lines:
        return []
    return [f"must say: {expected}"] + ["says: " + line for line in lines]


# ---- tests ----------------------------------------------------------------------------------------------------------------

def check_table(row):
    """The table above is what a recorded release really sent."""
    release = ".".join(row.qemu.split(".")[:2])
    wrong = check_words(h.structure(row.read()), row.words, row.smp)
    if row.words != words(release, row.cpu):
        wrong.append(f"the table says {h.words_text(words(release, row.cpu))}, recorded is {h.words_text(row.words)}")
    return wrong


def check_again(qemu, row):
    """The guest of a stream, saved again. Of 2.7.1 too, whose own words were masked: they must be those of 2.6 or 2.7.0."""
    result = h.load(qemu, row, save=True)
    if not result.loaded:
        return ["must load"] + result.describe()
    sections = h.structure(result.saved)
    wrong = check_words(sections, words(h.compat_version(row.machine), row.cpu), row.smp)
    wrong += check_iommu(sections, row.machine) + check_structure(h.structure(row.read()), sections)
    return wrong + (result.describe() if wrong else [])


def check_fresh(qemu, rows, machine, model, smp):
    """A guest that was started here."""
    sections = h.structure(h.save_guest(qemu, machine, model, smp))
    return compare_fresh(sections, rows, machine, model, smp)


def compare_fresh(sections, rows, machine, model, smp):
    """What is wrong with sections sent for a guest of MACHINE, MODEL and SMP CPUs."""
    wrong = check_words(sections, words(h.compat_version(machine), model), smp) + check_iommu(sections, machine)
    old, cpu_too = recorded(rows, machine, model, smp)
    if old:
        wrong += check_structure(*((old, sections) if cpu_too else map(without_subsections, (old, sections))))
    return wrong


def check_compat(qemu, machine, model, release):
    """The user names another release than the machine does."""
    options = ("-global", f"powerpc64-cpu.insns-compat={release}")
    return check_words(h.structure(h.save_guest(qemu, machine, model, options=options)), words(release, model), 1)


def check_absent(qemu, machine, model):
    """Without the words there is nothing to judge: what this side expects stands in for them."""
    options = ("-global", "powerpc64-cpu.pre-2.8-migration=off")
    stream = h.save_guest(qemu, machine, model, options=options)
    if any(section.name == "cpu" and section.content.endswith(words("2.6", model)) for section in h.structure(stream)):
        return ["the words must not be in the stream"]
    row = h.Stream("", h.release_of(qemu), machine, model, 1, b"", "", "")
    result = h.load(qemu, row, stream=stream, options=options)
    wrong = [] if result.loaded else ["must load"]
    return wrong + ["must not warn about groups"] * bool(result.group_warnings) + (result.describe() if wrong else [])


def check_stock(qemu, stock, machine, model):
    """The same guest, with devices, in both: same structure, but for the version of spapr_iommu up to pseries-7.0."""
    option, release = h.stock_options(machine, model), h.version(machine.split("-")[1])
    if release <= (2, 2):                   # which send no description; no other stream lends one for all devices
        option += ",suppress-vmdesc=off"
    old, new = (h.structure(h.save_guest(binary, machine + option, model, 2, h.DEVICES["all devices"])) for binary in (stock, qemu))
    if h.release_of(qemu) != h.release_of(stock):
        lines = check_structure(*map(without_device_tree, (old, new)))
    else:
        lines = h.differences(old, new)
    if release <= (7, 0) <= h.version(h.release_of(stock)):
        lines = [line for line in lines if not is_iommu_v2(line)]
    return lines + check_iommu(new, machine)


def check_sent(qemu, machine, model):
    """Versions of which older releases take no other: spapr_iommu, and 1 of cpu/slb, which 9.2 and later have as 2."""
    sections = h.structure(h.save_guest(qemu, machine, model))
    found = {each for section in sections if section.name == "cpu" for each in section.subsections if each[0] == "cpu/slb"}
    wrong = [] if found == {("cpu/slb", 1)} else [f"cpu/slb must be version 1, found is {found}"]
    return wrong + check_iommu(sections, machine)


def check_onward(qemu, stock, row):
    """The guest of a stream goes on here, then in stock, which needs cap-htm=off for POWER8; so this side gets it, too."""
    machine = row.machine + h.stock_options(row.machine, row.cpu)
    first = h.load(qemu, row, machine=machine, save=True)
    if not first.loaded:
        return ["must load here"] + first.describe()
    second = h.load(stock, row, machine=machine, stream=first.saved)
    wrong = [] if second.loaded else ["must load into stock"]
    expected = h.letters_of(row.cpu, h.release_of(stock))
    if second.loaded and second.after != expected:
        wrong.append(f"in stock the guest must see {expected}")
    return wrong + (second.describe() if wrong else [])


def check_back(qemu, stock, rows, machine, model, smp):
    """A guest of stock comes here to get home to an old release, which has never heard of cap-htm: not given here."""
    with h.start_guest(stock, machine + h.stock_options(machine, model), model, smp) as vm:
        stream = vm.save()
    row = h.Stream("", h.release_of(stock), machine, model, smp, b"", "", "")
    result = h.load(qemu, row, stream=stream, save=True)
    if not result.loaded:
        return ["must load"] + result.describe()
    return compare_fresh(h.structure(result.saved), rows, machine, model, smp)


def tests(qemu, stock, everything):
    """All tests as (name, function) pairs."""
    rows = [row for row in everything if row.guest is h.COUNTING]
    sleepers = [row for row in everything if row.guest is not h.COUNTING and h.version(row.qemu) < (2, 8)]

    def need(*machines):
        missing = [name for name in machines if name not in h.machines_of(qemu)]
        if missing:
            raise h.Skip(f"{qemu} has no {missing[0]}")
        return True

    for name, machine, doctor, expected in DOCTORED:
        yield f"reader: {machine}, {name}", lambda m=machine, d=doctor, e=expected: check_doctored(rows, m, d, e)
    for row in rows:
        if row.qemu in ("2.6.0", "2.7.0"):
            yield f"table: {row.name}", lambda row=row: check_table(row)
    for row in rows + sleepers:
        yield f"again: {row.name}", lambda row=row: need(row.machine) and check_again(qemu, row)
    for machine in MACHINES:
        for model in MODELS:
            for smp in (1, 4):
                yield f"fresh: {machine} {model} smp {smp}", \
                    lambda m=machine, c=model, n=smp: need(m) and check_fresh(qemu, rows, m, c, n)
    for machine, model, release in (
            ("pseries-2.6", "POWER7", "2.7"), ("pseries-2.6", "POWER8", "2.7"),
            ("pseries-2.6", "POWER7", "2.2"), ("pseries-2.6", "POWER8", "2.2"),
            ("pseries-2.6", "POWER7", "2.1"), ("pseries-2.6", "POWER8", "2.1"),
            ("pseries-2.1", "POWER8", "2.1"), ("pseries-2.7", "POWER7", "2.6"), ("pseries-2.7", "POWER8", "2.6")):
        yield f"compat: {machine} {model} insns-compat={release}", \
            lambda m=machine, c=model, r=release: need(m) and check_compat(qemu, m, c, r)
    if (2, 8) <= h.version(h.release_of(qemu)) < (9, 2):    # whose fields can be turned off
        for model in ("POWER7", "POWER8"):
            yield f"absent: pseries-2.6 {model}", lambda c=model: need("pseries-2.6") and check_absent(qemu, "pseries-2.6", c)
    if not stock:
        def no_stock():
            raise h.Skip("no --stock was given")
        yield "stock, onward, back", no_stock
        return
    for machine in h.machine_versions(qemu, stock):
        for model in ("POWER8", "POWER9"):
            yield f"stock: {machine} {model}", lambda m=machine, c=model: check_stock(qemu, stock, m, c)
    for machine in h.machine_versions(qemu):
        if h.version(machine.split("-")[1]) >= (3, 0):
            yield f"sent: {machine} POWER8", lambda m=machine: check_sent(qemu, m, "POWER8")
    for row in rows:
        yield f"onward: {row.name}", lambda row=row: need(row.machine) and check_onward(qemu, stock, row)
    for machine in ("pseries-2.1", "pseries-2.6", "pseries-2.7"):
        for model in ("POWER7", "POWER8"):
            for smp in (1, 4):
                yield f"back: {machine} {model} smp {smp}", \
                    lambda m=machine, c=model, n=smp: need(m) and check_back(qemu, stock, rows, m, c, n)


def run(args):
    h.settings.tool = args.tool
    for binary in filter(None, (args.qemu, args.stock)):
        h.machines_of(binary)                   # a binary that does not run is one error, not as many as there are tests
    return h.run_tests(tests(args.qemu, args.stock, h.read_manifest(args.streams, guest=None)), args.jobs, args.k)


if __name__ == "__main__":
    parser = h.test_arguments(__doc__)
    parser.add_argument("--qemu", metavar="PATCHED", required=True, help="the qemu-system-ppc64 to test")
    parser.add_argument("--stock", metavar="STOCK", help="the distribution's own")
    parser.add_argument("--tool", metavar="PPC-INSNS", help="the stream tool, to read each stream a second time")
    h.main(run, parser)
