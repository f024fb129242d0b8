# SPDX-License-Identifier: MIT
"""A Redis Cluster to compare with, and a client of it that finds its way: follows MOVED, and says a
command again until it is done or its time is over."""

import time

from shoal import Client, Server, ServerError, free_port, redis_server, wait_for
from traffic import ANSWER_LIMIT_S, slot_of

TRY_LIMIT_S = 1
RETRY_PAUSE_S = 0.02
AGAIN = ('MOVED', 'ASK', 'CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN', 'READONLY')


class RedisNode(Server):
    def __init__(self, options, place=None):
        self.bus_port = free_port()
        if place:
            self.host, self.prefix = place.host, place.prefix
        self.place = place
        super().__init__(['--cluster-enabled', 'yes', '--cluster-port', self.bus_port, *options],
                         program=redis_server(), start=False)

    def ask(self, *words):
        with self.client() as client:
            return client.call(*words)


class RedisCluster:
    """Masters, and as many replicas: node i + masters is the replica of master i."""

    def __init__(self, masters=3, options=(), place=lambda: None):
        self.masters = masters
        self.nodes = [RedisNode(options, place()) for _ in range(2 * masters)]
        try:
            for node in self.nodes:
                node.start()
            self.form()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, index):
        return self.nodes[index]

    def form(self):
        for index, node in enumerate(self.nodes):
            node.ask('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
        first = self.nodes[0]
        for index in range(self.masters):
            begin, end = (16384 * i // self.masters for i in (index, index + 1))
            self.nodes[index].ask('CLUSTER', 'ADDSLOTSRANGE', begin, end - 1)
        for node in self.nodes[1:]:
            node.ask('CLUSTER', 'MEET', first.host, first.port, first.bus_port)
        count = b'cluster_known_nodes:%d\r' % len(self.nodes)
        wait_for(lambda: all(count in node.ask('CLUSTER', 'INFO') for node in self.nodes), 60,
                 'all nodes know each other')
        for index in range(self.masters):
            name = self.nodes[index].ask('CLUSTER', 'MYID')
            replica = self.nodes[self.masters + index]
            wait_for(lambda: self.replicates(replica, name), 60, 'a replica knows its master')
        wait_for(self.is_whole, 60, 'the cluster is whole')

    @staticmethod
    def replicates(replica, name):
        try:
            return replica.ask('CLUSTER', 'REPLICATE', name) == b'OK'
        except ServerError:
            return False

    def is_whole(self):
        return (all(b'cluster_state:ok' in node.ask('CLUSTER', 'INFO') for node in self.nodes)
                and all(b'master_link_status:up' in node.ask('INFO', 'replication')
                        for node in self.nodes if b'role:slave' in node.ask('INFO', 'replication')))

    def close(self):
        for node in self.nodes:
            node.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RedisConnection:
    """For Traffic, as Direct is."""

    def __init__(self, cluster):
        self.known = [(node.host, node.port) for node in cluster.nodes]
        self.clients = {}
        self.slots = []
        self.refused = 0  # tries that had to be said again
        self.learn()

    def learn(self):
        """Each time from another node: the one asked before may be cut off, and not know it."""
        self.known.append(self.known.pop(0))
        for address in self.known:
            try:
                with Client(address[1], limit_s=TRY_LIMIT_S, host=address[0]) as client:
                    slots = client.call('CLUSTER', 'SLOTS')
            except (OSError, ServerError):
                continue
            self.slots = [(begin, end, (master[0].decode(), master[1]))
                          for begin, end, master, *_ in slots]
            return

    def client_of(self, key):
        slot = slot_of(key)
        address = next((address for begin, end, address in self.slots if begin <= slot <= end),
                       self.known[0])
        if address not in self.clients:
            self.clients[address] = Client(address[1], limit_s=TRY_LIMIT_S, host=address[0])
        return self.clients[address]

    def call(self, key, *words):
        end = time.monotonic() + ANSWER_LIMIT_S
        while True:
            try:
                return self.client_of(key).call(*words)
            except (OSError, ServerError) as error:
                if isinstance(error, ServerError) and not str(error).startswith(AGAIN):
                    raise
                self.refused += 1
                if time.monotonic() > end:
                    raise
                if isinstance(error, OSError):
                    self.close()
                if not str(error).startswith('MOVED'):
                    time.sleep(RETRY_PAUSE_S)
                self.learn()

    def failed(self):
        self.close()

    def close(self):
        for client in self.clients.values():
            client.close()
        self.clients = {}

    def values(self, key):
        return [self.call(key, 'GET', key)]
