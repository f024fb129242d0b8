#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lint.py [ROOT]: what the compiler does not check. Prints FILE:LINE: WHAT; exit 1 for a fault.

tests/lint/run.py proves that each kind of fault is found.
"""

import os
import re
import shutil
import subprocess
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
COLUMNS_MAX = 100

# Nobody calls these: they have no bound, no error, or hidden state.
FORBIDDEN = re.compile(r'(?<![\w.>])(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|atoi|atol|atoll|'
                       r'atof|strtok|rand|srand|random|srandom|drand48|setjmp|longjmp|alloca)'
                       r'\s*\(')

# Time, chance, threads, environment come from outside: only the edges ask for them.
IMPURE = re.compile(r'(?<![\w.>])(clock_gettime|clock|time|gettimeofday|getenv|secure_getenv|'
                    r'setenv|nanosleep|usleep|sleep|getrandom|system|pthread_\w+|thrd_\w+)\s*\(')
EDGES = ('src/net/', 'src/runtime.c', 'src/machine.c', 'src/main.c',
         'src/observe/journal.c', 'src/store/workers.c',
         'src/store/tier_rocksdb.c', 'src/store/files_posix.c')

# Each library has one home.
HOMES = {
    'event2/': 'src/net/',
    'rocksdb/': 'src/store/',
    'xxhash.h': 'src/base/xxh.c',
    'openssl/': 'src/security/',
    'jemalloc/': 'src/base/memory.c',
}
C_LIBRARY = set('''
    assert ctype dirent errno fcntl fenv float fnmatch getopt inttypes limits locale malloc math
    netdb poll pthread pwd grp sched semaphore signal stdalign stdarg stdatomic stdbool stddef
    stdint stdio stdlib stdnoreturn string strings syslog termios threads time unistd
    arpa/inet linux/falloc linux/fs netinet/in netinet/tcp
    sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/param sys/prctl sys/random sys/resource
    sys/select sys/socket sys/stat sys/statfs sys/statvfs sys/syscall sys/sysinfo sys/time
    sys/timerfd sys/types sys/uio sys/un sys/utsname sys/vfs sys/wait
    immintrin emmintrin x86intrin arm_neon'''.split())


class Lint:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.layers = {}

    def fault(self, path, line, what):
        self.faults.append((path, line, what))

    def files(self, folders, endings):
        for folder in folders:
            for parent, names, files in os.walk(os.path.join(self.root, folder)):
                names[:] = [name for name in names if name != '__pycache__']
                for name in sorted(files):
                    if name.endswith(endings):
                        yield os.path.relpath(os.path.join(parent, name), self.root)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as file:
            return file.read()

    def load_layers(self):
        path = 'src/LAYERS'
        for number, line in enumerate(self.read(path).splitlines(), 1):
            line = line.split('#')[0].strip()
            if not line:
                continue
            folder, colon, allowed = line.partition(':')
            if not colon or not folder:
                self.fault(path, number, 'not "folder: folders that it may include"')
                continue
            self.layers[folder.strip()] = set(allowed.split()) | {folder.strip()}
        for parent, allowed in self.layers.items():
            for folder in allowed - set(self.layers):
                self.fault(path, 1, f'{parent} may include {folder}, which has no line')

    def text(self, path, text, tabs=False):
        lines = text.splitlines()
        first = lines[1:2] if lines and lines[0].startswith('#!') else lines[:1]
        if not first or 'SPDX-License-Identifier: MIT' not in first[0]:
            self.fault(path, 1, 'no SPDX line on top')
        if len(lines) > FILE_LINES_MAX:
            self.fault(path, len(lines), f'{len(lines)} lines, at most {FILE_LINES_MAX}')
        if text and not text.endswith('\n'):
            self.fault(path, len(lines), 'no newline at the end')
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                self.fault(path, number, f'{len(line)} columns, at most {COLUMNS_MAX}')
            if '\t' in line and not tabs:
                self.fault(path, number, 'a tab')
            if line != line.rstrip():
                self.fault(path, number, 'blanks at the end of the line')

    def include(self, path, number, quoted, name):
        if not path.startswith('src/'):
            return
        if not quoted:
            for library, home in HOMES.items():
                if name.startswith(library):
                    if not path.startswith(home):
                        self.fault(path, number, f'<{name}>: its home is {home}')
                    return
            if name.removesuffix('.h') not in C_LIBRARY:
                self.fault(path, number, f'<{name}>: a library without a home')
            return
        if not os.path.isfile(os.path.join(self.root, 'src', name)):
            self.fault(path, number, f'"{name}": not written from the root of src/, or not there')
            return
        folder = path.split('/')[1] if path.count('/') > 1 else ''
        other = name.split('/')[0] if '/' in name else ''
        if not folder or folder == other:
            return
        if folder not in self.layers:
            self.fault(path, number, f'the folder {folder} has no line in src/LAYERS')
        elif other not in self.layers[folder]:
            self.fault(path, number, f'{folder} may not include {other or name}: src/LAYERS')

    def code(self, path, text):
        pure = path.startswith('src/') and not path.startswith(EDGES)
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
            if match:
                self.include(path, number, match[1] == '"', match[2])
        for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
            for match in FORBIDDEN.finditer(line):
                self.fault(path, number, f'{match[1]}() is forbidden')
            if pure:
                for match in IMPURE.finditer(line):
                    self.fault(path, number, f'{match[1]}() in a pure folder')

    def functions(self, paths):
        if not paths:
            return
        tags = self.run(['ctags', '-x', '--_xformat=%F\t%n\t%{end}\t%N', '--kinds-C=f',
                         '--language-force=C', '-L', '-'], '\n'.join(paths))
        for tag in tags.splitlines():
            path, begin, end, name = tag.split('\t')
            if end.isdigit() and int(end) - int(begin) + 1 > FUNCTION_LINES_MAX:
                self.fault(path, int(begin), f'{name}: {int(end) - int(begin) + 1} lines, '
                           f'at most {FUNCTION_LINES_MAX}')

    def unique(self, paths):
        stems = {}
        for stem in sorted({os.path.splitext(path)[0] for path in paths}):
            path = next(path for path in paths if os.path.splitext(path)[0] == stem)
            name = os.path.basename(stem)
            if stems.setdefault(name, stem) != stem:
                self.fault(path, 1, f'the base name is taken by {stems[name]}')

    def layout(self, paths):
        clang_format = 'clang-format-14' if shutil.which('clang-format-14') else 'clang-format'
        if not paths:
            return
        seen = set()
        for line in self.run([clang_format, '--dry-run', *paths]).splitlines():
            match = re.match(r'(.+?):(\d+):\d+: warning: code should be clang-formatted', line)
            if match and match[1] not in seen:
                seen.add(match[1])
                self.fault(match[1], int(match[2]), f'not laid out: {clang_format} -i {match[1]}')

    def shell(self, paths):
        if not paths:
            return
        for line in self.run(['shellcheck', '-f', 'gcc', *paths]).splitlines():
            match = re.match(r'(.+?):(\d+):\d+: (.*)', line)
            if match:
                self.fault(match[1], int(match[2]), match[3])

    def run(self, command, stdin=''):
        try:
            done = subprocess.run(command, cwd=self.root, input=stdin, text=True, errors='replace',
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            sys.exit(f'lint: {command[0]} is missing: deps/install.sh')
        return done.stdout

    def all(self):
        self.load_layers()
        code = list(self.files(['src', 'tests'], ('.c', '.h')))
        shell = list(self.files(['scripts', 'deps', 'tests'], ('.sh',)))
        if os.path.isfile(os.path.join(self.root, '.ci/run')):
            shell.append('.ci/run')
        for path in code + shell + list(self.files(['scripts', 'tests'], ('.py',))):
            self.text(path, self.read(path))
        if os.path.isfile(os.path.join(self.root, 'Makefile')):
            self.text('Makefile', self.read('Makefile'), tabs=True)
        for path in code:
            self.code(path, self.read(path))
        self.functions(code)
        self.unique([path for path in code if path.startswith('src/')])
        self.layout(code)
        self.shell(shell)
        return sorted(set(self.faults))


def without_comments_and_strings(text):
    """The same text with blanks where comments and string contents were; lines stay lines."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..')
    faults = Lint(os.path.abspath(root)).all()
    for path, line, what in faults:
        print(f'{path}:{line}: {what}')
    if faults:
        print(f'lint: {len(faults)} faults')
        sys.exit(1)
    print('lint: no faults')


if __name__ == '__main__':
    main()
