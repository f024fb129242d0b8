# SPDX-License-Identifier: MIT
"""What is no node, no context or no option: refused, and a cluster goes on."""

import random
import socket

from cluster import Cluster, Node
from cluster_load import Load
from shoal import Server, ServerError, check, free_port, skip_redis, wait_for

ROUNDS = 30
MEBIBYTE = 1 << 20


def test_who_does_not_know_the_secret_stays_outside():
    with Cluster(3, ['--cluster-secret', 'a long one that all of them know']) as cluster:
        for secret in (['--cluster-secret', 'another'], []):
            stranger = Node([f'127.0.0.1:{cluster[0].bus_port}'], free_port(), secret)
            try:
                stranger.spawn()
                wait_for(lambda s=stranger: 'is refused' in s.log_text(), what='it is refused')
                with Load(cluster, [0, 1, 2]) as load:
                    load.wait_for_rounds(ROUNDS)
                check(stranger.info().get('cluster_members', '0') in '01', 'it has no members')
                check(cluster.is_formed() and cluster[0].info()['cluster_members'] == '3',
                      'and the cluster has not got it')
                check(cluster[0].ask('FLUSHALL') == b'OK', 'FLUSHALL')
            finally:
                stranger.close()


def garbage():
    chance = random.Random(7)
    yield b'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    yield b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n'
    yield b'\0' * 100_000
    yield b'\xff' * 100_000
    for size in (1, 2, 3, 4, 5, 8, 16, 32, 33, 64, 100, 1000, 100_000):
        yield chance.randbytes(size)
        yield bytes([0, 0, 0, size % 256]) + chance.randbytes(size)
        yield bytes([size % 256, 0, 0, 0]) + chance.randbytes(size)


def speak(port, data):
    with socket.create_connection(('127.0.0.1', port), timeout=5) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            while link.recv(65536):
                pass
        except OSError:
            pass  # it hangs up, or says no more


def greeting(port):
    """What a node says first to who says nothing."""
    with socket.create_connection(('127.0.0.1', port), timeout=1) as link:
        try:
            return link.recv(4096)
        except socket.timeout:
            return b''


def test_a_bus_port_that_hears_garbage():
    with Cluster(3) as cluster, Load(cluster, [0, 1, 2]) as load:
        load.wait_for_rounds(ROUNDS)
        before = [node.resident_bytes() for node in cluster.nodes]
        for data in garbage():
            speak(cluster[0].bus_port, data)
        echo = greeting(cluster[1].bus_port)
        speak(cluster[1].bus_port, echo)
        speak(cluster[1].bus_port, echo * 100)
        load.wait_for_rounds(ROUNDS)
        grown = [node.resident_bytes() - size for node, size in zip(cluster.nodes, before)]
        check(max(grown) < 100 * MEBIBYTE, f'memory has grown by {grown}')
        cluster.wait_until_formed()
    load.verify(cluster)


def test_a_bus_port_with_many_that_say_nothing():
    with Cluster(3) as cluster, Load(cluster, [0, 1, 2]) as load:
        silent = []
        try:
            for _ in range(300):
                silent.append(socket.create_connection(('127.0.0.1', cluster[0].bus_port), 5))
            load.wait_for_rounds(ROUNDS)
            check(cluster.is_formed(), 'they are no nodes')
        finally:
            for link in silent:
                link.close()
        load.wait_for_rounds(ROUNDS)


def refused(client, *words):
    try:
        reply = client.call(*words)
    except ServerError as error:
        return str(error)
    raise AssertionError(f'{words}: {reply}')


def test_contexts_that_no_node_has_said():
    chance = random.Random(5)
    with Cluster(3) as cluster:
        with cluster.client(0) as client, cluster.client(1) as other:
            client.call('VC.SET', 'k', 'v', '')
            client.call('VC.SET', 'else', 'v', '')
            context = other.call('VC.GET', 'k')[0]
            forged = [b'x', b'0' * 10_000, context[:-1], context + b'0', context[1:],
                      other.call('VC.GET', 'else')[0]]
            for at in range(len(context)):
                other_byte = context[at] ^ (1 << chance.randrange(7))
                forged.append(context[:at] + bytes([other_byte]) + context[at + 1:])
            forged += [chance.randbytes(chance.randrange(1, 200)) for _ in range(100)]
            for each in forged:
                said = refused(other, 'VC.SET', 'k', 'new', each)
                check(said.startswith('ERR invalid context'), f'{each}: {said}')
                said = refused(client, 'VC.DEL', 'k', each)
                check(said.startswith('ERR invalid context'), f'{each}: {said}')
            check(client.call('VC.GET', 'k')[1:] == [b'v'], 'as it was')
            check(other.call('VC.SET', 'k', 'new', context) == b'OK', 'the true one')
            check(client.call('VC.GET', 'k')[1:] == [b'new'], 'is good')


def test_half_a_pair():
    with Cluster(3) as cluster:
        for node in cluster.nodes:
            with node.client() as client:
                for words in (['MSET', *range(count)] for count in range(1, 30, 2)):
                    check('wrong number of arguments' in refused(client, *words), f'{words}')
                for words in (['MSETNX', 1, 2, 3], ['MGET'], ['DEL'], ['BITOP', 'AND', 'd']):
                    check(refused(client, *words).startswith('ERR'), f'{words}')
            check(node.process.poll() is None, 'it lives')


WRONG = [
    (['--cluster-seeds', 'nohost'], 'HOST:PORT'),
    (['--cluster-seeds', '127.0.0.1:0'], 'HOST:PORT'),
    (['--cluster-seeds', '127.0.0.1:99999'], 'HOST:PORT'),
    (['--cluster-seeds', 'a:1,b'], 'HOST:PORT'),
    (['--cluster-enabled', 'maybe'], "'yes' or 'no'"),
    (['--cluster-port', '70000'], 'between 0 and 65535'),
    (['--replicas', '0'], 'between 1 and 7'),
    (['--replicas', '8'], 'between 1 and 7'),
    (['--read-quorum', '0'], 'between 1 and 7'),
    (['--write-quorum', '8'], 'between 1 and 7'),
    (['--weight', '-1'], 'between 0 and 10000'),
    (['--zone', 'a/b'], 'letters, digits'),
    (['--quorum-timeout', '1'], 'between 10 and'),
    (['--sloppy-quorum', '2'], "'yes' or 'no'"),
]


def test_wrong_options():
    skip_redis()
    for options, words in WRONG:
        server = Server(['--cluster-enabled', 'yes', *options], start=False)
        try:
            server.spawn()
            check(server.ended() == 1, f'{options}: it ends with an error')
            check(words in server.log_text(), f'{options}: {server.log_text()}')
        finally:
            server.close()


def test_a_bus_port_that_is_taken():
    skip_redis()
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        server = Server(['--cluster-enabled', 'yes', '--cluster-port', taken.getsockname()[1]],
                        start=False)
        try:
            server.spawn()
            check(server.ended() == 1, 'it ends with an error')
            check('in use' in server.log_text(), f'and says why: {server.log_text()}')
        finally:
            server.close()
