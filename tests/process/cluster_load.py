# SPDX-License-Identifier: MIT
"""Load on nodes of a cluster that must not notice what happens to another one: no command fails,
and nothing that was acknowledged is lost. An INCR that was under way at the node that is gone is
the exception, and so is a DEL: nobody can know whether it has run, and its client is told so. A
SET that a node had run and told nobody of, when it fell silent, is run again by another: until that
one covers the first, or for ever, its value may be beside newer ones, and outlive a DEL that had
not seen it (docs/consistency.md).

    with Load(cluster, nodes=[0, 1]) as load:
        load.wait_for_rounds(100)
        cluster.kill(2)
        load.wait_for_rounds(100)
    load.verify(cluster)
"""

import random
import threading
import time
from collections import deque

from shoal import REPLY_LIMIT_S, Client, ServerError, check, wait_for


class Witness(Client):
    """A client that adds to `past` what it says, and hears."""

    def __init__(self, port, past):
        super().__init__(port)
        self.unanswered = deque()
        self.past = past

    def send(self, *arguments):
        self.unanswered.append((time.time(), arguments))
        super().send(*arguments)

    def value(self):
        sent_s, words = self.unanswered.popleft()
        reply = 'no reply'
        try:
            reply = super().value()
        except ServerError as error:
            reply = error
            raise
        finally:
            self.past.append((sent_s, time.time() - sent_s, words, reply))
        return reply


class Worker:
    """A plain client at one node. Its keys are its own, its values are written once: it knows what
    each key must hold."""

    KEYS = 300
    PIPELINE = 8
    TWICE_S = 0.25  # FORWARD_END_MS: what took no longer was run once
    REMEMBERED = 20000
    TOLD = 30

    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.held = {}  # key -> its value
        self.twice = {}  # key -> values that may come back when it is deleted
        self.count = 0  # of INCR, and how many more may have run
        self.unknown = 0
        self.rounds = 0
        self.number = 0
        self.chance = random.Random(name)
        self.past = deque(maxlen=self.REMEMBERED)

    def key(self):
        return f'{self.name}:{self.chance.randrange(self.KEYS)}'

    def value(self):
        self.number += 1
        return b'%s %d' % (self.name.encode(), self.number)

    def expect(self, reply, expected, what):
        check(reply == expected, f'{what} at port {self.port}, round {self.rounds}: '
              f'{reply!r}, not {expected!r}')

    def wrote(self, key, value):
        """By its last command."""
        self.held[key] = value
        if self.past[-1][1] >= self.TWICE_S:
            self.twice.setdefault(key, set()).add(value)

    def expect_held(self, reply, key, what):
        held = self.held.get(key)
        if held is not None or reply not in self.twice.get(key, ()):
            self.expect(reply, held, f'{what} {key}')

    def single(self, client):
        key, value = self.key(), self.value()
        self.expect(client.call('SET', key, value), b'OK', f'SET {key}')
        self.wrote(key, value)
        other = self.key()
        self.expect_held(client.call('GET', other), other, 'GET')
        self.increment(client)

    def increment(self, client):
        try:
            count = client.call('INCR', f'{self.name}.count')
        except ServerError as error:
            check(str(error).startswith('UNKNOWN'), f'INCR: {error}')
            self.unknown += 1
            return
        self.check_count(count, self.count + 1)
        self.unknown -= count - self.count - 1
        self.count = count

    def check_count(self, count, least):
        check(least <= count <= least + self.unknown,
              f'{self.name}.count is {count}, not {least} to {least + self.unknown}')

    def pipeline(self, client):
        """The newest of several writes to one key is the last one sent."""
        batch = [(self.key(), self.value()) for _ in range(self.PIPELINE)]
        for key, value in batch:
            client.send('SET', key, value)
        for key, value in batch:
            self.expect(client.value(), b'OK', f'SET {key} in a pipeline')
            self.wrote(key, value)

    def several(self, client):
        """Keys on all nodes at once."""
        pairs = {self.key(): self.value() for _ in range(self.PIPELINE)}
        words = [word for pair in pairs.items() for word in pair]
        self.expect(client.call('MSET', *words), b'OK', 'MSET')
        for key, value in pairs.items():
            self.wrote(key, value)
        gone = list({self.key() for _ in range(3)})
        self.delete(client, gone)
        for key in gone:
            self.held.pop(key, None)
        keys = [self.key() for _ in range(self.PIPELINE)]
        for key, reply in zip(keys, client.call('MGET', *keys)):
            self.expect_held(reply, key, 'MGET')

    def delete(self, client, keys):
        """Which were there is as unknown as how often an INCR has run; then it is said again."""
        there = sum(key in self.held for key in keys)
        back = sum(key in self.twice and key not in self.held for key in keys)
        try:
            count = client.call('DEL', *keys)
            check(there <= count <= there + back, f'DEL {keys} at port {self.port}, round '
                  f'{self.rounds}: {count}, not {there} to {there + back}')
        except ServerError as error:
            check(str(error).startswith('UNKNOWN'), f'DEL: {error}')
            wait_for(lambda: is_said(client, 'DEL', *keys), what=f'DEL {keys}')

    def round(self, client):
        self.single(client)
        if self.rounds % 3 == 0:
            self.pipeline(client)
        if self.rounds % 5 == 0:
            self.several(client)
        self.rounds += 1

    def tell(self):
        """The past of the keys of its last command: a failure is about them."""
        keys = {word for word in self.past[-1][2][1:] if isinstance(word, str)} if self.past else ()
        told = [f'{sent_s:.3f} +{took_s:.3f} {words} -> {reply!r}'
                for sent_s, took_s, words, reply in self.past if keys.intersection(words)]
        return '\n  '.join(['', *told[-self.TOLD:]])


def is_said(client, *words):
    try:
        client.call(*words)
        return True
    except ServerError as error:
        check(str(error).startswith('UNKNOWN'), f'{words}: {error}')
        return False


class Load:
    """Workers, `each` of them at each of these nodes, until it ends."""

    def __init__(self, cluster, nodes, each=2, name=''):
        self.stopping = False
        self.faults = []
        self.workers = [Worker(f'{name}{node}.{i}', cluster[node].port)
                        for node in nodes for i in range(each)]
        self.threads = [threading.Thread(target=self.run, args=(worker,))
                        for worker in self.workers]
        for thread in self.threads:
            thread.start()

    def run(self, worker):
        try:
            with Witness(worker.port, worker.past) as client:
                while not self.stopping:
                    worker.round(client)
        except Exception as error:  # pylint: disable=broad-except
            self.faults.append(f'{type(error).__name__}: {error}{worker.tell()}')

    def check(self):
        check(not self.faults, '\n'.join([f'{len(self.faults)} clients failed:', *self.faults]))

    def wait_for_rounds(self, more, limit_s=REPLY_LIMIT_S):
        """Of each worker."""
        goals = [worker.rounds + more for worker in self.workers]
        wait_for(lambda: self.faults or all(worker.rounds >= goal for worker, goal
                                            in zip(self.workers, goals)), limit_s,
                 f'{more} rounds of each client')
        self.check()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        if not kind:
            self.check()

    def verify(self, cluster, others=()):
        """Asked of each node that runs: all is there, and nothing else but what `others` hold."""
        workers = [worker for load in [self, *others] for worker in load.workers]
        held = {key: value for worker in workers for key, value in worker.held.items()}
        back = {key for worker in workers for key in worker.twice if key not in worker.held}
        for node in cluster.running():
            with node.client() as client:
                for worker in workers:
                    worker.check_count(int(client.call('GET', f'{worker.name}.count') or 0),
                                       worker.count)
        verify(cluster, held, [f'{worker.name}.count' for worker in workers], back)


def verify(cluster, held, more=(), back=frozenset()):
    """These keys with these values, and `more` keys, are all that there is; but for some of `back`,
    perhaps."""
    names = sorted([*held, *more])
    for node in cluster.running():
        with node.client() as client:
            for key in held:
                client.send('GET', key)
            wrong = {}
            for key, value in held.items():
                reply = client.value()
                if reply != value:
                    wrong[key] = reply, value
            check(not wrong, f'{len(wrong)} of {len(held)} keys differ at port {node.port}: '
                  f'{list(wrong.items())[:3]}')
            wait_for(lambda c=client: len(names) <= c.call('DBSIZE') <= len(names) + len(back),
                     what=f'DBSIZE {len(names)} (+{len(back)}) at port {node.port}')
            wait_for(lambda c=client: [key for key in all_keys(c) if key not in back] == names,
                     what=f'SCAN of all {len(names)} keys (+{len(back)}) at port {node.port}')


def all_keys(client):
    """Of a SCAN: each once, or the list shows it."""
    cursor, found = b'0', []
    while True:
        cursor, keys = client.call('SCAN', cursor, 'COUNT', 1000)
        found += [key.decode() for key in keys]
        if cursor == b'0':
            return sorted(found)
