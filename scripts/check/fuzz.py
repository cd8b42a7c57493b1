#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the fuzz targets of tests/fuzz with libFuzzer.

    fuzz.py [--time SECONDS] [--runs N] [TARGET...]

Results stay in build/fuzz: corpus/TARGET has the inputs that reach new code,
with which the next run begins; an input that fails is found-TARGET-*. Once it is
understood, put it into tests/fuzz/found/TARGET.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
from build import PROJECT
from process import guarded, run

OUT = PROJECT / 'build/fuzz'
TARGETS = ['stream', 'verdict']

# Inputs are small; what is slow or takes much memory counts as a failure.
OPTIONS = ['-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=100',
           '-reduce_inputs=0', '-print_final_stats=1']
LENGTH = {'stream': 2048, 'verdict': 64}

# Turns off address randomization, because libFuzzer puts addresses into inputs;
# some containers do not allow that.
ALIKE = ['setarch', '-R']

# glib's own allocator would hide errors; the rest is for speed.
ENV = {'G_SLICE': 'always-malloc',
       'ASAN_OPTIONS': 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64'
                       ':malloc_context_size=4:max_malloc_fill_size=0'
                       ':allocator_release_to_os_interval_ms=-1'}


def build():
    """The targets, and the seeds that are made of the recorded streams."""
    if not (OUT / 'build.ninja').exists():
        shutil.rmtree(OUT, ignore_errors=True)
        run(['meson', 'setup', '--buildtype=debugoptimized', '-Dfuzz=true',
             '-Db_sanitize=address,undefined', '-Db_lundef=false', OUT,
             PROJECT], env={**os.environ, 'CC': 'clang'})
    run(['ninja', '-C', OUT, 'tools/ppc-insns',
         *(f'tests/fuzz/fuzz-{t}' for t in TARGETS)])
    run([sys.executable, PROJECT / 'tests/fuzz/corpus.py', '--tool',
         OUT / 'tools/ppc-insns', OUT / 'seeds'])


def fuzz(target, seconds, runs=-1, seed=None):
    """Runs one target. Returns how many inputs it tried, and what went wrong or ''.
    With a seed it makes the same choices each time, as far as it can, and
    ignores what was found before."""
    alike = []
    if seed is not None and not subprocess.run(
            [*ALIKE, 'true'], stderr=subprocess.DEVNULL).returncode:
        alike = ALIKE
    corpus = OUT / ('corpus' if seed is None else 'again') / target
    if seed is not None:
        shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = sorted((OUT / 'seeds').iterdir()) if target == 'stream' else []
    p = subprocess.run(
        [*alike, OUT / f'tests/fuzz/fuzz-{target}', *OPTIONS, f'-runs={runs}',
         f'-seed={seed or 0}',      # 0: a random one
         f'-max_len={LENGTH[target]}', f'-max_total_time={seconds}',
         f'-artifact_prefix={OUT}/found-{target}-', corpus, *seeds,
         PROJECT / 'tests/fuzz/found' / target],
        env={**os.environ, **ENV}, text=True, errors='replace',
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    tried = re.search(r'number_of_executed_units: (\d+)', p.stderr)
    log = [line for line in p.stderr.splitlines()
           if not re.match(r'#\d|INFO|\tNEW|"', line)]
    return int(tried[1]) if tried else 0, \
        '\n'.join(log[:40]) if p.returncode else ''


def main():
    p = argparse.ArgumentParser(description='Run the fuzz targets.')
    p.add_argument('--time', type=int, default=600,
                   help='seconds for each target (default: 600)')
    p.add_argument('--runs', type=int, default=-1,
                   help='end a target after so many inputs')
    p.add_argument('target', nargs='*', choices=[*TARGETS, []],
                   help=f'{", ".join(TARGETS)} (default: all)')
    args = p.parse_args()
    build()
    status = 0
    for target in args.target or TARGETS:
        tried, problem = fuzz(target, args.time, args.runs)
        print(f'{target}: {tried} inputs' + (', failed:' if problem else ''))
        if problem:
            print(problem)
            status = 1
    return status


if __name__ == '__main__':
    guarded(main)
