#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Load every recorded stream into the stock QEMU and into the patched one, and print what became of the guests.

    demo.py --patched BIN [--stock BIN] [--jobs 8]

Exit status 0 if the patched QEMU loads all streams, every guest sees what its machine version promises, and every guest that sleeps
goes on; else 1.
"""
import os
import re
import shutil
import sys
import textwrap
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "migration-compat"))
import harness as h  # noqa: E402  (found through the line above)

WIDTH = 118
CELL = 36
# Seconds that a guest that sleeps gets in the stock QEMU, where it nearly always sleeps for good.
STOCK_PATIENCE = 2
GOOD, NOTE, BAD, FAINT, BOLD = "32", "33", "1;31", "2", "1"


class Paint:
    """Colours text where colours are wanted: on a terminal, unless NO_COLOR is set (https://no-color.org)."""

    def __init__(self, out):
        self.on = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.on and text else text


class Progress:
    """Counts on stderr while the guests run, if a person is looking."""

    def __init__(self, total, what="loading streams"):
        self.total, self.what, self.done, self.lock = total, what, 0, threading.Lock()
        self.on = sys.stderr.isatty()
        self.show()

    def show(self):
        if self.on:
            sys.stderr.write(f"\r{self.what}: {self.done} of {self.total}")
            sys.stderr.flush()

    def step(self):
        with self.lock:
            self.done += 1
            self.show()

    def clear(self):
        if self.on:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class Footnotes:
    """Texts with numbers; the same text has the same number."""

    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def attempt(binary, row, take_advice):
    """Load ROW as it is; if QEMU itself names a -machine option to try, try that, too, where TAKE_ADVICE says so.

    Returns the Result and that option. The stock QEMU is helped along in this way, so that it gets the best it can do; the
    patched one is to need nothing.
    """
    patience = STOCK_PATIENCE if take_advice and row.guest is not h.COUNTING else None
    result = h.load(binary, row, patience=patience)
    advice = re.search(r"[Tt]ry appending -machine (\S+)", result.stderr)
    if result.loaded or not advice or not take_advice:
        return result, None
    second = h.load(binary, row, machine=f"{row.machine},{advice[1]}", patience=patience)
    if not second.loaded:
        second.reason = f"{result.reason} -- and with that: {second.reason}"
    return second, advice[1]


def difference(before, after):
    """What a guest gained and lost, in words that need no colours: '+addg6s -lq'."""
    return " ".join(("+" if now.isupper() else "-") + probe.instruction
                    for probe, old, now in zip(h.PROBES, before, after) if old != now)


def cell(result, option, expected, footnotes, paint):
    """What one QEMU made of one stream, padded to the width of its column. EXPECTED: the letters that are right, or None."""
    if not result.loaded:
        number = footnotes.number(result.reason)
        text = f"{'lost' if result.verdict == 'stuck' else result.verdict} ({number})"
        room = CELL - len(text) - 2
        reason = result.reason if len(result.reason) <= room else result.reason[:room - 3].rstrip() + "..."
        return paint(text, BAD) + (": " + reason).ljust(CELL - len(text))
    if not result.after:                    # the guest that sleeps has no letters
        note = "goes on" + (f" ({footnotes.number('loaded only with -machine ' + option)})" if option else "")
        return paint(note, GOOD) + " " * (CELL - len(note))
    changes = difference(result.before, result.after)
    right = result.after == expected
    letters = "".join(paint(now, BOLD if right else BAD) if old != now else now for old, now in zip(result.before, result.after))
    note, code = (changes, NOTE if right else BAD) if changes else ("unchanged", GOOD)
    if changes and right:
        note += f" ({footnotes.number('the machine version never promised this; the CPU property insns-compat can keep it')})"
    if expected and not right:
        note = f"{note}, WRONG: {expected}"
    if option:
        note += f" ({footnotes.number('loaded only with -machine ' + option)})"
    return f"{letters}  {paint(note, code)}" + " " * (CELL - len(result.after) - 2 - len(note))


def summary(name, results):
    """'stock: 9 of 19 loaded, 0 with the guest's instructions unchanged'."""
    loaded = [result for result, _ in results if result.loaded]
    same = sum(result.after == result.before for result in loaded)
    return f"{name}: {len(loaded)} of {len(results)} loaded, {same} with the guest's instructions unchanged"


def table(rows, of_stock, of_patched, expected, footnotes, paint):
    """Print the rows of one guest."""
    release = None
    for row, stock_result, patched_result, right in zip(rows, of_stock, of_patched, expected):
        if row.qemu != release:
            release = row.qemu
            print(paint(f"QEMU {release}", BOLD))
        cpus = f"{row.smp} CPU" + ("s" if row.smp > 1 else "")
        says = row.guest_probe if row.guest is h.COUNTING else "asleep" if set(row.moment.split()) == {"ceded"} else "awake"
        line = f"  {row.machine:12} {row.cpu:13} {cpus:7} {says:8} {cell(*stock_result, None, footnotes, paint)} " \
               f"{cell(*patched_result, right, footnotes, paint)}"
        print(line.rstrip())


def run(args):
    stock = args.stock or shutil.which("qemu-system-ppc64")
    if not stock:
        raise h.HarnessError("no stock QEMU: install the Debian package qemu-system-ppc, or name the binary with --stock")
    rows = h.read_manifest(args.streams, guest=None)
    counting = sum(row.guest is h.COUNTING for row in rows)
    rows.sort(key=lambda row: row.guest is not h.COUNTING)     # stable: else in the order of the file
    titles = [f"{name} ({h.release_of(binary)})" for name, binary in (("stock", stock), ("patched", args.patched))]
    expected = [h.letters_expected(row.cpu, row.machine, h.release_of(args.patched), patched=True) if row.guest is h.COUNTING else ""
                for row in rows]

    progress = Progress(2 * len(rows))

    def one(work):
        try:
            return attempt(*work)
        finally:
            progress.step()
    try:
        # What is lost in stock takes time, but no CPU: those first, beside the others.
        work = [(binary, row, helped) for binary, helped in ((stock, True), (args.patched, False)) for row in rows]
        order = sorted(range(len(work)), key=lambda n: not work[n][2] or work[n][1].guest is h.COUNTING)
        found = dict(zip(order, h.in_parallel(one, [work[n] for n in order], args.jobs)))
        results = [found[n] for n in range(len(work))]
    finally:
        progress.clear()
    of_stock, of_patched = results[:len(rows)], results[len(rows):]

    paint, footnotes = Paint(sys.stdout), Footnotes()
    for title, part in (("A guest that counts", slice(counting)), ("A guest that sleeps", slice(counting, None))):
        if rows[part]:
            print(paint(f"{title:36} {'guest':8} {titles[0]:{CELL}} {titles[1]}", BOLD))
            table(rows[part], of_stock[part], of_patched[part], expected[part], footnotes, paint)
            print()

    def wrapped(text, indent):
        return textwrap.fill(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False).replace("\xa0", " ")

    # Hard spaces keep a letter on the line of its instruction; textwrap leaves them alone.
    legend = "; ".join(f"{probe.letter}\xa0{probe.instruction}\xa0({probe.group})" for probe in h.PROBES)
    print(wrapped(f"Letters: what the guest itself tries, and reports; upper case: the instruction executes, lower case: it does "
                  f"not. {legend}.", 9))
    print(wrapped("Loaded means that the guest goes on: the one that counts with its general, floating-point and vector registers "
                  "intact; the one that sleeps with timer interrupts, interrupts between CPUs and wake-ups on each CPU, and with a "
                  "key that is typed.", 0))
    for number, text in enumerate(footnotes.texts, 1):
        print(wrapped(f"({number}) {text}", 4))
    print()
    print(wrapped(summary("stock", of_stock[:counting]) + "; " +
                  summary("patched", of_patched[:counting]).replace(" with the guest's instructions", ""), 0))
    if rows[counting:]:
        print("of the guests that sleep " + " and ".join(
            f"{sum(result.loaded for result, _ in results[counting:])} of {len(rows) - counting} go on in {name}"
            for name, results in (("stock", of_stock), ("patched", of_patched))))
    return 0 if all(result.loaded and result.after == right for (result, _), right in zip(of_patched, expected)) else 1


if __name__ == "__main__":
    parser = h.arguments(__doc__)
    parser.add_argument("--patched", metavar="BIN", required=True, help="the patched qemu-system-ppc64")
    parser.add_argument("--stock", metavar="BIN", help="the distribution's own (default: the one in PATH)")
    parser.set_defaults(jobs=8)
    h.main(run, parser)
