#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the series' job for GitLab as GitLab does, but without its container.

    gitlab.py --base debian/bookworm

In a copy of the tree with the series, the lines of before_script and script,
with those of the templates that they refer to, in one shell: the job installs
the distribution's QEMU, builds this one and moves guests between the two.
"""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[1].glob('*/'))
from build import PYTHON, SYSTEM_PATH, Place, logged, parser
from process import BuildError, guarded, run, say

FILE = '.gitlab-ci.d/migration-compat-ppc64.yml'
JOB = 'migration-compat-ppc64'

# !reference, which GitLab adds to YAML, becomes a list.
YAML = [PYTHON, '-c', '''
import json, sys, yaml
yaml.SafeLoader.add_constructor("!reference",
                                lambda l, node: l.construct_sequence(node))
json.dump([yaml.safe_load(open(f)) for f in sys.argv[1:]], sys.stdout)
''']


def has_jobs(tree):
    """Whether the tree has a list of job files, to which the series adds its own."""
    return (tree / '.gitlab-ci.d/qemu-project.yml').exists()


def read(tree):
    """The tree's jobs: name -> job, of all files; what the files include; and
    the names of ours."""
    files = sorted((tree / '.gitlab-ci.d').glob('*.yml'))
    jobs, included, own = {}, set(), []
    for path, text in zip(files, json.loads(run([*YAML, *files]))):
        included |= {file['local'].lstrip('/') for file in text.pop('include', [])
                     if 'local' in file}
        jobs |= text
        if path == tree / FILE:
            own = list(text)
    return jobs, included, own


def wanted(jobs, names):
    """The names of other jobs that these refer to."""
    found = set()
    for job in (jobs[name] for name in names):
        extends = job.get('extends', [])
        found |= {extends} if isinstance(extends, str) else set(extends)
        found |= {need['job'] for need in job.get('needs', [])}
        found |= {line[0] for part in ('before_script', 'script')
                  for line in job.get(part, []) if isinstance(line, list)}
    return found


def lines_of(jobs, job, part):
    """The lines of a part of a job: (whether it is the job's own, line)."""
    for line in job.get(part, []):
        if isinstance(line, list):
            for _, theirs in lines_of(jobs, jobs[line[0]], line[1]):
                yield False, theirs
        else:
            yield True, line


def script(jobs, own_only=False):
    """The lines of the job in their order; own_only: without its template's."""
    job = jobs[JOB]
    return [line for part in ('before_script', 'script')
            for own, line in lines_of(jobs, job, part) if own or not own_only]


def check_references(tally, tree):
    """That the tree has the file, and what the jobs in it refer to; what there
    is of jobs."""
    jobs, included, own = read(tree)
    names = wanted(jobs, own)
    tally.verdicts('gitlab-ci, what the job refers to', [
        (f'{name} is there', name not in included | jobs.keys())
        for name in [FILE, *sorted(names)]])
    return jobs


def check(tally, place, cannot):
    """The job's own tests, with what place has built; stock QEMU is what the job
    would install. cannot: see Tally.run()."""
    jobs = check_references(tally, place.patched)
    released = run([place.stock, '--version'])
    newest = re.search(r' version (\d+\.\d+)', released)[1]
    for line in script(jobs, own_only=True):
        if 'ppc-insns' in line:
            tally.run(f'gitlab-ci: {line}', [
                'bash', '-eo', 'pipefail', '-c', f'cd {place.bin}\n{line}'], cannot,
                RELEASED=str(place.stock), NEWEST=f'pseries-{newest}',
                **variables(jobs))


def variables(jobs):
    return {key: str(value) for key, value in jobs[JOB]['variables'].items()}


def run_job(place, tree):
    """The whole job, in a copy of the tree that is gone then."""
    jobs, _, _ = read(place.patched)
    text = '\n'.join(['set -eo pipefail', *(
        f'printf "\\n\\$ %s\\n" {shlex.quote(line)}\n{line}' for line in script(jobs))])
    if os.geteuid():        # GitLab's container is root's
        text = 'apt-get() { sudo apt-get "$@"; }\n' + text
    say(f'running the job {JOB} in {tree}')
    logged(['env', SYSTEM_PATH, *(f'{k}={v}' for k, v in variables(jobs).items()),
            'DEBIAN_FRONTEND=noninteractive', 'bash', '-c', text], tree, 'job.log')
    return (tree / 'job.log').read_text()


def main():
    args = parser(f'Run the job {JOB} as GitLab does.').parse_args()
    place, tree = Place(args.base, args.qemu, args.without), None
    with place.locked():
        place.get_source()
        place.check_source()
        place.make_patched()
        if not (place.patched / FILE).exists():
            raise BuildError(f'the series has no job for GitLab in {place.source}')
        tree = place.dir / 'gitlab'
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(place.patched, tree, symlinks=True)
        log = run_job(place, tree)
    passed, failed, skipped = (len(re.findall(pattern, log)) for pattern in (
        r'(?m)^ok (?!.*# SKIP)', r'(?m)^not ok ', r'(?m)^ok .*# SKIP'))
    built = len(re.findall(r'(?m)^\[\d+/\d+\] .*target_ppc_cpu_init\.c\.o', log))
    shutil.rmtree(tree)
    if failed or not passed or built != 1:
        raise BuildError(f'{passed} passed, {failed} failed; target/ppc/cpu_init.c '
                         f'was compiled {built} times, which is to be once')
    say(f'{passed} passed, {skipped} skipped')
    return 0


if __name__ == '__main__':
    guarded(main)
