# SPDX-License-Identifier: MIT
"""What operators change and ask while it runs."""

import os
import socket
import tempfile

from shoal import Client, Server, check, free_port


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) != 0


def listen():
    """A port that somebody else has."""
    other = socket.socket()
    other.bind(('127.0.0.1', 0))
    other.listen()
    return other


def error_of(client, *words):
    client.send(*words)
    kind, text = client.read()
    check(kind == '-', f'{words} is refused')
    return text.decode() if isinstance(text, bytes) else text


def test_the_port_changes_while_it_runs():
    with Server() as server, server.client() as client:
        old, new = server.port, free_port()
        check(client.call('CONFIG', 'SET', 'port', new, 'timeout', 77) == b'OK', 'the new port')
        check(refused(old), 'nobody listens at the old port')
        with Client(new) as other:
            check(other.call('PING') == b'PONG', 'a client at the new port')
            check(other.call('CONFIG', 'GET', 'port') == [b'port', b'%d' % new], 'its number')
        check(client.call('PING') == b'PONG', 'who was connected stays')
        with listen() as taken:
            port = taken.getsockname()[1]
            text = error_of(client, 'CONFIG', 'SET', 'timeout', 5, 'port', port)
            check(text == "ERR CONFIG SET failed (possibly related to argument 'port') - "
                  'Unable to listen on this port. Check server logs.', text)
        check(client.call('CONFIG', 'GET', 'timeout') == [b'timeout', b'77'], 'nothing changed')
        with Client(new) as other:
            check(other.call('PING') == b'PONG', 'it still listens')
        check(client.call('CONFIG', 'SET', 'port', old) == b'OK', 'back again')


def test_the_addresses_change_while_it_runs():
    with Server() as server, server.client() as client:
        text = error_of(client, 'CONFIG', 'SET', 'bind', '192.0.2.1')
        check(text.endswith('Failed to bind to specified addresses.'), text)
        with server.client() as other:
            check(other.call('PING') == b'PONG', 'it still listens')
        check(client.call('CONFIG', 'SET', 'bind', '127.0.0.1 -192.0.2.1') == b'OK', 'one is there')
        with server.client() as other:
            check(other.call('PING') == b'PONG', 'it listens')


def test_a_rewritten_file_starts_the_same_server():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'shoal.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('# mine\nsave 900 1\nslave-priority 50\n\nhash-max-ziplist-value 7\n')
        with Server(['--enable-debug-command', 'yes'], file=path) as server:
            with server.client() as client:
                check(client.call('CONFIG', 'SET', 'replica-priority', 60, 'hz', 50, 'save',
                                  '3600 1 300 100') == b'OK', 'CONFIG SET')
                check(client.call('CONFIG', 'REWRITE') == b'OK', 'CONFIG REWRITE')
                with open(path, encoding='utf-8') as file:
                    text = file.read()
                check(text.startswith('# mine\nsave 3600 1 300 100\nreplica-priority 60\n\n'
                                      'hash-max-ziplist-value 7\n'), text)
                check('\nhz 50\n' in text, text)
                check(client.call('DEBUG', 'CONFIG-REWRITE-FORCE-ALL') == b'OK', 'all of it')
                before = client.call('CONFIG', 'GET', '*')
            server.restart()
            with server.client() as client:
                check(client.call('CONFIG', 'GET', '*') == before, 'all settings are as before')


def test_save_leaves_nothing_to_replay():
    with Server() as server:
        with server.client() as client:
            for i in range(1000):
                client.send('SET', f'key:{i}', 'v')
            check(all(client.value() == b'OK' for _ in range(1000)), 'all are stored')
            check(client.call('SAVE') == b'OK', 'SAVE')
            info = client.call('INFO', 'persistence')
            check(b'\r\nrdb_changes_since_last_save:0\r\n' in info, 'nothing is left to be saved')
            check(b'\r\nrdb_saves:1\r\n' in info, 'it was one seal')
        server.kill()
        server.start()
        with server.client() as client:
            check(client.call('DBSIZE') == 1000, 'all keys')
            check(b'\r\ndirty_rows:0\r\n' in client.call('INFO', 'shoal'), 'none by the log')
