#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [--self] [NAME...]: holds conversations with redis-server and with Shoal, and compares.

Each file of conversations (*.talk beside this file, or those whose name contains NAME) is held in
RESP2 and in RESP3; the replies are compared type by type and byte by byte. What may differ stands
in the file known_differences, with its reason. --self puts a second redis-server in Shoal's place,
for trying the conversations themselves. With SHOAL_NODES=3 in the environment Shoal is a cluster of
three nodes, one of which is spoken to; what differs then stands in known_differences_cluster.

In a conversation: one command a line, quoted as for redis-cli; {x*9}, unquoted, is 9 times x. And:

    # words                     a comment
    @test WORDS                 what follows is a conversation of its own: new connections, no data
    @fresh [OPTION...]          new servers with these options, empty
    @client NAME                from here on this connection (the first is named "a")
    @resp2, @resp3              from here on this protocol on this connection, in either run
    @pipeline ... @end          the commands between are sent in one piece
    @send COUNT "BYTES"         these bytes as they are, then COUNT replies
    @raw "BYTES"                these bytes as they are, all that comes, and the server must close
    @closed                     the server must have closed this connection
    @wait "REPLY" COMMAND       asks until the reply is that, as this program shows it, or nil
    @sorted COMMAND             the elements of the reply in any order
    @scan [ARGUMENT...]         SCAN until its cursor is 0: the keys, each once, in any order
    @shape COMMAND              the reply's types only, and an array's length
    @fields NAME,... COMMAND    the reply is text with lines NAME:..., and each of these is there
"""

import glob
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../process')]
import shoal  # noqa: E402
from words import shape, show, split  # noqa: E402

REDIS_OPTIONS = ['--appendonly', 'no']
SHOWN_MAX = 400
NIL = ('$nil', '*nil', '_')


class Difference:
    """An entry of known_differences: how the replies to a command may differ."""

    def __init__(self, command):
        self.command = re.compile(command, re.I | re.S)
        self.replace = []
        self.expected = {}
        self.ignore = False
        self.whole = False  # not a command: a test, which is not held
        self.reason = None

    def apply(self, side, text):
        """The reply as it is to be compared."""
        if self.ignore:
            return '(anything)'
        for pattern, into in self.replace:
            text = re.sub(pattern, into, text)
        if side in self.expected:
            return '(as expected)' if text == self.expected[side] else f'{text} (not as expected)'
        return text


def load_differences(name='known_differences'):
    differences = []
    with open(os.path.join(HERE, name), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip('\n').partition(' ')
            if not word or word.startswith('#'):
                continue
            if word in ('command', 'test'):
                differences.append(Difference(rest))
                differences[-1].whole = word == 'test'
            elif word == 'replace':
                pattern, _, into = rest.partition(' =>')
                into = into.removeprefix(' ')
                differences[-1].replace.append((pattern, into))
            elif word in ('redis', 'shoal'):
                differences[-1].expected[word] = rest
            elif word == 'ignore':
                differences[-1].ignore = True
            elif word == 'reason':
                differences[-1].reason = rest
            else:
                sys.exit(f'{name}:{number}: not a word of this file: {word}')
    for difference in differences:
        if not difference.reason:
            sys.exit(f'{name}: no reason given for {difference.command.pattern}')
    return differences


class Side:
    """One of the two servers, and the connections to it."""

    def __init__(self, name, program, protocol, options):
        self.name = name
        self.protocol = protocol
        if shoal.is_redis(program):
            options = REDIS_OPTIONS + options
        self.server = shoal.Server(options, program=program)
        self.password = dict(zip(options, options[1:])).get('--requirepass')
        self.clients = {}

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = self.server.client()
            if self.protocol == 3:
                self.clients[name].send('HELLO', '3')
                self.clients[name].read()
        return self.clients[name]

    def drop(self, name):
        if name in self.clients:
            self.clients.pop(name).close()

    def empty(self):
        """No data, and no more said on connection "a" than needed for that."""
        client = self.client('a')
        if self.password:
            client.call('AUTH', self.password)
        client.call('FLUSHALL')
        if self.password:
            self.drop('a')

    def until_closed(self, name):
        client = self.client(name)
        try:
            received = client.input.read()
        except ConnectionError:
            received = b'(reset)'
        except socket.timeout:
            received = b'(still open)'
        self.drop(name)
        return '<' + received.decode('latin-1').replace('\r\n', '\\r\\n') + '> closed'

    def close(self):
        for name in list(self.clients):
            self.drop(name)
        self.server.close()


class Conversation:
    def __init__(self, path, protocol, programs, differences):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.protocol = protocol
        self.programs = programs
        self.differences = differences
        with open(path, encoding='utf-8') as file:
            self.lines = list(enumerate(file.read().splitlines(), 1))
        self.sides = []
        self.current = 'a'
        self.failed = False
        self.begin_test(self.name)

    def begin_test(self, name):
        self.test = name
        self.skipped = any(difference.whole and difference.command.match(name)
                           for difference in self.differences)
        self.faults = []
        self.compared = 0

    def end_test(self):
        """What stands before the first @test, if nothing, is no test."""
        if self.skipped:
            print(f'ok {self.test} in RESP{self.protocol} # SKIP: see known_differences_cluster')
        elif self.compared or self.faults:
            self.failed |= bool(self.faults)
            print('not ok' if self.faults else 'ok', f'{self.test} in RESP{self.protocol}:',
                  f'{self.compared} replies, {len(self.faults)} differ')
            print(''.join(self.faults), end='', flush=True)

    def next_test(self, name):
        self.end_test()
        self.begin_test(f'{self.name}: {name}')
        self.current = 'a'
        for side in self.sides:
            for client in list(side.clients):
                side.drop(client)
            side.empty()

    def fresh(self, options):
        self.close()
        self.sides = []
        for name, program in self.programs:
            self.sides.append(Side(name, program, self.protocol, options))

    def close(self):
        for side in self.sides:
            side.close()

    def compare(self, number, text, replies):
        """replies: of each side, as text."""
        self.compared += 1
        for difference in self.differences:
            if difference.command.match(text) and not difference.whole:
                replies = [difference.apply(side.name, reply)
                           for side, reply in zip(self.sides, replies)]
                if replies[0] == replies[1] or all(r.startswith('(as exp') for r in replies):
                    return
        if replies[0] != replies[1]:
            self.faults.append(f'{self.name}.talk:{number}: {text[:SHOWN_MAX]}\n' + ''.join(
                f'    {side.name}: {cut(reply, replies)}\n'
                for side, reply in zip(self.sides, replies)))

    def each(self, number, text, act):
        replies = []
        for side in self.sides:
            try:
                replies.append(act(side))
            except (OSError, AssertionError) as error:
                replies.append(f'({error})')
                side.drop(self.current)
        self.compare(number, text, replies)

    def command(self, number, text, render=show):
        arguments = split(text)

        def act(side):
            client = side.client(self.current)
            client.send(*arguments)
            return render(client.read())
        self.each(number, text, act)

    def pipeline(self, number, block):
        sent = b''.join(shoal.encode(*split(text)) for _, text in block)

        def begin(side):
            side.client(self.current).socket.sendall(sent)
            return ''
        self.each(number, '@pipeline', begin)
        for line, text in block:
            self.each(line, text, lambda side: show(side.client(self.current).read()))

    def scan(self, number, text):
        arguments = split(text)[1:]

        def act(side):
            cursor, keys = b'0', []
            client = side.client(self.current)
            while True:
                reply = client.call('SCAN', cursor, *arguments)
                cursor = reply[0]
                keys += reply[1]
                if cursor == b'0':
                    return show(('*', [('$', key) for key in sorted(set(keys))]))
        self.each(number, text, act)

    def wait(self, number, text):
        expected, rest = re.match(r'"((?:\\.|[^"])*)"\s+(.*)', text.partition(' ')[2]).groups()
        expected = expected.replace('\\"', '"')
        arguments = split(rest)
        expected = NIL if expected == 'nil' else (expected,)

        def act(side):
            client = side.client(self.current)

            def asked():
                client.send(*arguments)
                return show(client.read()) in expected
            try:
                shoal.wait_for(asked, 10)
            except AssertionError:
                self.faults.append(f'{self.name}.talk:{number}: {text}: never, {side.name}\n')
            return 'asked'
        self.each(number, text, act)

    def fields(self, number, text):
        _, names, rest = text.split(None, 2)
        arguments = split(rest)

        def act(side):
            client = side.client(self.current)
            client.send(*arguments)
            there = set(re.findall(rb'^(\w+):', client.read()[1], re.M))
            missing = [name for name in names.split(',') if name.encode() not in there]
            return 'missing: ' + ' '.join(missing) if missing else 'all there'
        self.each(number, text, act)

    def raw(self, number, text, count=None):
        data = split(text)[-1]

        def act(side):
            client = side.client(self.current)
            client.socket.settimeout(5)
            try:
                client.socket.sendall(data)
            except ConnectionError:
                pass
            if count is None:
                return side.until_closed(self.current)
            return ' '.join(show(client.read()) for _ in range(count))
        self.each(number, text, act)

    def directive(self, number, text):
        word, _, rest = text.partition(' ')
        if word == '@test':
            self.next_test(rest)
        elif word == '@fresh':
            self.fresh([argument.decode() for argument in split(rest)])
        elif word == '@client':
            self.current = rest.strip()
        elif word in ('@resp2', '@resp3'):
            self.command(number, f'HELLO {word[-1]}')
        elif word == '@send':
            self.raw(number, text, int(rest.split()[0]))
        elif word == '@raw':
            self.raw(number, text)
        elif word == '@closed':
            self.each(number, text, lambda side: side.until_closed(self.current))
        elif word == '@wait':
            self.wait(number, text)
        elif word == '@sorted':
            self.command(number, rest, lambda reply: show((reply[0], sorted(reply[1])))
                         if isinstance(reply[1], list) else show(reply))
        elif word == '@shape':
            self.command(number, rest, shape)
        elif word == '@scan':
            self.scan(number, text)
        elif word == '@fields':
            self.fields(number, text)
        else:
            raise AssertionError(f'{self.name}.talk:{number}: no such directive: {word}')

    def hold(self):
        if not any(text.startswith('@fresh') for _, text in self.lines[:5]):
            self.fresh([])
        lines = iter(self.lines)
        for number, text in lines:
            text = text.strip()
            if not text or text.startswith('#'):
                continue
            if self.skipped and not text.startswith(('@test', '@fresh')):
                continue
            if text == '@pipeline':
                block = []
                for inner in lines:
                    if inner[1].strip() == '@end':
                        break
                    block.append((inner[0], inner[1].strip()))
                self.pipeline(number, block)
            elif text.startswith('@'):
                self.directive(number, text)
            else:
                self.command(number, text)


def cut(reply, replies):
    """From a little before where the two begin to differ."""
    begin = max(0, len(os.path.commonprefix(replies)) - SHOWN_MAX // 2)
    end = begin + SHOWN_MAX
    return ('...' if begin else '') + reply[begin:end] + ('...' if len(reply) > end else '')


def main():
    words = sys.argv[1:]
    programs = [('redis', shoal.redis_server()), ('shoal', shoal.SHOAL)]
    if '--self' in words:
        words.remove('--self')
        programs[1] = programs[0]
    differences = load_differences()
    if shoal.NODES > 1:
        differences += load_differences('known_differences_cluster')
    failed = 0
    for path in sorted(glob.glob(os.path.join(HERE, '*.talk'))):
        if words and not any(word in os.path.basename(path) for word in words):
            continue
        for protocol in (2, 3):
            talk = Conversation(path, protocol, programs, differences)
            try:
                talk.hold()
            except (OSError, AssertionError) as error:
                talk.faults.append(f'{talk.name}.talk: {error}\n')
            finally:
                talk.close()
            talk.end_test()
            failed += talk.failed
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
