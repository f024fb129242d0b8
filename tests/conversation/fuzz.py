#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""fuzz.py [--seed N] [--rounds N] [--self] [NAME...]: random commands to redis-server and to Shoal.

Commands and their arguments are made from what Shoal's COMMAND DOCS says of them (all, or those
named), with numbers at their limits, floats, nothing, binary, CR LF, words too many, too few and
misplaced; in RESP2 and RESP3, in pipelines. Each reply is compared, and at the end of a round the
whole state. known_differences holds here too.

A round begins with an empty server, and its seed says all that happens in it: a difference is
printed with the command that replays it. --self puts a second redis-server in Shoal's place.
"""

import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import run  # noqa: E402
import shoal  # noqa: E402

STEPS = 1500       # commands of a round
PIPELINE_MAX = 20
PAUSE_MAX_MS = 3
LARGE = 1 << 20   # no string grows longer
ECHOED_MAX = 100  # bytes of an unknown option: Shoal does not send back all of a long one
DATABASES = (0, 1)
SHOWN_MAX = 60     # bytes of a word

# Left out: what ends the connection or the server, has a text of its own, or speaks of the moment.
# Conversations and unit tests speak with these.
SKIPPED = re.compile(r'quit|shutdown|info|time|monitor|config.*|'
                     r'command(\|(help|info|docs|count|list))?|'
                     r'client\|(kill|reply|list|info|id|help|setinfo|no-touch|tracking)|debug|'
                     r'lolwut|wait|p?sync|replicaof|slaveof|save|bgsave|bgrewriteaof|lastsave|'
                     r'memory\|(doctor|malloc-stats|stats|help)|acl\|(cat|getuser|help|list)|'
                     r'cluster\|(help|myshardid)|module\|(help|load|loadex|unload)')
# Only whether they fail is compared, and how: orders, ids, and when what has expired no longer
# counts are each server's own. So are encodings of what was changed in place, and idle times of
# small integers, which all keys of a redis-server share.
ERRORS_ONLY = ('scan', 'hello', 'dbsize', 'memory|usage', 'randomkey', 'object|encoding',
               'object|idletime', 'slowlog', 'latency')
# Whose times are counted from now: the servers ask the clock one after the other.
FROM_NOW = ('ttl', 'pttl', 'expiretime', 'pexpiretime')
FROM_NOW_MS = 10_000
EXPIRING = ('set', 'setex', 'psetex', 'getex', 'expire', 'pexpire', 'expireat', 'pexpireat')
ECHOING = ('hello', 'latency', 'expire', 'pexpire', 'expireat', 'pexpireat')
NEWER_OPTIONS = (b'ifeq', b'ifne', b'ifdeq', b'ifdne')  # of SET, which 7.0 does not know
UNORDERED = ('keys',)
BITMAPS = ('setbit', 'getbit', 'bitcount', 'bitpos', 'bitop', 'bitfield', 'bitfield_ro')
OPERATIONS = (b'AND', b'OR', b'XOR', b'NOT')

KEYS = [b'a', b'b', b'c', b'{tag}1', b'{tag}2', b'', b'\0', b'a\r\nb', b'\xff\xfe', b'k' * 1000,
        b'%s', b'*', b'key with blanks']
LIMITS = [0, 1, -1, 2, 9, 10, 127, 128, 255, 256, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32 - 1,
          2**32, 2**53, 2**62, 2**63 - 1, 2**63, -2**63, -2**63 - 1, 2**64 - 1, 2**64, 10**18,
          2**63 // 1000, 2**63 // 1000 + 1, -2**63 // 1000, -2**63 // 1000 - 1]
ODD = [b'', b' ', b'0x10', b'1e3', b'1.5', b'-0', b'+1', b' 1', b'1 ', b'01', b'-01', b'nan',
       b'inf', b'-inf', b'1' * 40, b'-' + b'9' * 40, b'1\0', b'\r\n', b'$-1\r\n', b'*3\r\n',
       b'\xc3\x28', b'3.0', b'-', b'+', b'--1', b'1_000', b'%d%n', b'0.1', b'1e400', b'NX', b'get',
       b'KEEPTTL']
PATTERNS = [b'*', b'?', b'a*', b'[ab]', b'[^a]', b'[a-c]', b'\\a', b'[', b'[a', b'\\', b'a[', b'',
            b'*' * 50 + b'b', b'{tag}?', b'[z-a]*', b'[]-c]*', b'?' * 1000]
# As a redis-server dumps them: RESTORE takes them everywhere.
PAYLOADS = [b'\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda',
            b'\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17',
            b'\x00\xc1\x7f\xff\n\x00\x17`\x82(T\x80\x84\x80',
            b'\x00\xc2p\x11\x01\x00\n\x00\x01\xa4\x08\xfe\x950\x95\xa5',
            b'\x00\xc3\x13A@\x08abcdefgha\xe0\xff\x07\xe1$\x07\x01gh\n\x00v(\xfdE\xfe3\x9d\x11']
SIZES = [0, 1, 2, 44, 45, 100, 1000, 16383, 16384, 16385, 20000, 70000]


class Source:
    """Random arguments."""

    def __init__(self, chance):
        self.chance = chance

    def key(self):
        return self.chance.choice(KEYS)

    def integer(self):
        chance = self.chance
        return b'%d' % chance.choice((chance.choice(LIMITS), chance.randint(-20, 20),
                                      chance.randint(0, 20000), chance.randint(-2**63, 2**63)))

    def real(self):
        chance = self.chance
        digits = chance.choice((1, 3, 10, 17, 20, 25))
        return chance.choice((
            b'%d.%0*d' % (chance.randint(-99, 99), digits, chance.randint(0, 10**digits - 1)),
            b'%de%d' % (chance.randint(-10**digits, 10**digits), chance.randint(-30, 30)),
            b'%.17g' % chance.uniform(-1e6, 1e6), b'%de4900' % chance.randint(-10**32, 10**32),
            b'-0.25', b'0.1', b'1e-17', b'6e-18', b'-1e-20', b'0x1p-3'))

    def text(self):
        chance = self.chance
        size = chance.choice(SIZES)
        return (chance.choice((b'x', b'\0', b'1', b'ab\r\n', b'\xff')) * size)[:size]

    def nasty(self):
        odd = self.chance.choice(ODD)
        return self.chance.choice((odd, self.integer(), self.text(), self.key()))

    def of_type(self, kind):
        if kind == 'key':
            return self.key()
        if self.chance.random() < 0.1:
            return self.nasty()
        if kind == 'double' and self.chance.random() < 0.7:
            return self.real()
        if kind in ('integer', 'unix-time', 'double'):
            return self.chance.choice((self.integer(), self.integer(), self.chance.choice(ODD)))
        if kind == 'pattern':
            return self.chance.choice(PATTERNS)
        return self.chance.choice((self.text(), self.integer(), self.real(), b'value',
                                   self.chance.choice(ODD)))

    def payload(self):
        payload = bytearray(self.chance.choice(PAYLOADS))
        if self.chance.random() < 0.1:
            payload[self.chance.randrange(len(payload))] ^= 1 << self.chance.randrange(8)
        return bytes(payload)

    def encoding(self):
        """An integer's type, as BITFIELD has it."""
        chance = self.chance
        if chance.random() < 0.05:
            return chance.choice((b'u0', b'u64', b'i65', b'8', b'u', b'U8', b'u08', self.nasty()))
        sign = chance.choice((b'i', b'u'))
        most = 64 if sign == b'i' else 63
        return sign + b'%d' % chance.choice((1, 5, 8, 16, 63, chance.randint(1, most)))

    def cased(self, word):
        return self.chance.choice((word, word.lower(), word.title()))


class Command:
    """One of the commands, from its entry in COMMAND DOCS."""

    def __init__(self, name, docs):
        self.name = name
        self.words = name.encode().split(b'|')
        self.arguments = docs.get(b'arguments', [])

    def make(self, source):
        words = [source.cased(word) for word in self.words]
        for argument in self.arguments:
            words += make_argument(argument, source)
        return words


def make_argument(argument, source):
    flags = argument.get(b'flags', [])
    if b'optional' in flags and source.chance.random() < 0.6:
        return []
    token = [source.cased(argument[b'token'])] if b'token' in argument else []
    words = []
    for i in range(source.chance.choice((1, 1, 2, 3, 5)) if b'multiple' in flags else 1):
        if i == 0 or b'multiple_token' in flags:
            words += token
        kind = argument[b'type'].decode()
        if kind == 'oneof':
            words += make_argument(source.chance.choice(argument[b'arguments']), source)
        elif kind == 'block':
            for part in argument[b'arguments']:
                words += make_argument(part, source)
        elif argument[b'name'] == b'serialized-value':
            words.append(source.payload())
        elif argument[b'name'] == b'encoding':
            words.append(source.encoding())
        elif kind != 'pure-token':
            words.append(source.of_type(kind))
    return words


def spoil(words, source, tokens):
    """Somewhere in it, something is wrong, or twice, or of another command."""
    chance = source.chance
    place = chance.randrange(len(words) + 1)
    other = chance.choice((source.nasty(), chance.choice(tokens), source.key()))
    how = chance.randrange(4)
    if how == 0 or place == len(words):
        words.insert(place, other)
    elif how == 1:
        del words[place]
    elif how == 2:
        words[place] = other
    else:
        words.insert(place, words[place])
    return words or [b'']


def is_number(word, low, high):
    try:
        return low <= int(word) <= high
    except ValueError:
        return False


def tame(words, source):
    """Nothing expires within the round, none of two times is the other's, no string is huge, no
    pause long."""
    name = words[0].lower().decode('latin-1')
    if name in ECHOING:
        words = words[:2] + [word[:ECHOED_MAX] for word in words[2:]]
    if name == 'set':
        words = [word for word in words if word.lower() not in NEWER_OPTIONS]
    if name in EXPIRING:
        return [b'%d' % source.chance.randint(10**5, 10**10)
                if i > 1 and is_number(word, 1, 2**53) else word for i, word in enumerate(words)]
    if name == 'hello':  # one that fails leaves no name behind in 7.2, in 7.0 it does
        return [word for word in words if word.lower() != b'setname']
    if name == 'client' and words[1:] and words[1].lower() == b'pause':
        return [b'%d' % source.chance.randint(0, PAUSE_MAX_MS)
                if is_number(word, 1, 2**63 - 1) else word for word in words]
    if name == 'restore':
        # Beyond 2^63 from now redis-server counts on from the past. Zeros are an empty string to
        # it, whatever comes behind: their checksum is 0.
        return [b'%d' % source.chance.randint(10**5, 10**10)
                if i == 2 and is_number(word, 1, 2**63 - 1) else
                b'x' if i == 3 and not word.strip(b'\0') else word
                for i, word in enumerate(words)]
    if name in BITMAPS:
        words = [tame_bits(word, source) if i > 1 else word for i, word in enumerate(words)]
        if name == 'bitop' and words[1:2] and is_later(words[1]):
            words[1] = source.cased(source.chance.choice(OPERATIONS))
        return words
    if name == 'setrange':
        return [b'%d' % source.chance.choice((source.chance.randint(0, 40000), LARGE - 100000))
                if i == 2 and is_number(word, 40000, 2**29) else word
                for i, word in enumerate(words)]
    return words


def is_later(operation):
    """One that BITOP has since 8.2."""
    return operation.upper() in (b'DIFF', b'DIFF1', b'ANDOR', b'ONE')


def tame_bits(word, source):
    """No bit far out; and nothing that redis-server errs in: see known_differences."""
    chance = source.chance
    if is_number(word, LARGE, 2**32 + 64):
        return b'%d' % chance.choice((chance.randint(0, LARGE), 2**17 - chance.randint(0, 70),
                                      chance.randint(0, 2**17), 2**15 - chance.randint(0, 70)))
    if is_number(word, -2**63, -2**62):
        return b'%d' % -2**62
    if is_number(word, 0, 10**5) and chance.random() < 0.1:
        return b'#' + word
    return word


def commands_of(client, names):
    found = []
    for name, docs in client.call('COMMAND', 'DOCS').items():
        found += [Command(full.decode(), its_docs)
                  for full, its_docs in ((name, docs), *docs.get(b'subcommands', {}).items())]
    return [command for command in found if not SKIPPED.fullmatch(command.name) and
            (not names or any(name in command.name for name in names))]


def tokens_of(commands):
    found = set()

    def look(argument):
        if b'token' in argument:
            found.add(argument[b'token'])
        for part in argument.get(b'arguments', []):
            look(part)
    for command in commands:
        for argument in command.arguments:
            look(argument)
    return sorted(found) or [b'NX']


def quoted(words):
    """As redis-cli and a conversation would have it; long words are cut."""
    return ' '.join(run.show(('$', word[:SHOWN_MAX]))[1:] + '...' * (len(word) > SHOWN_MAX)
                    for word in words)


def plainly(words):
    """For the patterns of known_differences."""
    return ' '.join(re.sub(r'\s', '_', word.decode('latin-1')) for word in words)


def are_near(replies):
    try:
        low, high = sorted(int(reply.removeprefix(':')) for reply in replies)
    except ValueError:
        return False
    return low > 0 and high - low <= FROM_NOW_MS


class Round:
    def __init__(self, sides, commands, foreign, seed, differences):
        self.sides = sides
        self.foreign = foreign
        self.commands = commands
        self.tokens = tokens_of(commands)
        self.seed = seed
        self.source = Source(random.Random(seed))
        self.differences = differences
        self.history = []
        self.compared = 0

    def make(self):
        chance = self.source.chance
        kind = chance.random()
        command = chance.choice(self.commands)
        if kind < 0.8:
            words = command.make(self.source)
        else:
            words = list(command.words) + [
                chance.choice((self.source.nasty(), chance.choice(self.tokens), self.source.key()))
                for _ in range(chance.randrange(7))]
        if kind > 0.65:
            words = spoil(words, self.source, self.tokens)
        # What was spoilt may have become, or speak of, a command that only one of the two has.
        full = [b'|'.join(words[:count]).lower().decode('latin-1') for count in (1, 2)]
        named = words[2].lower().decode('latin-1') if full[0] == 'command' and words[2:] else ''
        if full[0] in self.foreign or SKIPPED.fullmatch(full[1]) or named in self.foreign:
            return [b'PING']
        return tame(words, self.source)

    def render(self, words, reply):
        name = words[0].lower().decode('latin-1')
        full = b'|'.join(words[:2]).lower().decode('latin-1')
        if (name in ERRORS_ONLY or full in ERRORS_ONLY) and reply[0] != '-':
            return '(no error)'
        if name in UNORDERED and isinstance(reply[1], list):
            reply = (reply[0], sorted(reply[1]))
        return run.show(reply)

    def same(self, words, replies):
        self.compared += 1
        if replies[0] == replies[1]:
            return True
        if words[0].lower().decode('latin-1') in FROM_NOW and are_near(replies):
            return True
        text = plainly(words)
        for difference in self.differences:
            if difference.command.match(text):
                replies = [difference.apply(side.name, reply)
                           for side, reply in zip(self.sides, replies)]
        return replies[0] == replies[1] or all(r.startswith('(as exp') for r in replies)

    def batch(self, client_name, batch):
        """False: the servers differ, and it was told."""
        sent = b''.join(shoal.encode(*words) for words in batch)
        for side in self.sides:
            side.client(client_name).socket.sendall(sent)
        for words in batch:
            replies = [self.render(words, side.client(client_name).read()) for side in self.sides]
            if not self.same(words, replies):
                self.tell(words, replies)
                return False
            self.history.append(words)
        return True

    def tell(self, words, replies):
        print(f'round {self.seed} differs: {quoted(words)}')
        for side, reply in zip(self.sides, replies):
            print(f'    {side.name}: {run.cut(reply, replies)}')
        print('  before:')
        for old in [old for old in self.history if set(old[1:2]) & set(words[1:])][-5:]:
            print(f'    {quoted(old)}')
        print(f'  again: tests/conversation/fuzz.py --seed {self.seed} --rounds 1', flush=True)

    def state(self):
        """Every key that there may be, and what is said of it."""
        batch = []
        for db in DATABASES:
            batch += [[b'SELECT', b'%d' % db], [b'KEYS', b'*']]
            for key in KEYS:
                batch += [[b'TYPE', key], [b'GET', key], [b'STRLEN', key], [b'PTTL', key]]
        return self.batch('state', [[b'RESET'], *batch])

    def play(self):
        for side in self.sides:
            for name in list(side.clients):
                side.drop(name)
            side.client('state').call('FLUSHALL')
            for protocol in (2, 3):
                side.protocol = protocol
                side.client(f'resp{protocol}')
        done = 0
        while done < STEPS:
            size = self.source.chance.randint(1, PIPELINE_MAX)
            name = self.source.chance.choice(('resp2', 'resp3'))
            if not self.batch(name, [self.make() for _ in range(size)]):
                return False
            done += size
        return self.state()


def option(words, name, default):
    if name not in words:
        return default
    at = words.index(name)
    value = int(words[at + 1])
    del words[at:at + 2]
    return value


def main():
    words = sys.argv[1:]
    seed, rounds = option(words, '--seed', 1), option(words, '--rounds', 100)
    programs = [('redis', shoal.redis_server()), ('shoal', shoal.SHOAL)]
    if '--self' in words:
        words.remove('--self')
        programs[1] = ('shoal', programs[0][1])
    sides = []
    failed = compared = 0
    with shoal.Server() as server, server.client() as client:
        client.call('HELLO', 3)
        commands = commands_of(client, words)
    try:
        for name, program in programs:
            sides.append(run.Side(name, program, 3, ['--databases', '2']))
        foreign = {name.decode() for name in sides[0].client('asks').call('COMMAND', 'LIST')}
        commands = [command for command in commands if command.name.split('|')[0] in foreign]
        foreign -= {command.name.split('|')[0] for command in commands}
        differences = run.load_differences()
        for number in range(seed, seed + rounds):
            round_ = Round(sides, commands, foreign, number, differences)
            try:
                failed += not round_.play()
            except (OSError, AssertionError) as error:
                failed += 1
                print(f'round {number}: {error!r}, after:')
                for old in round_.history[-3:]:
                    print(f'    {quoted(old)}')
            compared += round_.compared
    finally:
        for side in sides:
            side.close()
    print('not ok' if failed else 'ok',
          f'commands at random: {rounds} rounds from seed {seed} on, {len(commands)} commands, '
          f'{compared} replies, {failed} rounds differ')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
