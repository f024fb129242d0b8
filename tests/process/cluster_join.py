# SPDX-License-Identifier: MIT
"""Nodes join a cluster and leave it under load: no command fails, nothing is lost, nothing is
twice."""

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
