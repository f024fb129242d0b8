# SPDX-License-Identifier: MIT
"""Clients that others wrote, at a cluster: those that know clusters, and plain ones, which may ask
any node for any key."""

import logging
import os
import re
import threading

import client_hiredis
import program
from cluster import Cluster
from shoal import ROOT, Skip, check, wait_for

try:
    import redis
    from redis.cluster import ClusterNode, RedisCluster
except ImportError:
    redis = None

SIZES = 1, 3
KEYS = 2000


def cli(*words, status=0):
    path = program.found('redis-cli', 'redis-tools')
    return program.run([path, *(str(word) for word in words)], status=status)


def each_size(test):
    for count in SIZES:
        with Cluster(count) as cluster:
            test(cluster, count)


def test_redis_cli_looks_at_a_cluster():
    def look(cluster, count):
        ports = cluster.ports()
        with cluster.client() as client:
            for i in range(100):
                client.call('SET', f'key:{i}', i)
        for port in ports:
            said = cli('--cluster', 'check', f'127.0.0.1:{port}')
            for words in ('All nodes agree about slots configuration', 'All 16384 slots covered'):
                check(f'[OK] {words}' in said, f'--cluster check: {said}')
            shown = re.findall(r'([MS]): [0-9a-f]{40} ', said)
            check(shown == ['M'] * count, f'all are masters: {said}')
            said = cli('--cluster', 'info', f'127.0.0.1:{port}')
            check(f'keys in {count} masters' in said, f'--cluster info: {said}')
            said = cli('--cluster', 'fix', f'127.0.0.1:{port}')
            check('All 16384 slots covered' in said, f'--cluster fix has nothing to do: {said}')
        said = cli('--cluster', 'call', f'127.0.0.1:{ports[0]}', 'PING')
        check(said.count('PONG') == count, f'--cluster call: {said}')
        said = cli('--cluster', 'rebalance', f'127.0.0.1:{ports[0]}')
        check('No rebalancing needed' in said or count == 1, f'--cluster rebalance: {said}')
    each_size(look)


def test_redis_cli_is_told_what_it_cannot_do():
    with Cluster(3) as cluster:
        first = f'127.0.0.1:{cluster[0].port}'
        name = cluster[0].name
        said = cli('--cluster', 'reshard', first, '--cluster-from', 'all', '--cluster-to', name,
                   '--cluster-slots', 10, '--cluster-yes', status=1)
        check('Slots are placed by the cluster itself' in said, f'reshard: {said}')
        said = cli('-p', cluster[0].port, 'CLUSTER', 'FAILOVER')
        check('There is no failover here' in said, f'CLUSTER FAILOVER: {said}')


def test_redis_cli_follows_and_is_not_sent_on():
    with Cluster(3) as cluster:
        for i in range(50):
            port = cluster.ports()[i % 3]
            check(cli('-c', '-p', port, 'SET', f'k{i}', i) == 'OK\n', '-c')
            check(cli('-p', cluster.ports()[(i + 1) % 3], 'GET', f'k{i}') == f'{i}\n', 'another')
        with cluster.client(1) as client:
            for i in range(KEYS):
                client.call('SET', f'key:{i}', i)
        names = cli('-p', cluster[2].port, '--scan', '--pattern', 'key:*').split()
        check(sorted(names) == sorted(f'key:{i}' for i in range(KEYS)), 'all, each once')


def test_redis_benchmark_of_a_cluster():
    path = program.found('redis-benchmark', 'redis-tools')
    with Cluster(3) as cluster:
        for more in ([], ['-P', '16', '-r', '10000'], ['--threads', '2']):
            said = program.run([path, '-p', str(cluster[0].port), '--cluster', '-n', '3000', '-q',
                                '-t', 'set,get,incr', *more])
            check('rror' not in said and 'MOVED' not in said, f'{more}: {said[-1000:]}')
            check(said.count('requests per second') == 3, f'{more}: {said[-1000:]}')
            check('Cluster has 3 master nodes' in said, f'{more}: {said[:1000]}')


def connect(cluster, index=0, **more):
    if not redis:
        raise Skip('redis-py is not installed (python3-redis)')
    node = ClusterNode('127.0.0.1', cluster[index].port)
    return RedisCluster(startup_nodes=[node], decode_responses=True, **more)


def test_redis_py_at_a_cluster():
    def use(cluster, count):
        with connect(cluster, count - 1) as client:
            check(len(client.get_primaries()) == count, 'all nodes are primaries')
            check(not client.get_replicas(), 'and none a replica')
            check(client.set('k', 'ä value', ex=100) and client.get('k') == 'ä value', 'SET, GET')
            for i in range(KEYS):
                client.set(f'key:{i}', i)
            check(all(client.get(f'key:{i}') == str(i) for i in range(KEYS)), 'all of them')
            pipe = client.pipeline()
            for i in range(KEYS):
                pipe.get(f'key:{i}')
            check(pipe.execute() == [str(i) for i in range(KEYS)], 'a pipeline over all nodes')
            check(client.mset_nonatomic({f'm:{i}': i for i in range(100)}), 'MSET over all nodes')
            values = client.mget_nonatomic([f'm:{i}' for i in range(100)])
            check(values == [str(i) for i in range(100)], 'MGET over all nodes')
            check(set(client.scan_iter('key:*', count=500)) == {f'key:{i}' for i in range(KEYS)},
                  'SCAN of all nodes')
            check(client.cluster_keyslot('foo') == 12182, 'CLUSTER KEYSLOT')
            check(len(client.cluster_nodes()) == count, 'CLUSTER NODES')
            info = client.cluster_info(target_nodes=RedisCluster.RANDOM)
            check(info['cluster_state'] == 'ok', 'CLUSTER INFO')
            check(client.delete('k', 'none') == 1 and client.exists('k') == 0, 'DEL of two slots')
            check(client.flushall(), 'FLUSHALL')
            check(client.dbsize() == 0, 'of all nodes')
    each_size(use)


def test_redis_py_reads_from_replicas():
    with Cluster(3) as cluster, connect(cluster, read_from_replicas=True) as client:
        for i in range(100):
            client.set(f'key:{i}', i)
            check(client.get(f'key:{i}') == str(i), 'READONLY')


def test_redis_py_goes_on_when_a_node_dies():
    with Cluster(3) as cluster, connect(cluster) as client:
        done, failed = threading.Event(), []

        def work():
            count = 0
            while not done.is_set():
                count += 1
                try:
                    client.set(f'key:{count % 500}', count)
                    if client.get(f'key:{count % 500}') != str(count):
                        failed.append(f'key:{count % 500} is not {count}')
                except redis.RedisError as error:
                    failed.append(repr(error))
            counts.append(count)

        counts = []
        worker = threading.Thread(target=work)
        logging.getLogger('redis').setLevel(logging.CRITICAL)  # it says how it found out
        worker.start()
        try:
            cluster.kill(2)
            cluster.wait_until_seen_down(2)
            cluster.start(2)
            cluster.wait_until_formed()
        finally:
            done.set()
            worker.join()
        check(counts[0] > 100, f'it worked: {counts}')
        check(not failed, f'{len(failed)} of {counts[0]} failed: {failed[:3]}')


def test_hiredis_asks_any_node():
    if not os.path.exists('/usr/include/hiredis/hiredis.h'):
        raise Skip('hiredis is not installed (libhiredis-dev)')
    path = os.path.join(ROOT, 'build/test/hiredis_client')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    program.run(['gcc', '-Wall', '-Wextra', '-Werror', '-o', path, client_hiredis.SOURCE,
                 '-lhiredis'])
    with Cluster(3) as cluster:
        for port in cluster.ports():
            program.run([path, str(port)])


def test_a_plain_client_asks_any_node():
    with Cluster(3) as cluster:
        clients = [cluster.client(i) for i in range(3)]
        for i in range(KEYS):
            check(clients[i % 3].call('SET', f'key:{i}', i) == b'OK', 'SET')
            check(clients[(i + 1) % 3].call('GET', f'key:{i}') == b'%d' % i, 'GET elsewhere')
        words = [word for i in range(100) for word in (f'm:{i}', i)]
        check(clients[0].call('MSET', *words) == b'OK', 'MSET over all slots')
        names = [f'm:{i}' for i in range(100)]
        check(clients[1].call('MGET', *names) == [b'%d' % i for i in range(100)], 'MGET')
        check(clients[2].call('DEL', *names) == 100, 'DEL')
        for client in clients:
            wait_for(lambda c=client: c.call('DBSIZE') == KEYS, what='DBSIZE of the whole cluster')
            client.close()


def test_consistency_is_the_connections():
    with Cluster(3) as cluster, cluster.client() as client, cluster.client(1) as other:
        check(client.call('CONSISTENCY', 'R', 'ALL', 'W', 'ALL') == b'OK', 'CONSISTENCY')
        for i in range(100):
            check(client.call('SET', f'key:{i}', i) == b'OK', 'on all three')
            check(other.call('GET', f'key:{i}') == b'%d' % i, 'read')
        check(other.call('CONSISTENCY') == [b'read', b'default', b'write', b'default'], 'default')


def test_wait_counts_owners_that_have_all():
    with Cluster(3) as cluster:
        def write(client, first):
            for i in range(first, first + 20):
                check(client.call('SET', f'key:{i}', i) == b'OK', 'it is written')

        with cluster.client() as early, cluster.client() as late:
            check(early.call('WAIT', 2, 0) == 2, 'it has written nothing that somebody lacks')
            write(early, 0)
            check(early.call('WAIT', 2, 0) == 2, 'both others have all')
            check(early.call('WAIT', 3, 0) == 2, 'there are no three: no use to wait')
            words = [word for i in range(20) for word in (f'key:{i}', i)]
            check(early.call('MSET', *words) == b'OK', 'written at all nodes')
            check(early.call('WAIT', 2, 0) == 2, 'both others have that too')
            cluster.kill(2)
            cluster.wait_until_seen_down(2)
            check(early.call('WAIT', 2, 0) == 2, 'what a node that is gone has said still holds')
            write(late, 20)
            check(late.call('WAIT', 1, 0) == 1, 'one has all')
            check(late.call('WAIT', 2, 0) == 1, 'the other has missed some: no use to wait')
            cluster.start(2)
            cluster.wait_until_formed()
            check(late.call('WAIT', 2, 1) == 1, 'nor does it count afterwards')
            with cluster.client(1) as client:
                write(client, 40)
                check(client.call('WAIT', 2, 0) == 2, 'of new writes it counts')


def test_a_context_is_good_on_every_node():
    with Cluster(3) as cluster:
        clients = [cluster.client(i) for i in range(3)]
        for i in range(60):
            key = f'key:{i}'
            check(clients[i % 3].call('VC.SET', key, 'a', '') == b'OK', 'VC.SET')
            context, *values = clients[(i + 1) % 3].call('VC.GET', key)
            check(values == [b'a'], f'VC.GET: {values}')
            check(clients[i % 3].call('VC.SET', key, 'b', '') == b'OK', 'unseen')
            check(clients[(i + 2) % 3].call('VC.SET', key, 'c', context) == b'OK', 'with it')
            context, *values = clients[(i + 1) % 3].call('VC.GET', key)
            check(values == [b'b', b'c'], f'siblings: {values}')
            check(clients[i % 3].call('VC.DEL', key, context) == 2, 'VC.DEL')
            check(len(clients[i % 3].call('VC.CLOCK', key)) >= 1, 'VC.CLOCK')
        for client in clients:
            client.close()


def test_the_members_are_shown_alike():
    with Cluster(3) as cluster:
        texts = []
        for node in cluster.nodes:
            text = node.ask('CLUSTER', 'NODES').decode()
            lines = [re.sub(r'myself,| 0 \d+ ', '', line) for line in text.splitlines()]
            texts.append(sorted(lines))
        check(texts[0] == texts[1] == texts[2], f'CLUSTER NODES: {texts}')
        slots = [node.ask('CLUSTER', 'SLOTS') for node in cluster.nodes]
        check(slots[0] == slots[1] == slots[2], 'CLUSTER SLOTS')
        check(sum(last - first + 1 for first, last, *_ in slots[0]) == 16384, 'each slot once')
