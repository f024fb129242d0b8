#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py [--rounds N] [NAME...]: tests of real processes, all, or those whose name contains NAME.

A test is a function test_* of the files beside this one. It is given the number of rounds if it
takes one. It waits for conditions, never for a time, and leaves nothing behind.
"""

import importlib
import inspect
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ['life', 'operators', 'keys', 'bitmaps', 'clients', 'clients_real', 'client_in_c',
         'redis_cli', 'redis_benchmark', 'monitoring', 'rude', 'waiting', 'bad_input', 'memory',
         'kill', 'damage', 'salvage', 'diskfull', 'powercut']


class Skip(Exception):
    """The test cannot be held here, and why."""


def tests(words):
    for file in FILES:
        module = importlib.import_module(file)
        for name, function in list(vars(module).items()):
            if not name.startswith('test_'):
                continue
            full = f'{file}.{name[5:]}'
            if not words or any(word in full for word in words):
                yield full, function


def main():
    sys.path.insert(0, HERE)
    sys.modules['run'] = sys.modules['__main__']
    words = sys.argv[1:]
    arguments = {}
    if '--rounds' in words:
        at = words.index('--rounds')
        arguments['rounds'] = int(words[at + 1])
        del words[at:at + 2]
    failed = 0
    for name, function in tests(words):
        begin = time.monotonic()
        takes = inspect.signature(function).parameters
        result, note = 'ok', ''
        try:
            function(**{key: value for key, value in arguments.items() if key in takes})
        except Skip as reason:
            note = f' # SKIP {reason}'
        except Exception:  # pylint: disable=broad-except
            result, note = 'not ok', '\n' + traceback.format_exc()
            failed += 1
        print(f'{result} {name} ({time.monotonic() - begin:.1f} s){note}', flush=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
