#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mutants.py [--seeds N] [--from SEED] [--quick] [--keep] [NAME...]: are planted bugs found?

Each MUTANT(name) in src/ is a bug of KIND=mutant builds (base/mutant.h). tests/sim/mutants.txt
keeps for each a world and a seed that have found it, and the checker that did: this seed comes
first. Where it finds nothing any more, or none is kept, seeds are run, of a store's world, of a
cluster's and of one with each of the scenes (cluster:NAME, tests/sim/cluster_scene.h) in turn, N of
each at most, until one fails with the bug and passes without it. So a bug that only changes what
happens when is not "found" by what fails anyway. --worlds A,B: only these. Some are kept with a
unit test (unit:NAME) that fails with them: what only a story tells at once.

NAME: only those with that in their name. --quick: the kept seeds alone. --keep: writes the seeds
that were found into the file. Exit 1 if fewer than FOUND_SHARE of all are found.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))
SIMULATOR = os.path.join(ROOT, 'build/mutant/shoal-sim')
KEPT = os.path.join(ROOT, 'tests/sim/mutants.txt')
FOUND_SHARE = 0.95
SCENES = ('swept', 'late', 'missed', 'pushed', 'moving', 'behind', 'flapping')
CHUNK = {'store': 50, 'cluster': 10, **{f'cluster:{scene}': 10 for scene in SCENES}}  # in one run
SEED_SECONDS = 60                     # a world that takes longer hangs
BUILDING = threading.Lock()            # one make at a time
HEADER = '''# Of each planted bug what finds it: a world, a seed and its checker; or a unit test.
# `make sim-mutants QUICK=1` runs these. A change of what worlds draw changes what a seed means:
# `make sim-mutants KEEP=1`.
'''


def planted():
    names = {}
    for parent, _, files in os.walk(os.path.join(ROOT, 'src')):
        for file in sorted(files):
            path = os.path.join(parent, file)
            if file == 'mutant.h' or not file.endswith(('.c', '.h')):
                continue
            with open(path, encoding='utf-8') as source:
                for name in re.findall(r'\bMUTANT\((\w+)\)', source.read()):
                    names.setdefault(name, os.path.relpath(path, ROOT))
    return names


def read_kept():
    kept = {}
    if os.path.exists(KEPT):
        with open(KEPT, encoding='utf-8') as lines:
            for line in lines:
                if not line.startswith('#') and line.strip():
                    name, world, seed, checker = line.split()
                    kept[name] = (world, int(seed), checker)
    return kept


def write_kept(kept):
    with open(KEPT, 'w', encoding='utf-8') as out:
        out.write(HEADER)
        for name in sorted(kept):
            out.write('{} {} {} {}\n'.format(name, *kept[name]))


def failing_story(name, test):
    """(0, 'story') if that unit test fails with the bug."""
    with BUILDING:
        subprocess.run(['make', '--no-print-directory', 'KIND=mutant', f'build/mutant/unit/{test}'],
                       cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([os.path.join(ROOT, 'build/mutant/unit', test)], cwd=ROOT,
                          env={**os.environ, 'SHOAL_MUTANT': name or ''}, timeout=SEED_SECONDS,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (0, 'story') if done.returncode else None


def first_failure(name, world, first, count):
    """(seed, checker) of the first of these seeds that fails; None: all pass."""
    if world.startswith('unit:'):
        return failing_story(name, world[len('unit:'):])
    world, _, scene = world.partition(':')
    command = [SIMULATOR, '--world', world, '--seeds', str(count), '--from', str(first),
               '--failures', '1', *(['--theme', scene] if scene else [])]
    if name:
        command += ['--mutant', name]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace', timeout=SEED_SECONDS * count)
    except subprocess.TimeoutExpired:
        return (first, 'hangs') if count == 1 else one_by_one(name, world, first, count)
    if done.returncode == 0:
        return None
    replayed = re.findall(r'^replay: .* (\d+)$', done.stdout, re.M)
    if not replayed:
        raise RuntimeError(f'{" ".join(command)}\n{done.stdout}')
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


def find_in(name, world, first, end):
    """The first that fails with the bug, and passes without."""
    while first < end:
        found = first_failure(name, world, first, end - first)
        if not found or not first_failure(None, world, found[0], 1):
            return found
        first = found[0] + 1
    return None


def hunt(name, kept, arguments):
    """(world, seed, checker, seconds); of what is not found world is None."""
    begun = time.monotonic()
    if kept:
        world, seed, _ = kept
        found = find_in(name, world, seed, seed + 1)
        if found:
            return (world, *found, time.monotonic() - begun)
    end = arguments.first + (0 if arguments.quick else arguments.seeds)
    at = {world: arguments.first for world in arguments.worlds}
    while min(at.values()) < end:
        for world in arguments.worlds:
            to = min(at[world] + CHUNK[world], end)
            found = find_in(name, world, at[world], to)
            at[world] = to
            if found:
                return (world, *found, time.monotonic() - begun)
    return (None, 0, '-', time.monotonic() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=2000)
    parser.add_argument('--from', type=int, default=1, dest='first')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--worlds', type=lambda text: text.split(','), default=list(CHUNK))
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    if not set(arguments.worlds) <= set(CHUNK):
        parser.error(f'worlds are {", ".join(CHUNK)}')
    mutants, kept = planted(), read_kept()
    chosen = [name for name in sorted(mutants)
              if not arguments.names or any(part in name for part in arguments.names)]
    missed, found_anew = [], {}
    print(f'{"planted bug":40} {"in":26} {"world":16} {"seed":>6} {"checker":8} seconds')
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        hunts = [pool.submit(hunt, name, kept.get(name), arguments) for name in chosen]
        for name, hunted in zip(chosen, hunts):
            world, seed, checker, seconds = hunted.result()
            print(f'{name:40} {mutants[name]:26} {world or "-":16} '
                  f'{seed if world else "-":>6} {checker:8} {seconds:.1f}', flush=True)
            if world:
                found_anew[name] = (world, seed, checker)
            else:
                missed.append(name)
    found = len(found_anew)
    if arguments.keep:
        old = {name: what for name, what in kept.items() if name in mutants and name not in chosen}
        write_kept({**old, **found_anew})
    print(f'{found} of {len(chosen)} planted bugs found, {100 * found / max(1, len(chosen)):.0f} %')
    if missed:
        print('not found: ' + ' '.join(missed))
    sys.exit(found < FOUND_SHARE * len(chosen))


if __name__ == '__main__':
    main()
