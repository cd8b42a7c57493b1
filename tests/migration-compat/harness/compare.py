# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the sections of streams with each other, and with what ppc-insns sees in the same stream."""
import itertools
import json
import re
import struct
import subprocess

from . import settings
from .recorded import layouts, words_text
from .sections import read_sections
from .settings import HarnessError


def structure(stream, tool=True):
    """The sections of a whole STREAM in their order, as a list of Section objects; ppc-insns must see the same.

    tool: False for a stream that ppc-insns cannot read, one with devices and no description.
    """
    sections = read_sections(stream, layouts())
    if settings.tool and tool:
        check_with_tool(stream, sections)
    return sections


def check_with_tool(stream, sections):
    """Raise HarnessError unless the stream tool sees the same sections in STREAM, and the same words."""
    def flat(part):
        for inner in part["subsections"]:
            yield inner["name"], inner["version"]
            yield from flat(inner)

    try:
        done = subprocess.run([settings.tool, "show", "--json"], input=stream, capture_output=True, timeout=settings.timeout)
    except (OSError, subprocess.SubprocessError) as error:
        raise HarnessError(f"cannot run {settings.tool}: {error}") from error
    if done.returncode:
        raise HarnessError(f"{settings.tool} does not read the stream: {done.stderr.decode(errors='replace').strip()}")
    report = json.loads(done.stdout)[0]
    theirs = [(part["name"], part["instance"], part["version"], list(flat(part)), part.get("size"))
              for part in report["sections"]]
    # Subsections of virtio's common parts are inside what a description calls a buffer, where the tool does not look.
    ours = [(part.name, part.instance, part.version,
             [each for each in part.subsections if not re.match("virtio(_pci)?/", each[0])],
             None if part.content is None else 14 + len(part.name) + len(part.content)) for part in sections]
    for mine, other in itertools.zip_longest(ours, theirs):
        if mine != other:
            raise HarnessError(f"{settings.tool} sees {other} where there is {mine}")
    words = [struct.pack(">QQQI", *(int(cpu[name], 16) for name in ("msr_mask", "insns_flags", "insns_flags2")), cpu["nb_BATs"])
             for cpu in report["cpus"] if "msr_mask" in cpu]
    if words and words != cpu_words(sections):
        raise HarnessError(f"{settings.tool} sees the words {[words_text(each) for each in words]}")
    blocks = tuple((block["name"], block["size"]) for block in report["ram"]["blocks"])
    if (blocks,) != tuple(part.blocks for part in sections if part.name == "ram"):
        raise HarnessError(f"{settings.tool} sees the RAM blocks {blocks}")


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
