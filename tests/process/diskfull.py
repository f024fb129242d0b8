# SPDX-License-Identifier: MIT
"""A full disk: writes are refused and say why, reads go on, and room is enough to recover."""

import contextlib
import os
import subprocess
import tempfile

from shoal import Server, ServerError, Skip, check, wait_for

MEBIBYTE = 1 << 20
SIZE = 160 * MEBIBYTE
BALLAST = 64 * MEBIBYTE
VALUE = 8192
BATCH = 50


@contextlib.contextmanager
def small_disk():
    if os.geteuid() != 0:
        raise Skip('mounting a tmpfs needs root')
    with tempfile.TemporaryDirectory(prefix='shoal-test-disk-') as place:
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={SIZE}', 'tmpfs', place], check=True)
        try:
            yield place
        finally:
            subprocess.run(['umount', '-l', place], check=True)


def free_bytes(place):
    facts = os.statvfs(place)
    return facts.f_bavail * facts.f_frsize


def value_of(i):
    return (b'%08d.' % i) * (VALUE // 9)


def fill(client, begin, acknowledged, refused):
    """Writes until the first refusal; returns the next number and the refusal."""
    number = begin
    while True:
        batch = range(number, number + BATCH)
        number += BATCH
        for i in batch:
            client.send('SET', f'key:{i}', value_of(i))
        error = None
        for i in batch:
            try:
                client.value()
                acknowledged.append(i)
            except ServerError as refusal:
                refused.append(i)
                error = refusal
        if error:
            return number, str(error)
        check(number < begin + 3 * SIZE // VALUE, 'the disk is never full')


def verify(client, acknowledged, refused):
    for begin in range(0, len(acknowledged), BATCH):
        batch = acknowledged[begin:begin + BATCH]
        for i in batch:
            client.send('GET', f'key:{i}')
        for i in batch:
            check(client.value() == value_of(i), f'key:{i}, acknowledged, is there')
    for i in refused:
        check(client.call('EXISTS', f'key:{i}') == 0, f'key:{i}, refused, is not there')


def written_again(client, number, acknowledged):
    try:
        client.call('SET', f'key:{number}', value_of(number))
    except ServerError:
        return False
    acknowledged.append(number)
    return True


def test_a_full_disk(rounds=1):
    with small_disk() as place:
        ballast = os.path.join(place, 'ballast')
        options = ['--seal-bytes', 4 * MEBIBYTE, '--maxmemory', 256 * MEBIBYTE]
        with Server(options, directory=os.path.join(place, 'data')) as server:
            acknowledged, refused, number = [], [], 0
            for _ in range(rounds):
                wait_for(lambda: free_bytes(place) > BALLAST + BALLAST // 2, 60, 'room')
                with open(ballast, 'wb') as file:
                    os.posix_fallocate(file.fileno(), 0, BALLAST)
                with server.client() as client:
                    number, error = fill(client, number, acknowledged, refused)
                    check(any(word in error.lower() for word in ('space', 'disk', 'full')),
                          f'the refusal says why: {error}')
                    for _ in range(3):
                        try:
                            client.call('SET', 'again', 'v' * VALUE)
                        except ServerError:
                            pass
                        first = acknowledged[0]
                        check(client.call('GET', f'key:{first}') == value_of(first), 'reads go on')
                    verify(client, acknowledged, refused)
                    os.unlink(ballast)
                    wait_for(lambda: written_again(client, number, acknowledged), 60,
                             'writes are taken again')
                    number += 1
                    for _ in range(3):
                        check(written_again(client, number, acknowledged), 'and further ones')
                        number += 1
                    verify(client, acknowledged, refused)
                # Also over a kill: what was refused has not got into the log by half.
                server.kill()
                server.start()
                with server.client() as client:
                    verify(client, acknowledged, refused)
                    client.call('FLUSHALL')
                    acknowledged.clear()
                    refused.clear()
