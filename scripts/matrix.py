#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run everything against everything, and show what works, what is refused and why: on the terminal, as HTML and as SVG.

    matrix.py --patched BIN [--stock BIN] [--out build/matrix] [--jobs 2]

Writes matrix.html and matrix.svg, which need no other file, and matrix.json, from which both are made. What is shown as
running was run and seen to run; what cannot be run here, as there are no binaries of the old releases, has states of its own.

Exit status 0 if the patched QEMU does all that it is for: it runs all recorded streams, what it sends is what the old releases
sent, and it exchanges with stock whatever stock exchanges with itself. Else 1.
"""
import datetime
import html
import json
import os
import shutil
import sys
import tempfile
import textwrap

sys.dont_write_bytecode = True
from demo import BAD, BOLD, FAINT, GOOD, NOTE, WIDTH, Footnotes, Paint, Progress, attempt, difference  # noqa: E402
import harness as h  # noqa: E402  (demo says where it is)
import test_wire as wire  # noqa: E402

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "matrix")

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
        "columns": ["to stock", "to patched", "back from stock", "back from patched"],
        "rows": [{"head": [row.qemu, row.machine, row.cpu, str(row.smp), row.guest_probe],
                  "cells": [stock_cell[0], patched_cell[0], stock_cell[1], patched_cell[1]]}
                 for row, stock_cell, patched_cell in zip(old_rows, stock_cells, patched_cells)],
    }, {
        "id": "wire",
        "title": "What patched puts on the wire",
        "note": "Words and structure of a guest started here, with 1 and with 4 CPUs, against those of 2.6 for pseries-2.1 to "
                "2.6 and of 2.7.0 for pseries-2.7.",
        "heads": ["machine"],
        "columns": list(wire.MODELS),
        "rows": [{"head": [machine], "cells": [found[machine, model] for model in wire.MODELS]} for machine in wire.MACHINES],
    }, {
        "id": "live",
        "title": "Live migration, every machine version",
        "note": "Over a UNIX socket, one CPU, no devices; with cap-htm=off where stock does not start without it.",
        "heads": ["machine"],
        "columns": [f"{cpu}: {source} to {destination}" for cpu in CPUS for source, destination in DIRECTIONS],
        "rows": [{"head": [machine], "cells": [of_live[(*direction, machine, cpu, 1, "bare")] for cpu in CPUS
                                               for direction in DIRECTIONS]} for machine in machines],
    }, {
        "id": "devices",
        "title": "Live migration with devices",
        "note": "POWER8, from stock to patched and from patched to stock; a cell counts as running only if both do.",
        "heads": ["machine", "CPUs"],
        "columns": list(h.DEVICES),
        "rows": [{"head": [machine, str(smp)], "cells": [of_sets[machine, "POWER8", smp, devices] for devices in h.DEVICES]}
                 for machine in chosen for smp in (1, 4)],
    }]
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
    recorded, on_the_wire, lives, devices = ([row["cells"] for row in table["rows"]] for table in tables)

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
        columns = [column.split(": ")[-1].replace(" to ", "→").replace("back from", "back:") for column in table["columns"]]
        if table["id"] == "live":
            print(" " * 18 + "".join(f"{cpu:33}" for cpu in CPUS).rstrip())
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


# Colours of the states, for light and for dark: text and ground.
COLOURS = {
    "light": {"page": "#ffffff", "panel": "#f6f8fa", "ink": "#1f2328", "faint": "#59636e", "line": "#d1d9e0",
              "ok": ("#116329", "#dafbe1"), "changed": ("#7d4e00", "#fff1c2"), "refused": ("#a40e26", "#ffe3e0"),
              "wire": ("#0550ae", "#ddf0ff"), "words": ("#0550ae", "#ffffff"), "would": ("#a40e26", "#ffffff"),
              "none": ("#59636e", "#ffffff")},
    "dark": {"page": "#0d1117", "panel": "#151b23", "ink": "#f0f6fc", "faint": "#9198a1", "line": "#3d444d",
             "ok": ("#56d364", "#12361f"), "changed": ("#eac54f", "#3a2d0c"), "refused": ("#ff8e84", "#4a1a1c"),
             "wire": ("#79c0ff", "#10294a"), "words": ("#79c0ff", "#0d1117"), "would": ("#ff8e84", "#0d1117"),
             "none": ("#9198a1", "#0d1117")},
}
FONT = "system-ui,-apple-system,'Segoe UI','Noto Sans','DejaVu Sans',Arial,sans-serif"
MONO = "ui-monospace,'DejaVu Sans Mono','Liberation Mono',Consolas,monospace"


def variables(scheme):
    """The colours of a scheme as CSS variables."""
    text = []
    for name, value in COLOURS[scheme].items():
        text += [f"--{name}:{value};"] if isinstance(value, str) else [f"--{name}:{value[0]};--{name}-bg:{value[1]};"]
    return "".join(text)


def scheme_css(selector):
    """Both schemes, chosen by what the reader's system is set to."""
    return f"{selector}{{{variables('light')}}}\n@media (prefers-color-scheme:dark){{{selector}{{{variables('dark')}}}}}\n"


CSS = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 FONT;color-scheme:light dark}
main{max-width:1280px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 8px}
h2{font-size:19px;margin:44px 0 4px}
p{margin:4px 0 12px;max-width:100ch}
.faint,dt+dd,caption{color:var(--faint)}
dl.binaries{display:grid;grid-template-columns:max-content 1fr;gap:0 12px;margin:0 0 20px;font-size:14px}
dl.binaries dd{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:10px;padding:0;margin:0 0 24px;list-style:none}
.tiles li{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.tiles b{display:block;font-size:22px;line-height:1.3}
.tiles span{font-size:13px;color:var(--faint);display:block;line-height:1.35}
.legend{display:grid;grid-template-columns:repeat(auto-fill,minmax(430px,1fr));gap:6px 24px;
padding:0;margin:0;list-style:none;font-size:13.5px}
.legend li{display:flex;gap:8px;align-items:baseline}
.legend .c{flex:none}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:13px}
th,td{padding:4px 5px;text-align:left;white-space:nowrap;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;background:var(--panel);font-weight:600;vertical-align:bottom}
thead tr+tr th{border-top:1px solid var(--line);font-weight:500;color:var(--faint)}
tbody th{font-weight:500}
tr.first:not(:first-child)>*{border-top:2px solid var(--faint)}
tbody tr:hover>*{background:var(--panel)}
td.group,th.group{border-left:2px solid var(--line);padding-left:8px}
code{font:13px/1.4 MONO;letter-spacing:.04em}
.c{display:inline-flex;gap:4px;align-items:baseline;border-radius:6px;padding:1px 6px;border:1px solid transparent}
.c i{font-style:normal;font-weight:700;font-family:'DejaVu Sans','Noto Sans Symbols2','Noto Sans Math',FONT}
.wrong{outline:2px solid var(--refused);outline-offset:1px}
.would,.words{border:1px dashed currentColor}
sup{line-height:0;margin-left:2px}.wrong+sup{margin-left:6px} sup a{color:var(--faint);text-decoration:none}
sup a:hover{text-decoration:underline}
ol{font-size:13.5px;padding-left:36px} ol li{margin:3px 0;overflow-wrap:anywhere} ol li:target{background:var(--changed-bg)}
@media (max-width:600px){.legend{grid-template-columns:1fr}main{padding:20px 12px 40px}}
@media print{.scroll{overflow:visible}main{max-width:none}}
"""


def as_html(data):
    """One page that needs no other file."""
    def esc(text):
        return html.escape(text, quote=True)

    def pill(state, text="", why="", wrong=False):
        glyph, _, name, _ = STATES[state]
        title = f' title="{esc(name + (": " + why if why else ""))}"'
        shown = f"<span>{esc(text)}</span>" if text else ""
        # A reader of the screen gets the state's name, whatever the glyph is read as.
        return f'<span class="c {state}{" wrong" if wrong else ""}"{title}>' \
               f'<i role="img" aria-label="{esc(name)}">{glyph}</i>{shown}</span>'

    footnotes, body = Footnotes(), []
    for table in data["tables"]:
        kind, columns = table["id"], table["columns"]
        # Columns that belong together have a head of their own: "POWER7: stock to patched", "to stock".
        groups = {"live": CPUS, "recorded": ("loaded into", "sent back to that release (compared, not run)")}.get(kind, ())
        size = len(columns) // len(groups) if groups else len(columns)
        if kind == "live":
            columns = [column.split(": ")[1].replace(" to ", " → ") for column in columns]
        elif groups:
            columns = [column.split()[-1] for column in columns]

        def edge(i):
            return ' class="group"' if groups and i % size == 0 else ""

        body.append(f'<section id="{kind}"><h2>{esc(table["title"])}</h2>\n<p class="faint">{esc(table["note"])}</p>')
        body.append('<div class="scroll"><table><thead><tr>')
        body += [f'<th rowspan="{2 if groups else 1}">{esc(text)}</th>' for text in table["heads"]]
        if groups:
            body += [f'<th class="group" colspan="{size}" scope="colgroup">{esc(text)}</th>' for text in groups] + ["</tr><tr>"]
        body += [f'<th scope="col"{edge(i)}>{esc(text)}</th>' for i, text in enumerate(columns)]
        body.append("</tr></thead><tbody>")
        before = None
        for row in table["rows"]:
            head = row["head"]
            body.append('<tr class="first">' if len(head) > 1 and head[0] != before else "<tr>")
            before = head[0]
            for title, text in zip(table["heads"], head):
                body.append(f'<th scope="row">{f"<code>{esc(text)}</code>" if title == "guest saw" else esc(text)}</th>')
            for i, one in enumerate(row["cells"]):
                note = ""
                if one["why"]:
                    number = footnotes.number(one["why"])
                    note = f'<sup><a href="#n{number}">{number}</a></sup>'
                text = label(one) if kind == "recorded" else one["text"]
                body.append(f'<td{edge(i)}>{pill(one["state"], text, one["why"], one["fine"] is False)}{note}</td>')
            body.append("</tr>")
        body.append("</tbody></table></div></section>")
    legend = "".join(f"<li>{pill(state, name)}<span>{esc(text)}</span></li>" for state, (_, _, name, text) in STATES.items())
    reasons = "".join(f'<li id="n{i}">{esc(text)}</li>' for i, text in enumerate(footnotes.texts, 1))
    letters = "; ".join(f"{probe.letter}\xa0{probe.instruction}" for probe in h.PROBES)
    states = "".join(f".{state}{{color:var(--{state});background:var(--{state}-bg)}}" for state in STATES)
    style = scheme_css(":root") + CSS.replace("FONT", FONT).replace("MONO", MONO) + states
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>pseries migration matrix</title><style>{style}</style></head><body><main>
<h1>pseries migration matrix</h1>
<dl class="binaries">{"".join(f"<dt>{esc(name)}</dt><dd>{esc(text)}</dd>" for name, text in data["binaries"].items())}
<dt>date</dt><dd>{esc(data["date"])}</dd></dl>
<ul class="tiles">{"".join(f"<li><b>{esc(number)}</b><span>{esc(text)}</span></li>" for number, text in data["summary"])}</ul>
<ul class="legend">{legend}</ul>
<p class="faint" style="margin-top:14px">Guests run under TCG. A guest tries instructions and reports what it sees: {esc(letters)};
upper case where the instruction executes. Numbers lead to the reason, as does the pointer over a cell.
A heavy outline marks what is not as it must be.</p>
{"".join(line + chr(10) for line in body)}
<section><h2>Reasons</h2><ol>{reasons}</ol></section>
</main></body></html>
"""


class Svg:
    """Collects elements of a drawing; y grows as they come."""

    def __init__(self, width):
        self.width, self.y, self.parts = width, 0, []

    def text(self, x, y, text, klass="", anchor="start", turned=False):
        turn = f' transform="rotate(-60 {x} {y})"' if turned else ""
        self.parts.append(f'<text x="{x}" y="{y}" class="{klass}" text-anchor="{anchor}"{turn}>{html.escape(text)}</text>')

    def pill(self, x, y, width, one, text=""):
        """A cell of WIDTH at X, Y (its upper left): the glyph, and a text if there is room for one."""
        state = one["state"]
        glyph, _, name, _ = STATES[state]
        wrong = " wrong" if one["fine"] is False else ""
        dashed = " dashed" if state in ("would", "words") else ""
        why = html.escape(name + (": " + one["why"] if one["why"] else ""))
        self.parts.append(f'<g><title>{why}</title><rect x="{x}" y="{y}" width="{width}" height="18" rx="4" '
                          f'class="b-{state}{dashed}{wrong}"/>')
        if text:
            self.text(x + 7, y + 13.5, glyph, f"g t-{state}")
            self.text(x + 22, y + 13, text, f"t-{state}")
        else:
            self.text(x + width / 2, y + 13.5, glyph, f"g t-{state}", "middle")
        self.parts.append("</g>")

    def document(self, style):
        size = f'width="{self.width}" height="{self.y}"'
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.y}" {size} '
                f'role="img" aria-label="pseries migration matrix">\n<style>{style}</style>\n'
                f'<rect class="page" {size}/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def as_svg(data):
    """The same as one drawing, for documents: what it says is in glyphs and words; reasons are in its titles."""
    svg = Svg(1080)
    left = 24
    recorded, on_the_wire, lives, devices = data["tables"]
    svg.text(left, 38, "pseries migration matrix", "h1")
    svg.text(left, 60, "; ".join(f"{name}: {text}" for name, text in data["binaries"].items()), "faint")
    svg.text(left, 77, data["date"] + "; all guests under TCG; a heavy outline marks what is not as it must be", "faint")
    svg.y = 92
    for i, (state, (_, _, name, text)) in enumerate(STATES.items()):
        y = svg.y + i * 22
        svg.pill(left, y, 176, {"state": state, "why": "", "fine": None}, name)
        svg.text(left + 188, y + 13, text, "faint")
    svg.y += len(STATES) * 22 + 34

    svg.text(left, svg.y, recorded["title"], "h2")
    svg.y += 22
    heads = (left, left + 62, left + 152, left + 258)
    for x, text in zip(heads, recorded["heads"]):
        svg.text(x, svg.y, text, "b")
    columns = [left + 312 + i * 180 for i in range(4)]
    for x, text in zip(columns, recorded["columns"]):
        svg.text(x, svg.y, text, "b")
    svg.y += 8
    before = None
    for row in recorded["rows"]:
        if row["head"][0] != before:
            svg.parts.append(f'<path class="line" d="M{left} {svg.y + 1}H{svg.width - left}"/>')
            svg.y += 4
        for x, text in zip(heads, (row["head"][0] if row["head"][0] != before else "", *row["head"][1:4])):
            svg.text(x, svg.y + 13, text)
        before = row["head"][0]
        for x, one in zip(columns, row["cells"]):
            svg.pill(x, svg.y, 174, one, label(one) or STATES[one["state"]][2])
        svg.y += 21

    def grid(table, x, y, head_width, width, turned):
        """A table whose cells are glyphs. Returns where it ends."""
        svg.text(x, y, table["title"], "h2")
        y += 86 if turned else 22
        for i, column in enumerate(table["columns"]):
            at = x + head_width + i * width + width / 2
            svg.text(at - (6 if turned else 0), y, column, "small", "start" if turned else "middle", turned)
        for row in table["rows"]:
            y += 21
            machine, *cpus = row["head"]
            svg.text(x, y, machine + "".join(f", {number} CPU{'s' if number != '1' else ''}" for number in cpus))
            for i, one in enumerate(row["cells"]):
                svg.pill(x + head_width + i * width, y - 13, width - 4, one)
        return y

    top = svg.y + 34
    svg.y = max(grid(on_the_wire, left, top, 96, 52, True), grid(devices, left + 520, top, 152, 40, True))

    svg.y += 44
    svg.text(left, svg.y, lives["title"], "h2")
    svg.y += 72
    names = [row["head"][0].removeprefix("pseries-") for row in lives["rows"]]
    width = min(27, (svg.width - 2 * left - 176) // max(len(names), 1))
    svg.text(left, svg.y, "pseries-", "small")
    for i, name in enumerate(names):
        svg.text(left + 176 + i * width + width / 2 - 3, svg.y, name, "small", "start", True)
    svg.y += 6
    for number, column in enumerate(lives["columns"]):
        svg.y += 4 if number % 3 == 0 else 0
        svg.text(left, svg.y + 13, column.replace(" to ", " → "), "")
        for i, row in enumerate(lives["rows"]):
            svg.pill(left + 176 + i * width, svg.y, width - 3, row["cells"][number])
        svg.y += 21
    svg.y += 24

    style = scheme_css("svg") + (
        f"text{{font:12.5px {FONT};fill:var(--ink)}}.h1{{font-size:22px;font-weight:700}}.h2{{font-size:16px;font-weight:700}}"
        ".b{font-weight:600}.small{font-size:11px}.faint{fill:var(--faint)}.page{fill:var(--page)}.line{stroke:var(--line)}"
        ".g{font-weight:700;font-family:'DejaVu Sans','Noto Sans Symbols2','Noto Sans Math',sans-serif}"
        ".wrong{stroke:var(--refused);stroke-width:2.5}"
        + "".join(f".t-{state}{{fill:var(--{state})}}.b-{state}{{fill:var(--{state}-bg)}}"
                  f".b-{state}.dashed{{stroke:var(--{state});stroke-dasharray:3 2}}" for state in STATES))
    return svg.document(style)


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
    write(args.out, "matrix.html", as_html(data))
    write(args.out, "matrix.svg", as_svg(data))
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
