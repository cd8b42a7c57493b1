#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzes what a QEMU with the series does with the "cpu" sections it loads.

    fuzz-qemu.py [--base BASE | --qemu TREE] [--runs N]

Builds QEMU's fuzzer (--enable-fuzzing, with sanitizers) with one more target,
tests/fuzz/ppc_insns_fuzz.c, and runs it for each CPU of CPUS, on each machine
version of MACHINES and with each compat version of VERSIONS: first all that the
target has to enumerate, then N inputs of libFuzzer's.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
from build import (PROJECT, TARGET_LIST, Place, build_tree, link_firmware,
                   parser)
from process import guarded

TARGET = PROJECT / 'tests/fuzz/ppc_insns_fuzz.c'
MACHINES = ['pseries-2.1', 'pseries-2.6', 'pseries-2.7']
CPUS = ['970_v2.2', 'power5+_v2.1', 'POWER7', 'POWER8', 'POWER9', 'POWER10']
# The releases with rows in the history: each differs from the one before.
VERSIONS = ['.'.join(release) for release in dict.fromkeys(re.findall(
    r'CHANGE\(R\((\d+), (\d+)\), F\(',
    (PROJECT / 'target/ppc/insns-history.h.inc').read_text()))]

# hw/ppc and libqtest define the same symbol, and no other fuzzer links both; use
# the first one, QEMU's own.
OPTIONS = ['--enable-fuzzing', '--enable-sanitizers', '--cc=clang',
           '--cxx=clang++', '--extra-ldflags=-Wl,-z,muldefs']


def build(place):
    """Returns the fuzzer."""
    tree, out = place.dir / 'fuzz-tree', place.dir / 'fuzz-bin'
    place.get_source()
    repo, _ = place.commit()
    meson = 'tests/qtest/fuzz/meson.build'
    repo.commit([('fuzz', "QEMU's fuzzer of cpu sections", {
        f'tests/qtest/fuzz/{TARGET.name}': ('100644', TARGET.read_text()),
        meson: ('100644', repo.git('show', f'series:{meson}').decode() +
                f"\nspecific_ss.add(files('{TARGET.name}'))\n")})],     # it has cpu.h
                {'fuzz': 'refs/heads/series'})
    repo.check_out('fuzz', tree)
    build_tree(tree, out, [*TARGET_LIST, *OPTIONS], ['qemu-fuzz-ppc64'])
    link_firmware(out)
    return out / 'qemu-fuzz-ppc64'


def configurations():
    """What to start QEMU with"""
    for cpu in CPUS:
        for machine in MACHINES:
            yield f'-M {machine} -cpu {cpu}'
            yield f'-M {machine} -cpu {cpu},insns-compat=none'
        for version in VERSIONS:
            yield f'-M pseries-2.6 -cpu {cpu},insns-compat={version}'
    for cpu in CPUS[3:]:
        yield f'-M pseries-2.7,max-cpu-compat=power7 -cpu {cpu}'
        yield f'-M pseries-2.6,max-cpu-compat=power8 -cpu {cpu}'


def fuzz(fuzzer, arguments, runs):
    """Runs the fuzzer; (sections loaded, what went wrong)."""
    p = subprocess.run(
        [fuzzer, '--fuzz-target=ppc-insns', f'-runs={runs}', '-max_len=18',
         '-detect_leaks=0', f'-artifact_prefix={fuzzer.parent}/found-'],
        env={**os.environ, 'QEMU_FUZZ_ARGS': arguments}, text=True,
        errors='replace', stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    counts = re.search(r'cpu sections: (\d+), (.*)', p.stderr)
    if p.returncode or not counts:
        return 0, p.stderr[-3000:]
    print(f'{arguments}: {counts[0]}', flush=True)
    return int(counts[1]), ''


def main():
    p = parser(__doc__.split('\n')[0])
    p.add_argument('--runs', type=int, default=1000,
                   help='inputs of libFuzzer for each configuration')
    args = p.parse_args()
    place = Place(args.base, args.qemu, args.without)
    with place.locked():
        fuzzer = build(place)
        total = failed = 0
        for arguments in configurations():
            sections, problem = fuzz(fuzzer, arguments, args.runs)
            total += sections
            if problem:
                failed += 1
                print(f'{arguments}: failed\n{problem}', flush=True)
    print(f'{total} cpu sections, {failed} configurations failed')
    return 1 if failed or not total else 0


if __name__ == '__main__':
    guarded(main)
