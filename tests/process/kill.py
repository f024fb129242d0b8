# SPDX-License-Identifier: MIT
"""kill -9 at any moment loses no acknowledged write, in any mode."""

import random
import threading

from shoal import Client, Server, ServerError, check, wait_for


class Load:
    """Clients that write unique values to keys of their own, and remember what was acknowledged.

    A write whose answer never came may be there or not; one before it must be.
    """

    KEYS = 200

    def __init__(self, server, clients=4, value_size=100, pipeline=8, prefix=''):
        self.value_size = value_size
        self.pipeline = pipeline
        self.prefix = prefix
        self.stopping = False
        self.acknowledged = [{} for _ in range(clients)]  # key -> number of the newest write
        self.attempted = [{} for _ in range(clients)]
        self.counts = [[0, 0] for _ in range(clients)]    # INCR: acknowledged, attempted
        self.writes = 0
        self.faults = []
        self.threads = [threading.Thread(target=self.run, args=(server.port, n))
                        for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def value(self, client, number):
        text = f'{client}:{number}:'
        return (text * (self.value_size // len(text) + 1)).encode()

    def run(self, port, me):
        try:
            self.write(port, me)
        except (OSError, ServerError):
            pass  # the server, or its disk, is gone: that is what the test is for
        except Exception as error:  # pylint: disable=broad-except
            self.faults.append(error)

    def write(self, port, me):
        chance = random.Random(me)
        number = 0
        with Client(port) as client:
            while not self.stopping:
                batch = []
                for _ in range(self.pipeline):
                    number += 1
                    key = f'{self.prefix}{me}:{chance.randrange(self.KEYS)}'
                    batch.append((key, number))
                    self.attempted[me].setdefault(key, set()).add(number)
                    client.send('SET', key, self.value(me, number))
                self.counts[me][1] += 1
                client.send('INCR', f'count:{self.prefix}{me}')
                for key, number in batch:
                    client.value()
                    self.acknowledged[me][key] = number
                    self.writes += 1
                client.value()
                self.counts[me][0] += 1

    def wait_for_writes(self, more, limit_s=60):
        goal = self.writes + more
        wait_for(lambda: self.writes >= goal or self.faults or self.dead(), limit_s,
                 f'{more} writes')
        check(not self.faults, f'a client failed: {self.faults[:1]}')

    def dead(self):
        return not any(thread.is_alive() for thread in self.threads)

    def end(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        check(not self.faults, f'a client failed: {self.faults[:1]}')

    def verify(self, server):
        """Each key holds the newest acknowledged write, or one attempted after it."""
        with server.client() as client:
            for me, attempted in enumerate(self.attempted):
                for key in attempted:
                    client.send('GET', key)
                for key, numbers in attempted.items():
                    self.verify_key(me, key, numbers, client.value())
                count = int(client.call('GET', f'count:{self.prefix}{me}') or 0)
                least, most = self.counts[me]
                check(least <= count <= most, f'count:{me} is {count}, not {least} to {most}')

    def verify_key(self, me, key, attempted, value):
        newest = self.acknowledged[me].get(key)
        if value is None:
            check(newest is None, f'{key}: acknowledged write {newest} is lost')
            return
        number = int(value.split(b':')[1])
        check(number in attempted and value == self.value(me, number),
              f'{key}: {value[:40]} was never written')
        check(newest is None or number >= newest,
              f'{key}: acknowledged write {newest} is lost, {number} is there')


def kill_under_load(options, rounds, value_size=100):
    chance = random.Random(rounds)
    with Server(options) as server:
        for _ in range(rounds):
            with server.client() as client:
                client.call('FLUSHALL')
            load = Load(server, value_size=value_size)
            try:
                load.wait_for_writes(chance.randrange(100, 5000))
                server.kill()
            finally:
                load.end()
            server.start()
            load.verify(server)


def test_kill_under_load_everysec(rounds=3):
    kill_under_load(['--appendfsync', 'everysec'], rounds)


def test_kill_under_load_always(rounds=3):
    kill_under_load(['--appendfsync', 'always'], rounds)


def test_kill_under_load_no(rounds=3):
    kill_under_load(['--appendfsync', 'no'], rounds)


def test_kill_while_sealing(rounds=5):
    kill_under_load(['--seal-bytes', 1 << 20], rounds, value_size=2000)


def test_kill_again_and_again(rounds=5):
    loads = []
    with Server(['--seal-bytes', 1 << 20]) as server:
        for turn in range(rounds):
            load = Load(server, clients=2, value_size=500, prefix=f'{turn}.')
            loads.append(load)
            try:
                load.wait_for_writes(2000)
                server.kill()
            finally:
                load.end()
            server.start()
            if turn % 2:
                server.kill()  # right after a start, with nothing new
                server.start()
            for each in loads:
                each.verify(server)
