#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mutants.py [--seeds N] [--from SEED] [NAME...]: does the simulator find the planted bugs?

Each MUTANT(name) in src/ is a bug of KIND=mutant builds (base/mutant.h). For each the simulator
runs seeds until a checker finds it, N at most. Prints which checker found it, in which seed, and in
what share of the seeds that were run. NAME: only mutants with that in their name. Exit 1 if fewer
than FOUND_SHARE of them are found, or if the unchanged program fails.
"""

import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))
SIMULATOR = os.path.join(ROOT, 'build/mutant/shoal-sim')
FOUND_SHARE = 0.95
CHUNK = 100       # seeds in one run
CHUNK_SECONDS = 300
CONTROL_SEEDS = 200


def planted():
    names = {}
    for parent, _, files in os.walk(os.path.join(ROOT, 'src')):
        for file in files:
            path = os.path.join(parent, file)
            if file == 'mutant.h' or not file.endswith(('.c', '.h')):
                continue
            with open(path, encoding='utf-8') as source:
                for name in re.findall(r'\bMUTANT\((\w+)\)', source.read()):
                    names.setdefault(name, os.path.relpath(path, ROOT))
    return names


def run_chunk(name, first, count):
    """What was found in these seeds: None, or (seeds run, failures, first seed, checker)."""
    command = [SIMULATOR, '--world', 'cluster', '--seeds', str(count), '--from', str(first)]
    if name:
        command += ['--mutant', name]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace', timeout=CHUNK_SECONDS)
    except subprocess.TimeoutExpired:
        return count, 1, first, 'hangs'
    text = done.stdout
    failures = re.findall(r'^seed (\d+): (\w+)', text, re.M)
    replayed = re.findall(r'^replay: .* (\d+)$', text, re.M)
    if done.returncode < 0 and replayed:  # a check() in the program, or a wild pointer
        what = 'check' if 'this should always hold' in text else 'crash'
        seed = int(failures[0][0]) if failures else int(replayed[-1])
        checker = failures[0][1] if failures else what
        return int(replayed[-1]) - first + 1, len(failures) + 1, seed, checker
    if failures:
        return count, len(failures), int(failures[0][0]), failures[0][1]
    if done.returncode != 0:
        sys.exit(f'mutants: {" ".join(command)}\n{text}')
    return None


def hunt(name, first, seeds):
    """(seeds run, failures, seed, checker); failures 0: not found."""
    run = 0
    while run < seeds:
        count = min(CHUNK, seeds - run)
        found = run_chunk(name, first + run, count)
        if found:
            return run + found[0], *found[1:]
        run += count
    return run, 0, None, '-'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=2000)
    parser.add_argument('--from', type=int, default=1, dest='first')
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    mutants = planted()
    chosen = [name for name in sorted(mutants)
              if not arguments.names or any(part in name for part in arguments.names)]
    control = hunt(None, arguments.first, min(CONTROL_SEEDS, arguments.seeds))
    if control[1]:
        sys.exit(f'mutants: without any of them seed {control[2]} fails: {control[3]}')
    missed = []
    print(f'{"planted bug":34} {"in":28} {"seed":>8} {"checker":8} share of seeds')
    for name in chosen:
        run, failures, seed, checker = hunt(name, arguments.first, arguments.seeds)
        share = f'{100 * failures / run:.2f} % of {run}' if run else '-'
        print(f'{name:34} {mutants[name]:28} {seed or "-":>8} {checker:8} {share}', flush=True)
        if not failures:
            missed.append(name)
    found = len(chosen) - len(missed)
    print(f'{found} of {len(chosen)} planted bugs found')
    if missed:
        print('not found: ' + ' '.join(missed))
    sys.exit(found < FOUND_SHARE * len(chosen))


if __name__ == '__main__':
    main()
