# SPDX-License-Identifier: MIT
"""Starting, stopping, and being refused."""

import os
import signal
import subprocess
import tempfile

from kill import Load
from shoal import ROOT, SHOAL, Server, check, is_redis, wait_for


def test_starts_answers_and_stops():
    with Server() as server, server.client() as client:
        check(client.call('PING') == b'PONG', 'PING')
        check(client.call('SET', 'k', 'v') == b'OK', 'SET')
        server.stop()


def test_sigint_stops_it_too():
    with Server() as server:
        server.process.send_signal(signal.SIGINT)
        check(server.ended() == 0, 'exit status after SIGINT')


def test_shutdown_stops_it():
    with Server() as server:
        with server.client() as client:
            client.call('SET', 'k', 'v')
            client.send('SHUTDOWN')
            check(client.input.read() == b'', 'SHUTDOWN answers nothing, and the connection ends')
        check(server.ended() == 0, 'exit status after SHUTDOWN')
        server.start()
        with server.client() as client:
            check(client.call('GET', 'k') == b'v', 'the key after the restart')


def restart_keeps(mode):
    with Server(['--appendfsync', mode]) as server:
        with server.client() as client:
            for i in range(2000):
                client.send('SET', f'key:{i}', f'value:{i}')
            check(all(client.value() == b'OK' for _ in range(2000)), 'all are stored')
            client.call('SET', 'big', b'x' * 100_000)
            client.call('SET', 'dies', 'v', 'PX', 50)
            client.call('SET', 'lives', 'v', 'EX', 1000)
            client.call('INCRBY', 'count', 41)
            client.call('INCR', 'count')
            client.call('DEL', 'key:7')
            client.call('SELECT', 3)
            client.call('SET', 'in3', 'v')
        for _ in range(3):
            server.restart()
            with server.client() as client:
                for i in range(2000):
                    client.send('GET', f'key:{i}')
                for i in range(2000):
                    expected = None if i == 7 else b'value:%d' % i
                    check(client.value() == expected, f'key:{i} after the restart, {mode}')
                check(client.call('GET', 'big') == b'x' * 100_000, 'the big value')
                check(client.call('GET', 'count') == b'42', 'the count')
                check(900 < client.call('TTL', 'lives') <= 1000, 'the expiry')
                wait_for(lambda: client.call('EXISTS', 'dies') == 0, what='dies is gone')
                wait_for(lambda: client.call('DBSIZE') == 2002, what='DBSIZE')
                client.call('SELECT', 3)
                check(client.call('GET', 'in3') == b'v', 'the other database')
                check(client.call('DBSIZE') == 1, 'DBSIZE of the other database')


def test_restart_keeps_data_always():
    restart_keeps('always')


def test_restart_keeps_data_everysec():
    restart_keeps('everysec')


def test_restart_keeps_data_no():
    restart_keeps('no')


def test_flushall_stays_done_after_a_restart():
    with Server() as server:
        with server.client() as client:
            for i in range(1000):
                client.call('SET', f'key:{i}', 'v')
        server.restart()
        with server.client() as client:
            client.call('FLUSHALL')
            client.call('SET', 'after', 'v')
        server.restart()
        with server.client() as client:
            check(client.call('DBSIZE') == 1, 'one key after FLUSHALL')
            check(client.call('GET', 'key:5') is None, 'a flushed key stays away')


def refused(options, *words, directory=None, program=SHOAL):
    """Starting with these fails with status 1 and says these words."""
    with Server(options, directory=directory, program=program, start=False) as server:
        server.spawn()
        status = server.ended(30)
        text = server.log_text()
        check(status == 1, f'exit status {status} with {options}:\n{text}')
        for word in words:
            check(word in text, f'{word!r} is not said with {options}:\n{text}')


def test_two_processes_on_one_directory_are_refused():
    with Server() as server, server.client() as client:
        client.call('SET', 'k', 'v')
        if not is_redis(SHOAL):
            refused([], server.dir, directory=server.dir)
        check(client.call('GET', 'k') == b'v', 'the first one goes on')
        check(client.call('SET', 'k', 'w') == b'OK', 'the first one goes on writing')


def test_port_in_use_is_refused():
    with Server() as server:
        refused(['--port', server.port], str(server.port))
        with server.client() as client:
            check(client.call('PING') == b'PONG', 'the first one goes on')


def test_bad_configuration_lines():
    with Server(start=False) as server:
        path = os.path.join(server.temporary, 'test.conf')
        lines = ['port abc', 'nosuchoption 1', 'appendfsync sometimes', 'maxmemory 10xb',
                 'port 1 2 3', 'port', 'port 70000', 'requirepass "unbalanced']
        for line in lines:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(f'# a comment\n\nloglevel notice\n{line}\n')
            done = subprocess.run([SHOAL, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=30, text=True, check=False)
            check(done.returncode == 1, f'exit status {done.returncode} with {line}')
            if not is_redis(SHOAL):
                check(f'{path}:4: ' in done.stdout, f'{line}: FILE:LINE is not said: {done.stdout}')


def test_bad_options():
    for options in (['--port', 'abc'], ['--nosuchoption', '1'], ['--appendfsync', 'sometimes']):
        refused(options, options[0].strip('-'))


def test_configuration_file_and_rewrite():
    with tempfile.TemporaryDirectory(prefix='shoal-test-') as place:
        path = os.path.join(place, 'test.conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('# keep this\ntimeout 100\n\nmaxclients 500\n')
        with Server(file=path) as server:
            with server.client() as client:
                check(client.call('CONFIG', 'GET', 'timeout')[1] == b'100', 'the value of the file')
                check(client.call('CONFIG', 'SET', 'timeout', '200') == b'OK', 'SET')
                check(client.call('CONFIG', 'REWRITE') == b'OK', 'REWRITE')
            server.restart()
            with server.client() as client:
                check(client.call('CONFIG', 'GET', 'timeout')[1] == b'200', 'the value rewritten')
        with open(path, encoding='utf-8') as file:
            text = file.read()
        check(text.startswith('# keep this\ntimeout 200\n\nmaxclients 500\n'), text)


def test_version_and_help():
    for option, word in (('--version', 'v=' if is_redis(SHOAL) else '.'), ('--help', '--')):
        done = subprocess.run([SHOAL, option], stdout=subprocess.PIPE, timeout=30, text=True,
                              check=False)
        check(done.returncode == 0 or is_redis(SHOAL), f'{option}: status {done.returncode}')
        check(word in done.stdout or is_redis(SHOAL), f'{option}: {done.stdout}')


def test_the_configuration_of_the_house_is_accepted():
    if is_redis(SHOAL):
        return
    with Server(file=os.path.join(ROOT, 'conf/shoal.conf')) as server, server.client() as client:
        check(client.call('PING') == b'PONG', 'PING')


def test_check_says_that_a_good_directory_is_good():
    if is_redis(SHOAL):
        return
    with Server() as server:
        with server.client() as client:
            for i in range(1000):
                client.call('SET', f'key:{i}', 'v' * 100)
        server.stop()
        done = subprocess.run([SHOAL, '--check', server.dir], stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT, text=True, check=False)
        check(done.returncode == 0, f'--check: status {done.returncode}: {done.stdout}')


def test_sigterm_under_load_loses_nothing():
    with Server() as server:
        load = Load(server, clients=4)
        load.wait_for_writes(2000)
        server.stop()
        load.end()
        server.start()
        load.verify(server)
