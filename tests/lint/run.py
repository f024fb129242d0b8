#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Proves that lint finds each kind of fault: a clean tree passes, one fault is reported alone."""

import os
import subprocess
import sys
import tempfile

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../scripts/lint.py')
SPDX = '/* SPDX-License-Identifier: MIT */\n'
PYTHON = '#!/usr/bin/python3\n# SPDX-License-Identifier: MIT\n'
SHELL = '#!/bin/sh\n# SPDX-License-Identifier: MIT\n'

CLEAN = {
    'src/LAYERS': 'base:\nstore: base\nnet: base\n',
    '.clang-format': 'BasedOnStyle: LLVM\nIndentWidth: 4\nReflowComments: false\n',
    'src/base/bytes.h': SPDX + '#include <stdint.h>\nint bytes(void);\n',
    'src/base/bytes.c': SPDX + '#include "base/bytes.h"\n',
    'src/store/store.c': SPDX + '#include "base/bytes.h"\n#include <rocksdb/c.h>\n'
                                '/* strcpy(a, b) and time(NULL) in words. */\n'
                                'const char *text = "sprintf(x) rand()";\n'
                                'int mean_time(int x);\nint f(int x) { return mean_time(x); }\n',
    'src/net/net.c': SPDX + '#include <event2/event.h>\n#include <time.h>\n'
                            'long f(void) { return time(0); }\n',
    'src/main.c': SPDX + '#include "base/bytes.h"\n',
    'scripts/x.sh': SHELL + 'echo "$1"\n',
    'scripts/x.py': PYTHON + 'print(1)\n',
}

LONG_FUNCTION = 'int f(int x) {\n' + '    x++;\n' * 69 + '    return x;\n}\n'

# (what is wrong, file, its text, the line, a part of the message)
FAULTS = [
    ('a layer is broken', 'src/base/a.c',
     SPDX + '#include "store/b.h"\n', 2, 'may not include store'),
    ('an include not from the root', 'src/base/a.c',
     SPDX + '#include "bytes.h"\n', 2, 'root of src/'),
    ('a folder without a line in LAYERS', 'src/new/a.c', SPDX + '#include "base/bytes.h"\n', 2,
     'no line in src/LAYERS'),
    ('libevent outside net/', 'src/store/a.c',
     SPDX + '#include <event2/event.h>\n', 2, 'home is src/net/'),
    ('RocksDB outside store/', 'src/base/a.c',
     SPDX + '#include <rocksdb/c.h>\n', 2, 'home is src/store/'),
    ('xxHash outside base/xxh.c', 'src/base/a.c',
     SPDX + '#include <xxhash.h>\n', 2, 'src/base/xxh.c'),
    ('OpenSSL outside security/', 'src/net/a.c',
     SPDX + '#include <openssl/ssl.h>\n', 2, 'src/security/'),
    ('jemalloc outside base/memory.c', 'src/base/a.c', SPDX + '#include <jemalloc/jemalloc.h>\n', 2,
     'src/base/memory.c'),
    ('a library that nobody knows', 'src/base/a.c',
     SPDX + '#include <curl/curl.h>\n', 2, 'without a home'),
    ('a function too long', 'src/base/a.c', SPDX + LONG_FUNCTION, 2, 'f: 72 lines'),
    ('a file too long', 'src/base/a.c',
     SPDX + '\n'.join(f'int f{i};' for i in range(800)) + '\n', 801,
     '801 lines'),
    ('a line too long', 'src/base/a.h', SPDX + '/* ' + 'x' * 95 + ' */\n', 2, '101 columns'),
    ('a tab', 'src/base/a.h', SPDX + '/*\tx */\n', 2, 'a tab'),
    ('blanks at the end of a line', 'scripts/a.py', PYTHON + 'print(1) \n', 3, 'blanks'),
    ('no newline at the end', 'scripts/a.py', PYTHON + 'print(1)', 3, 'no newline'),
    ('no licence', 'src/base/a.h', 'int a;\n', 1, 'SPDX'),
    ('no licence in a script', 'scripts/a.py', '#!/usr/bin/python3\nprint(1)\n', 1, 'SPDX'),
    ('not laid out', 'src/base/a.c', SPDX + 'int   a;\n', 2, 'clang-format'),
    ('a test not laid out', 'tests/unit/a.c', SPDX + 'int   a;\n', 2, 'clang-format'),
    ('a base name twice', 'src/store/bytes.c', SPDX, 1, 'is taken'),
    ('what shellcheck finds', 'scripts/a.sh', SHELL + 'rm $1\n', 3, 'Double quote'),
    ('a threads call in a pure folder', 'src/base/a.c',
     SPDX + 'int pthread_self(void);\n', 2, 'pthread_self() in a pure folder'),
]
for call in 'strcpy strcat sprintf vsprintf atoi atol strtok srand rand gets'.split():
    FAULTS.append((f'{call}()', 'src/base/a.c', SPDX + f'int f(void) {{ return {call}(0); }}\n', 2,
                   f'{call}() is forbidden'))
for call in 'clock_gettime time gettimeofday getenv'.split():
    FAULTS.append((f'{call}() in a pure folder', 'src/store/a.c',
                   SPDX + f'int f(void) {{ return {call}(0); }}\n', 2, f'{call}() in a pure'))


def lint(extra):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CLEAN, **extra}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        done = subprocess.run([LINT, root], stdout=subprocess.PIPE, text=True)
        return done.returncode, done.stdout.splitlines()


def main():
    failed = 0
    status, lines = lint({})
    if status:
        failed += 1
    print('not ok' if status else 'ok', 'a clean tree passes', *lines, flush=True)
    for name, path, text, line, message in FAULTS:
        status, lines = lint({path: text, 'src/store/b.h': SPDX})
        begin = f'{path}:{line}: '
        found = [fault for fault in lines if fault.startswith(begin) and message in fault]
        others = [fault for fault in lines[:-1] if fault not in found]
        good = status == 1 and found and not others
        failed += not good
        print('ok' if good else 'not ok', name, *([] if good else lines), flush=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
