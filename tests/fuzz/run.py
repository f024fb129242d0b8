#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [--seconds N] [NAME...]: lets libFuzzer look for inputs that break the targets in this
folder, all or those whose name contains NAME, each for N seconds, as many at a time as there are
cores. Built before: make KIND=fuzz fuzz-build, make KIND=asan fuzz-build.

It begins with the seeds, with corpus/NAME and with what earlier runs found interesting, which is
kept in build/fuzz/found/NAME. An input that breaks a target is left in build/fuzz/broken/. What
libFuzzer says is in build/fuzz/NAME.log.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')
INPUT_SIZE_MAX = 4096
INPUT_SECONDS_MAX = 60
MEMORY_MAX_MB = 2048
WORDS_OF = {'node': 'docs/commands.md', 'config': 'conf/shoal.conf'}


def folder(*names):
    path = os.path.join('build/fuzz', *names)
    os.makedirs(path, exist_ok=True)
    return path


def dictionary(name):
    """A file with the words that inputs of this target are made of."""
    with open(WORDS_OF[name], encoding='utf-8') as file:
        words = sorted(set(re.findall(r'[A-Za-z][A-Za-z0-9-]+', file.read())))
    path = f'build/fuzz/{name}.dict'
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(f'"{word}"\n' for word in words)
    return path


def search(target, seconds):
    name = target.removeprefix('fuzz_')
    seeds = folder('seeds', name)
    subprocess.run([f'build/asan/fuzz/{target}', '--seeds', seeds], check=True)
    corpora = [folder('found', name), seeds]
    if os.path.isdir(f'tests/fuzz/corpus/{name}'):
        corpora.append(f'tests/fuzz/corpus/{name}')
    log_path = f'build/fuzz/{name}.log'
    with open(log_path, 'w+', encoding='utf-8', errors='replace') as log:
        words = [f'-artifact_prefix={folder("broken")}/{name}-', f'-max_total_time={seconds}',
                 f'-max_len={INPUT_SIZE_MAX}', f'-timeout={INPUT_SECONDS_MAX}',
                 f'-rss_limit_mb={MEMORY_MAX_MB}', '-print_final_stats=1']
        if name in WORDS_OF:
            words.append(f'-dict={dictionary(name)}')
        status = subprocess.run([f'build/fuzz/fuzz/{target}', *words, *corpora], stdout=log,
                                stderr=log, check=False).returncode
        log.seek(0)
        text = log.read()
    executed = re.search(r'number_of_executed_units: (\d+)', text)
    broken = re.search(r'Test unit written to (\S+)', text)
    note = f'{executed[1] if executed else "?"} executions'
    if status:
        note += f', exit status {status}, {broken[1] if broken else "no input"}: {log_path}'
    return f'{"not ok" if status else "ok"} fuzz {name}: {note}', not status


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=int, default=60)
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    os.chdir(ROOT)
    targets = [os.path.splitext(os.path.basename(path))[0]
               for path in sorted(glob.glob('tests/fuzz/fuzz_*.c'))]
    targets = [target for target in targets
               if not options.names or any(name in target for name in options.names)]
    good = bool(targets)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line, fine in pool.map(lambda target: search(target, options.seconds), targets):
            print(line, flush=True)
            good = good and fine
    sys.exit(not good)


if __name__ == '__main__':
    main()
