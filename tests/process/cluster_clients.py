# SPDX-License-Identifier: MIT
"""Clients that others wrote, at a cluster: those that know clusters, and plain ones, which may ask
any node for any key."""

import logging
import os
import re
import subprocess
import tempfile
import threading

import client_hiredis
import client_redis_py
import program
from cluster import Cluster, endures
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


class Endured:
    """Something that goes on while node 2 is killed and comes back."""

    def __init__(self, cluster, step):
        self.cluster = cluster
        self.step = step
        self.done = threading.Event()
        self.count = 0
        self.failed = []
        self.worker = threading.Thread(target=self.work)

    def work(self):
        while not self.done.is_set():
            self.count += 1
            try:
                self.step(self.count)
            except Exception as error:  # pylint: disable=broad-except
                self.failed.append(repr(error))

    def wait_for_steps(self, more):
        goal = self.count + more
        wait_for(lambda: self.count >= goal, what=f'{more} steps')

    def hold(self):
        self.worker.start()
        try:
            self.wait_for_steps(50)
            self.cluster.kill(2)
            self.wait_for_steps(50)
            self.cluster.wait_until_seen_down(2)
            self.cluster.start(2)
            self.cluster.wait_until_formed()
            self.wait_for_steps(50)
        finally:
            self.done.set()
            self.worker.join()
        check(not self.failed, f'{len(self.failed)} of {self.count} failed: {self.failed[:3]}')


def goes_on(cluster, client, around=lambda step: step):
    """redis-py, of either kind."""
    def step(count):
        client.set(f'key:{count % 500}', count)
        got = client.get(f'key:{count % 500}')
        check(got == str(count), f'key:{count % 500} is {got}, not {count}')
    logging.getLogger('redis').setLevel(logging.CRITICAL)  # it says how it found out
    Endured(cluster, around(step)).hold()


def test_redis_py_goes_on_when_a_node_dies():
    """But where a version of it (Debian 12's) fails by itself, whatever the cluster does: it copies
    its own lock when it looks for the nodes anew."""
    def forgiving(call):
        def step(*words):
            try:
                call(*words)
            except redis.exceptions.RedisClusterException as error:
                check('cannot pickle' in str(error), f'{words}: {error}')
        return step
    with Cluster(3) as cluster, connect(cluster) as client:
        goes_on(cluster, client, forgiving)


def test_plain_redis_py_does_not_notice_that_a_node_dies():
    with Cluster(3) as cluster, \
            client_redis_py.connect(cluster[1], decode_responses=True) as client:
        goes_on(cluster, client)


def test_plain_redis_py_at_a_cluster():
    with Cluster(3) as cluster, \
            client_redis_py.connect(cluster[1], decode_responses=True) as client:
        pipe = client.pipeline(transaction=False)
        for i in range(KEYS):
            pipe.set(f'key:{i}', i, ex=1000)
        check(all(pipe.execute()), 'a pipeline over all nodes')
        check(all(900 < client.ttl(f'key:{i}') <= 1000 for i in range(100)), 'TTL')
        check(client.mset({f'm:{i}': i for i in range(100)}), 'MSET')
        check(client.mget([f'm:{i}' for i in range(100)]) == [str(i) for i in range(100)], 'MGET')
        check([client.incr(f'm:{i}') for i in range(100)] == list(range(1, 101)), 'INCR')
        check(client.delete(*(f'm:{i}' for i in range(100))) == 100, 'DEL')
        names = list(client.scan_iter('key:*', count=300))
        check(sorted(names) == sorted(f'key:{i}' for i in range(KEYS)), 'SCAN: all, each once')


def test_redis_cli_does_not_notice_that_a_node_dies():
    """Plain and with -c: its input is a pipe, and each reply is a line."""
    path = program.found('redis-cli', 'redis-tools')
    for more in ([], ['-c']):
        with Cluster(3) as cluster, tempfile.TemporaryFile('w+') as output:
            with subprocess.Popen([path, '-p', str(cluster[0].port), *more], text=True,
                                  stdin=subprocess.PIPE, stdout=output,
                                  stderr=subprocess.STDOUT) as process:
                def step(count, process=process):
                    process.stdin.write(f'SET key:{count % 500} {count}\nGET key:{count % 500}\n')
                    process.stdin.flush()
                endured = Endured(cluster, step)
                endured.hold()
                process.stdin.close()
                check(process.wait(program.LIMIT_S) == 0, f'{more}: exit status')
            output.seek(0)
            said = [line for line in output.read().splitlines() if line]
            check(said == [word for i in range(1, endured.count + 1) for word in ('OK', str(i))],
                  f'{more}: {[line for line in said if not line.isdigit() and line != "OK"][:3]}')


def test_redis_cli_samples_keys_of_all_nodes():
    with Cluster(3) as cluster, cluster.client(1) as client:
        for i in range(1, 501):
            client.call('SET', f'key:{i}', 'x' * i)
        for port in cluster.ports():
            said = cli('-p', port, '--bigkeys')
            check('Biggest string found \'"key:500"\' has 500 bytes' in said, f'--bigkeys: {said}')
            check('Sampled 500 keys' in said, f'--bigkeys: {said}')


def test_redis_benchmark_does_not_notice_that_a_node_dies():
    path = program.found('redis-benchmark', 'redis-tools')
    with Cluster(3) as cluster:
        for more in ([], ['-P', '8']):
            words = [path, '-p', str(cluster[0].port), '-l', '-q', '-n', '2000', '-r', '1000', '-c',
                     '10', '-t', 'set,get', *more]
            with program.Background(words) as benchmark:
                def turns(times, benchmark=benchmark):
                    goal = benchmark.said().count('requests per second') + times
                    wait_for(lambda: benchmark.said().count('requests per second') >= goal)
                    benchmark.check_runs()
                turns(2)
                cluster.kill(2)
                turns(2)
                cluster.wait_until_seen_down(2)
                turns(2)
                cluster.start(2)
                cluster.wait_until_formed()
                turns(2)
                check('rror' not in benchmark.said(), f'{more}: {benchmark.said()[-1000:]}')


def hiredis_client():
    if not os.path.exists('/usr/include/hiredis/hiredis.h'):
        raise Skip('hiredis is not installed (libhiredis-dev)')
    path = os.path.join(ROOT, 'build/test/hiredis_client')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    program.run(['gcc', '-Wall', '-Wextra', '-Werror', '-o', path, client_hiredis.SOURCE,
                 '-lhiredis'])
    return path


def test_hiredis_asks_any_node():
    path = hiredis_client()
    with Cluster(3) as cluster:
        for port in cluster.ports():
            program.run([path, str(port)])


def test_hiredis_does_not_notice_that_a_node_dies():
    endures([hiredis_client()], 'endure')


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


def test_an_empty_cluster_has_no_random_key():
    with Cluster(3) as cluster, cluster.client(1) as client:
        check(client.call('RANDOMKEY') is None, 'no key on any node')
        client.call('SET', 'k', 'v')
        check(client.call('RANDOMKEY') == b'k', 'the only one, wherever it is')


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


def test_waitaof_counts_who_has_synced():
    for sync in ('no', 'everysec', 'always'):
        with Cluster(3, ['--appendfsync', sync]) as cluster, cluster.client(0) as client:
            check(client.call('WAITAOF', 1, 2, 0) == [1, 2], 'nothing is written')
            for i in range(60):
                client.call('SET', f'key:{i}', i)
            check(client.call('WAITAOF', 1, 2, 0) == [1, 2], f'{sync}: all have synced')
            check(client.call('WAITAOF', 1, 3, 0) == [1, 2], 'there are no three')
            cluster.kill(2)
            cluster.wait_until_seen_down(2)
            check(client.call('WAITAOF', 1, 2, 0) == [1, 2], 'what was synced stays so')
            for i in range(60):
                client.call('SET', f'key:{i}', i)
            check(client.call('WAITAOF', 1, 1, 0) == [1, 1], f'{sync}: one has synced all')
            check(client.call('WAITAOF', 1, 2, 5000) == [1, 1], 'the other has missed some')


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
