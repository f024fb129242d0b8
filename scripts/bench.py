#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shoal beside redis-server, in one run: redis-benchmark on both in turn, and the ratios.

Each figure is the median over the repetitions; a ratio is the median of the ratios of Shoal's to
redis-server's in the same repetition. Both keep their log on the same disk with appendfsync
everysec, listen on loopback only, and go with their data at the end. For operations a second more
than 1.00 is better for Shoal; for the others less than 1.00.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, os.path.join(ROOT, 'tests/process'))
import shoal  # noqa: E402

CLIENTS = 50
PIPELINES = (1, 16, 64)
# redis-benchmark gives steps; the first at or above counts: 99.219 % for p99, 99.902 % for p99.9.
PERCENTILES = {'p50': 50, 'p99': 99, 'p999': 99.9}
OPTIONS = ['--appendfsync', 'everysec']
# name, bytes of a value, redis-benchmark's words: VALUE is a value of that size, each KEY one of
# the key space. If `loaded`, every key of it is there before, with a value of that size.
KEY, VALUE = 'key:__rand_int__', 'VALUE'


class Workload:
    def __init__(self, name, size, *words, loaded=True, keys=1):
        self.name, self.size, self.loaded = name, size, loaded
        self.keys = keys  # that one command takes: fewer requests where they are many
        self.words = [{VALUE: 'x' * size}.get(word, word) for word in words]


WORKLOADS = [
    Workload('SET 64 B', 64, 'SET', KEY, VALUE, loaded=False),
    Workload('GET 64 B', 64, 'GET', KEY),
    Workload('SET 1 KiB', 1024, 'SET', KEY, VALUE, loaded=False),
    Workload('GET 1 KiB', 1024, 'GET', KEY),
    Workload('SET EX', 64, 'SET', KEY, VALUE, 'EX', '3600', loaded=False),
    Workload('SET GET', 64, 'SET', KEY, VALUE, 'GET'),
    Workload('GETEX', 64, 'GETEX', KEY, 'EX', '3600'),
    Workload('GETDEL', 64, 'GETDEL', KEY),
    Workload('MSET 10 keys', 64, 'MSET', *[KEY, VALUE] * 10, loaded=False, keys=10),
    Workload('MGET 10 keys', 64, 'MGET', *[KEY] * 10, keys=10),
    Workload('INCR', 0, 'INCR', 'counter:__rand_int__', loaded=False),
    Workload('INCRBYFLOAT', 0, 'INCRBYFLOAT', 'float:__rand_int__', '0.1', loaded=False),
    Workload('APPEND', 64, 'APPEND', 'text:__rand_int__', 'x' * 8, loaded=False),
    Workload('STRLEN', 64, 'STRLEN', KEY),
    Workload('GETRANGE', 1024, 'GETRANGE', KEY, '100', '163'),
    Workload('SETRANGE', 1024, 'SETRANGE', KEY, '100', 'x' * 64),
    Workload('LCS', 64, 'LCS', KEY, KEY, keys=2),
    Workload('SETBIT', 0, 'SETBIT', 'bits:__rand_int__', '1000', '1', loaded=False),
    Workload('GETBIT', 64, 'GETBIT', KEY, '100'),
    Workload('BITCOUNT', 1024, 'BITCOUNT', KEY),
    Workload('BITPOS', 1024, 'BITPOS', KEY, '1'),
    Workload('BITOP', 1024, 'BITOP', 'XOR', 'bits:__rand_int__', KEY, KEY, keys=3),
    Workload('BITFIELD', 0, 'BITFIELD', 'bits:__rand_int__', 'INCRBY', 'u16', '#7', '1',
             loaded=False),
    Workload('BITFIELD 1 MB', 0, 'BITFIELD', 'bitmap', 'INCRBY', 'u16', '#500000', '1',
             loaded=False),
    Workload('EXISTS', 64, 'EXISTS', KEY),
    Workload('EXPIRE', 64, 'EXPIRE', KEY, '3600'),
    Workload('TTL', 64, 'TTL', KEY),
    Workload('DEL', 64, 'DEL', KEY),
    Workload('COPY', 64, 'COPY', KEY, 'copy:__rand_int__'),
    Workload('DUMP', 64, 'DUMP', KEY),
    Workload('SCAN 100 keys', 64, 'SCAN', '0', 'COUNT', '100', keys=10),
    Workload('RANDOMKEY', 64, 'RANDOMKEY'),
]

PROGRAMS = [('Shoal', shoal.SHOAL), ('redis', shoal.redis_server())]


class Contestant:
    """A server, and the data that the next measurement expects in it."""

    def __init__(self, name, program):
        self.name = name
        self.server = shoal.Server(OPTIONS, program=program)

    def load(self, keys, size):
        """Every key once, values of this size, on an empty server; then as at rest."""
        value = os.urandom(size // 2 + 1).hex().encode()[:size]
        with self.server.client() as client:
            client.call('FLUSHALL')
            for begin in range(0, keys, 1000):
                numbers = range(begin, min(begin + 1000, keys))
                client.socket.sendall(b''.join(
                    shoal.encode('SET', b'key:%012d' % i, value) for i in numbers))
                for _ in numbers:
                    client.value()
            shoal.check(client.call('DBSIZE') == keys, 'all keys are loaded')

    def flush(self):
        with self.server.client() as client:
            client.call('FLUSHALL')

    def measure(self, words, pipeline, requests, keys):
        before = self.server.cpu_seconds()
        done = subprocess.run(
            ['redis-benchmark', '-p', str(self.server.port), '-c', str(CLIENTS),
             '-n', str(requests), '-P', str(pipeline), '-r', str(keys), '--precision', '3',
             *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        cpu = self.server.cpu_seconds() - before
        rate = re.search(r'throughput summary: ([\d.]+)', done.stdout)
        if done.returncode or not rate:
            sys.exit(f'bench: redis-benchmark on {self.name}: {done.stdout[-2000:]}')
        steps = re.findall(r'^([\d.]+)% <= ([\d.]+) milliseconds', done.stdout, re.M)
        figures = {'ops': float(rate[1]), 'cpu_us': cpu * 1e6 / requests}
        for key, percent in PERCENTILES.items():
            figures[key] = next(float(ms) for step, ms in steps if float(step) >= percent)
        return figures

    def disk_bytes(self):
        return sum(os.stat(os.path.join(parent, name)).st_blocks * 512
                   for parent, _, names in os.walk(self.server.dir) for name in names)


def median(values):
    return statistics.median(values)


def line(name, pipeline, results):
    """results: for each repetition, (Shoal's, redis-server's)."""
    def ratio(key):
        return median([ours[key] / max(theirs[key], 1e-9) for ours, theirs in results])

    def both(key, form):
        ours, theirs = (median([pair[side][key] for pair in results]) for side in (0, 1))
        return f'{ours:{form}} /{theirs:{form}}'
    return (f'{name:<14}{pipeline:>4}{both("ops", "8.0f"):>20}{ratio("ops"):>7.2f}'
            f'{both("cpu_us", "6.2f"):>17}{ratio("cpu_us"):>6.2f}'
            f'{both("p50", "6.2f"):>16}{both("p99", "6.2f"):>16}{both("p999", "6.2f"):>16}')


def sizes(keys, size, out):
    """Memory and disk per key, after loading a server that is new."""
    figures = []
    for name, program in PROGRAMS:
        contestant = Contestant(name, program)
        memory = contestant.server.resident_bytes()
        contestant.load(keys, size)
        memory = contestant.server.resident_bytes() - memory
        contestant.server.stop()
        figures.append((memory / keys, contestant.disk_bytes() / keys))
        contestant.server.close()
    (our_memory, our_disk), (their_memory, their_disk) = figures
    out(f'per key of {size:>4} B: memory {our_memory:.0f} /{their_memory:.0f} B, ratio '
        f'{our_memory / their_memory:.2f}; disk {our_disk:.0f} /{their_disk:.0f} B, ratio '
        f'{our_disk / their_disk:.2f}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='fewer requests, keys, repetitions')
    parser.add_argument('--only', default='', help='rows whose name contains this: set, "get 64"')
    parser.add_argument('--pipelines', default=','.join(map(str, PIPELINES)), help='such as 1,16')
    parser.add_argument('--repetitions', type=int, default=0)
    parser.add_argument('--keys', type=int, default=0)
    arguments = parser.parse_args()
    keys = arguments.keys or (100_000 if arguments.quick else 1_000_000)
    repetitions = arguments.repetitions or (1 if arguments.quick else 5)
    pipelines = [int(word) for word in arguments.pipelines.split(',')]
    os.chdir(ROOT)

    def out(text=''):
        print(text, flush=True)

    contestants = [Contestant(name, program) for name, program in PROGRAMS]
    try:
        version = subprocess.run([shoal.redis_server(), '--version'], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.split()[2].removeprefix('v=')
        out(f'Shoal / redis-server {version}, appendfsync everysec; {CLIENTS} clients, {keys} '
            f'random keys, median of {repetitions}')
        out(f'{"":<14}{"-P":>4}{"ops/s":>20}{"ratio":>7}{"CPU us/op":>17}{"ratio":>6}'
            f'{"p50 ms":>16}{"p99 ms":>16}{"p99.9 ms":>16}')
        for workload in WORKLOADS:
            if arguments.only.lower() not in workload.name.lower():
                continue
            for contestant in contestants:
                contestant.flush()
                if workload.loaded:
                    contestant.load(keys, workload.size)
            for pipeline in pipelines:
                requests = (20_000 if arguments.quick else 150_000) * min(pipeline, 8)
                requests //= (workload.keys + 1) // 2
                results = []
                for turn in range(repetitions):
                    order = contestants if turn % 2 == 0 else contestants[::-1]
                    found = {each.name: each.measure(workload.words, pipeline, requests, keys)
                             for each in order}
                    results.append((found['Shoal'], found['redis']))
                out(line(workload.name, pipeline, results))
        if not arguments.only:
            for size in (64, 1024):
                sizes(keys, size, out)
    finally:
        for contestant in contestants:
            contestant.server.close()


if __name__ == '__main__':
    main()
