#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""fuzz_bytes.py [--seed N] [--rounds N]: damaged streams of bytes to redis-server and to Shoal.

A round is one connection: a few requests, some of their bytes lost, changed or added, sent in two
pieces, then the end of what the client has to say. All that comes back until the server closes must
be the same, byte for byte. Not here: NUL within a line, at which redis-server stops to listen;
lines and counts at the limits, which the conversations have.
"""

import os
import random
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import fuzz  # noqa: E402
import shoal  # noqa: E402

PROGRAM = 'tests/conversation/fuzz_bytes.py'
LIMIT_S = 10
TOLD_MAX = 5
REQUESTS = [(b'SET', b'k', b'v'), (b'GET', b'k'), (b'PING',), (b'ECHO', b'howdy'),
            (b'STRLEN', b'k'), (b'PING', b'a\r\nb'), (b'MGET', b'k', b'n', b'')]
ADDED = [b'\r\n', b'\n', b'\r', b'*', b'$', b'-1', b'0', b'*0\r\n', b'*-1\r\n', b'$-1\r\n', b'"',
         b"'", b'\\x41', b' ', b'9' * 21, b'PING\r\n', b'PING', b'+1', b'01', b' 1', b'\xff',
         b'"a b"', b"'it\\'s'", b'"\\n"', b'"a"b', b'$0\r\n\r\n', b'*1\r\n', b'*1', b'$3',
         b'ECHO "\\x4"\r\n', b'ECHO \'a"b\'\r\n', b'\t', b'\r\n\r\n']
CHANGED = b'\r\n*$0123456789-" \'x\xff'


def make(chance):
    stream = bytearray()
    for _ in range(chance.randint(1, 4)):
        words = chance.choice(REQUESTS)
        if chance.random() < 0.6:
            stream += shoal.encode(*words)
        else:
            stream += b' '.join(words).replace(b'\r\n', b'') + chance.choice((b'\r\n', b'\n'))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        place, how = chance.randrange(len(stream)), chance.randrange(4)
        if how == 0:
            stream[place:place] = chance.choice(ADDED)
        elif how == 1:
            del stream[place:min(place + chance.randint(1, 4), len(stream) - 1)]
        elif how == 2:
            stream[place] = chance.choice(CHANGED)
        else:
            stream[place:place + chance.randint(1, 4)] = chance.choice(ADDED)
    return bytes(stream)


def answer(server, stream, cut):
    """What comes until the end, and whether that was a reset: it may have cost the last bytes."""
    received = b''
    with socket.create_connection(('127.0.0.1', server.port), timeout=LIMIT_S) as client:
        try:
            client.sendall(stream[:cut])
            client.sendall(stream[cut:])
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may have closed in the midst: what it said is still to be read
        try:
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionError:
            return received, True
    return received, False


def is_same(answers):
    (one, one_reset), (other, other_reset) = answers
    if one_reset or other_reset:
        return one.startswith(other) or other.startswith(one)
    return one == other


def main():
    words = sys.argv[1:]
    seed, rounds = fuzz.option(words, '--seed', 1), fuzz.option(words, '--rounds', 5000)
    failed = 0
    with shoal.Server(program=shoal.redis_server()) as redis, shoal.Server() as ours:
        for number in range(seed, seed + rounds):
            chance = random.Random(number)
            stream = make(chance)
            cut = chance.randrange(len(stream) + 1)
            for server in (redis, ours):
                answer(server, shoal.encode('FLUSHALL'), 0)
            answers = [answer(server, stream, cut) for server in (redis, ours)]
            if is_same(answers):
                continue
            failed += 1
            if failed <= TOLD_MAX:
                print(f'round {number} differs: {stream[:cut]!r} {stream[cut:]!r}\n'
                      f'    redis: {answers[0][0]!r}\n    shoal: {answers[1][0]!r}\n'
                      f'  again: {PROGRAM} --seed {number} --rounds 1')
    print('not ok' if failed else 'ok',
          f'damaged streams: {rounds} rounds from seed {seed} on, {failed} differ')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
