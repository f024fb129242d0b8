#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cluster.py [--nodes 3] [--port 7001] [--replicas 3] [--zones 1] [--dir data/cluster]
[-- OPTION...]: a cluster on this machine, until Ctrl-C.

Node n listens on port 7000 + n for clients, and 10000 above it for the others; its data and its log
are in data/cluster/n, and stay. Options behind "--" are shoal-server's.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
FORM_LIMIT_S = 60
STOP_LIMIT_S = 60
REPLY_LIMIT_S = 5


class Failure(Exception):
    """It does not work, and why."""


class Node:
    def __init__(self, number, arguments):
        self.number = number
        self.port = arguments.port + number - 1
        self.dir = os.path.join(arguments.dir, str(number))
        self.log = os.path.join(self.dir, 'log')
        self.process = None
        self.words = [
            arguments.server, '--bind', '127.0.0.1', '--port', str(self.port), '--dir', self.dir,
            '--cluster-enabled', 'yes', '--cluster-port', str(self.port + 10000),
            '--cluster-seeds', f'127.0.0.1:{arguments.port + 10000}',
            '--replicas', str(arguments.replicas), *arguments.options]
        if arguments.zones > 1:
            self.words += ['--zone', f'zone-{(number - 1) % arguments.zones + 1}']

    def start(self):
        os.makedirs(self.dir, exist_ok=True)
        for port in (self.port, self.port + 10000):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(('127.0.0.1', port))
                except OSError as error:
                    raise Failure(f'port {port}: {error.strerror}') from None
        with open(self.log, 'ab') as log:
            # In a group of its own: Ctrl-C is for this script, which then stops all.
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)

    def check_runs(self):
        if self.process.poll() is not None:
            raise Failure(f'node {self.number} ended with status {self.process.returncode}:\n'
                          + self.last_words())

    def last_words(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return ''.join(log.readlines()[-10:])

    def info(self):
        """CLUSTER INFO as a dictionary; empty while it does not answer."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), REPLY_LIMIT_S) as client:
                client.sendall(b'CLUSTER INFO\r\n')
                reply = client.makefile('rb')
                head = reply.readline()
                text = reply.read(int(head[1:])) if head.startswith(b'$') else b''
        except OSError:
            return {}
        return dict(re.findall(r'(\w+):(\S*)', text.decode()))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self):
        if self.process:
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def is_formed(infos, count):
    return all(info.get('cluster_state') == 'ok' and info.get('cluster_layout_phase') == 'stable'
               and int(info.get('cluster_members', 0)) >= count for info in infos)


def wait_until_formed(nodes):
    end = time.monotonic() + FORM_LIMIT_S
    while True:
        for node in nodes:
            node.check_runs()
        infos = [node.info() for node in nodes]
        if is_formed(infos, len(nodes)):
            return
        if time.monotonic() > end:
            said = '\n'.join(f'node {node.number}: {info}' for node, info in zip(nodes, infos))
            raise Failure(f'no cluster within {FORM_LIMIT_S} s:\n{said}')
        time.sleep(0.1)


def tell(nodes, arguments):
    first = nodes[0].port
    print(f'A cluster of {len(nodes)} nodes, each key on {min(arguments.replicas, len(nodes))}.\n')
    for node in nodes:
        print(f'  127.0.0.1:{node.port}  pid {node.process.pid}  log {node.log}')
    print(f"""
Any node takes any command:  redis-cli -p {first} SET greeting hello
                             redis-cli -p {nodes[-1].port} GET greeting
Who owns what:               redis-cli -p {first} CLUSTER NODES
What quorums do:             redis-cli -p {first} INFO quorum
Kill one, and go on:         kill -9 {nodes[-1].process.pid}
Ctrl-C stops all; their data stays in {arguments.dir}.""", flush=True)


def watch(nodes):
    """Says which node has ended; returns when none is left."""
    running = list(nodes)
    while running:
        for node in list(running):
            if node.process.poll() is not None:
                print(f'node {node.number} (port {node.port}) has ended, with status '
                      f'{node.process.returncode}', flush=True)
                running.remove(node)
        time.sleep(0.2)


def parse():
    parser = argparse.ArgumentParser(description='A cluster on this machine, until Ctrl-C.')
    parser.add_argument('--nodes', type=int, default=3)
    parser.add_argument('--port', type=int, default=7001, help='of the first node')
    parser.add_argument('--replicas', type=int, default=3, help='nodes that hold each key')
    parser.add_argument('--zones', type=int, default=1, help='that the nodes are in, in turn')
    parser.add_argument('--dir', default=os.path.join(ROOT, 'data/cluster'))
    parser.add_argument('--server', default=os.path.join(ROOT, 'build/shoal-server'))
    parser.add_argument('options', nargs='*', help="shoal-server's, behind --")
    arguments = parser.parse_args()
    if arguments.nodes < 1 or arguments.port + arguments.nodes - 1 + 10000 > 65535:
        parser.error('there is no room for so many ports')
    return arguments


def main():
    arguments = parse()
    nodes = [Node(number, arguments) for number in range(1, arguments.nodes + 1)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    try:
        for node in nodes:
            node.start()
        wait_until_formed(nodes)
        tell(nodes, arguments)
        watch(nodes)
    except KeyboardInterrupt:
        print('stopping')
    except Failure as failure:
        print(failure, file=sys.stderr)
        status = 1
    for node in nodes:
        node.stop()
    for node in nodes:
        node.wait()
    sys.exit(status)


if __name__ == '__main__':
    main()
