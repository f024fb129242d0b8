# SPDX-License-Identifier: MIT
"""Clients that ask for much, read slowly, or hang up."""

import contextlib
import socket
import struct
import threading

from shoal import Server, check, encode, wait_for, wait_for_clients


def test_a_pipeline_of_100000():
    with Server() as server, server.client() as client:
        count = 100_000
        sent = b''.join(encode('INCR', f'k{i % 10}') for i in range(count))
        sender = threading.Thread(target=client.socket.sendall, args=(sent,))
        sender.start()
        for i in range(count):
            value = client.value()
            check(value == i // 10 + 1, f'reply {i}: {value}')
        sender.join()
        check(client.call('GET', 'k9') == b'%d' % (count // 10), 'the sum')


def test_a_slow_reader_holds_up_nobody():
    with Server() as server, server.client() as client:
        client.call('SET', 'big', b'x' * 1_000_000)
        with server.client() as slow:
            slow.socket.sendall(encode('GET', 'big') * 100)
            for i in range(1000):
                check(client.call('INCR', 'n') == i + 1, 'others are served')
            for i in range(100):
                check(len(slow.value()) == 1_000_000, f'reply {i} in the end')
        check(client.call('PING') == b'PONG', 'afterwards')


def test_a_reader_that_never_reads_is_no_harm():
    with Server() as server, server.client() as client:
        client.call('SET', 'big', b'x' * 1_000_000)
        deaf = server.client()
        deaf.socket.sendall(encode('GET', 'big') * 50)
        check(client.call('PING') == b'PONG', 'others are served')
        deaf.close()
        wait_for_clients(client, 1)
        check(client.call('PING') == b'PONG', 'afterwards')


def test_a_client_that_hangs_up_in_mid_pipeline():
    with Server() as server, server.client() as client:
        for round_ in range(20):
            gone = server.client()
            gone.socket.sendall(encode('INCR', 'n') * 1000 + encode('SET', 'half', 'x' * 100)[:-50])
            # Reset instead of a polite end, in every second round.
            if round_ % 2:
                gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            gone.close()
        wait_for_clients(client, 1)
        check(client.call('GET', 'half') is None, 'half a request is none')
        check(int(client.call('GET', 'n') or 0) <= 20_000, 'no more than was asked')
        check(client.call('PING') == b'PONG', 'the server goes on')


def test_a_request_in_single_bytes():
    with Server() as server, server.client() as client:
        for byte in encode('SET', 'k', 'a\r\nb') + encode('GET', 'k'):
            client.socket.sendall(bytes([byte]))
        check(client.value() == b'OK' and client.value() == b'a\r\nb', 'both replies')


def test_more_clients_than_allowed():
    with Server(['--maxclients', 20]) as server:
        clients = []
        try:
            for _ in range(20):
                client = server.client()
                clients.append(client)
                check(client.call('PING') == b'PONG', 'within the limit')
            with server.client() as extra:
                check(b'max number of clients reached' in extra.input.read(), 'refused in words')
            clients.pop().close()
            wait_for(lambda: served(server), what='served when there is room again')
        finally:
            for client in clients:
                client.close()


def served(server):
    with server.client() as client:
        try:
            client.send('PING')
            return client.read() == ('+', b'PONG')
        except OSError:
            return False


def test_a_hundred_clients_count_exactly():
    with Server() as server:
        def count():
            with server.client() as client:
                for _ in range(10):
                    client.socket.sendall(encode('INCR', 'n') * 10)
                    for _ in range(10):
                        client.value()
        threads = [threading.Thread(target=count) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with server.client() as client:
            check(client.call('GET', 'n') == b'10000', 'the sum')


def test_who_was_killed_is_gone_before_the_killer_hears():
    with Server() as server, server.client() as killer, contextlib.ExitStack() as stack:
        victims = [stack.enter_context(server.client()) for _ in range(300)]
        for victim in victims:
            victim.call('PING')
        check(killer.call('CLIENT', 'KILL', 'TYPE', 'normal') == len(victims), 'killed')
        victims[-1].socket.setblocking(False)
        try:
            check(victims[-1].socket.recv(1) == b'', 'closed')
        except BlockingIOError:
            raise AssertionError('it could still be asked something') from None
