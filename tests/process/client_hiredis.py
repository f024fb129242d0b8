# SPDX-License-Identifier: MIT
"""hiredis, the client in C that many others stand on."""

import os

import program
from shoal import ROOT, Server, Skip

SOURCE = os.path.join(ROOT, 'tests/programs/hiredis_client.c')


def test_a_round_trip():
    if not os.path.exists('/usr/include/hiredis/hiredis.h'):
        raise Skip('hiredis is not installed (libhiredis-dev)')
    path = os.path.join(ROOT, 'build/test/hiredis_client')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    program.run(['gcc', '-Wall', '-Wextra', '-Werror', '-o', path, SOURCE, '-lhiredis'])
    with Server() as server:
        program.run([path, str(server.port)])
