# SPDX-License-Identifier: MIT
"""What whole keys go through: other databases, other names, other servers, restarts."""

import os
import random
import shutil
import subprocess

from shoal import SHOAL, Server, Skip, check, redis_server, skip_cluster, skip_redis

LONG = 300_000  # bytes: in chunks, compressible or not


def expect(client, db, key, value):
    client.call('SELECT', db)
    got = client.call('GET', key)
    check(got == value, f'{key} in database {db}: {got!r} instead of {value!r}')


def expect_swapped(server):
    with server.client() as client:
        expect(client, 0, 'a', b'three')
        expect(client, 3, 'a', b'zero')
        expect(client, 3, 'after', b'swap')
        check(client.call('DBSIZE') == 2, 'both')
        keyspace = client.call('INFO', 'keyspace')
        check(b'db0:keys=1,' in keyspace and b'db3:keys=2,' in keyspace, keyspace)


def swap(server):
    with server.client() as client:
        client.call('SET', 'a', 'zero')
        client.call('SELECT', 3)
        client.call('SET', 'a', 'three')
        check(client.call('SWAPDB', 0, 3) == b'OK', 'swapped')
        client.call('SET', 'after', 'swap')


def test_swapped_databases_outlive_a_kill():
    skip_cluster('no SWAPDB')
    skip_redis()
    with Server(['--appendfsync', 'always']) as server:
        swap(server)
        for end in (server.kill, server.stop, server.kill):
            end()
            server.start()
            expect_swapped(server)
        with server.client() as client:
            client.call('SWAPDB', 3, 0)
        server.kill()
        server.start()
        with server.client() as client:
            expect(client, 0, 'a', b'zero')
            expect(client, 3, 'a', b'three')


def test_swapped_databases_outlive_salvage():
    skip_cluster('no SWAPDB')
    skip_redis()
    with Server(['--appendfsync', 'always']) as server:
        swap(server)
        server.kill()
        for option, at in (('--check', server.dir), ('--salvage', server.dir),
                           ('--check', server.dir + '.salvaged')):
            done = subprocess.run([SHOAL, option, at], stdout=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
            check(done.returncode == 0, f'{option}: {done.stdout}')
        with Server(directory=server.dir + '.salvaged') as saved:
            expect_swapped(saved)


def test_fewer_databases_than_were_swapped():
    skip_cluster('no SWAPDB')
    skip_redis()
    with Server() as server:
        with server.client() as client:
            client.call('SWAPDB', 0, 3)
        server.stop()
        server.spawn(['--databases', 2])
        check(server.ended() != 0 and 'SWAPDB' in server.log_text(), server.log_text()[-500:])
        server.start(['--databases', 4])
        with server.client() as client:
            check(client.call('SWAPDB', 0, 3) == b'OK', 'and back')
        server.restart(['--databases', 2])


def test_renamed_keys_outlive_a_kill():
    skip_cluster('keys of one command must be in one slot')
    skip_redis()
    value = random.Random(1).randbytes(LONG)
    with Server(['--appendfsync', 'always', '--seal-bytes', 1 << 20]) as server:
        with server.client() as client:
            client.call('SET', 'long', value, 'EX', 10_000)
            for i in range(20):  # each overwrites the one before the last
                client.call('RENAME', f'long{i - 1}' if i else 'long', f'long{i}')
                client.call('COPY', f'long{i}', 'copy', 'REPLACE')
            client.call('MOVE', 'copy', 1)
        server.kill()
        server.start()
        with server.client() as client:
            check(client.call('KEYS', '*') == [b'long19'], 'only the last name')
            expect(client, 0, 'long19', value)
            check(9_000 < client.call('TTL', 'long19') <= 10_000, 'its time to live')
            expect(client, 1, 'copy', value)
            check(9_000 < client.call('TTL', 'copy') <= 10_000, 'its time to live')
        server.kill()
        done = subprocess.run([SHOAL, '--check', server.dir], stdout=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        check(done.returncode == 0, done.stdout)


def values():
    """Strings that a Redis keeps in each of its ways."""
    chance = random.Random(7)
    found = [b'', b'x', b'0', b'-1', b'127', b'-128', b'32767', b'-32769', b'2147483647',
             b'-2147483649', b'9223372036854775807', b'007', b'a' * 21, b'ab' * 40, b'\0' * 20_000]
    for size in (1, 63, 64, 100, 16383, 16384, 16385, LONG):
        found.append(chance.randbytes(size))
        found.append(bytes(chance.choice(b'ab') for _ in range(size)))
        found.append((b'some words that come again, %d ' % size * (size // 20 + 1))[:size])
    return found


def test_strings_come_from_a_redis():
    skip_redis()
    with Server(program=redis_server()) as old, Server() as new:
        with old.client() as source, new.client() as target:
            for i, value in enumerate(values()):
                source.call('SET', 'key', value)
                check(target.call('RESTORE', f'key{i}', 0, source.call('DUMP', 'key')) == b'OK',
                      'taken')
                check(target.call('GET', f'key{i}') == value, f'{value[:20]!r}... {len(value)}')
            for i, value in enumerate(values()):
                target.call('RESTORE', 'again', 0, target.call('DUMP', f'key{i}'), 'REPLACE')
                check(target.call('GET', 'again') == value, f'{value[:20]!r}... {len(value)}')


def test_dumps_go_through_pipes():
    skip_redis()
    cli = shutil.which('redis-cli')
    if not cli:
        raise Skip('there is no redis-cli')
    value = bytes(range(256)) * 100
    with Server() as server:
        command = [cli, '-p', str(server.port)]
        with server.client() as client:
            client.call('SET', 'key', value)
            for i, form in enumerate((['-x', 'RESTORE', 'new0', '0'],
                                      ['-X', 'tag', 'RESTORE', 'new1', '0', 'tag', 'REPLACE'])):
                # -D: without the newline that would stand behind the payload.
                dumped = subprocess.run([*command, '-D', '', '--raw', 'DUMP', 'key'],
                                        stdout=subprocess.PIPE, timeout=60, check=True).stdout
                done = subprocess.run([*command, *form], input=dumped, stdout=subprocess.PIPE,
                                      timeout=60, check=True)
                check(done.stdout == b'OK\n', done.stdout)
                check(client.call('GET', f'new{i}') == value, form)


def test_a_random_key_is_found_on_disk():
    skip_redis()
    with Server(['--seal-bytes', 1 << 20]) as server:
        with server.client() as client:
            for i in range(3000):
                client.send('SET', f'key{i}', b'v' * 1000)
            check(all(client.value() == b'OK' for _ in range(3000)), 'stored')
        server.restart()
        with server.client() as client:
            drawn = {client.call('RANDOMKEY') for _ in range(600)}
            # Of 3000 equally likely ones about 544 differ; 400 would be chance once in no lifetime.
            check(len(drawn) > 400 and all(client.call('EXISTS', key) for key in drawn), len(drawn))
        check(os.path.isdir(f'{server.dir}/tier'), 'there is a disk')
