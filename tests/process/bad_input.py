# SPDX-License-Identifier: MIT
"""Bad input: each case of bad_input_cases.py is a test, and so are those here that are no line.

All of them are put to one server with data (and one more with a password). After each case another
connection must be served, and at the end all data of before must still be there, before a restart
and after it.
"""

import atexit
import os
import random
import re
import socket
import sys
import threading

import bad_input_cases as cases
from shoal import Server, check, encode, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../conversation'))
from words import show, split  # noqa: E402

KEPT = 1000  # keys that no case may touch
PASSWORD = 'secret-word'


class Target:
    """A server that stays for all cases, and what watches over it."""

    def __init__(self, options, password=None):
        self.server = Server(options)
        atexit.register(self.server.close)
        self.password = password
        self.watch()
        for i in range(KEPT):
            self.watcher.send('SET', f'kept:{i}', self.kept(i))
        for _ in range(KEPT):
            check(self.watcher.value() == b'OK', 'data before')

    def watch(self):
        self.watcher = self.server.client()
        if self.password:
            self.watcher.call('AUTH', self.password)

    @staticmethod
    def kept(i):
        return b'%d:' % i * (i % 50 + 1) * (1000 if i % 100 == 0 else 1)

    def alive(self):
        check(self.server.process.poll() is None, 'the server has ended')
        check(self.watcher.call('ECHO', 'words') == b'words', 'others are served')
        check(self.watcher.call('GET', 'kept:7') == self.kept(7), 'others find their data')

    def data_stands(self):
        for i in range(KEPT):
            check(self.watcher.call('GET', f'kept:{i}') == self.kept(i), f'kept:{i}')


targets = {}


def plain_target():
    return targets.get('plain') or targets.setdefault('plain', Target([]))


def guarded_target():
    options = ['--requirepass', PASSWORD]
    return targets.get('guarded') or targets.setdefault('guarded', Target(options, PASSWORD))


def variants(words):
    """The command with each of the arguments that a {NAME} in it stands for."""
    for at, word in enumerate(words):
        values = cases.NAMES.get(word.strip(b'{}').decode('latin-1'))
        if values and word.startswith(b'{'):
            return [words[:at] + [value] + words[at + 1:] for value in values]
    return [words]


def received_until_closed(guest):
    received = b''
    try:
        while data := guest.socket.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass  # it was closed with input unread
    return (received.decode('latin-1').removesuffix('\r\n') + ' closed').strip()


def send_raw(target, data, expected):
    with target.server.client() as guest:
        try:
            guest.socket.sendall(data)
        except ConnectionError:
            pass  # closed as it should be, if it should be: the answer tells
        if expected is None:
            return
        if expected.endswith('closed'):
            compare(received_until_closed(guest), expected, data)
        else:
            compare(show(guest.read()), expected, data)


def compare(reply, expected, sent):
    pattern = expected[1:] if expected.startswith('~') else re.escape(expected)
    check(re.fullmatch(pattern, reply, re.S), f'{str(sent)[:200]}\n'
          f'  is answered {reply[:400]!r}\n  instead of  {expected!r}')


def put(target, case):
    _, setup, sent, expected = case
    if isinstance(sent, bytes):
        send_raw(target, sent, expected)
        target.alive()
        return
    words = split(sent)
    with target.server.client() as guest:
        for command in setup.split(' ; ') if setup else []:
            guest.send(*split(command))
            guest.read()
        for variant in variants(words):
            guest.send(*variant)
            compare(show(guest.read()), expected, variant)
    target.alive()


def add_tests(table, target):
    for case in table:
        name = 'test_' + re.sub(r'\W+', '_', case[0])
        check(name not in globals(), f'a case named twice: {case[0]}')
        globals()[name] = lambda case=case: put(target(), case)


add_tests(cases.NUMBERS, plain_target)
add_tests(cases.PROTOCOLS, plain_target)
add_tests(cases.TEXTS, plain_target)
add_tests(cases.OTHERS, plain_target)
add_tests(cases.STRANGERS, guarded_target)


def check_split(sent, replies):
    """In two pieces, for each place between; the second when the server has seen the first."""
    target = plain_target()
    with target.server.client() as guest:
        for at in range(1, len(sent)):
            guest.socket.sendall(sent[:at])
            target.watcher.call('PING')
            guest.socket.sendall(sent[at:])
            for reply in replies:
                compare(show(guest.read()), reply, (sent[:at], sent[at:]))
    target.alive()


def test_a_request_split_at_every_point():
    check_split(encode('SET', 'k', b'a\r\nb\0c') + encode('GET', 'k'),
                ['+OK', r'$"a\x0d\x0ab\x00c"'])


def test_an_inline_request_split_at_every_point():
    check_split(b'SET k "a\\x00 b"\r\n  GET  k  \r\n', ['+OK', r'$"a\x00 b"'])


def test_empty_requests_split_at_every_point():
    check_split(b'\r\n*0\r\n*-1\r\n\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', ['$""'])


def test_an_error_split_at_every_point():
    check_split(encode('FOO', 'bar') + encode('GET'),
                ["-ERR unknown command 'FOO', with args beginning with: 'bar' ",
                 "-ERR wrong number of arguments for 'get' command"])


def pipeline(data, count, reply):
    target = plain_target()
    with target.server.client() as guest:
        sender = threading.Thread(target=guest.socket.sendall, args=(data * count,))
        sender.start()
        for _ in range(count):
            compare(show(guest.read()), reply, data)
        sender.join()
    target.alive()


def test_a_pipeline_of_100000_unknown_commands():
    pipeline(b'FOO\r\n', 100_000, "-ERR unknown command 'FOO', with args beginning with: ")


def test_a_pipeline_of_100000_of_too_few_arguments():
    pipeline(encode('GET'), 100_000, "-ERR wrong number of arguments for 'get' command")


def test_a_pipeline_of_100000_increments_of_a_text():
    with plain_target().server.client() as guest:
        guest.call('SET', 'text', 'abc')
    pipeline(encode('INCR', 'text'), 100_000, cases.NOT_AN_INTEGER)


def test_a_pipeline_of_100000_empty_requests_between():
    pipeline(b'\r\n*0\r\nPING\r\n', 100_000, '+PONG')


def noise(chance):
    """Something near a request."""
    words = [chance.choice([b'*1', b'*2', b'*3', b'*-1', b'*0', b'$3', b'$4', b'$0', b'$-1', b'GET',
                            b'PING', b'', b'k', b'\0', b'"', b"'", b'*99999999999', b'\xff' * 9])
             for _ in range(chance.randrange(1, 30))]
    return chance.choice([b'\r\n', b'\n', b' ', b'\r']).join(words) + b'\r\n'


def test_a_thousand_connections_of_noise():
    target = plain_target()
    for seed in range(1000):
        with target.server.client() as guest:
            guest.socket.sendall(noise(random.Random(seed)))
            guest.socket.shutdown(socket.SHUT_WR)
            received_until_closed(guest)
    target.alive()


def crc64(data):
    """Of a dump: Redis's, Jones's polynomial, reflected."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95ac9329ac4bc9b5 if crc & 1 else 0)
    return crc.to_bytes(8, 'little')


BAD_DUMPS = ('-ERR DUMP payload version or checksum are wrong', '-ERR Bad data format')


def dumps(target):
    """Of several strings: what DUMP gives for them."""
    for value in (b'', b'12', b'-70000', b'text', b'x' * 300, bytes(range(256)), b'z' * 20_000):
        target.watcher.call('SET', 'dumped', value)
        yield target.watcher.call('DUMP', 'dumped')


def refused(target, payload):
    target.watcher.send('RESTORE', 'restored', 0, payload)
    reply = show(target.watcher.read())
    check(reply in BAD_DUMPS, f'RESTORE of {payload[:100]!r} is answered {reply}')


def test_dumps_cut_off_anywhere():
    target = plain_target()
    for dump in dumps(target):
        for length in range(min(len(dump), 400)):
            refused(target, dump[:length])
    target.alive()


def test_dumps_with_any_byte_changed():
    target = plain_target()
    for dump in dumps(target):
        for at in range(min(len(dump), 400)):
            refused(target, dump[:at] + bytes([dump[at] ^ 0x5a]) + dump[at + 1:])
    target.alive()


def test_dumps_of_another_version():
    target = plain_target()
    for dump in dumps(target):
        for version in (b'\xff\xff', b'\0\1', b'\x0d\0'):
            body = dump[:-10] + version
            refused(target, body + crc64(body))
    target.alive()


def test_dumps_of_nonsense_with_a_good_checksum():
    """Types that are none, lengths beyond the end, compressed text that is none, what is left."""
    target = plain_target()
    version = next(dumps(target))[-10:-8]
    chance = random.Random(1)
    bodies = [bytes([kind]) for kind in range(256)]
    bodies += [b'\0\x80\xff\xff\xff\xff', b'\0\x81' + b'\xff' * 8, b'\0\x05abc', b'\0\x01ab',
               b'\0\xc0', b'\0\xc1\1', b'\0\xc2\1\2\3', b'\0\xc4',
               b'\0\xc3\3\x80\xff\xff\xff\xffabc', b'\0\xc3\3\5abc', b'\0\xc3\0\0',
               b'\0\xc3\3\5\xe0\xff\xff', b'\0\x82\0\0\0\1a']
    bodies += [b'\0\xc3\x08\x20' + chance.randbytes(8) for _ in range(300)]
    for body in bodies:
        refused(target, body + version + crc64(body + version))
    target.alive()


def test_secrets_are_in_no_log_and_no_list():
    """Given right, given wrong, set anew: and nothing shows them to others."""
    secrets = ('first-secret', 'second-secret', 'wrong-secret')
    with Server(['--requirepass', secrets[0], '--loglevel', 'debug']) as server:
        with server.client() as client, server.client() as other:
            for words in (['AUTH', secrets[2]], ['AUTH', 'default', secrets[2]],
                          ['HELLO', 3, 'AUTH', 'default', secrets[2]],
                          ['AUTH', 'a', secrets[2], 'b'], ['AUTH', secrets[0]],
                          ['HELLO', 2, 'AUTH', 'default', secrets[0]],
                          ['CONFIG', 'SET', 'slowlog-log-slower-than', 0],
                          ['CONFIG', 'SET', 'requirepass', secrets[1]],
                          ['CONFIG', 'SET', 'requirepass', secrets[1], 'nosuch', 'x'],
                          ['AUTH', secrets[1]], ['AUTH', 'default', secrets[1], 'x']):
                client.send(*words)
                check_no_secret(client.read(), secrets)
            other.call('AUTH', secrets[1])
            for words in (['CLIENT', 'LIST'], ['CLIENT', 'INFO'], ['INFO', 'everything'],
                          ['SLOWLOG', 'GET', -1], ['COMMAND', 'DOCS', 'auth'],
                          ['LATENCY', 'LATEST'], ['CONFIG', 'GET', '*']):
                other.send(*words)
                check_no_secret(other.read(), secrets)
        server.stop()
        check_no_secret(server.log_text(), secrets)


def check_no_secret(text, secrets):
    for secret in secrets:
        check(secret not in str(text), f'{secret} is shown: {str(text)[:500]}')


def test_monitor_shows_no_secret():
    target = guarded_target()
    with target.server.client() as monitor, target.server.client() as client:
        monitor.call('AUTH', PASSWORD)
        monitor.call('MONITOR')
        for words in (['AUTH', PASSWORD], ['HELLO', 2, 'AUTH', 'default', PASSWORD],
                      ['CONFIG', 'SET', 'requirepass', PASSWORD], ['ECHO', 'the last']):
            client.call(*words)
        while b'the last' not in (line := monitor.line()):
            check_no_secret(line, [PASSWORD])


def kill_all_others(client):
    """By id: the socket may be anywhere in what it does."""
    for line in client.call('CLIENT', 'LIST', 'TYPE', 'normal').splitlines():
        number = int(re.match(rb'id=(\d+) ', line)[1])
        if number != client.number:
            client.call('CLIENT', 'KILL', 'ID', number)


def kill_while(server, work, rounds):
    """Starts clients that do `work`, and kills each, again and again."""
    with server.client() as killer:
        killer.number = killer.call('CLIENT', 'ID')
        for seed in range(rounds):
            guests = [server.client() for _ in range(8)]
            for number, guest in enumerate(guests):
                try:
                    work(guest, random.Random(seed * 8 + number))
                except ConnectionError:
                    pass
            kill_all_others(killer)
            for guest in guests:
                guest.close()
        wait_for(lambda: killer.call('CLIENT', 'LIST').count(b'\n') == 1, what='all are gone')
        check(killer.call('ECHO', 'words') == b'words', 'the last is served')


def test_clients_killed_while_rows_are_fetched_from_disk():
    count = 20_000
    with Server(['--maxmemory', '64mb', '--seal-bytes', '1mb']) as server:
        with server.client() as client:
            for i in range(count):
                client.send('SET', f'cold:{i}', b'%d ' % i * 700)
            for _ in range(count):
                client.value()
        kill_while(server, lambda guest, chance: guest.socket.sendall(b''.join(
            encode('MGET', *(f'cold:{chance.randrange(count)}' for _ in range(5)))
            for _ in range(20))), 30)
        with server.client() as client:
            reads = re.search(rb'^cold_reads:(\d+)', client.call('INFO', 'everything'), re.M)
            check(int(reads[1]) > 0, 'rows were fetched')
            for i in range(0, count, 100):
                check(client.call('GET', f'cold:{i}') == b'%d ' % i * 700, f'cold:{i}')
        server.stop()


def test_clients_killed_while_they_write_more_than_memory():
    """Bursts far beyond --seal-bytes, so that some of them wait until there is room."""
    keys = 400
    with Server(['--maxmemory', '64mb', '--seal-bytes', '1mb']) as server:
        kill_while(server, lambda guest, chance: guest.socket.sendall(
            encode('SET', f'big:{chance.randrange(keys)}', bytes(200_000)) * 8), 20)
        server.stop()
        server.start()
        with server.client() as client:
            for i in range(keys):
                check(client.call('STRLEN', f'big:{i}') in (0, 200_000), f'big:{i} is whole')


def test_clients_killed_in_mid_pipeline():
    with Server() as server:
        kill_while(server, lambda guest, chance: guest.socket.sendall(
            encode('INCR', 'n') * chance.randrange(1, 3000) + encode('SET', 'half', 'x')[:-3]), 50)
        with server.client() as client:
            check(client.call('GET', 'half') is None, 'half a request is none')
        server.stop()


def test_clients_killed_with_replies_unread():
    with Server() as server:
        with server.client() as client:
            client.call('SET', 'large', b'x' * 1_000_000)
        kill_while(server, lambda guest, chance: guest.socket.sendall(
            encode('GET', 'large') * chance.randrange(1, 50)), 20)
        with server.client() as client:
            check(client.call('STRLEN', 'large') == 1_000_000, 'the data stands')
        server.stop()


def test_the_data_of_before_is_still_there():
    for target in (plain_target(), guarded_target()):
        target.data_stands()
        target.server.restart()
        target.watch()
        target.data_stands()
        target.server.stop()
