# SPDX-License-Identifier: MIT
"""redis-benchmark in the ways that people run it."""

import re

import program
from shoal import Client, Server, check, wait_for_clients


def benchmark(server, *words):
    path = program.found('redis-benchmark', 'redis-tools')
    said = program.run([path, '-p', str(server.port), '-n', '2000', *words])
    check('rror' not in said, f'{words}: {said[-1000:]}')
    return said


def all_are_gone(server):
    with Client(server.port) as client:
        wait_for_clients(client, 1)


def test_its_own_tests():
    with Server() as server:
        tests = ('-q', '-t', 'ping_inline,ping_mbulk,set,get,incr,mset')
        for more in ([], ['-P', '16', '-r', '1000'], ['-3', '-c', '5'], ['-k', '0', '-n', '200'],
                     ['--threads', '2'], ['-d', '5000'], ['--dbnum', '3']):
            said = benchmark(server, *tests, *more)
            check(said.count('requests per second') == 6, f'{more}: {said[-1000:]}')
        with Client(server.port) as client:
            check(client.call('DBSIZE') > 900, 'random keys')
            check(client.call('SELECT', 3) == b'OK' and client.call('DBSIZE') >= 2, '--dbnum')
        all_are_gone(server)


def test_its_forms_of_output():
    with Server() as server:
        lines = benchmark(server, '--csv', '-t', 'set,get').splitlines()
        check(lines[0].startswith('"test","rps","avg_latency_ms"'), f'--csv: {lines}')
        check([line.split(',')[0] for line in lines[1:]] == ['"SET"', '"GET"'], f'--csv: {lines}')
        said = benchmark(server, '-t', 'set')
        check('throughput summary:' in said and '100.000%' in said, f'in full: {said[-1000:]}')
        check(re.search(r'host configuration "save": \S*', said), f'CONFIG GET save: {said}')
        check(re.search(r'host configuration "appendonly": (yes|no)', said), 'appendonly')


def test_commands_of_one_s_own():
    with Server() as server:
        benchmark(server, '-q', '-r', '100', 'SET', 'k:__rand_int__', '__rand_int__', 'EX', '100')
        benchmark(server, '-q', '-P', '8', 'GETRANGE', 'k:000000000001', '0', '3')
        with Client(server.port) as client:
            check(0 < client.call('DBSIZE') <= 100, 'keys of the range')
            check(client.call('TTL', client.call('RANDOMKEY')) > 0, 'with their time to live')


def test_with_a_password():
    with Server(['--requirepass', 'sesame']) as server:
        said = benchmark(server, '-q', '-a', 'sesame', '-t', 'set,get')
        check(said.count('requests per second') == 2, f'{said[-1000:]}')
        url = f'redis://default:sesame@127.0.0.1:{server.port}/0'
        check('requests per second' in benchmark(server, '-q', '-u', url, '-t', 'get'), '-u')
