# SPDX-License-Identifier: MIT
"""Commands and replies as text: in conversations, and in the tables of tests."""

import re

ESCAPES = {b'n': b'\n', b'r': b'\r', b't': b'\t', b'a': b'\a', b'b': b'\b'}


def split(text):
    """A line into arguments, as redis-cli does it."""
    arguments, rest = [], text.encode()
    while rest := rest.lstrip():
        argument = b''
        while rest and not rest[:1].isspace():
            if rest[:1] == b'"':
                match = re.match(rb'"((?:\\.|[^"\\])*)"', rest)
                argument += re.sub(rb'\\(x[0-9a-fA-F]{2}|.)', unescape, match[1])
            elif rest[:1] == b"'":
                match = re.match(rb"'((?:\\'|[^'])*)'", rest)
                argument += match[1].replace(b"\\'", b"'")
            elif match := re.match(rb'\{([^{}]+)\*(\d+)\}', rest):
                argument += match[1] * int(match[2])
            else:
                match = re.match(rb'[^\s]', rest)
                argument += match[0]
            rest = rest[match.end():]
        arguments.append(argument)
    return arguments


def unescape(match):
    if match[1][:1] == b'x' and len(match[1]) == 3:
        return bytes([int(match[1][1:], 16)])
    return ESCAPES.get(match[1], match[1])


def show(reply):
    """A reply as one line of text, all of it."""
    kind, content = reply
    if isinstance(content, list):
        return f'{kind}[' + ', '.join(show(item) for item in content) + ']'
    if content is None:
        return f'{kind}nil'
    if kind in '$=':
        return kind + '"' + ''.join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else
                                    f'\\x{byte:02x}' for byte in content) + '"'
    return kind + content.decode('latin-1')


def shape(reply):
    kind, content = reply
    if isinstance(content, list):
        return f'{kind}[' + ', '.join(shape(item) for item in content) + ']'
    return f'{kind}nil' if content is None else kind
