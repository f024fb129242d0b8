#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [--rounds N] [NAME...]: tests of real processes, all, or those whose name contains NAME
(/NAME: begins with it); -NAME leaves such out.

A test is a function test_* of the files beside this one. It is given the number of rounds if it
takes one. It waits for conditions, never for a time, and leaves nothing behind.
"""

import functools
import importlib
import inspect
import sys

import shoal

FILES = ['life', 'operators', 'keys', 'bitmaps', 'clients', 'client_redis_py', 'client_hiredis',
         'redis_cli', 'redis_benchmark', 'monitoring', 'rude', 'waiting', 'bad_input', 'memory',
         'kill', 'damage', 'salvage', 'diskfull', 'powercut', 'documents', 'cluster_clients',
         'cluster_death', 'cluster_cache', 'cluster_join', 'cluster_restart', 'cluster_bad',
         'cluster_fuzz', 'chaos']


def tests(words, arguments):
    for file in FILES:
        module = importlib.import_module(file)
        for name, function in list(vars(module).items()):
            if not name.startswith('test_'):
                continue
            full = f'{file}.{name[5:]}'
            wanted = [word for word in words if word[0] != '-']
            if wanted and not any(word in f'/{full}' for word in wanted):
                continue
            if any(word[1:] in f'/{full}' for word in words if word[0] == '-'):
                continue
            takes = inspect.signature(function).parameters
            given = {key: value for key, value in arguments.items() if key in takes}
            yield full, functools.partial(function, **given)


def main():
    words = sys.argv[1:]
    arguments = {}
    if '--rounds' in words:
        at = words.index('--rounds')
        arguments['rounds'] = int(words[at + 1])
        del words[at:at + 2]
    shoal.hold(tests(words, arguments))


if __name__ == '__main__':
    main()
