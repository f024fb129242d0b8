#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""commands.py TEST_COMMANDS: prints docs/commands.md: what COMMAND DOCS of a server just started
says of each command, and what that program's --differs does."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tests/process'))
import shoal  # noqa: E402


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def syntax(argument):
    """One argument in the notation of the Redis documentation."""
    kind = text(argument[b'type'])
    token = text(argument.get(b'token') or b'')
    flags = argument.get(b'flags') or []
    inner = [syntax(part) for part in argument.get(b'arguments') or []]
    if kind == 'oneof':
        words = ' | '.join(inner)
        words = words if b'optional' in flags and not token else f'<{words}>'
    elif kind == 'block':
        words = ' '.join(inner)
    elif kind == 'pure-token':
        words, token = token, ''
    else:
        words = text(argument.get(b'display_text') or argument[b'name'])
    words = f'{token} {words}'.strip()
    if b'multiple' in flags:
        words = f'{words} [{words} ...]'
    return f'[{words}]' if b'optional' in flags else words


def rows(docs):
    for name, facts in sorted(docs.items()):
        inner = facts.get(b'subcommands')
        if inner:
            yield from rows(inner)
            continue
        name = text(name).upper().replace('|', ' ')
        words = ' '.join([name, *(syntax(part) for part in facts.get(b'arguments') or [])])
        yield text(facts[b'group']), words.replace('|', '\\|'), text(facts[b'summary'])


def differences(program):
    """Name of a command, and what differs from Redis."""
    lines = subprocess.run([program, '--differs'], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    return [line.split('\t', 1) for line in lines]


def main():
    with shoal.Server() as server, server.client() as client:
        client.call('HELLO', '3')
        found = list(rows(client.call('COMMAND', 'DOCS')))
    print('# Commands\n\nAs Redis 7.2 has them, but for [what differs](#what-differs-from-redis). '
          'Written by `make docs` from the table in the code.')
    for group in sorted({group for group, _, _ in found}):
        print(f'\n## {group}\n\n| command | what it does |\n|---|---|')
        for of, words, summary in found:
            if of == group:
                print(f'| `{words}` | {summary} |')
    print('\n## What differs from Redis\n\nA key is at most 512 KiB long; a long string under a '
          'long key at most so long that the names of its pieces take 1 GB.\n\n'
          '| command | difference |\n|---|---|')
    for name, words in sorted(differences(sys.argv[1])):
        print(f'| `{name.upper().replace("|", " ")}` | {words} |')


if __name__ == '__main__':
    main()
