# SPDX-License-Identifier: MIT
"""Clients for benchmarks of clusters, as many commands as they can: they write values of which no
two are equal, and know at the end how many of these are lost.

Each client has registers of its own (SET, GET). A command is acknowledged, or unknown: it got an
error or no answer, and may have been done, or be done later. Whether what clients see is right is
judged elsewhere (history.py).
"""

import binascii
import random
import threading
import time
from collections import Counter

from shoal import Client, ServerError

ANSWER_LIMIT_S = 30


def slot_of(key):
    return binascii.crc_hqx(key.encode(), 0) % 16384


class Direct:
    """Says each command once, to one node; after a failure goes to the next."""

    def __init__(self, addresses, first):
        self.addresses = addresses
        self.turn = first
        self.client = None

    def call(self, _, *words):
        if not self.client:
            host, port = self.addresses[self.turn % len(self.addresses)]
            self.client = Client(port, limit_s=ANSWER_LIMIT_S, host=host)
        return self.client.call(*words)

    def failed(self):
        self.close()
        self.turn += 1

    def close(self):
        if self.client:
            self.client.close()
            self.client = None


class Register:
    """One key: which writes were attempted, and which are unknown or acknowledged."""

    __slots__ = ('attempted', 'unknown', 'acknowledged')

    def __init__(self):
        self.attempted = 0      # the number of the newest write
        self.acknowledged = 0   # of the newest that was
        self.unknown = set()

    def fault(self, numbers):
        """What is wrong when just these values are there. None: nothing."""
        for number in numbers:
            if not 0 < number <= self.attempted:
                return 'invented'
        if self.acknowledged == 0:
            return None
        if any(n >= self.acknowledged for n in numbers):
            # What was acknowledged before it had been seen by it.
            older = [n for n in numbers if n < self.acknowledged and n not in self.unknown]
            return 'came back' if older else None
        # One that got no answer may have been done late, on top.
        return None if any(n in self.unknown for n in numbers) else 'lost'


class Figures:
    """Of one client, or of all."""

    def __init__(self):
        self.done = self.failed = self.refused = self.stale = 0
        self.longest_s = 0
        self.errors = Counter()
        self.faults = []
        self.stale_ones = []

    def add(self, other):
        for name in ('done', 'failed', 'refused', 'stale'):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_s = max(self.longest_s, other.longest_s)
        self.errors.update(other.errors)
        self.faults += other.faults
        self.stale_ones += other.stale_ones


class Writer:
    """One client, one thread, one command at a time."""

    def __init__(self, traffic, me, connection):
        self.traffic, self.me, self.connection = traffic, me, connection
        self.registers = {f'{traffic.name}:{me}:{i}': Register() for i in range(traffic.keys)}
        self.figures = Figures()
        self.begun = None           # when the command under way was
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        chance = random.Random(self.me)
        try:
            while not self.traffic.stopping:
                self.one(chance)
        except Exception as error:  # pylint: disable=broad-except
            self.figures.faults.append(f'client {self.me}: {error!r}')
        self.connection.close()

    def one(self, chance):
        key = chance.choice(self.traffic.names[self.me])
        if chance.random() < 0.5:
            self.look(key)
        else:
            self.write(key)

    def call(self, key, *words):
        """(acknowledged, reply)."""
        begin = self.begun = time.monotonic()
        figures = self.traffic.phase(self)
        try:
            reply = self.connection.call(key, *words)
            figures.done += 1
            return True, reply
        except (OSError, ServerError) as error:
            figures.failed += 1
            figures.errors[str(error)[:60]] += 1
            self.connection.failed()
            time.sleep(0.01)
            return False, None
        finally:
            self.begun = None
            figures.longest_s = max(figures.longest_s, time.monotonic() - begin)

    def write(self, key):
        register = self.registers[key]
        register.attempted += 1
        number = register.attempted
        # Unknown until it is known: whoever looks at it in between is on the safe side.
        register.unknown.add(number)
        acknowledged, _ = self.call(key, 'SET', key, self.traffic.value(key, number))
        if acknowledged:
            register.unknown.discard(number)
            register.acknowledged = number

    def look(self, key):
        acknowledged, value = self.call(key, 'GET', key)
        if not acknowledged:
            return
        register = self.registers[key]
        numbers = self.traffic.numbers(key, [value] if value else [])
        fault = register.fault(numbers)
        if fault == 'invented':
            self.figures.faults.append(f'{key}: {value[:60]} was never written')
        elif fault:
            self.figures.stale += 1
            self.figures.stale_ones.append(
                f'{key}: {numbers} was read, {register.acknowledged} acknowledged, unknown '
                f'{sorted(register.unknown)[-5:]}')


class Traffic:
    """All the clients. `connect(i)` gives client i its connection (Direct)."""

    def __init__(self, connect, clients=8, keys=500, name='t', size=64):
        self.name, self.keys, self.size = name, keys, size
        self.names = [[f'{name}:{me}:{i}' for i in range(keys)] for me in range(clients)]
        self.stopping = False
        self.phases = [{}]  # for each phase, figures of each writer
        self.writers = [Writer(self, me, connect(me)) for me in range(clients)]

    def value(self, key, number):
        return f'{key}={number}'.ljust(self.size, '.').encode()

    def numbers(self, key, values):
        """Of which writes these are the values; -1: of none."""
        found = []
        for value in values:
            name, _, rest = value.decode('utf-8', 'replace').partition('=')
            number = rest.rstrip('.')
            fits = name == key and number.isdigit() and value == self.value(key, int(number))
            found.append(int(number) if fits else -1)
        return found

    def phase(self, writer):
        return self.phases[-1].setdefault(writer.me, Figures())

    def next_phase(self):
        """From here on figures are counted anew: those of the phase that ends. A command counts in
        the phase in which it began."""
        ended = self.phases[-1]
        self.phases.append({})
        return self.sum_of(ended)

    @staticmethod
    def sum_of(phase):
        total = Figures()
        for each in list(phase.values()):
            total.add(each)
        return total

    def end(self):
        """Of everything: the figures."""
        self.stopping = True
        for writer in self.writers:
            writer.thread.join()
        total = Figures()
        for phase in self.phases:
            total.add(self.sum_of(phase))
        for writer in self.writers:
            total.add(writer.figures)
        return total

    def verify(self, call):
        """What is wrong now, a line each, with how many commands it took to find out. call(key,
        *words) asks. Values beside each other are told apart where the server can (VC.GET)."""
        faults = []
        for writer in self.writers:
            for key, register in writer.registers.items():
                if not register.attempted:
                    continue
                values = [value for value in call.values(key) if value is not None]
                fault = register.fault(self.numbers(key, values))
                if fault:
                    faults.append(f'{fault}: {key} has {[value[:60] for value in values]}, '
                                  f'acknowledged {register.acknowledged}, attempted '
                                  f'{register.attempted}, unknown {sorted(register.unknown)[-5:]}')
        return faults


class Reader:
    """Asks a node of Shoal what there is: all values of a key that stand beside each other."""

    def __init__(self, node, copies):
        self.client = node.client()
        self.client.call('CONSISTENCY', 'R', copies)

    def values(self, key):
        return self.client.call('VC.GET', key)[1:]

    def close(self):
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
