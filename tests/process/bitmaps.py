# SPDX-License-Identifier: MIT
"""Bitmaps larger than memory: their rows come from the disk, a slice of the walk at a time."""

import random

from shoal import Server, ServerError, check, skip_cluster, skip_redis, wait_for

MEBIBYTE = 1 << 20
LIMIT = 64 * MEBIBYTE
SIZE = 100 * MEBIBYTE
PART = 2 * MEBIBYTE
PAGE = 4096


def part_of(i):
    """Every third is zeros: it is never written, the string is only made longer."""
    return random.Random(i).randbytes(PAGE) * (PART // PAGE) if i % 3 else bytes(PART)


def count(data):
    return int.from_bytes(data, 'big').bit_count()


def combine(client, *words):
    """BITOP, once what the last one has left in memory is saved."""
    def combined():
        try:
            return client.call('BITOP', *words) == SIZE
        except ServerError as error:
            check(str(error).startswith('OOM'), f'{words}: {error}')
            return False
    wait_for(combined, 60, f'BITOP {words}')


def build(client, key):
    for i in range(SIZE // PART):
        if i % 3:
            client.call('SETRANGE', key, i * PART, part_of(i))
    last = SIZE * 8 - 1
    check(client.call('SETBIT', key, last, 0) == part_of(SIZE // PART - 1)[-1] & 1, 'the last bit')


def test_a_bitmap_larger_than_memory():
    skip_cluster('keys of one command must be in one slot')
    skip_redis('a redis-server keeps everything in memory')
    with Server(['--maxmemory', LIMIT, '--seal-bytes', 4 * MEBIBYTE]) as server:
        with server.client() as client:
            build(client, 'a')
            check(client.call('STRLEN', 'a') == SIZE, 'its length')
        server.restart()
        ones = sum(count(part_of(i)) for i in range(SIZE // PART))
        ones -= part_of(SIZE // PART - 1)[-1] & 1
        with server.client() as client, server.client() as other:
            client.send('BITCOUNT', 'a')
            check(other.call('PING') == b'PONG', 'another client is answered meanwhile')
            check(client.value() == ones, 'BITCOUNT')
            check(client.call('BITCOUNT', 'a', 3 * PART, 5 * PART - 1) == count(part_of(4)),
                  'BITCOUNT of two parts')
            check(client.call('BITPOS', 'a', 1) // 8 // PART == 1, 'BITPOS')
            combine(client, 'NOT', 'b', 'a')
            check(client.call('BITCOUNT', 'b') == SIZE * 8 - ones, 'BITCOUNT of the opposite')
            combine(client, 'AND', 'c', 'a', 'b')
            check(client.call('BITPOS', 'c', 1) == -1, 'there is nothing in both')
            combine(client, 'XOR', 'a', 'a', 'b')
            check(client.call('BITPOS', 'a', 0, 0, -1) == -1, 'all is in one of them')


def test_bits_that_are_cold():
    skip_redis('a redis-server keeps everything in memory')
    chance = random.Random(1)
    bits = [chance.randrange(2**32) for _ in range(300)]
    with Server() as server:
        with server.client() as client:
            for bit in bits:
                client.send('SETBIT', 'k', bit, 1)
            check([client.value() for _ in bits].count(0) == len(set(bits)), 'each set once')
        server.restart()
        with server.client() as client:
            for bit in bits:
                client.send('GETBIT', 'k', bit)
            check(all(client.value() for _ in bits), 'GETBIT')
            check(client.call('BITCOUNT', 'k') == len(set(bits)), 'BITCOUNT')
            check(client.call('BITPOS', 'k', 1) == min(bits), 'BITPOS')
        server.restart()
        with server.client() as client:
            words = [word for bit in bits for word in ('INCRBY', 'u1', bit, 1)]
            check(client.call('BITFIELD', 'k', *words) == [0] * len(bits), 'BITFIELD')
            check(client.call('BITCOUNT', 'k') == 0, 'BITCOUNT after it')
