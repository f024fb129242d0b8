# SPDX-License-Identifier: MIT
"""Whole clusters are stopped, killed and started: all that was acknowledged is there."""

import kill
from cluster import Cluster
from cluster_load import Load

ROUNDS = 60
ALL = 0, 1, 2


def test_all_are_stopped_and_started():
    with Cluster(3) as cluster:
        loads = []
        for turn in range(2):
            with Load(cluster, ALL, name=f'{turn}.') as load:
                load.wait_for_rounds(ROUNDS)
            for node in ALL:
                cluster.stop(node)
            cluster.start(*ALL)
            cluster.wait_until_formed()
            load.verify(cluster, loads)
            loads.append(load)


def kill_all(options, rounds):
    with Cluster(3, options) as cluster:
        loads = []
        for turn in range(rounds):
            under_way = [kill.Load(cluster[node], clients=2, prefix=f'{turn}.{node}.')
                         for node in ALL]
            loads += under_way
            try:
                for load in under_way:
                    load.wait_for_writes(1000)
                for node in ALL:
                    cluster.kill(node)
            finally:
                for load in under_way:
                    load.end()
            cluster.start(*ALL)
            cluster.wait_until_formed()
            for load in loads:
                load.verify(cluster[turn % 3])


def test_all_are_killed_under_load(rounds=2):
    kill_all([], rounds)


def test_all_are_killed_while_sealing(rounds=2):
    kill_all(['--seal-bytes', 1 << 20], rounds)


def test_one_after_the_other_is_started_anew():
    """As for a new version: nobody notices, if his own node stays."""
    with Cluster(3) as cluster:
        loads = []
        for turn in ALL:
            with Load(cluster, [node for node in ALL if node != turn], name=f'{turn}.') as load:
                load.wait_for_rounds(ROUNDS)
                cluster.stop(turn)
                load.wait_for_rounds(ROUNDS)
                cluster.start(turn)
                cluster.wait_until_formed()
                load.wait_for_rounds(ROUNDS)
            load.verify(cluster, loads)
            loads.append(load)


def test_two_of_three_are_enough_to_start():
    with Cluster(3) as cluster:
        with Load(cluster, ALL) as load:
            load.wait_for_rounds(ROUNDS)
        for node in ALL:
            cluster.kill(node)
        cluster.start(1, 2)
        cluster.wait_until_formed()
        load.verify(cluster)
        with Load(cluster, [1, 2], name='more.') as more:
            more.wait_for_rounds(ROUNDS)
            cluster.start(0)
            cluster.wait_until_formed()
            more.wait_for_rounds(ROUNDS)
        more.verify(cluster, [load])
