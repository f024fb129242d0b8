# SPDX-License-Identifier: MIT
"""Clients that have to wait, and that only watch: CLIENT PAUSE, MONITOR, SLOWLOG, LATENCY."""

from shoal import Server, ServerError, check, skip_redis, wait_for, wait_for_clients

WRITERS = 50


def is_blocked(client, count):
    return b'blocked_clients:%d\r' % count in client.call('INFO', 'clients')


def test_paused_writers_go_on_in_their_order():
    with Server() as server, server.client() as client:
        client.call('CLIENT', 'PAUSE', 600_000, 'WRITE')
        writers = [server.client() for _ in range(WRITERS)]
        for number, writer in enumerate(writers):
            writer.send('INCR', 'n')
            writer.send('GET', 'n')
            wait_for(lambda: is_blocked(client, number + 1), what='it waits')
        check(client.call('GET', 'n') is None, 'nothing was written')
        check(client.call('CLIENT', 'KILL', 'ID', client.call('CLIENT', 'ID') + 1) == 1, 'one less')
        check(client.call('CLIENT', 'UNPAUSE') == b'OK', 'the end')
        for number, writer in enumerate(writers[1:], 1):
            check(writer.value() == number, f'writer {number}')
        check(is_blocked(client, 0), 'nobody waits')
        check(client.call('GET', 'n') == b'%d' % (WRITERS - 1), 'who was killed did not write')


def test_a_pause_ends_by_itself_and_with_the_server():
    with Server() as server, server.client() as client, server.client() as other:
        client.call('CLIENT', 'PAUSE', 50)
        check(other.call('SET', 'k', 'v') == b'OK', 'after the pause')
        client.call('CLIENT', 'PAUSE', 600_000, 'WRITE')
        other.send('SET', 'k', 'w')
        wait_for(lambda: is_blocked(client, 1), what='it waits')
        server.stop()
        server.start()
        with server.client() as later:
            check(later.call('GET', 'k') == b'v', 'what waited was not run')


def test_idle_clients_are_closed_but_who_waits_or_watches():
    with Server() as server, server.client() as client:
        monitor, writer, idle = server.client(), server.client(), server.client()
        monitor.call('MONITOR')
        client.call('CLIENT', 'PAUSE', 600_000, 'WRITE')
        writer.send('SET', 'k', 'v')
        client.call('CONFIG', 'SET', 'timeout', 1)
        wait_for_clients(client, 3)
        check(idle.input.read() == b'', 'it is')
        client.call('CONFIG', 'SET', 'timeout', 0)
        client.call('CLIENT', 'UNPAUSE')
        check(writer.value() == b'OK', 'who waited is there')
        check(any(b'"SET" "k" "v"' in monitor.line() for _ in range(1000)), 'and who watched')


def test_a_monitor_that_does_not_read_is_cut_off():
    with Server() as server, server.client() as client:
        deaf, reader = server.client(), server.client()
        deaf.call('MONITOR')
        reader.call('MONITOR')
        client.call('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 8mb 0 0')
        value = b'x' * 100_000
        for number in range(10_000):
            client.call('SET', 'k', value)
            check(b'"SET" "k"' in reader.line(), f'line {number}')
            if number % 50 == 49:
                stats = client.call('INFO', 'stats')
                check(b'"INFO"' in reader.line(), 'the question')
                if b'client_output_buffer_limit_disconnections:1\r' in stats:
                    break
        check(number < 9_999, 'it was cut off')
        check(client.call('PING') == b'PONG', 'others go on')


def test_what_was_slow_is_remembered():
    with Server(['--enable-debug-command', 'yes']) as server, server.client() as client:
        client.call('CONFIG', 'SET', 'latency-monitor-threshold', 20)
        client.call('DEBUG', 'SLEEP', '0.05')
        entry = client.call('SLOWLOG', 'GET', 1)[0]
        check(entry[3] == [b'DEBUG', b'SLEEP', b'0.05'] and entry[2] >= 50_000, f'{entry}')
        latest = client.call('LATENCY', 'LATEST')
        check(latest[0][0] == b'command' and latest[0][3] >= 50, f'{latest}')
        check(b'command' in client.call('LATENCY', 'DOCTOR'), 'the doctor names it')
        check(b'command - high' in client.call('LATENCY', 'GRAPH', 'command'), 'a graph')
        check(client.call('LATENCY', 'RESET') >= 1, 'forgotten')


def test_waitaof_of_a_node_alone():
    skip_redis('version 7.0 has no WAITAOF')
    for sync in ('no', 'everysec', 'always'):
        with Server(['--appendfsync', sync]) as server, server.client() as client:
            client.call('SET', 'k', 'v')
            check(client.call('WAITAOF', 1, 0, 0) == [1, 0], f'{sync}: it has synced')
            check(client.call('WAITAOF', 0, 1, 10) == [1, 0], 'there are no others')
            for words, text in (((2, 0, 0), 'value is out of range, value must between 0 and 1'),
                                ((0, -1, 0), 'value is out of range, must be positive'),
                                ((0, 0, -1), 'timeout is negative')):
                try:
                    client.call('WAITAOF', *words)
                    check(False, f'{words}: refused')
                except ServerError as error:
                    check(text in str(error), f'{words}: {error}')
