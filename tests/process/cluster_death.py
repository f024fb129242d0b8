# SPDX-License-Identifier: MIT
"""A node of three dies, or is silent for a while, under load: clients of the others do not notice,
and nothing that was acknowledged is lost."""

import random
import signal

from cluster import Cluster
from cluster_load import Load, verify
from shoal import ServerError, check, wait_for

ROUNDS = 60


def others(cluster, victim):
    return [node for node in range(len(cluster.nodes)) if node != victim]


def test_kill_9_fails_no_command(rounds=3):
    """Each node in turn, the founder first; it comes back into the same load."""
    with Cluster(3) as cluster:
        loads = []
        for turn in range(rounds):
            victim = turn % 3
            with Load(cluster, others(cluster, victim), name=f'{turn}.') as load:
                load.wait_for_rounds(ROUNDS)
                cluster.kill(victim)
                load.wait_for_rounds(ROUNDS)
                cluster.wait_until_seen_down(victim)
                load.wait_for_rounds(ROUNDS)
                cluster.start(victim)
                cluster.wait_until_formed()
                load.wait_for_rounds(ROUNDS)
            load.verify(cluster, loads)
            loads.append(load)


def test_a_node_is_killed_again_as_soon_as_it_is_back(rounds=3):
    with Cluster(3) as cluster, Load(cluster, [0, 1]) as load:
        for _ in range(rounds):
            load.wait_for_rounds(ROUNDS // 3)
            cluster.kill(2)
            cluster.start(2)
        cluster.wait_until_formed()
        load.wait_for_rounds(ROUNDS)
    load.verify(cluster)


def test_a_node_that_is_silent_for_a_while(rounds=2):
    """SIGSTOP: its connections stay, and nobody answers."""
    with Cluster(3) as cluster:
        loads = []
        for turn in range(rounds):
            victim = 2 - turn
            with Load(cluster, others(cluster, victim), name=f'{turn}.') as load:
                load.wait_for_rounds(ROUNDS)
                cluster[victim].process.send_signal(signal.SIGSTOP)
                try:
                    load.wait_for_rounds(ROUNDS)
                    cluster.wait_until_seen_down(victim, nodes=others(cluster, victim))
                    load.wait_for_rounds(ROUNDS)
                finally:
                    cluster[victim].process.send_signal(signal.SIGCONT)
                cluster.wait_until_formed()
                load.wait_for_rounds(ROUNDS)
            load.verify(cluster, loads)
            loads.append(load)


def test_a_node_that_is_silent_for_moments(rounds=3):
    """Shorter than what makes the others pass it over, or not: nobody is told which."""
    chance = random.Random(1)
    with Cluster(3) as cluster, Load(cluster, [0, 1]) as load:
        for _ in range(rounds):
            cluster[2].process.send_signal(signal.SIGSTOP)
            try:
                load.wait_for_rounds(chance.randrange(1, 30))
            finally:
                cluster[2].process.send_signal(signal.SIGCONT)
            load.wait_for_rounds(chance.randrange(1, 10))
        cluster.wait_until_formed()
        load.wait_for_rounds(ROUNDS)
    load.verify(cluster)


def test_what_the_dead_one_missed_it_has_when_it_is_back():
    """It alone with one of the others has all that was written and deleted without it."""
    with Cluster(3) as cluster:
        with Load(cluster, [0, 1]) as load:
            load.wait_for_rounds(ROUNDS)
            cluster.kill(2)
            load.wait_for_rounds(ROUNDS)
        cluster.start(2)
        cluster.wait_until_formed()
        cluster.kill(0)
        cluster.wait_until_seen_down(0)
        load.verify(cluster)
        cluster.start(0)
        cluster.wait_until_formed()
        cluster.kill(1)
        cluster.wait_until_seen_down(1)
        load.verify(cluster)


def test_the_last_one_says_that_it_is_alone():
    """Without a quorum nothing is acknowledged; when there is one again, all goes on."""
    with Cluster(3) as cluster:
        with cluster.client(0) as client:
            held = {f'k{i}': b'%d' % i for i in range(200)}
            for key, value in held.items():
                client.call('SET', key, value)
            cluster.kill(1)
            cluster.kill(2)
            for words in (['SET', 'k1', 'x'], ['GET', 'k1'], ['INCR', 'n']):
                wait_for(lambda w=words: is_refused(client, w), what=f'{words} is refused')
            check(client.call('PING') == b'PONG', 'it answers')
            cluster.start(1)
            wait_for(lambda: not is_refused(client, ['SET', 'k1', held['k1']]), what='a quorum')
            check(client.call('DEL', 'n') <= 1, 'the count may appear')
            verify_two(cluster, held)
        cluster.start(2)
        cluster.wait_until_formed()
        verify(cluster, held)


def verify_two(cluster, held):
    for node in cluster.running():
        with node.client() as client:
            values = [client.call('GET', key) for key in held]
            check(values == list(held.values()), f'all is there, port {node.port}')


def is_refused(client, words):
    try:
        client.call(*words)
        return False
    except ServerError as error:
        check(str(error).startswith(('NOREPLICAS', 'UNKNOWN', 'CLUSTERDOWN')), f'{words}: {error}')
        return True
