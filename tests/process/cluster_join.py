# SPDX-License-Identifier: MIT
"""Nodes join a cluster and leave it under load: no command fails, nothing is lost, nothing is
twice."""

import contextlib

import program
import shoal
from cluster import Cluster, Node
from cluster_load import Load
from shoal import FORM_LIMIT_S, check, wait_for

ROUNDS = 40


def owners(cluster):
    """Ports of the nodes to which CLUSTER SLOTS sends clients."""
    return {master[1] for _, _, master in cluster[0].ask('CLUSTER', 'SLOTS')}


def is_stable(node, members):
    info = node.info()
    return (info.get('cluster_layout_phase') == 'stable'
            and info.get('cluster_members') == str(members))


def wait_for_members(nodes, count):
    wait_for(lambda: all(is_stable(node, count) for node in nodes), FORM_LIMIT_S,
             f'{count} members and no more')


def test_a_fourth_node_joins():
    with Cluster(3) as cluster:
        with Load(cluster, [0, 1, 2]) as load:
            load.wait_for_rounds(ROUNDS)
            cluster.add()
            load.wait_for_rounds(ROUNDS)
        check(owners(cluster) == set(cluster.ports()), 'it has its share')
        load.verify(cluster)
        with Load(cluster, [3], name='new.') as more:
            more.wait_for_rounds(ROUNDS)
        more.verify(cluster, [load])


def test_two_nodes_join_a_lonely_one():
    """What it held alone is on all three then."""
    with Cluster(1) as cluster:
        with Load(cluster, [0]) as load:
            load.wait_for_rounds(ROUNDS)
            cluster.add()
            load.wait_for_rounds(ROUNDS)
            cluster.add()
            load.wait_for_rounds(ROUNDS)
        load.verify(cluster)
        cluster.kill(0)
        cluster.wait_until_seen_down(0)
        load.verify(cluster)


def test_a_node_leaves_by_its_weight():
    """It gives away what it has, and can then be stopped and forgotten."""
    with Cluster(4) as cluster:
        with Load(cluster, [0, 1, 2]) as load:
            load.wait_for_rounds(ROUNDS)
            cluster.stop(3)
            cluster[3].options += ['--weight', '0']
            cluster.start(3)
            wait_for(lambda: cluster[3].port not in owners(cluster), FORM_LIMIT_S, 'it owns none')
            wait_for_members(cluster.nodes, 3)
            load.wait_for_rounds(ROUNDS)
            wait_for(lambda: holds_nothing(cluster[3]), FORM_LIMIT_S, 'it has given all away')
            cluster.stop(3)
            check(cluster[0].ask('CLUSTER', 'FORGET', cluster[3].name) == b'OK', 'FORGET')
            load.wait_for_rounds(ROUNDS)
        wait_for_members(cluster.nodes[:3], 3)
        load.verify(cluster)


def holds_nothing(node):
    """No key of any slot: CLUSTER COUNTKEYSINSLOT is of what the node itself holds."""
    with node.client() as client:
        for slot in range(16384):
            client.send('CLUSTER', 'COUNTKEYSINSLOT', slot)
        return sum(client.value() for _ in range(16384)) == 0


def test_a_dead_node_is_forgotten():
    """Its copies are made anew on those that are left; another one takes its place."""
    with Cluster(4) as cluster:
        with Load(cluster, [0, 1, 2]) as load:
            load.wait_for_rounds(ROUNDS)
            cluster.kill(3)
            cluster.wait_until_seen_down(3)
            check(cluster[1].ask('CLUSTER', 'FORGET', cluster[3].name) == b'OK', 'FORGET')
            wait_for_members(cluster.nodes[:3], 3)
            load.wait_for_rounds(ROUNDS)
        check(owners(cluster) == set(cluster.ports()[:3]), 'the others have its slots')
        load.verify(cluster)
        cluster.kill(2)
        cluster.wait_until_seen_down(2)
        load.verify(cluster)
        cluster.start(2)
        cluster.wait_until_formed()
        with Load(cluster, [0, 1, 2], name='more.') as more:
            cluster.add()
            more.wait_for_rounds(ROUNDS)
        more.verify(cluster, [load])


def test_a_lonely_node_is_met():
    """CLUSTER MEET: with what it held before."""
    with Cluster(3) as cluster:
        bus_port = shoal.free_port()
        other = Node([f'127.0.0.1:{bus_port}'], bus_port)
        try:
            other.start()
            wait_for(lambda: is_stable(other, 1), what='a cluster of one')
            with other.client() as client:
                check(client.call('SET', 'brought', 'along') == b'OK', 'SET')
            with Load(cluster, [0, 1, 2]) as load:
                check(cluster[0].ask('CLUSTER', 'MEET', '127.0.0.1', other.port, bus_port)
                      == b'OK', 'MEET')
                wait_for_members([*cluster.nodes, other], 4)
                load.wait_for_rounds(ROUNDS)
            for node in [*cluster.nodes, other]:
                wait_for(lambda n=node: n.ask('GET', 'brought') == b'along', FORM_LIMIT_S,
                         f'what it had, at port {node.port}')
        finally:
            other.close()


MET_KEYS = 200


def redis_cli(node, *words):
    path = program.found('redis-cli', 'redis-tools')
    words = [path, '-h', node.host, '-p', str(node.port), *map(str, words)]
    return program.run(words).strip()


def lonely_node(stack):
    """One that has founded a cluster of its own."""
    bus_port = shoal.free_port()
    node = Node([f'127.0.0.1:{bus_port}'], bus_port)
    stack.callback(node.close)
    node.start()
    wait_for(lambda: is_stable(node, 1), FORM_LIMIT_S, 'a cluster of one')
    return node


def has_all_keys(node):
    return (node.ask('DBSIZE') == MET_KEYS
            and redis_cli(node, 'GET', 'k:7') == 'v7'
            and redis_cli(node, 'MGET', 'k:0', f'k:{MET_KEYS - 1}') == f'v0\nv{MET_KEYS - 1}')


def test_lonely_nodes_meet_one_by_one():
    """By redis-cli, as an operator does it: the one's keys are on all, also when it has gone."""
    with contextlib.ExitStack() as stack:
        nodes = [lonely_node(stack)]
        words = [word for i in range(MET_KEYS) for word in (f'k:{i}', f'v{i}')]
        check(redis_cli(nodes[0], 'MSET', *words) == 'OK', 'MSET')
        for count in 2, 3:
            new = lonely_node(stack)
            nodes.append(new)
            # The second is met by the one with keys; the third itself meets the two.
            who, whom = (nodes[0], new) if count == 2 else (new, nodes[1])
            check(redis_cli(who, 'CLUSTER', 'MEET', whom.host, whom.port, whom.bus_port) == 'OK',
                  'MEET')
            wait_for_members(nodes, count)
            for node in nodes:
                wait_for(lambda node=node: has_all_keys(node), FORM_LIMIT_S,
                         f'all keys, at node {nodes.index(node)} of {count}')
        wait_for(lambda: all(quorum_is_quiet(node) for node in nodes), FORM_LIMIT_S,
                 'all copies are made')
        nodes[0].kill()
        for node in nodes[1:]:
            wait_for(lambda node=node: has_all_keys(node), FORM_LIMIT_S, 'all keys without it')


def quorum_is_quiet(node):
    info = node.info('quorum')
    return info['sync_slots_unequal'] == '0' and info['sync_hints_pending'] == '0'
