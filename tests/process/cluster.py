# SPDX-License-Identifier: MIT
"""Clusters for tests: nodes on this machine that are started, killed, joined, waited for.

    with Cluster(3) as cluster, cluster.client(0) as client:
        client.call('SET', 'k', 'v')
        cluster.kill(2)
        cluster.client(1).call('GET', 'k')
        cluster.start(2)
        cluster.wait_until_formed()
"""

import re
import subprocess

from shoal import (FORM_LIMIT_S, START_LIMIT_S, STOP_LIMIT_S, Server, ServerError, check, free_port,
                   skip_redis, wait_for)


class Node(Server):
    """A server that is a node of a cluster: in a place of its own (network.py), if one is given."""

    def __init__(self, seeds, bus_port, options=(), directory=None, place=None):
        skip_redis('it forms clusters in another way')
        self.bus_port = bus_port
        self.place = place
        if place:
            self.host, self.prefix = place.host, place.prefix
        super().__init__(['--cluster-enabled', 'yes', '--cluster-port', bus_port,
                          '--cluster-seeds', ','.join(seeds), *options],
                         directory=directory, start=False)
        self.name = None

    def ask(self, *words):
        """One command on a connection of its own. None: it does not answer."""
        try:
            with self.client() as client:
                return client.call(*words)
        except (OSError, ConnectionError, ServerError):
            return None

    def info(self, section=None):
        """CLUSTER INFO, or a section of INFO, as a dictionary; empty while it does not answer."""
        text = self.ask('INFO', section) if section else self.ask('CLUSTER', 'INFO')
        return dict(re.findall(r'(\w+):([^\r\n]*)', (text or b'').decode()))

    def sees(self):
        """CLUSTER NODES: {name: flags}, of a node that answers."""
        lines = (self.ask('CLUSTER', 'NODES') or b'').decode().splitlines()
        return {line.split()[0]: line.split()[2] for line in lines}


class Cluster:
    """Nodes 0.. of a cluster; the first founds it. For node i `each` gives more options, `where`
    its directory and its place."""

    def __init__(self, count=3, options=(), each=lambda i: (), where=lambda i: {}, start=True):
        self.options = [str(option) for option in options]
        self.each = each
        self.where = where
        self.nodes = []
        for _ in range(count):
            self.make()
        if not start:
            return
        try:
            self.start(*range(count))
            self.wait_until_formed()
        except BaseException:
            self.close()
            raise

    def make(self):
        """One more node, which is not started yet: its index."""
        index = len(self.nodes)
        bus_port = free_port()
        where = self.where(index)
        place = self.nodes[0].place if self.nodes else where.get('place')
        first_port = self.nodes[0].bus_port if self.nodes else bus_port
        seed = f'{place.host if place else Server.host}:{first_port}'
        options = [*self.options, *(str(option) for option in self.each(index))]
        self.nodes.append(Node([seed], bus_port, options, **where))
        return index

    def add(self):
        """One more node joins: its index, when it is a member."""
        index = self.make()
        self.start(index)
        self.wait_until_formed()
        return index

    def __getitem__(self, index):
        return self.nodes[index]

    def client(self, index=0, **more):
        return self.nodes[index].client(**more)

    def ports(self):
        return [node.port for node in self.nodes]

    def running(self):
        return [node for node in self.nodes if node.process and node.process.poll() is None]

    def start(self, *indexes):
        for index in indexes:
            self.nodes[index].spawn()
        for index in indexes:
            wait_for(self.nodes[index].answers, START_LIMIT_S, f'node {index} answers')

    def kill(self, index):
        """kill -9, at once."""
        self.nodes[index].kill()

    def stop(self, index):
        self.nodes[index].stop()

    def is_formed(self):
        """All that run are members, in one stable layout, and see each other up."""
        infos = [node.info() for node in self.running()]
        if len({info.get('cluster_current_epoch') for info in infos}) != 1:
            return False
        views = [node.sees() for node in self.running()]
        up = [sum('fail' not in flags for flags in view.values()) for view in views]
        return (all(info.get('cluster_layout_phase') == 'stable'
                    and int(info['cluster_members']) >= len(infos) for info in infos)
                and all(count == len(infos) for count in up))

    def wait_until_formed(self, limit_s=FORM_LIMIT_S):
        try:
            wait_for(self.is_formed, limit_s, 'the cluster is formed')
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.words()}') from None
        for node in self.running():
            node.name = node.ask('CLUSTER', 'MYID').decode()

    def wait_until_seen_down(self, index, limit_s=FORM_LIMIT_S, nodes=None):
        """All others, or these, have passed it over: it is suspect, or down."""
        name = self.nodes[index].name
        asked = self.running() if nodes is None else [self.nodes[i] for i in nodes]
        wait_for(lambda: all('fail' in node.sees().get(name, '') for node in asked),
                 limit_s, f'node {index} is seen down')

    def words(self):
        """What the nodes say, for whoever has to find out what went wrong."""
        parts = []
        for index, node in enumerate(self.nodes):
            nodes = (node.ask('CLUSTER', 'NODES') or b'').decode()
            brief = '\n'.join(line[:120] for line in nodes.splitlines())
            parts.append(f'node {index}, port {node.port}: {node.info()}\n{brief}\n'
                         + '\n'.join(node.log_text().splitlines()[-5:]))
        return '\n'.join(parts)

    def close(self):
        for node in self.nodes:
            node.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def endures(words, *more, folder=None):
    """A program that is given a port, and writes and reads until its input ends, while another node
    is killed and comes back. It says "ready", and in the end how many of its rounds have failed."""
    with Cluster(3) as cluster:
        with subprocess.Popen([*words, str(cluster[0].port), *more], cwd=folder,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            check(process.stdout.readline() == 'ready\n', f'{words} {more} is ready')
            cluster.kill(2)
            cluster.wait_until_seen_down(2)
            cluster.start(2)
            cluster.wait_until_formed()
            said = process.communicate(timeout=STOP_LIMIT_S)[0]
        done = re.match(r'(\d+) done, (\d+) failed', said)
        check(done and int(done[1]) >= 1000 and int(done[2]) == 0, f'{words} {more}: {said}')
