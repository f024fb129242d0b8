# SPDX-License-Identifier: MIT
"""--check and --salvage on real directories: healthy ones, and each kind of damage."""

import glob
import hashlib
import os
import shutil
import subprocess

from shoal import SHOAL, Server, check, skip_redis, wait_for

LOGGED = 400  # keys that stand in the log
SEALED = 3000  # keys that stand in the tier


def value_of(i):
    return b'value-%06d-' % i * 40


def set_all(client, prefix, numbers):
    numbers = list(numbers)
    for i in numbers:
        client.send('SET', f'{prefix}:{i}', value_of(i))
    check(all(client.value() == b'OK' for _ in numbers), 'stored')


class World:
    """A directory with keys in the tier, in the log after it, and a killed node."""

    def __init__(self, sealed=SEALED, stop=False):
        skip_redis()
        self.server = Server(['--appendfsync', 'always', '--seal-bytes', 1 << 20])
        self.dir = self.server.dir
        self.new = self.dir + '.salvaged'
        self.sealed = sealed
        with self.server.client() as client:
            set_all(client, 'sealed', range(sealed))
            set_all(client, 'gone', range(20))
        if sealed:
            self.server.restart(['--seal-bytes', 1 << 20])
            with self.server.client() as client:
                set_all(client, 'more', range(sealed))
            self.server.restart(['--seal-bytes', 1 << 30])
        with self.server.client() as client:
            for i in range(LOGGED):
                set_all(client, 'logged', [i])
            for i in range(20):
                client.call('DEL', f'gone:{i}')
            client.call('SELECT', 3)
            client.call('SET', 'other', 'base')
        if stop:
            self.server.stop()
        else:
            self.server.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    # ---- damage

    def tables(self):
        found = sorted(glob.glob(f'{self.dir}/tier/*.sst'), key=os.path.getsize)
        check(found, 'something was sealed')
        return found

    def find_log(self, wanted):
        for path in sorted(glob.glob(f'{self.dir}/log-*')):
            with open(path, 'rb') as file:
                at = file.read().find(wanted)
            if at >= 0:
                return path, at
        raise AssertionError(f'{wanted!r} is not in the log')

    def flip(self, path, at):
        with open(path, 'r+b') as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 0x10]))

    def flip_log(self):
        path, at = self.find_log(value_of(100)[:13])
        self.flip(path, at + 5)

    # ---- what is asked

    def digest(self):
        """Of every file's name, size, time and bytes."""
        result = hashlib.sha256()
        for parent, names, files in os.walk(self.dir):
            names.sort()
            for name in sorted(files):
                path = os.path.join(parent, name)
                facts = os.stat(path)
                result.update(f'{path} {facts.st_size} {facts.st_mtime_ns} {facts.st_ino}'.encode())
                with open(path, 'rb') as file:
                    result.update(file.read())
        return result.hexdigest()

    def run(self, option):
        """(exit status, what was printed); nothing in the directory changes."""
        before = self.digest()
        done = subprocess.run([SHOAL, option, self.dir], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, timeout=120, check=False)
        check(self.digest() == before, f'{option} changes nothing:\n{done.stdout}')
        return done.returncode, done.stdout

    def expect_whole(self):
        status, text = self.run('--check')
        check(status == 0 and text.endswith(f'{self.dir}: ok\n'), text)
        check('damage' not in text and 'missing' not in text, text)

    def expect_damaged(self, *words):
        status, text = self.run('--check')
        check(status == 1 and f'--salvage {self.dir}' in text, f'{status}: {text}')
        for word in words:
            check(word in text, f'{word!r} in: {text}')

    def expect_refused(self):
        self.server.spawn()
        check(self.server.ended(30) == 1, 'exit status 1')
        text = self.server.log_text()
        check(f'--salvage {self.dir}' in text, text)
        check('Ready' not in text.splitlines()[-1], text)

    def salvage(self, *words):
        status, text = self.run('--salvage')
        check(status == 0 and f'--dir {self.new}' in text, f'{status}: {text}')
        for word in words:
            check(word in text, f'{word!r} in: {text}')
        return text

    def saved(self):
        """What a node on the new directory has: {prefix: numbers}; checked before and after."""
        before = self.server.dir
        self.server.dir = self.new
        try:
            self.server.start()
            with self.server.client() as client:
                found = {prefix: self.there(client, prefix, count) for prefix, count in
                         (('sealed', self.sealed), ('more', self.sealed), ('logged', LOGGED),
                          ('gone', 20))}
                size = sum(len(numbers) for numbers in found.values())
                check(client.call('DBSIZE') == size, f'DBSIZE is {size}')
                check(client.call('SET', 'new', 'one') == b'OK', 'it takes writes')
                client.call('SELECT', 3)
                found['other'] = client.call('GET', 'other')
            self.server.stop()
        finally:
            self.server.dir = before
        done = subprocess.run([SHOAL, '--check', self.new], stdout=subprocess.PIPE, text=True,
                              timeout=120, check=False)
        check(done.returncode == 0, f'--check of what was saved: {done.stdout}')
        return found

    def there(self, client, prefix, count):
        for i in range(count):
            client.send('GET', f'{prefix}:{i}')
        values = [client.value() for _ in range(count)]
        for i, value in enumerate(values):
            check(value in (None, value_of(i)), f'{prefix}:{i} is {value!r}')
        return {i for i, value in enumerate(values) if value is not None}

    def expect_saved(self, lost_logged=(), lost_sealed_max=0):
        found = self.saved()
        check(set(range(LOGGED)) - found['logged'] == set(lost_logged),
              f'lost of the log: {set(range(LOGGED)) - found["logged"]}')
        for prefix in ('sealed', 'more'):
            lost = self.sealed - len(found[prefix])
            check(lost <= lost_sealed_max, f'{lost} of {prefix} lost')
        check(not found['gone'], f'what was deleted stays so: {found["gone"]}')
        check(found['other'] == b'base', 'the other database')


# ---- what is whole


def test_check_of_an_empty_directory():
    skip_redis()
    with Server() as server:
        for end in (server.kill, server.stop):
            end()
            done = subprocess.run([SHOAL, '--check', server.dir], stdout=subprocess.PIPE,
                                  text=True, timeout=60, check=False)
            check(done.returncode == 0, done.stdout)
            server.start()
        done = subprocess.run([SHOAL, '--check', server.dir], stdout=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        check(done.returncode == 1 and 'another process' in done.stdout, done.stdout)


def test_check_of_no_directory():
    skip_redis()
    with Server(start=False) as server:
        for path in (server.temporary, server.temporary + '/none'):
            for option in ('--check', '--salvage'):
                done = subprocess.run([SHOAL, option, path], stdout=subprocess.PIPE, text=True,
                                      timeout=60, check=False)
                check(done.returncode == 1 and 'no data directory' in done.stdout, done.stdout)
        check(os.listdir(server.temporary) == [], 'nothing was made')


def test_check_and_salvage_after_a_clean_stop():
    with World(stop=True) as world:
        world.expect_whole()
        world.salvage()
        world.expect_whole()
        world.expect_saved()
        status, text = world.run('--salvage')
        check(status == 1 and 'exists' in text, f'a second time: {text}')


def test_check_and_salvage_after_a_crash():
    with World() as world:
        world.expect_whole()
        world.salvage()
        world.expect_saved()
        world.server.start()
        world.server.stop()
        world.expect_whole()


# ---- the log


def test_a_flipped_bit_in_the_log():
    with World(sealed=0) as world:
        world.flip_log()
        world.expect_damaged('log-')
        world.expect_refused()
        world.salvage('damaged from offset')
        world.expect_saved(lost_logged=[100])


def test_a_flipped_bit_in_the_log_after_a_tier():
    with World() as world:
        world.flip_log()
        world.expect_damaged('log-')
        world.expect_refused()
        world.salvage('damaged from offset')
        world.expect_saved(lost_logged=[100])


def test_a_flipped_bit_in_the_header_of_the_log():
    with World() as world:
        path, _ = world.find_log(value_of(100)[:13])
        world.flip(path, 33)
        world.expect_damaged('log-')
        world.expect_refused()
        world.salvage('damaged from offset 0 to 64')
        world.expect_saved()


def test_a_missing_segment():
    with World() as world:
        path, _ = world.find_log(value_of(100)[:13])
        os.rename(path, path.replace('/log-', '/kept-'))
        world.expect_damaged()
        world.expect_refused()
        world.salvage('missing: positions')
        found = world.saved()
        check(len(found['sealed']) == SEALED, f'{len(found["sealed"])} sealed')
        check(not found['logged'], 'the rest is gone')


def test_a_flipped_bit_in_synced():
    """It is only a hint, and may be torn by a power cut: no damage."""
    with World() as world:
        world.flip(f'{world.dir}/synced', 3)
        world.expect_whole()
        world.server.start()
        world.server.kill()
        world.flip_log()
        world.expect_damaged('log-')


# ---- the identity


def test_a_flipped_bit_in_the_identity():
    with World() as world:
        world.flip(f'{world.dir}/identity', 18)
        world.expect_damaged('identity')
        world.expect_refused()
        world.salvage('identity: ')
        world.expect_saved()


def test_a_missing_identity():
    with World() as world:
        os.remove(f'{world.dir}/identity')
        world.expect_damaged('identity')
        world.expect_refused()
        world.salvage('identity: ')
        world.expect_saved()


# ---- the tier


def test_a_flipped_bit_in_a_table():
    with World() as world:
        table = world.tables()[-1]
        world.flip(table, os.path.getsize(table) // 2)
        world.expect_damaged('tier', os.path.basename(table))
        world.salvage('damaged places')
        world.expect_saved(lost_sealed_max=200)


def test_a_missing_table():
    with World() as world:
        os.remove(world.tables()[0])
        world.expect_damaged('tier')
        world.expect_refused()
        world.salvage('tier')
        found = world.saved()
        check(found['logged'] == set(range(LOGGED)), 'the log is saved')


def test_a_flipped_bit_in_the_manifest():
    with World() as world:
        manifest = glob.glob(f'{world.dir}/tier/MANIFEST-*')[0]
        world.flip(manifest, os.path.getsize(manifest) // 2)
        world.expect_damaged('tier')
        world.expect_refused()
        world.salvage('tier')
        found = world.saved()
        check(found['logged'] == set(range(LOGGED)), 'the log is saved')


def test_a_manifest_that_ends_early():
    """RocksDB takes it for an older state, and would remove the newer tables."""
    with World(sealed=0) as world:
        world.server.start(['--seal-bytes', 1 << 20])
        with world.server.client() as client:
            for _ in range(2):
                set_all(client, 'sealed', range(SEALED))
            wait_for(lambda: len(glob.glob(f'{world.dir}/log-*')) == 1, what='all seals end')
        world.server.kill()
        world.sealed = SEALED
        manifest = glob.glob(f'{world.dir}/tier/MANIFEST-*')[0]
        os.truncate(manifest, os.path.getsize(manifest) - 5)
        before = world.tables()
        world.expect_damaged('log')
        world.expect_refused()
        check(world.tables() == before, 'no table was removed')
        world.salvage('missing: positions')
        world.saved()


def test_a_missing_manifest():
    with World() as world:
        os.remove(glob.glob(f'{world.dir}/tier/MANIFEST-*')[0])
        before = world.tables()
        world.expect_damaged('tier')
        world.expect_refused()
        check(world.tables() == before, 'no table was removed')
        world.salvage('LOST')
        check(world.saved()['logged'] == set(range(LOGGED)), 'the log is saved')


def test_a_missing_tier():
    with World() as world:
        shutil.rmtree(f'{world.dir}/tier')
        world.expect_damaged('tier')
        world.expect_refused()
        check(not os.path.exists(f'{world.dir}/tier/CURRENT'), 'no new one is begun')
        shutil.rmtree(f'{world.dir}/tier', ignore_errors=True)
        world.salvage('LOST')
        found = world.saved()
        check(found['logged'] == set(range(LOGGED)), 'the log is saved')
        check(found['other'] == b'base', 'the other database')


def test_a_missing_name_of_the_state():
    with World() as world:
        os.remove(f'{world.dir}/tier/CURRENT')
        world.expect_damaged('tier')
        world.expect_refused()
        check(world.tables(), 'no table was removed')
        world.salvage('0 damaged places')
        world.expect_saved()
