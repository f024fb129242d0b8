# SPDX-License-Identifier: MIT
"""What is written from the code says what the code does. (conf/shoal.conf: see test_config.)"""

import os
import subprocess

import program
from shoal import ROOT, check, skip_redis

DIFFERS = 'build/release/unit/test_commands'


def test_commands_md():
    skip_redis('its commands are others')
    environment = {key: value for key, value in os.environ.items() if key != 'MAKEFLAGS'}
    subprocess.run(['make', '-s', 'KIND=release', DIFFERS], cwd=ROOT, env=environment, check=True)
    written = program.run(['scripts/commands.py', DIFFERS], folder=ROOT)
    with open(os.path.join(ROOT, 'docs/commands.md'), encoding='utf-8') as file:
        check(file.read() == written, 'docs/commands.md differs: write it anew with make docs')
