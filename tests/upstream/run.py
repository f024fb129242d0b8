#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [OPTION...] [NAME...]: Redis's own test suite, held with Shoal.

The suite is fetched as Debian's source package of redis into build/, never kept here. Its units
(those listed in the file `units`, or of them those whose name contains NAME) are run one by one,
each with a new server, as the suite does it with an external server, in two profiles:

    store   one database; no tests of encodings, nor such as need DEBUG, replicas or snapshots
    full    all that an external server can be tested with

What passes is kept in baseline/UNIT.txt, a line a test, before its name two marks, one for each
profile:

    +  redis-server passes it, and Shoal       -  redis-server alone
    .  neither: not run, or not passed         !  Shoal alone

A test which Shoal has ever passed must pass: "not ok" if it does not. So must the server live and
end well. New passes are told, and written into the baseline with --update.

    --profile NAME   only this profile
    --quick          only units and tests marked so, in profile store
    --update         writes new passes into the baseline; of whole units only, so not with --quick
    --reference      runs redis-server instead of Shoal, and writes what it passes into the baseline
"""

import collections
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../process'))
import shoal  # noqa: E402

BUILD = os.path.join(shoal.ROOT, 'build/upstream')
SUITE = os.path.join(BUILD, 'redis')
HELPER = os.path.join(SUITE, 'tests/shoal_helper.tcl')
PROFILES = {
    'store': ['--singledb', '--ignore-encoding', '--ignore-digest', '--tags',
              '-slow -needs:debug -needs:pfdebug -needs:repl -needs:save -needs:config-maxmemory'],
    'full': ['--tags', '-slow'],
}
SHOAL_OPTIONS = ['--enable-debug-command', 'yes']
REDIS_OPTIONS = ['--appendonly', 'no', '--enable-debug-command', 'yes',
                 '--enable-protected-configs', 'yes']
# A test that brings nothing for so long is stopped and left out, and its unit run again.
SILENCE_LIMIT_S = 120
UNIT_LIMIT_S = 600
HANGS_MAX = 8
# Where the suite's program and its clients meet: it looks for a free port from one of these on.
FIRST_PORT, PORTS = 20000, 10000


class Unit:
    """An entry of the file `units`."""

    def __init__(self, name, words):
        self.name = name
        self.quick = 'quick' in words
        self.left_out = set()
        self.not_quick = set()

    def path(self):
        return os.path.join(HERE, 'baseline', self.name.replace('/', '-') + '.txt')


def load_units():
    units = []
    with open(os.path.join(HERE, 'units'), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip('\n').partition(' ')
            if word == 'unit':
                name, *words = rest.split()
                units.append(Unit(name, words))
            elif word == 'leave-out':
                units[-1].left_out.add(rest)
            elif word == 'not-quick':
                units[-1].not_quick.add(rest)
            elif word and not word.startswith('#') and word != 'reason':
                sys.exit(f'units:{number}: not a word of this file: {word}')
    return units


class Baseline:
    """How often tests of a unit pass, as a Counter of names, for each (program, profile)."""

    MARKS = {'+': ('redis', 'shoal'), '-': ('redis',), '!': ('shoal',), '.': ()}

    def __init__(self, unit):
        self.path = unit.path()
        self.passes = collections.defaultdict(collections.Counter)
        if os.path.exists(self.path):
            with open(self.path, encoding='utf-8') as file:
                for line in file:
                    marks, _, name = line.rstrip('\n').partition(' ')
                    for mark, profile in zip(marks, PROFILES):
                        for program in self.MARKS[mark]:
                            self.passes[program, profile][name] += 1

    def write(self):
        lines = []
        for name in sorted(set().union(*self.passes.values())):
            for nth in range(max(passes[name] for passes in self.passes.values())):
                marks = ''
                for profile in PROFILES:
                    there = tuple(program for program in ('redis', 'shoal')
                                  if self.passes[program, profile][name] > nth)
                    marks += next(m for m, programs in self.MARKS.items() if programs == there)
                lines.append(f'{marks} {name}\n')
        with open(self.path, 'w', encoding='utf-8') as file:
            file.writelines(lines)


class Held:
    """What came of a unit: passes (a Counter), failures (a list of texts), faults of the server."""

    def __init__(self):
        self.passes = collections.Counter()
        self.failures = []
        self.faults = []


def fetch():
    """False, with words about it, if the suite cannot be had."""
    got = subprocess.run([os.path.join(HERE, 'fetch.sh'), SUITE], capture_output=True, text=True)
    if got.returncode:
        print(f"ok upstream # SKIP the source of Debian's redis cannot be had: "
              f'{got.stderr.strip().splitlines()[-1:]}')
        return False
    for tool in ('redis-cli', 'redis-benchmark'):
        link = os.path.join(SUITE, 'src', tool)
        if not os.path.exists(link):
            os.symlink(f'/usr/bin/{tool}', link)
    with open(os.path.join(SUITE, 'tests/test_helper.tcl'), encoding='utf-8') as file:
        text = file.read()
    begin = '\nif {$::client} {\n'
    if text.count(begin) != 1:
        raise AssertionError('not a test_helper.tcl as it is known here')
    with open(HELPER, 'w', encoding='utf-8') as file:
        file.write(text.replace(begin, f'\nsource {HERE}/steps.tcl{begin}'))
    return True


def run_suite(server, unit, profile, skipped, log_path):
    """One run of the suite's program: its output."""
    command = ['tclsh', HELPER, '--host', '127.0.0.1', '--port', str(server.port), '--single',
               unit.name, '--durable', '--baseport', str(FIRST_PORT + os.getpid() % PORTS),
               '--timeout', str(SILENCE_LIMIT_S), *PROFILES[profile]]
    for name in skipped:
        command += ['--skiptest', name]
    with open(log_path, 'w+', encoding='utf-8', errors='replace') as log:
        process = subprocess.Popen(command, cwd=SUITE, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, 'TERM': 'dumb', 'LC_ALL': 'C.UTF-8'})
        try:
            process.wait(UNIT_LIMIT_S)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what it started goes with it
        except ProcessLookupError:
            pass
        process.wait()
        log.seek(0)
        return log.read()


def read_output(output, held):
    for match in re.finditer(r'^\[(ok|err|exception)\]: (.*(?:\n(?!\[|sock).*)*)', output, re.M):
        kind, text = match.groups()
        if kind == 'ok':
            held.passes[re.sub(r' \(\d+ ms\)$', '', text.split('\n', maxsplit=1)[0])] += 1
        else:
            held.failures.append(text.strip())


def hold(program, options, unit, profile):
    held = Held()
    skipped = sorted(unit.left_out)
    log_path = os.path.join(BUILD, f'{unit.name.replace("/", "-")}-{profile}.log')
    for _ in range(HANGS_MAX):
        with shoal.Server(options, program=program) as server:
            output = run_suite(server, unit, profile, skipped, log_path)
            if server.process.poll() is not None:
                held.faults.append(f'the server ended in the unit:\n{server.log_text()[-2000:]}')
            else:
                try:
                    server.stop()
                except AssertionError as error:
                    held.faults.append(f'the server did not stop well: {error}')
        hung = re.search(r'^sock\S* => \(IN PROGRESS\) (.*)', output, re.M)
        if not hung:
            if f'done]: {unit.name}' not in output:
                held.faults.append(f'the suite did not come to the end of the unit: see {log_path}')
            break
        held.failures.append(f'{hung[1]}: nothing for {SILENCE_LIMIT_S} s')
        skipped.append(hung[1])
    read_output(output, held)
    return held


def judge(unit, profile, baseline, held):
    """Prints a line for each test of the baseline: how many are not as they should be."""
    expected = baseline.passes['shoal', profile]
    failed = 0
    for name in sorted(set(expected) - unit.left_out):
        for nth in range(expected[name]):
            good = held.passes[name] > nth
            failed += not good
            print(f'{"ok" if good else "not ok"} {unit.name} in {profile}: {name}')
            if not good:
                print(''.join(f'    {line}\n' for text in held.failures if text.startswith(name)
                              for line in text.splitlines()), end='')
    for fault in held.faults:
        failed += 1
        print(f'not ok {unit.name} in {profile}: {fault}')
    return failed


class Total:
    """The last lines: what was passed, of what redis-server passes."""

    def __init__(self):
        self.passed = collections.Counter()
        self.reference = collections.Counter()

    def add(self, unit, profile, baseline, held, seconds):
        reference = baseline.passes['redis', profile]
        common = (held.passes & reference).total()
        self.passed[profile] += common
        self.reference[profile] += reference.total()
        new = held.passes - baseline.passes['shoal', profile]
        print(f'# {unit.name} in {profile}: {common} of the {reference.total()} that redis-server '
              f'passes, {new.total()} new, {len(held.failures)} failed ({seconds:.0f} s)')
        for name in sorted(new):
            print(f'#   new: {name}')
        sys.stdout.flush()

    def say(self):
        for profile in self.passed:
            print(f'# in {profile}: {self.passed[profile]} of {self.reference[profile]}')


def run_unit(unit, profile, flags, total):
    """How many of its tests failed."""
    begin = time.monotonic()
    baseline = Baseline(unit)
    if '--reference' in flags:
        held = hold(shoal.redis_server(), REDIS_OPTIONS, unit, profile)
        baseline.passes['redis', profile] = held.passes
        baseline.write()
        print(f'# {unit.name} in {profile}: redis-server passes {held.passes.total()}, fails '
              f'{held.failures + held.faults} ({time.monotonic() - begin:.0f} s)', flush=True)
        return 0
    held = hold(shoal.SHOAL, SHOAL_OPTIONS, unit, profile)
    failed = judge(unit, profile, baseline, held)
    total.add(unit, profile, baseline, held, time.monotonic() - begin)
    if '--update' in flags:
        baseline.passes['shoal', profile] |= held.passes
        baseline.write()
    return failed


def main():
    words = sys.argv[1:]
    profiles = list(PROFILES)
    if '--profile' in words:
        at = words.index('--profile')
        profiles = [words[at + 1]]
        del words[at:at + 2]
    flags = [word for word in words if word.startswith('--')]
    names = [word for word in words if not word.startswith('--')]
    units = [unit for unit in load_units()
             if not names or any(name in unit.name for name in names)]
    if '--quick' in flags:
        if '--update' in flags:
            sys.exit('run.py: --update not with --quick: what it leaves out helps others to pass')
        profiles = ['store']
        units = [unit for unit in units if unit.quick]
        for unit in units:
            unit.left_out |= unit.not_quick
    if not fetch():
        return
    os.makedirs(os.path.join(HERE, 'baseline'), exist_ok=True)
    total = Total()
    failed = 0
    for unit in units:
        for profile in profiles:
            failed += run_unit(unit, profile, flags, total)
    total.say()
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
