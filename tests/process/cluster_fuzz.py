# SPDX-License-Identifier: MIT
"""Commands at random, of the fuzzer of conversations, at all nodes of a cluster: each is answered,
and all nodes live on and agree in the end."""

import os
import random
import sys

from cluster import Cluster
from shoal import ROOT, check, encode, wait_for

sys.path.insert(0, os.path.join(ROOT, 'tests/conversation'))
import fuzz  # noqa: E402  pylint: disable=wrong-import-position

COMMANDS = 3000
BATCH_MAX = 20


class Maker(fuzz.Round):
    """Makes commands, and compares nothing."""

    def __init__(self, commands, seed):
        super().__init__([], commands, set(), seed, [])


def all_of(client):
    client.call('SELECT', 0)
    return {key: client.call('DUMP', key) for key in sorted(fuzz.KEYS)}


def play(cluster, commands, seed):
    maker, chance = Maker(commands, seed), random.Random(seed)
    clients = [node.client() for node in cluster.nodes for _ in range(2)]
    for client in clients[::2]:
        client.call('HELLO', 3)
    done = 0
    while done < COMMANDS:
        client = chance.choice(clients)
        batch = [maker.make() for _ in range(chance.randint(1, BATCH_MAX))]
        client.socket.sendall(b''.join(encode(*words) for words in batch))
        for words in batch:
            try:
                client.read()
            except OSError as error:
                raise AssertionError(f'seed {seed}: {fuzz.quoted(words)}: {error}; of '
                                     f'{[fuzz.quoted(each) for each in batch]}') from None
        done += len(batch)
    for client in clients:
        client.close()


def test_commands_at_random_end_no_node(rounds=2):
    with Cluster(3, ['--databases', 2]) as cluster:
        with cluster.client() as client:
            client.call('HELLO', 3)
            commands = [command for command in fuzz.commands_of(client, [])
                        if command.name.split('|')[0] not in ('cluster', 'reset', 'client', 'acl')]
        for seed in range(rounds):
            play(cluster, commands, seed)
            cluster.wait_until_formed()
            check(len(cluster.running()) == 3, 'all live')
        others = [node.client() for node in cluster.nodes]
        wait_for(lambda: all_of(others[0]) == all_of(others[1]) == all_of(others[2]),
                 what='all hold the same')
