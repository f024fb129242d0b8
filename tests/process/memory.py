# SPDX-License-Identifier: MIT
"""Data ten times the memory limit."""

import os
import random

from shoal import Server, check, skip_redis

MEBIBYTE = 1 << 20
LIMIT = 32 * MEBIBYTE
VALUE = 8192
COUNT = 10 * LIMIT // VALUE
# Beyond the limit: code and libraries, and what is given back to the system a little later.
RESIDENT_MAX = LIMIT + LIMIT // 4 + 32 * MEBIBYTE


def value_of(i):
    return random.Random(i).randbytes(64) * (VALUE // 64)


def read_some(client, indexes):
    for i in indexes:
        client.send('GET', f'key:{i}')
    for i in indexes:
        check(client.value() == value_of(i), f'key:{i} is what was written')


def test_data_ten_times_the_memory_limit():
    skip_redis('a redis-server keeps everything in memory')
    with Server(['--maxmemory', LIMIT, '--seal-bytes', 4 * MEBIBYTE]) as server:
        most = 0
        with server.client() as client:
            for begin in range(0, COUNT, 100):
                for i in range(begin, min(begin + 100, COUNT)):
                    client.send('SET', f'key:{i}', value_of(i))
                for i in range(begin, min(begin + 100, COUNT)):
                    check(client.value() == b'OK', f'key:{i} is stored')
                most = max(most, server.resident_bytes())
            check(client.call('DBSIZE') == COUNT, 'DBSIZE')
            chance = random.Random(1)
            for _ in range(50):
                read_some(client, [chance.randrange(COUNT) for _ in range(100)])
                most = max(most, server.resident_bytes())
            read_some(client, range(0, 200))
            read_some(client, range(COUNT - 200, COUNT))
            check(client.call('GET', 'absent') is None, 'what was never there')
        check(most <= RESIDENT_MAX, f'{most >> 20} MiB resident with maxmemory {LIMIT >> 20} MiB')
        server.restart()
        with server.client() as client:
            check(client.call('DBSIZE') == COUNT, 'DBSIZE after the restart')
            read_some(client, range(0, COUNT, COUNT // 500))
            keys, cursor = set(), b'0'
            while True:
                cursor, page = client.call('SCAN', cursor, 'COUNT', 1000)
                keys.update(page)
                if cursor == b'0':
                    break
            check(len(keys) == COUNT, f'SCAN gives {len(keys)} of {COUNT} keys')
            client.call('FLUSHALL')
            check(client.call('DBSIZE') == 0, 'FLUSHALL')
            check(client.call('GET', 'key:5') is None, 'a flushed key')


def test_overwriting_does_not_fill_the_disk():
    skip_redis('a redis-server rewrites its log by other rules')
    with Server(['--maxmemory', LIMIT, '--seal-bytes', 4 * MEBIBYTE]) as server:
        with server.client() as client:
            for turn in range(40):
                for i in range(500):
                    client.send('SET', f'key:{i}', value_of(turn * 500 + i))
                for i in range(500):
                    check(client.value() == b'OK', 'stored')
        size = sum(os.path.getsize(os.path.join(parent, name))
                   for parent, _, names in os.walk(server.dir) for name in names)
        check(size < 40 * 500 * VALUE * 0.9, f'{size >> 20} MiB on disk for 4 MiB of data')
