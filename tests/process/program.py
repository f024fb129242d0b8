# SPDX-License-Identifier: MIT
"""Programs of others, run against a server of the tests."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time

from shoal import Skip, check

LIMIT_S = 60


def found(name, package):
    """The program's path; the test cannot be held where it is not installed."""
    path = shutil.which(name)
    if not path:
        raise Skip(f'{name} is not installed ({package})')
    return path


def run(words, text='', status=0, environment=None, folder=None, limit_s=LIMIT_S):
    """Runs it to its end: what it wrote. `text` goes to its standard input, bytes too."""
    if isinstance(text, str):
        text = text.encode()
    done = subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **(environment or {})}, cwd=folder,
                          timeout=limit_s, check=False)
    said = done.stdout.decode('utf-8', 'replace')
    check(done.returncode == status,
          f'{words}: exit status {done.returncode}, expected {status}: {said[-1000:]}')
    return said


def read_until(words, pattern):
    """Runs what does not end by itself until its output matches, then ends it: the output."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            return read_pattern(process.stdout.fileno(), pattern)
        finally:
            process.kill()


def read_pattern(descriptor, pattern):
    end = time.monotonic() + LIMIT_S
    said = ''
    while not re.search(pattern, said):
        ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
        check(ready, f'{pattern!r} did not come within {LIMIT_S} s: {said[-1000:]!r}')
        try:
            block = os.read(descriptor, 1 << 16)
        except OSError:  # a terminal whose program is gone
            block = b''
        check(block, f'it ended without {pattern!r}: {said[-1000:]!r}')
        said += block.decode('utf-8', 'replace')
    return said


class Background:
    """A program that serves until it is ended; what it says is kept."""

    def __init__(self, words, environment=None, folder=None):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, cwd=folder,
                                        env={**os.environ, **(environment or {})})

    def said(self):
        self.log.seek(0)
        return self.log.read().decode('utf-8', 'replace')

    def check_runs(self):
        check(self.process.poll() is None, f'it ended: {self.said()[-1000:]}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Terminal:
    """A program at a terminal, with a person who types and reads."""

    def __init__(self, words):
        self.home = tempfile.mkdtemp(prefix='shoal-test-')
        self.descriptor, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 200, 0, 0))
        environment = {**os.environ, 'TERM': 'xterm', 'HOME': self.home}
        self.process = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal,
                                        env=environment, start_new_session=True)
        os.close(terminal)

    def type(self, keys):
        os.write(self.descriptor, keys.encode())

    def read(self, pattern):
        return read_pattern(self.descriptor, pattern)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.descriptor)
        shutil.rmtree(self.home, ignore_errors=True)
