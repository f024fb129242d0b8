# SPDX-License-Identifier: MIT
"""Histories: what clients of a cluster did and were told, for the simulator's checkers to judge.

Clients draw from all that the checkers know: registers, locks, keys with a time to live, counters,
logs, versions with contexts. Each value is the number of the operation that writes it. The text of
a history is described in tests/sim/history_text.h; `shoal-sim --check FILE` judges it.
"""

import os
import random
import subprocess
import threading
import time
from collections import Counter

from shoal import ROOT, Client, check, wait_for

SHOAL_SIM = os.environ.get('SHOAL_SIM', os.path.join(ROOT, 'build/release/shoal-sim'))
ANSWER_LIMIT_S = 30
AUDIT_LIMIT_S = 60
# Keys come in sets, one after the other, so none has more operations than a checker can judge.
SET_OPERATIONS = 8000
OLD_SET_ODDS = 16
STAY_ODDS = 50        # a client goes to another node
PADDED_ODDS, PADDING_MAX = 8, 3000
TTL_MS_MAX = 3000
REMEMBERED_SHARE = 0.7  # VC.SET and VC.DEL of the key that was looked at last
FORGETS_ODDS, FORGES_ODDS = 6, 12
LETTERS = 'abcdefghijklmnopqrstuvwxyz' * (PADDING_MAX // 26 + 1)

# The class of a key: how many there are of it (in one set; of owned ones for each client), how
# often it is drawn, whether only its owner writes it, and the commands.
CLASSES = {
    'hot': (10, 4, False, 'GET GET GET SET SET SETNX GETSET DEL'.split()),
    'own': (2, 3, True, 'GET GET GET SET SET SETNX GETSET DEL'.split()),
    'ttl': (2, 2, True, 'GET GET GET SET SET PEXPIRE PERSIST DEL'.split()),
    'sum': (4, 2, False, 'GET INCRBY INCRBY INCRBY'.split()),
    'log': (1, 1, True, 'GET APPEND APPEND'.split()),
    'ver': (6, 4, False, 'VC.GET VC.GET VC.SET VC.SET VC.SET VC.DEL'.split()),
}
WRITES_VALUE = {'SET', 'SETNX', 'GETSET', 'APPEND', 'VC.SET'}


class Operation:
    __slots__ = ('number', 'client', 'node', 'begun', 'ended', 'outcome', 'words', 'reply')

    def line(self):
        reply = '' if self.reply is None else f' = {self.reply}' if self.reply else ' ='
        return (f'{self.number} c{self.client} n{self.node + 1} {self.begun} {self.ended} '
                f'{self.outcome} {" ".join(self.words)}{reply}')


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.zero_ns = time.monotonic_ns()
        self.operations = []
        self.remarks = []
        self.keys = {}    # the class of each
        self.clients = 0  # that write

    def now_us(self):
        return (time.monotonic_ns() - self.zero_ns) // 1000

    def begin(self, client, node):
        """Its words are the caller's to say, before anybody looks."""
        operation = Operation()
        operation.client, operation.node = client, node
        operation.words = ['?']
        operation.ended = operation.outcome = operation.reply = None
        with self.lock:
            self.operations.append(operation)
            operation.number = len(self.operations)
            operation.begun = self.now_us()
        return operation

    def end(self, operation, outcome, reply=None):
        operation.ended, operation.outcome, operation.reply = self.now_us(), outcome, reply

    def remark(self, text):
        self.remarks.append((self.now_us(), text))

    def write(self, path, options):
        """All of it, with what holds of check_options."""
        remarks = list(self.remarks)
        with open(path, 'w', encoding='ascii', errors='replace') as out:
            out.write(f'history 1 {options}\n')
            for operation in self.operations:
                while remarks and remarks[0][0] <= operation.begun:
                    out.write('# {} {}\n'.format(*remarks.pop(0)))
                out.write(operation.line() + '\n')

    def figures(self):
        counts = Counter(operation.outcome for operation in self.operations)
        longest_us = max(operation.ended - operation.begun for operation in self.operations)
        errors = Counter(operation.reply[:60] for operation in self.operations
                         if operation.outcome in ('unknown', 'refused') and operation.reply)
        return counts, longest_us / 1e6, errors


def judge(path):
    """What the checkers say: (whether it is right, the lines)."""
    check(os.path.exists(SHOAL_SIM), f'{SHOAL_SIM} is not built: make build/release/shoal-sim')
    done = subprocess.run([SHOAL_SIM, '--check', path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode == 0, done.stdout.splitlines()


# ---- one operation -------------------------------------------------------------------------------


def one_word(data):
    """Of any bytes; those of values are not changed."""
    text = ''.join(chr(byte) if 32 < byte < 127 else '?' for byte in data)
    return text or '""'


def reply_text(reply):
    """Of a reply, as it stands in a history, and the context that came with it."""
    kind, content = reply
    if content is None or kind == '_':
        return 'nil', None
    if kind == '*':
        words = [reply_text(item)[0] for item in content]
        return ' '.join(words[1:]), content[0][1]
    return one_word(content), None


class Teller:
    """Speaks to nodes, one at a time, and writes down what is said."""

    def __init__(self, history, me, addresses, node):
        self.history, self.me, self.addresses, self.node = history, me, addresses, node
        self.connection = None

    def connect(self):
        host, port = self.addresses[self.node]
        try:
            self.connection = Client(port, limit_s=ANSWER_LIMIT_S, host=host)
        except OSError:
            return False
        return True

    def hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, operation, said, done='done'):
        """The context that was given, or None. `said`: the words on the wire."""
        try:
            self.connection.send(*said)
            kind, content = self.connection.read()
        except OSError as error:  # a connection that breaks, and no answer in time
            self.hang_up()
            self.history.end(operation, 'unknown', f'{type(error).__name__} {error}')
            return None
        if kind == '-':
            outcome = 'unknown' if content.startswith(b'UNKNOWN') else 'refused'
            self.history.end(operation, outcome, content.decode('ascii', 'replace'))
            return None
        text, context = reply_text((kind, content))
        self.history.end(operation, done, text)
        return context


class Worker(Teller):
    """A client in a thread of its own, one operation after the other."""

    def __init__(self, history, me, addresses, pause_s):
        super().__init__(history, me, addresses, me % len(addresses))
        self.chance = random.Random(me)
        self.pause_s = pause_s
        self.seen = None  # the last context: its operation's number, key, context
        self.stopping = False
        self.fault = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self.thread.join()
        check(self.fault is None, f'client {self.me}: {self.fault!r}')

    def once_in(self, odds):
        return self.chance.randrange(odds) == 0

    def run(self):
        try:
            while not self.stopping:
                if not self.connection and not self.connect():
                    self.go_elsewhere()
                    time.sleep(0.01)
                    continue
                self.one()
                time.sleep(self.pause_s)
        except Exception as error:  # pylint: disable=broad-except
            self.fault = error
        self.hang_up()

    def go_elsewhere(self):
        self.hang_up()
        self.node = self.chance.randrange(len(self.addresses))

    def draw_key(self, name, verb):
        count, _, owned, _ = CLASSES[name]
        sets = len(self.history.operations) // SET_OPERATIONS
        one = self.chance.randrange(sets + 1) if self.once_in(OLD_SET_ODDS) else sets
        number = one * count + self.chance.randrange(count)
        if not owned:
            return f'{name}:{number}'
        owner = self.me
        if verb == 'GET' and self.once_in(4):
            owner = self.chance.randrange(self.history.clients)
        return f'{name}:{owner}:{number}'

    def one(self):
        names = list(CLASSES)
        name = self.chance.choices(names, [CLASSES[each][1] for each in names])[0]
        verb = self.chance.choice(CLASSES[name][3])
        key = self.draw_key(name, verb)
        if verb in ('VC.SET', 'VC.DEL') and self.seen and self.chance.random() < REMEMBERED_SHARE:
            key = self.seen[1]
        operation = self.history.begin(self.me, self.node)
        told, said = self.words(operation.number, name, verb, key)
        operation.words = told
        self.history.keys[key] = name
        context = self.ask(operation, said)
        if context is not None:
            self.seen = operation.number, key, context
        if operation.outcome != 'done':
            time.sleep(0.01)
        if operation.outcome == 'unknown' or self.once_in(STAY_ODDS):
            self.go_elsewhere()

    def words(self, number, name, verb, key):
        """As they stand in the history, and as they are said."""
        words = ['SET' if verb == 'SETNX' else verb, key]
        if verb in WRITES_VALUE:
            padded = verb != 'APPEND' and self.once_in(PADDED_ODDS)
            size = self.chance.randrange(PADDING_MAX) if padded else 0
            words.append(f'{number}@{key};' + LETTERS[:size])
        if verb == 'SETNX':
            words.append('NX')
        elif verb == 'SET' and name == 'ttl' and not self.once_in(4):
            words += ['PX', str(self.chance.randint(1, TTL_MS_MAX))]
        elif verb == 'PEXPIRE':
            words.append(str(self.chance.randint(1, TTL_MS_MAX)))
        elif verb == 'INCRBY':
            words.append(str(self.chance.randint(1, 9) * self.chance.choice((1, 1, -1))))
        elif verb in ('VC.SET', 'VC.DEL'):
            told, said = self.context(key)
            return [*words, told], [*words, said]
        return words, words

    def context(self, key):
        """What the client has seen of the key when it last looked, if it remembers. Or something
        that looks like it: no node has signed that."""
        if not self.seen or self.seen[1] != key or self.once_in(FORGETS_ODDS):
            return '-', b''
        number, _, context = self.seen
        if not context or not self.once_in(FORGES_ODDS):
            return f'@{number}', context
        at = self.chance.randrange(len(context))
        digit = b'1' if context[at:at + 1] == b'0' else b'0'
        return f'!{number}', context[:at] + digit + context[at + 1:]


class Workers:
    """Workers, until they are stopped."""

    def __init__(self, history, addresses, clients, pause_s=0.001):
        history.clients = clients
        self.workers = [Worker(history, me, addresses, pause_s) for me in range(clients)]

    def stop(self):
        for worker in self.workers:
            worker.stopping = True
        for worker in self.workers:
            worker.stop()


def audit(history, addresses, first_client):
    """Every key is read at every node: what is there when all is healed."""
    for node in range(len(addresses)):
        reader = Teller(history, first_client + node, addresses, node)
        for key, name in list(history.keys.items()):
            wait_for(lambda: read_last(reader, key, name), AUDIT_LIMIT_S,  # noqa: B023
                     f'{key} can be read at node {node}')
        reader.hang_up()


def read_last(reader, key, name):
    if not reader.connection and not reader.connect():
        return False
    operation = reader.history.begin(reader.me, reader.node)
    operation.words = ['VC.GET' if name == 'ver' else 'GET', key]
    reader.ask(operation, operation.words, done='final')
    return operation.outcome == 'final'
