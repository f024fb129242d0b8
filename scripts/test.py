#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test.py [STAGE...]: runs the tests, all stages if none is named. Last line: "N passed, N failed".

Every test program prints "ok NAME" or "not ok NAME" for each test it has (unit tests through
cmocka's TAP). One that ends with an error and reports no failure counts as one failure, so does one
that takes too long. The output of what failed is shown, and all of it is in build/test/.
"""

import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
PROGRAM_LIMIT_S = 900
SIM_SEEDS = os.environ.get('SEEDS', '300')

passed = failed = 0


def execute(command, environment, log_path):
    """Exit status and output: through a file, so what outlives the program cannot hold us up."""
    os.makedirs(os.path.dirname(log_path), exist_ok=True)
    with open(log_path, 'w+', encoding='utf-8', errors='replace') as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status, last_words = process.wait(PROGRAM_LIMIT_S), ''
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status, last_words = process.wait(), f'stopped after {PROGRAM_LIMIT_S} s\n'
        log.seek(0)
        return status, log.read() + last_words


def run(name, command, environment=None):
    """One test program: how many tests passed, how many failed, and what to print of it."""
    begin = time.monotonic()
    status, output = execute(command, environment or {}, f'build/test/{name.replace("/", "-")}.log')
    skipped = re.findall(r'^ok\b(.*# SKIP.*)', output, re.M)
    good = len(re.findall(r'^ok\b', output, re.M)) - len(skipped)
    bad = len(re.findall(r'^not ok\b', output, re.M))
    if status and not bad:
        bad = 1
    if not good and not bad and not skipped:
        good = 1
    seconds = time.monotonic() - begin
    text = f'{name}: {good} passed, {bad} failed ({seconds:.1f} s)\n'
    text += ''.join(f'  skipped:{line}\n' for line in skipped)
    if bad:
        text += ''.join(f'  {line}\n' for line in output.splitlines() if not line.startswith('ok'))
    return good, bad, text


def build(name, command):
    """No test: counts only if it fails."""
    _, bad, text = run(name, command)
    return not bad or count((0, bad, text))


def count(result):
    global passed, failed
    good, bad, text = result
    passed += good
    failed += bad
    print(text, end='', flush=True)
    return not bad


def lint():
    count(run('lint', ['scripts/lint.py']))
    count(run('lint-of-lint', ['tests/lint/run.py']))


def unit(kind):
    if not build(f'build-unit-{kind}', ['make', '-s', '-k', f'KIND={kind}', 'unit-build']):
        return
    sources = sorted(glob.glob('tests/unit/test_*.c'))
    names = [os.path.splitext(os.path.basename(source))[0] for source in sources]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tap = {'CMOCKA_MESSAGE_OUTPUT': 'TAP'}
        for result in pool.map(lambda name: run(f'unit-{kind}/{name}',
                                                [f'build/{kind}/unit/{name}'], tap), names):
            count(result)


def sim():
    if os.path.exists('tests/sim/main.c'):
        count(run('sim', ['make', '-s', 'sim', f'SEEDS={SIM_SEEDS}']))


def conversation():
    count(run('conversation', ['tests/conversation/run.py']))


def upstream():
    count(run('upstream', ['tests/upstream/run.py', '--quick']))


def fuzz():
    count(run('fuzz-commands', ['tests/conversation/fuzz.py']))
    count(run('fuzz-bytes', ['tests/conversation/fuzz_bytes.py']))
    if not build('build-fuzz', ['make', '-s', '-k', 'KIND=asan', 'fuzz-build']):
        return
    targets = [os.path.splitext(os.path.basename(source))[0]
               for source in sorted(glob.glob('tests/fuzz/fuzz_*.c'))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(replay, targets):
            count(result)


def replay(target):
    """The inputs of a libFuzzer target, without libFuzzer."""
    corpus = f'tests/fuzz/corpus/{target.removeprefix("fuzz_")}'
    return run(f'fuzz/{target}',
               [f'build/asan/fuzz/{target}'] + ([corpus] if os.path.isdir(corpus) else []))


def process():
    count(run('process', ['tests/process/run.py', '-/cluster']))


def cluster():
    """Tests of clusters; and what holds of a node alone, of one of three that are a cluster."""
    count(run('cluster', ['tests/process/run.py', '/cluster']))
    three = {'SHOAL_NODES': '3'}
    count(run('cluster-conversation', ['tests/conversation/run.py'], three))
    files = ['/keys', '/clients', '/client_redis_py', '/bitmaps']
    count(run('cluster-process', ['tests/process/run.py', *files], three))


STAGES = {
    'lint': lint,
    'unit-asan': lambda: unit('asan'),
    'unit-release': lambda: unit('release'),
    'unit-debug': lambda: unit('debug'),
    'unit-tsan': lambda: unit('tsan'),
    'sim': sim,
    'conversation': conversation,
    'upstream': upstream,
    'fuzz': fuzz,
    'process': process,
    'cluster': cluster,
}
DEFAULT = ['lint', 'unit-asan', 'unit-release', 'sim', 'conversation', 'upstream', 'fuzz',
           'process', 'cluster']


def main():
    os.chdir(ROOT)
    stages = sys.argv[1:] or DEFAULT
    for name in stages:
        if name not in STAGES:
            sys.exit(f'test.py: no such stage: {name} (there are: {" ".join(STAGES)})')
    if {'conversation', 'upstream', 'fuzz', 'process', 'cluster'} & set(stages):
        build('build', ['make', '-s', 'all', 'build/release/shoal-sim'])
    for name in stages:
        STAGES[name]()
    print(f'{passed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
