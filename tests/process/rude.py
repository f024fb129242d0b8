# SPDX-License-Identifier: MIT
"""Clients without manners, many at once: the others are served, nothing is lost, nothing leaks."""

import random
import socket
import struct
import threading

from shoal import Server, check, encode, wait_for

THREADS = 8
ENCOUNTERS = 60  # of each thread
CROWD = 1000


def connect(server):
    return socket.create_connection(('127.0.0.1', server.port), timeout=60)


def hang_up(guest, chance):
    """A polite end, or a reset."""
    if chance.random() < 0.5:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    guest.close()


def half_a_request(guest, chance):
    request = encode('SET', 'half', b'x' * chance.choice([10, 1000, 100_000]))
    guest.sendall(request[:chance.randrange(len(request) - 1)])


def garbage(guest, chance):
    guest.sendall(b'*' + chance.randbytes(chance.randrange(1, 5000)) + b'\r\n')


def a_pipeline_unread(guest, chance):
    guest.sendall(encode('INCR', 'n') * chance.randrange(1, 5000))


def large_replies_unread(guest, chance):
    guest.sendall(encode('GET', 'large') * chance.randrange(1, 100))


def large_replies_half_read(guest, chance):
    guest.sendall(encode('GET', 'large') * 20)
    for _ in range(chance.randrange(50)):
        guest.recv(100_000)


def an_argument_never_ended(guest, chance):
    header = b'*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$400000000\r\n'
    guest.sendall(header + bytes(chance.randrange(1 << 20)))


def cold_rows_unread(guest, chance):
    for _ in range(chance.randrange(1, 300)):
        guest.sendall(encode('GET', b'cold:%d' % chance.randrange(5000)))


def a_kill_of_anybody(guest, chance):
    guest.sendall(encode('CLIENT', 'KILL', 'ID', chance.randrange(2, 500)) + encode('QUIT'))


def nothing(_guest, _chance):
    pass


MANNERS = [half_a_request, garbage, a_pipeline_unread, large_replies_unread, nothing,
           large_replies_half_read, an_argument_never_ended, cold_rows_unread, a_kill_of_anybody]


def be_rude(server, seed):
    chance = random.Random(seed)
    for _ in range(ENCOUNTERS):
        guest = connect(server)
        try:
            chance.choice(MANNERS)(guest, chance)
            if chance.random() < 0.3:
                guest.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed by the server, as it may
        hang_up(guest, chance)


def test_many_rude_clients():
    options = ['--maxmemory', '64mb', '--seal-bytes', '4mb']
    with Server(options) as server, server.client() as client:
        client.call('SET', 'large', b'x' * 500_000)
        for i in range(5000):
            client.send('SET', f'cold:{i}', b'y' * 2000)
        for _ in range(5000):
            client.value()
        threads = [threading.Thread(target=be_rude, args=(server, seed)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            with server.client() as polite:
                try:
                    check(polite.call('ECHO', 'words') == b'words', 'others are served')
                except ConnectionError:
                    pass  # killed by name
        with server.client() as last:
            wait_for(lambda: alone(last), what='all are gone')
            check(last.call('GET', 'half') is None, 'half a request is none')
            check(last.call('STRLEN', 'large') == 500_000, 'the data stands')
        server.stop()  # its status tells of leaks, where the program looks for them


def alone(client):
    words = client.call('CLIENT', 'LIST').count(b'\n')
    return words <= 2


def test_a_crowd_comes_and_goes():
    with Server() as server:
        for _ in range(2):
            crowd = [connect(server) for _ in range(CROWD)]
            for guest in crowd:
                guest.sendall(encode('INCR', 'crowd') + b'*2\r\n$3\r\nGET')
            for guest in crowd[::2]:
                check(guest.recv(100).startswith(b':'), 'each is answered')
            for guest in crowd:
                guest.close()
        with server.client() as client:
            wait_for(lambda: alone(client), what='all are gone')
            check(client.call('GET', 'crowd') == b'%d' % (2 * CROWD), 'each has counted')
        server.stop()


def read_all(guest):
    received = 0
    while True:
        data = guest.recv(1 << 20)
        if not data:
            return received
        received += len(data)


def test_a_whole_pipeline_before_the_first_reply():
    """More than all the sockets between hold, both ways."""
    count, size = 600_000, 100
    with Server() as server, server.client() as client:
        client.call('SET', 'k', b'v' * size)
        guest = connect(server)
        guest.sendall(encode('GET', 'k') * count)
        guest.shutdown(socket.SHUT_WR)
        check(read_all(guest) == count * (size + len(b'$100\r\n\r\n')), 'every reply')
        guest.close()


def test_who_ends_sending_hears_all_replies():
    """As `printf ... | nc -N` does."""
    with Server() as server, server.client() as client:
        client.call('SET', 'large', b'v' * 1_000_000)
        guest = connect(server)
        guest.sendall((encode('INCR', 'n') + encode('GET', 'large')) * 100 + b'*1\r\n$4\r\nPIN')
        guest.shutdown(socket.SHUT_WR)
        numbers = sum(len(b':%d\r\n' % i) for i in range(1, 101))
        check(read_all(guest) == numbers + 100 * 1_000_012, 'every reply')
        guest.close()
        check(client.call('GET', 'n') == b'100', 'every request ran')


def test_a_stop_under_load_loses_nothing_acknowledged():
    with Server() as server:
        told = [0] * THREADS

        def write(name):
            with server.client() as client:
                try:
                    while True:
                        client.socket.sendall(encode('INCR', f'counter:{name}') * 50)
                        for _ in range(50):
                            told[name] = client.value()
                except OSError:
                    pass

        threads = [threading.Thread(target=write, args=(name,)) for name in range(THREADS)]
        for thread in threads:
            thread.start()
        wait_for(lambda: min(told) >= 1000, what='all of them write')
        server.stop()
        for thread in threads:
            thread.join()
        server.start()
        with server.client() as client:
            for name in range(THREADS):
                found = int(client.call('GET', f'counter:{name}'))
                check(found >= told[name], f'{found} of {told[name]}')


def test_idle_clients_are_closed():
    with Server(['--timeout', 1]) as server, server.client() as client:
        idle = connect(server)
        wait_for(lambda: client.call('PING') and
                 client.call('CLIENT', 'LIST').count(b'\n') == 1, what='the idle one is closed')
        check(idle.recv(1) == b'', 'it is told so')
        idle.close()
