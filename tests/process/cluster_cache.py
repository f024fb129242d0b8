# SPDX-License-Identifier: MIT
"""A cluster that is a cache: more is written than its memory holds."""

from cluster import Cluster
from shoal import check, wait_for

MEBIBYTE = 1 << 20
LIMIT = 48 * MEBIBYTE
VALUE = 8192
BATCH = 100
COUNT = 5 * LIMIT // VALUE // BATCH * BATCH
# As in memory.py: code and libraries, and what is given back to the system a little later.
RESIDENT_MAX = LIMIT + LIMIT // 4 + 32 * MEBIBYTE
COLLECTED_LIMIT_S = 240
OPTIONS = ['--maxmemory', LIMIT, '--seal-bytes', 4 * MEBIBYTE]


def write_all(cluster, client, most):
    """In batches; after each the largest process is looked at."""
    for begin in range(0, COUNT, BATCH):
        for i in range(begin, begin + BATCH):
            client.send('SET', f'key:{i}', b'%08d' % i * (VALUE // 8))
        for i in range(begin, begin + BATCH):
            check(client.value() == b'OK', f'key:{i} is stored')
        most = max([most, *(node.resident_bytes() for node in cluster.nodes)])
    return most


def numbers(cluster, name):
    return [int(node.info('all')[name]) for node in cluster.nodes]


def test_five_times_the_memory_is_written():
    with Cluster(3, [*OPTIONS, '--maxmemory-policy', 'allkeys-lru']) as cluster, \
            cluster.client(0) as client:
        most = write_all(cluster, client, 0)
        check(most <= RESIDENT_MAX, f'{most >> 20} MiB resident of {LIMIT >> 20} MiB')
        check(all(count > 0 for count in numbers(cluster, 'evicted_keys')), 'each node evicts')
        keys = client.call('DBSIZE')
        check(keys * VALUE <= LIMIT, f'{keys} keys are left')
        wait_for(lambda: numbers(cluster, 'sync_collectable') == [0, 0, 0], COLLECTED_LIMIT_S,
                 'no tombstone is left')
        check(cluster.is_formed(), 'all nodes are there')
        present = [cluster.client(i).call('DBSIZE') for i in range(3)]
        check(present[0] == present[1] == present[2], f'{present}: all count the same')
        found = [client.call('GET', f'key:{i}') for i in range(COUNT)]
        # Reading brings rows into memory, so a few more may have been evicted.
        there = sum(value is not None for value in found)
        check(keys // 2 < there <= present[0], f'{there} of {present[0]} are there')
        check(all(value is None or value == b'%08d' % i * (VALUE // 8)
                  for i, value in enumerate(found)), 'each value is its own')


def test_what_has_no_expiry_stays_under_a_volatile_policy():
    with Cluster(3, [*OPTIONS, '--maxmemory-policy', 'volatile-ttl']) as cluster, \
            cluster.client(0) as client:
        client.call('SET', 'volatile', 'v', 'EX', 10_000)
        write_all(cluster, client, 0)
        check(client.call('DBSIZE') in (COUNT, COUNT + 1), 'nothing else is evicted')
