#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run everything against everything, and show what works, what is refused and why: on the terminal, as HTML and as SVG.

    matrix.py --patched BIN [--stock BIN] [--out build/matrix] [--jobs 2]

Writes matrix.json, and from that, with the templates in templates/, matrix.html and matrix.svg, which need no other file.
What is shown as running was run and seen to run; what cannot be run here, as there are no binaries of the old releases, has
states of its own.

Exit status 0 if the patched QEMU does all that it is for: it runs all recorded streams, what it sends is what the old releases
sent, and it exchanges with stock whatever stock exchanges with itself. Else 1.
"""
import datetime
import json
import os
import shutil
import sys
import tempfile
import textwrap

sys.dont_write_bytecode = True
from demo import BAD, BOLD, FAINT, GOOD, NOTE, WIDTH, Footnotes, Paint, Progress, attempt, difference  # noqa: E402
import harness as h  # noqa: E402  (demo says where it is)
import releases  # noqa: E402
import test_wire as wire  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = os.path.join(HERE, "templates")
OUT = os.path.join(HERE, "..", "..", "build", "matrix")

# State of a cell -> glyph, colour on a terminal, what the legend says. Seen or not is part of the glyph, not only of the text.
STATES = {
    "ok": ("✓", GOOD, "runs", "seen to run on, registers intact, with the same instructions"),
    "changed": ("△", NOTE, "runs, other instructions", "seen to run on, registers intact, but with more or fewer instructions"),
    "refused": ("✗", BAD, "refused", "seen to be refused, or not to run on"),
    "wire": ("≡", GOOD, "wire equal", "not run: what is sent equals what that release sent itself, in all that it compares"),
    "words": ("=", GOOD, "words equal", "not run: the words are those of that release; there is no recording of the structure"),
    "would": ("⊘", BAD, "would be refused", "not run: what is sent has something that release does not accept"),
    "none": ("–", FAINT, "none", "does not exist"),
}
CPUS = ("POWER7", "POWER8", "POWER9")
MACHINES = ("pseries-2.6", "pseries-2.7", "pseries-2.12", "pseries-6.2", "newest")
DIRECTIONS = (("stock", "stock"), ("stock", "patched"), ("patched", "stock"))
# Why a guest sees other instructions in a QEMU than it saw before.
CHANGES = {
    "stock": "stock shows a guest all that its own release has, whatever the machine version",
    "patched": "pseries-2.1 to 2.7 show a guest what 2.6 or 2.7 had; the CPU property insns-compat keeps what is given up here",
}


def cell(state, text="", why="", fine=None):
    """One cell: a key of STATES, a short text, the whole story, and whether the patched QEMU may have it (None: not its own)."""
    return {"state": state, "text": text, "why": why, "fine": fine}


# ---- what is run --------------------------------------------------------------------------------------------------------

def arrived(result, where, expected=None, option=None):
    """The cell for a guest that was to run in stock or in patched. EXPECTED: the letters that are right there, None for any."""
    if not result.loaded:
        return cell("refused", "refused" if result.verdict == "refused" else result.verdict, result.reason, False)
    changes = difference(result.before, result.after)
    story = []
    if option:
        story.append(f"runs only with -machine {option}")
    if changes:
        story.append(f"{changes.replace('-', '−')}: {CHANGES[where]}")
    fine = expected is None or result.after == expected
    if not fine:
        story.append(f"WRONG: it must see {expected}, sees {result.after}")
    return cell("changed" if changes or not fine else "ok", changes.replace("-", "−"), "; ".join(story), fine)


def sent(row, sections):
    """The cell for sections sent to the release that recorded ROW."""
    old = h.structure(row.read())
    why = []
    found, names = set(h.cpu_words(sections)), ("msr_mask", "insns_flags", "insns_flags2", "nb_BATs")
    if row.qemu != "2.7.1":                     # the only one of them that does not compare the words
        for words in found - {row.words}:
            pairs = zip(names, h.words_text(words).split(), h.words_text(row.words).split())
            why += [f"{name} {now.lstrip('0') or '0'}, not {then.lstrip('0') or '0'}" for name, now, then in pairs if now != then]
    lines = wire.check_structure(old, sections)
    why += [line for line in lines if "bytes, not" not in line and "stands where" not in line] or lines
    if why:
        return cell("would", "", "; ".join(why), False)
    return cell("wire", "", "structure; 2.7.1 does not compare the words" if row.qemu == "2.7.1" else "", True)


def into_patched(binary, row):
    """Load a recorded stream into the patched QEMU, save it again. Returns the cells for both ways."""
    result = h.load(binary, row, save=True)
    there = arrived(result, "patched", h.letters_expected(row.cpu, row.machine, h.release_of(binary), patched=True))
    if not result.loaded:
        return there, cell("none", "", "nothing to send: the guest did not get here", False)
    back = sent(row, h.structure(result.saved))
    if back["state"] == "would" and row.qemu.startswith("2.7."):
        # What pleases 2.6 cannot please 2.7.0, which does not mask: the user says where the guest is to go.
        option = "insns-compat=2.7"
        second = h.load(binary, row, options=("-global", "powerpc64-cpu." + option), save=True)
        if second.loaded and sent(row, h.structure(second.saved))["state"] == "wire":
            back = cell("wire", f"with {option}", f"with -global powerpc64-cpu.{option}; without it: " + back["why"], True)
    return there, back


def into_stock(binary, row):
    """Load a recorded stream into stock; and compare what stock sends for such a guest. Returns the cells for both ways."""
    result, option = attempt(binary, row, True)
    there = arrived(result, "stock", option=option)
    option = h.stock_options(row.machine, row.cpu)
    back = sent(row, h.structure(h.save_guest(binary, row.machine + option, row.cpu, row.smp)))
    return {**there, "fine": None}, {**back, "fine": None}


def on_wire(binary, rows, machine, model):
    """The cell for what the patched QEMU sends for a model on an old machine version, with 1 and with 4 CPUs."""
    if machine not in h.machines_of(binary):
        return cell("none", "", f"this QEMU has no {machine}")
    wrong = [f"{smp} CPUs: {line}" for smp in (1, 4) for line in wire.check_fresh(binary, rows, machine, model, smp)]
    old, cpu_too = wire.recorded(rows, machine, model, 1)
    if wrong:
        return cell("would", "", "; ".join(wrong), False)
    if old and cpu_too:
        return cell("wire", "", "", True)
    return cell("words", "", f"words equal; all sections but cpu equal, no {model} was recorded" if old
                else f"words equal; no stream of {machine} was recorded", True)


def live(binaries, source, destination, machine, cpu, smp, devices):
    """The cell for a live migration."""
    options = h.DEVICES[devices]
    name = machine + h.stock_options(machine, cpu)
    with h.start_guest(binaries[source], name, cpu, smp, options) as vm:
        result = h.migrate(vm, binaries[destination], name, cpu, smp, options)
    expected = h.letters_expected(cpu, machine, h.release_of(binaries[destination]), destination == "patched")
    return arrived(result, destination, expected)


def both_ways(binaries, *what):
    """The cell for live migrations from stock to patched and back."""
    story, fine = [], True
    for source, destination in DIRECTIONS[1:]:
        one = live(binaries, source, destination, *what)
        if one["why"]:
            story.append(f"{source} to {destination}: {one['why']}")
        if one["state"] == "refused":
            return {**one, "why": story[-1]}
        fine = fine and one["fine"]
    return cell("changed" if story else "ok", "", "; ".join(story), fine)


def between_releases(cells):
    """The table of what releases.json has, which was seen earlier, with binaries that are not here."""
    def kept(found):
        if found is None:
            return cell("none")
        if found["verdict"] != "loaded":
            return cell("refused", "", found["reason"])
        if not found["loses"]:
            return cell("ok")
        return cell("changed", "", f"loses {', '.join(found['loses'])}, " + ("with a warning" if found["warned"] else "silently"))
    return {
        "id": "releases",
        "title": "From release to release",
        "note": "Not run now: what tests/migration-compat/releases.py saw, with binaries that were built by hand, and recorded "
                "streams. POWER8, 1 CPU, with cap-htm=off on both sides up to pseries-2.11. A dash: not measured, or no such machine.",
        "heads": ["from", "to"],
        "groups": [],
        "columns": list(releases.MACHINES),
        "rows": [{"head": [source, ", ".join(targets)], "cells": [kept(row[machine]) for machine in releases.MACHINES]}
                 for source, targets, row in releases.rows(cells, lambda found: tuple(kept(found).values()))],
    }


def measure(args, stock):
    """Run everything. Returns what the JSON file holds."""
    binaries = {"stock": stock, "patched": args.patched}
    rows = h.read_manifest(args.streams)
    machines = h.machine_versions(stock, args.patched)
    chosen = [machine for machine in (machines[-1] if name == "newest" else name for name in MACHINES) if machine in machines]
    old_rows = [row for row in rows if row.machine in machines]
    work = [(into_patched, args.patched, row) for row in old_rows] + [(into_stock, stock, row) for row in old_rows]
    grid = [(machine, model) for machine in wire.MACHINES for model in wire.MODELS]
    work += [(on_wire, args.patched, rows, *each) for each in grid]
    lives = [(*direction, machine, cpu, 1, "bare") for machine in machines for cpu in CPUS for direction in DIRECTIONS]
    work += [(live, binaries, *each) for each in lives]
    sets = [(machine, "POWER8", smp, devices) for machine in chosen for smp in (1, 4) for devices in h.DEVICES]
    work += [(both_ways, binaries, *each) for each in sets]

    progress = Progress(len(work), "running guests")

    def one(item):
        try:
            return item[0](*item[1:])
        except h.HarnessError as error:         # such as a QEMU that does not start; the others go on
            bad = cell("refused", "does not run", str(error), False)
            return (bad, bad) if item[0] in (into_patched, into_stock) else bad
        finally:
            progress.step()
    try:
        results = iter(list(h.in_parallel(one, work, args.jobs)))
    finally:
        progress.clear()

    patched_cells, stock_cells = [next(results) for _ in old_rows], [next(results) for _ in old_rows]
    found = dict(zip(grid, results))            # zip() takes one from grid first, so that it stops without losing a result
    of_live = {each: next(results) for each in lives}
    of_sets = {each: next(results) for each in sets}
    for (source, destination, *what), one in of_live.items():
        if (source, destination) != ("stock", "stock") and not one["fine"]:
            # Not the patched QEMU's doing if stock does no better with itself.
            one["fine"] = one["state"] == "refused" and of_live["stock", "stock", *what]["state"] == "refused"

    tables = [{
        "id": "recorded",
        "title": "Guests recorded with old releases",
        "note": "To: the recorded stream is loaded and the guest goes on, or not. Back: what would be sent is compared with what "
                "that release sent itself, as no binary of it is run here.",
        "heads": ["QEMU", "machine", "CPU", "CPUs", "guest saw"],
        "groups": ["loaded into", "sent back to that release (compared, not run)"],
        "columns": ["stock", "patched", "stock", "patched"],
        "rows": [{"head": [row.qemu, row.machine, row.cpu, str(row.smp), row.guest_probe],
                  "cells": [stock_cell[0], patched_cell[0], stock_cell[1], patched_cell[1]]}
                 for row, stock_cell, patched_cell in zip(old_rows, stock_cells, patched_cells)],
    }, {
        "id": "wire",
        "title": "What patched puts on the wire",
        "note": "Words and structure of a guest started here, with 1 and with 4 CPUs, against those of 2.6 for pseries-2.1 to "
                "2.6 and of 2.7.0 for pseries-2.7.",
        "heads": ["machine"],
        "groups": [],
        "columns": list(wire.MODELS),
        "rows": [{"head": [machine], "cells": [found[machine, model] for model in wire.MODELS]} for machine in wire.MACHINES],
    }, {
        "id": "live",
        "title": "Live migration, every machine version",
        "note": "Over a UNIX socket, one CPU, no devices; with cap-htm=off where stock does not start without it.",
        "heads": ["machine"],
        "groups": list(CPUS),
        "columns": [f"{source} → {destination}" for cpu in CPUS for source, destination in DIRECTIONS],
        "rows": [{"head": [machine], "cells": [of_live[(*direction, machine, cpu, 1, "bare")] for cpu in CPUS
                                               for direction in DIRECTIONS]} for machine in machines],
    }, {
        "id": "devices",
        "title": "Live migration with devices",
        "note": "POWER8, from stock to patched and from patched to stock; a cell counts as running only if both do.",
        "heads": ["machine", "CPUs"],
        "groups": [],
        "columns": list(h.DEVICES),
        "rows": [{"head": [machine, str(smp)], "cells": [of_sets[machine, "POWER8", smp, devices] for devices in h.DEVICES]}
                 for machine in chosen for smp in (1, 4)],
    }, between_releases(releases.read_cells(releases.FILE))]
    return {"date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
            "binaries": {name: h.output_of(binary, "--version").splitlines()[0] for name, binary in binaries.items()},
            "summary": summarize(tables), "tables": tables,
            "fine": all(one["fine"] is not False for one in own_cells(tables))}


def own_cells(tables):
    """The cells that are the patched QEMU's to answer for: all but the columns in which stock is alone."""
    for table in tables:
        for row in table["rows"]:
            for column, one in zip(table["columns"], row["cells"]):
                if table["id"] not in ("recorded", "live") or "patched" in column:
                    yield one


def summarize(tables):
    """The numbers that say most, as (number, text) pairs."""
    recorded, on_the_wire, lives, devices = ([row["cells"] for row in table["rows"]] for table in tables[:4])

    def count(cells, *states):
        cells = list(cells)
        return f"{sum(one['state'] in states and one['fine'] is not False for one in cells)} of {len(cells)}"
    runs = ("ok", "changed")
    options = sum(row[3]["state"] == "wire" and bool(row[3]["text"]) for row in recorded)
    return [
        (count((row[0] for row in recorded), *runs), "recorded guests run on in stock"),
        (count((row[1] for row in recorded), *runs), "recorded guests run on in patched"),
        (count((row[2] for row in recorded), "wire"), "ways back from stock are wire equal"),
        (count((row[3] for row in recorded), "wire"), "ways back from patched are wire equal"
         + (f", {options} of them with an option" if options else "")),
        (count((one for row in on_the_wire for one in row), "wire", "words"), "old machines and models: words equal"),
        (count((one for row in lives for i, one in enumerate(row) if i % 3), *runs),
         "live migrations between stock and patched run"),
        (count((one for row in devices for one in row), *runs), "sets of devices go both ways"),
    ]


# ---- how it is shown ----------------------------------------------------------------------------------------------------

def label(one):
    """The words of a cell, without its glyph."""
    return one["text"] or ("" if one["state"] in ("ok", "none") else STATES[one["state"]][2])


def show(data, paint):
    """The tables on the terminal."""
    print(paint("pseries migration matrix", BOLD) + f"  {data['date']}")
    for name, version in data["binaries"].items():
        print(f"  {name}: {version}")
    print()
    for number, text in data["summary"]:
        print(f"  {number:>10}  {text}")
    footnotes = Footnotes()
    for table in data["tables"]:
        wide = table["id"] == "recorded"
        print("\n" + paint(table["title"], BOLD))
        print(textwrap.fill(table["note"], WIDTH, break_on_hyphens=False))
        columns = [column.replace(" ", "") for column in table["columns"]]
        if wide:
            columns = [("to " if i < 2 else "back: ") + column for i, column in enumerate(columns)]
        if table["id"] == "live":
            print(" " * 18 + "".join(f"{cpu:33}" for cpu in table["groups"]).rstrip())
            columns = [column.replace("stock", "s").replace("patched", "p") for column in columns]
        heads = [max(len(title), *(len(row["head"][i]) for row in table["rows"])) for i, title in enumerate(table["heads"])]
        heads[-1] = max(heads[-1], 15 if table["id"] == "live" else 0)
        widths = [19, 19, 12, 0] if wide else [11 if table["id"] == "live" else max(len(column), 6) + 1 for column in columns]
        print(paint("  ".join(f"{text:{width}}" for text, width in zip(table["heads"], heads)) + "  "
                    + "".join(f"{text:{width}}" for text, width in zip(columns, widths)), BOLD).rstrip())
        for row in table["rows"]:
            line = "  ".join(f"{text:{width}}" for text, width in zip(row["head"], heads)) + "  "
            for one, width in zip(row["cells"], widths):
                note = f" ({footnotes.number(one['why'])})" if one["why"] else ""
                room = width - 4 - len(note)
                text = one["text"].removeprefix("with ") if wide or table["id"] == "live" and len(one["text"]) <= room else ""
                text = f"{STATES[one['state']][0]} {text}".rstrip() + note + ("!" if one["fine"] is False else "")
                code = BAD if one["fine"] is False else STATES[one["state"]][1]
                line += paint(text, code) + " " * (width - len(text))
            print(line.rstrip())
        if table["id"] == "live":
            print("s: stock, p: patched")
    print()
    for glyph, _, name, text in STATES.values():
        print(f"{glyph} {name}: {text}")
    print("!: not as it must be")
    for number, text in enumerate(footnotes.texts, 1):
        print(textwrap.fill(f"({number}) {text}", WIDTH, subsequent_indent="    ", break_on_hyphens=False))


def render(name, data):
    """The page or the drawing, from its template."""
    try:
        import jinja2
    except ImportError as error:
        raise h.HarnessError("python3-jinja2 is missing; scripts/setup.sh installs it, for /usr/bin/python3") from error
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined)
    return templates.get_template(name).render(data, states={key: dict(zip(("glyph", "colour", "name", "text"), state))
                                                             for key, state in STATES.items()},
                                               probes=h.PROBES, label=label, notes=Footnotes())


def write(directory, name, text):
    """Write a file so that nobody ever sees half of it."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, prefix=name, delete=False) as f:
        f.write(text)
    os.chmod(f.name, 0o644)
    os.replace(f.name, os.path.join(directory, name))


def run(args):
    if args.render:
        try:
            with open(args.render, encoding="utf-8") as f:
                data = json.load(f)
        except (OSError, ValueError) as error:
            raise h.HarnessError(f"cannot read {args.render}: {error}") from error
    else:
        stock = args.stock or shutil.which("qemu-system-ppc64")
        if not stock:
            raise h.HarnessError("no stock QEMU: install the Debian package qemu-system-ppc, or name the binary with --stock")
        if not args.patched:
            raise h.HarnessError("which is the patched QEMU? Name it with --patched")
        data = measure(args, stock)
    os.makedirs(args.out, exist_ok=True)
    write(args.out, "matrix.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    write(args.out, "matrix.html", render("matrix.html", data))
    write(args.out, "matrix.svg", render("matrix.svg", data))
    show(data, Paint(sys.stdout))
    written = (os.path.relpath(os.path.join(args.out, "matrix." + kind)) for kind in ("html", "svg", "json"))
    print("\nwritten: " + ", ".join(written))
    return 0 if data["fine"] else 1


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--patched", metavar="BIN", help="the patched qemu-system-ppc64")
    parser.add_argument("--stock", metavar="BIN", help="the distribution's own (default: the one in PATH)")
    parser.add_argument("--out", metavar="DIR", default=OUT, help="where the files go (default: build/matrix)")
    parser.add_argument("--render", metavar="JSON", help="run nothing, show what an earlier run wrote")
    h.main(run, parser)
