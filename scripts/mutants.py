#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mutants.py [--seeds N] [--from SEED] [--quick] [NAME...]: does the simulator find planted bugs?

Each MUTANT(name) in src/ is a bug of KIND=mutant builds (base/mutant.h). For each the simulator
runs seeds, each in a store's world and in a cluster's, until a checker finds it, N at most. Prints
where the bug is, in which world and seed it was found, by which checker, and how long that took.
A seed that fails without any planted bug proves nothing: it is named, and passed over. NAME: only
mutants with that in their name. --quick: 60 seeds, and not longer than 20 seconds for each bug.

Exit 1 if fewer than FOUND_SHARE of them are found.
"""

import argparse
import os
import re
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))
SIMULATOR = os.path.join(ROOT, 'build/mutant/shoal-sim')
FOUND_SHARE = 0.95
CHUNK = {'store': 50, 'cluster': 5}             # seeds in one run
CHUNK_SECONDS = 300
QUICK_SEEDS, QUICK_SECONDS = 60, 20


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


def first_failure(name, world, first, count):
    """(seed, checker) of the first of these seeds that fails; None: all pass."""
    command = [SIMULATOR, '--world', world, '--seeds', str(count), '--from', str(first),
               '--failures', '1']
    if name:
        command += ['--mutant', name]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace', timeout=CHUNK_SECONDS)
    except subprocess.TimeoutExpired:
        return (first, 'hangs') if count == 1 else one_by_one(name, world, first, count)
    replayed = re.findall(r'^replay: .* (\d+)$', done.stdout, re.M)
    if done.returncode == 0:
        return None
    if not replayed:
        sys.exit(f'mutants: {" ".join(command)}\n{done.stdout}')
    said = re.findall(r'^seed (\d+):? (?:(\w+): |at )', done.stdout, re.M)
    if said:
        return int(said[0][0]), said[0][1] or 'store'
    what = 'check' if 'this should always hold' in done.stdout else 'crash'
    return int(replayed[0]), what


def one_by_one(name, world, first, count):
    for seed in range(first, first + count):
        found = first_failure(name, world, seed, 1)
        if found:
            return found
    return None


class Controls:
    """Seeds that fail in the program as it is: looked for only where it matters."""

    def __init__(self):
        self.known = {}

    def fails(self, world, seed):
        if (world, seed) not in self.known:
            self.known[world, seed] = first_failure(None, world, seed, 1)
        return self.known[world, seed] is not None

    def failing(self):
        return [f'{world} {seed} ({what[1]})'
                for (world, seed), what in sorted(self.known.items()) if what]


def find_in(name, world, first, end, controls):
    while first < end:
        found = first_failure(name, world, first, end - first)
        if not found or not controls.fails(world, found[0]):
            return found
        first = found[0] + 1
    return None


def hunt(name, arguments, controls):
    """(world, seed, checker), or None."""
    begun, end = time.monotonic(), arguments.first + arguments.seeds
    at = {world: arguments.first for world in CHUNK}
    while min(at.values()) < end:
        for world, count in CHUNK.items():
            to = min(at[world] + count, end)
            found = find_in(name, world, at[world], to, controls)
            at[world] = to
            if found:
                return (world, *found)
            if arguments.seconds and time.monotonic() - begun > arguments.seconds:
                return None
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=2000)
    parser.add_argument('--from', type=int, default=1, dest='first')
    parser.add_argument('--seconds', type=int, default=0, help='for each at most; 0: no limit')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.seconds = QUICK_SEEDS, QUICK_SECONDS
    mutants = planted()
    chosen = [name for name in sorted(mutants)
              if not arguments.names or any(part in name for part in arguments.names)]
    controls, missed = Controls(), []
    print(f'{"planted bug":38} {"in":26} {"world":8} {"seed":>6} {"checker":8} seconds')
    for name in chosen:
        begun = time.monotonic()
        found = hunt(name, arguments, controls)
        world, seed, checker = found or ('-', '-', '-')
        print(f'{name:38} {mutants[name]:26} {world:8} {seed:>6} {checker:8} '
              f'{time.monotonic() - begun:.1f}', flush=True)
        if not found:
            missed.append(name)
    found = len(chosen) - len(missed)
    print(f'{found} of {len(chosen)} planted bugs found, {100 * found / max(1, len(chosen)):.0f} %')
    if missed:
        print('not found: ' + ' '.join(missed))
    if controls.failing():
        print('fail without a planted bug: ' + ', '.join(controls.failing()))
    sys.exit(found < FOUND_SHARE * len(chosen))


if __name__ == '__main__':
    main()
