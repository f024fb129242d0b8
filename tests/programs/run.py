#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [NAME...]: clients and tools that others wrote for Redis, in other languages, against a
server of the tests; all, or those whose name contains NAME. What they need is installed into
build/programs/, in the versions named here, by the package manager of their language; one whose
language is not installed is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../process'))
import program  # noqa: E402
from cluster import Cluster, endures  # noqa: E402
from shoal import ROOT, Server, Skip, check, free_port, hold, wait_for  # noqa: E402

BUILD = os.path.join(ROOT, 'build/programs')
INSTALL_LIMIT_S = 900
RUN_LIMIT_S = 120


def need(*names):
    for name in names:
        if not shutil.which(name):
            raise Skip(f'{name} is not installed')


def run(words, folder, limit_s=RUN_LIMIT_S):
    return program.run(words, folder=folder, limit_s=limit_s)


def folder_for(name, *sources):
    """build/programs/NAME, with the sources copied there."""
    folder = os.path.join(BUILD, name)
    os.makedirs(folder, exist_ok=True)
    for source in sources:
        shutil.copy(os.path.join(HERE, source), folder)
    return folder


def node_module(folder, package, version):
    need('node', 'npm')
    path = os.path.join(folder, 'node_modules', package, 'package.json')
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            if json.load(file)['version'] == version:
                return
    run(['npm', 'install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder,
         f'{package}@{version}'], folder, INSTALL_LIMIT_S)


def speaks(words, folder):
    with Server() as server:
        check('all is well' in run([*words, str(server.port)], folder), f'{words}')


def speaks_to_a_cluster(words, folder, *more):
    for count in 1, 3:
        with Cluster(count) as cluster:
            said = run([*words, str(cluster[count - 1].port), *more], folder)
            check('all is well' in said, f'{words}, {count} nodes: {said}')


def test_node_redis():
    folder = folder_for('node-redis', 'node_redis.mjs', 'node_redis_cluster.mjs',
                        'node_redis_endures.mjs')
    node_module(folder, 'redis', '5.10.0')
    speaks(['node', 'node_redis.mjs'], folder)
    speaks_to_a_cluster(['node', 'node_redis_cluster.mjs'], folder)
    endures(['node', 'node_redis_endures.mjs'], folder=folder)
    endures(['node', 'node_redis_endures.mjs'], 'plain', folder=folder)


def test_ioredis():
    folder = folder_for('ioredis', 'ioredis.mjs', 'ioredis_cluster.mjs', 'ioredis_endures.mjs')
    node_module(folder, 'ioredis', '5.10.1')
    speaks(['node', 'ioredis.mjs'], folder)
    speaks_to_a_cluster(['node', 'ioredis_cluster.mjs'], folder)
    endures(['node', 'ioredis_endures.mjs'], folder=folder)
    endures(['node', 'ioredis_endures.mjs'], 'plain', folder=folder)


def test_go_redis():
    need('go')
    folder = folder_for('go-redis', 'go/main.go', 'go/cluster.go', 'go/endures.go')
    if not os.path.exists(os.path.join(folder, 'go.mod')):
        run(['go', 'mod', 'init', 'client'], folder)
    run(['go', 'get', 'github.com/redis/go-redis/v9@v9.17.3'], folder, INSTALL_LIMIT_S)
    run(['go', 'build', '-o', 'client', '.'], folder, INSTALL_LIMIT_S)
    speaks(['./client'], folder)
    speaks_to_a_cluster(['./client'], folder, 'cluster')
    endures(['./client'], 'endure', folder=folder)
    endures(['./client'], 'endure', 'plain', folder=folder)


def test_jedis():
    need('java', 'javac', 'mvn')
    folder = folder_for('jedis', 'jedis/pom.xml', 'jedis/Main.java', 'jedis/InCluster.java',
                        'jedis/Endures.java')
    run(['mvn', '-q', '-B', 'compile', 'dependency:copy-dependencies',
         '-DoutputDirectory=target/libraries'], folder, INSTALL_LIMIT_S)
    java = ['java', '-cp', 'target/classes:target/libraries/*']
    speaks([*java, 'Main'], folder)
    speaks_to_a_cluster([*java, 'InCluster'], folder)
    endures([*java, 'Endures'], folder=folder)
    endures([*java, 'Endures'], 'plain', folder=folder)


class Commander(program.Background):
    """redis-commander, a program that shows keys in a browser; its HTTP interface."""

    def __init__(self, server):
        folder = folder_for('redis-commander')
        node_module(folder, 'redis-commander', '0.9.0')
        self.port = free_port()
        self.connection = f'R:127.0.0.1:{server.port}:0'
        super().__init__(
            ['node', 'node_modules/redis-commander/bin/redis-commander.js', '--redis-host',
             '127.0.0.1', '--redis-port', str(server.port), '--address', '127.0.0.1', '--port',
             str(self.port), '--no-log-data', '--nosave'], folder=folder)

    def ask(self, path, form=None):
        url = f'http://127.0.0.1:{self.port}/apiv2/{path}'
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(url, data, timeout=30) as reply:
            return json.load(reply)

    def ready(self):
        self.check_runs()
        try:
            return self.ask('connection') and self.ask('server/info')['data'][0].get('info')
        except OSError:
            return None


def test_redis_commander():
    need('node', 'npm')
    with Server() as server, server.client() as client:
        for i in range(20):
            client.call('SET', f'user:{i}', f'name {i}')
        client.call('SET', 'alone', 'words', 'EX', 1000)
        with Commander(server) as commander:
            info = {line['key']: line['value'] for line in wait_for(commander.ready, 60)}
            check(info['Redis version'].startswith('7.'), f'its information: {info}')
            where = urllib.parse.quote(commander.connection)
            tree = commander.ask(f'keystree/{where}')
            text = json.dumps(tree)
            check('alone' in text and 'user' in text, f'the tree of keys: {text}')
            tree = json.dumps(commander.ask(f'keystree/{where}/user:'))
            check(len(re.findall(r'user:\d+|"\d+"', tree)) >= 20, f'and its branch: {tree}')
            key = commander.ask(f'key/{where}/alone')
            check(key['type'] == 'string' and key['value'] == 'words', f'a key: {key}')
            check(0 < int(key['ttl']) <= 1000, f'its time to live: {key}')
            reply = commander.ask(f'exec/{where}', {'cmd': 'INCRBY n 42'})
            check(reply == {'data': 42}, f'a command: {reply}')
            said = commander.said()
            check(not re.search(r'(?i)\berror\b', said), f'its log: {said}')


def main():
    tests = {f'programs.{name[5:]}': function for name, function in globals().items()
             if name.startswith('test_')}
    words = sys.argv[1:]
    hold((name, function) for name, function in tests.items()
         if not words or any(word in name for word in words))


if __name__ == '__main__':
    main()
