# SPDX-License-Identifier: MIT
"""A power cut, with appendfsync always: EXT4_IOC_SHUTDOWN throws away what was not synced."""

import contextlib
import fcntl
import os
import random
import struct
import subprocess
import tempfile

from kill import Load
from shoal import Server, Skip, check

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
SIZE = 1 << 30


class Disk:
    """An ext4 in a file, which can lose its power."""

    def __init__(self, place):
        self.image = os.path.join(place, 'image')
        self.mount_point = os.path.join(place, 'mounted')
        os.mkdir(self.mount_point)
        with open(self.image, 'wb') as file:
            file.truncate(SIZE)
        subprocess.run(['mkfs.ext4', '-q', '-F', self.image], check=True)

    def mount(self):
        subprocess.run(['mount', '-o', 'loop', self.image, self.mount_point], check=True)

    def unmount(self):
        subprocess.run(['umount', self.mount_point], check=True)

    def cut(self):
        directory = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack('I', NO_LOG_FLUSH))
        finally:
            os.close(directory)


@contextlib.contextmanager
def disk():
    if os.geteuid() != 0:
        raise Skip('mounting a loop device needs root')
    with tempfile.TemporaryDirectory(prefix='shoal-test-power-') as place:
        made = Disk(place)
        made.mount()
        try:
            yield made
        finally:
            if os.path.ismount(made.mount_point):
                made.unmount()


def power_cuts(rounds, options, value_size):
    chance = random.Random(rounds)
    with disk() as made:
        data = os.path.join(made.mount_point, 'data')
        loads = []
        with Server(['--appendfsync', 'always', *options], directory=data) as server:
            for turn in range(rounds):
                load = Load(server, clients=4, value_size=value_size, prefix=f'{turn}.')
                try:
                    load.wait_for_writes(chance.randrange(200, 3000))
                    made.cut()
                finally:
                    load.end()
                    server.kill()
                made.unmount()
                made.mount()
                server.start()
                loads.append(load)
                for earlier in loads[-5:]:
                    earlier.verify(server)
            for load in loads:
                load.verify(server)
            server.stop()
            check(os.listdir(data), 'the data is there')


def test_power_cut(rounds=3):
    power_cuts(rounds, [], 100)


def test_power_cut_while_sealing(rounds=3):
    power_cuts(rounds, ['--seal-bytes', 1 << 20], 1500)
