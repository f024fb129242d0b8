# SPDX-License-Identifier: MIT
"""Damage in the files: what was synced is whole, or nothing starts; a torn tail is no damage."""

import glob
import os
import subprocess

from shoal import SHOAL, Server, check, skip_redis

COUNT = 1000


def filled(mode):
    """A server that was killed with everything in its log."""
    skip_redis('the log is of another kind')
    server = Server(['--appendfsync', mode])
    with server.client() as client:
        for i in range(COUNT):
            check(client.call('SET', f'key:{i}', value_of(i)) == b'OK', 'stored')
    server.kill()
    return server


def value_of(i):
    return b'value-%06d-' % i * 20


def log_files(server):
    return sorted(glob.glob(os.path.join(server.dir, '**/log-*'), recursive=True))


def find(server, wanted):
    """(path, position) of these bytes in the log."""
    for path in log_files(server):
        with open(path, 'rb') as file:
            at = file.read().find(wanted)
        if at >= 0:
            return path, at
    raise AssertionError(f'{wanted!r} is not in the log: {os.listdir(server.dir)}')


def overwrite(path, at, data):
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(data)


def flip(path, at):
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def end_of_log(server):
    """The newest file that holds something, and how much of it."""
    for path in reversed(log_files(server)):
        with open(path, 'rb') as file:
            content = file.read().rstrip(b'\0')
        if len(content) > 64:
            return path, len(content)
    raise AssertionError('the log is empty')


def run_on(server, option):
    return subprocess.run([SHOAL, option, server.dir], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=120, check=False)


def there(server):
    with server.client() as client:
        for i in range(COUNT):
            client.send('GET', f'key:{i}')
        values = [client.value() for i in range(COUNT)]
    for i, value in enumerate(values):
        check(value in (None, value_of(i)), f'key:{i} is {value!r}')
    return [i for i, value in enumerate(values) if value is not None]


def content(server):
    files = {}
    for path in log_files(server):
        with open(path, 'rb') as file:
            files[path] = file.read()
    return files


def test_a_flipped_bit_in_the_synced_log_is_refused():
    with filled('always') as server:
        path, at = find(server, b'value-000300-')
        flip(path, at + 5)
        before = content(server)
        done = run_on(server, '--check')
        check(done.returncode != 0, f'--check finds it: {done.stdout}')
        check(os.path.basename(path) in done.stdout, f'--check names the file: {done.stdout}')
        for _ in range(2):
            server.spawn()
            check(server.ended(30) == 1, 'exit status 1')
            check('--salvage' in server.log_text(), f'--salvage is named: {server.log_text()}')
        check(content(server) == before, 'nothing was changed')
        done = run_on(server, '--salvage')
        check(content(server) == before, '--salvage changed nothing of it')
        server.dir += '.salvaged'
        server.start()
        saved = there(server)
        check(set(range(COUNT)) - set(saved) <= {300}, f'{len(saved)} of {COUNT} were saved')
        server.stop()
        done = run_on(server, '--check')
        check(done.returncode == 0, f'--check after --salvage: {done.stdout}')


def test_a_hole_in_the_synced_log_is_refused():
    with filled('always') as server:
        path, at = find(server, b'value-000500-')
        overwrite(path, at - 100, bytes(5000))
        server.spawn()
        check(server.ended(30) == 1, 'exit status 1')
        check('--salvage' in server.log_text(), f'--salvage is named: {server.log_text()}')


def test_a_torn_tail_is_cut_off():
    with filled('no') as server:
        path, size = end_of_log(server)
        overwrite(path, size - 100, bytes(100))
        server.start()
        saved = there(server)
        check(saved == list(range(len(saved))) and COUNT - 10 <= len(saved) < COUNT,
              f'all but the last: {len(saved)}')
        with server.client() as client:
            client.call('SET', 'key:999', value_of(999))
        server.kill()
        server.start()
        check(there(server)[-1] == 999, 'what is written afterwards stays')


def test_garbage_after_the_end_is_cut_off():
    with filled('always') as server:
        path, size = end_of_log(server)
        overwrite(path, size + 3, os.urandom(3000))
        server.start()
        check(len(there(server)) == COUNT, 'all that was acknowledged')


def test_a_flipped_bit_on_the_disk_tier_is_found():
    skip_redis('there is no such tier')
    with Server(['--seal-bytes', 1 << 20]) as server:
        with server.client() as client:
            for i in range(5000):
                client.send('SET', f'key:{i}', os.urandom(1000))
            check(all(client.value() == b'OK' for _ in range(5000)), 'stored')
        server.stop()
        check(run_on(server, '--check').returncode == 0, '--check of what is whole')
        tables = glob.glob(os.path.join(server.dir, '**/*.sst'), recursive=True)
        check(tables, 'something was sealed')
        largest = max(tables, key=os.path.getsize)
        flip(largest, os.path.getsize(largest) // 2)
        done = run_on(server, '--check')
        check(done.returncode != 0, f'--check finds it: {done.stdout}')
