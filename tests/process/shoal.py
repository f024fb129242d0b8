# SPDX-License-Identifier: MIT
"""What tests of real processes share: a server that is started, stopped, killed; a client; waiting;
how tests are held.

Where the programs are, and the options that every server of the tests gets, is said only here.
SHOAL_SERVER names another program to test: also a redis-server, for trying the tests themselves.
SHOAL_NODES=3 gives each server two more nodes with which it is a cluster: tests that only speak to
one server then speak to one of its nodes.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
SHOAL = os.environ.get('SHOAL_SERVER', os.path.join(ROOT, 'build/shoal-server'))
NODES = int(os.environ.get('SHOAL_NODES', '1'))
START_LIMIT_S = 30
STOP_LIMIT_S = 60
REPLY_LIMIT_S = 60
FORM_LIMIT_S = 60


def redis_server():
    """The server to compare with. Debian's redis-check-rdb is redis-server, told so by its name."""
    found = shutil.which('redis-server')
    if found:
        return found
    link = os.path.join(ROOT, 'build/redis-server')
    if not os.path.exists(link):
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink('/usr/bin/redis-check-rdb', link)
    return link


def is_redis(program):
    return 'redis' in os.path.basename(program)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(condition, limit_s=30, what='a condition'):
    """Until condition() is true, and returns what it gave. No test sleeps for a fixed time."""
    end = time.monotonic() + limit_s
    pause = 0.002
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f'{what}: not within {limit_s} s')
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Skip(Exception):
    """The test cannot be held here, and why."""


def skip_redis(why='redis-server has no such option'):
    if is_redis(SHOAL):
        raise Skip(why)


def skip_cluster(why):
    if NODES > 1:
        raise Skip(f'a cluster: {why}')


def hold(tests):
    """(name, function) of each: one line, "ok NAME" or "not ok NAME". Ends the program."""
    failed = 0
    for name, function in tests:
        begin = time.monotonic()
        result, note = 'ok', ''
        try:
            function()
        except Skip as reason:
            note = f' # SKIP {reason}'
        except Exception:  # pylint: disable=broad-except
            result, note = 'not ok', '\n' + traceback.format_exc()
            failed += 1
        print(f'{result} {name} ({time.monotonic() - begin:.1f} s){note}', flush=True)
    sys.exit(failed > 0)


class ServerError(Exception):
    """An error reply."""


def encode(*arguments):
    parts = [b'*%d\r\n' % len(arguments)]
    for argument in arguments:
        if not isinstance(argument, bytes):
            argument = str(argument).encode()
        parts.append(b'$%d\r\n%b\r\n' % (len(argument), argument))
    return b''.join(parts)


class Client:
    """A connection. call() gives Python values, read() the reply as it was: (type, content)."""

    def __init__(self, port, limit_s=REPLY_LIMIT_S, host='127.0.0.1'):
        self.socket = socket.create_connection((host, port), timeout=limit_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile('rb', 1 << 16)

    def close(self):
        self.input.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def line(self):
        line = self.input.readline()
        if not line.endswith(b'\r\n'):
            raise ConnectionError('the server closed the connection')
        return line[:-2]

    def read(self):
        line = self.line()
        kind, rest = chr(line[0]), line[1:]
        if kind in '$=!':
            if rest == b'-1':
                return kind, None
            data = self.input.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise ConnectionError('the server closed the connection')
            return kind, data[:-2]
        if kind in '*~>%|':
            if rest == b'-1':
                return kind, None
            count = int(rest) * (2 if kind in '%|' else 1)
            return kind, [self.read() for _ in range(count)]
        if kind not in '+-:_,#(':
            raise AssertionError(f'not a reply: {line!r}')
        return kind, rest

    def value(self):
        return plain(self.read())

    def call(self, *arguments):
        self.send(*arguments)
        return self.value()


def wait_for_clients(client, count):
    """Until so many are connected, this one counted."""
    wait_for(lambda: b'connected_clients:%d\r' % count in client.call('INFO', 'clients'),
             what=f'{count} connected')


def plain(reply):
    kind, content = reply
    if kind in '-!':
        raise ServerError(content.decode('utf-8', 'replace'))
    if kind == ':':
        return int(content)
    if kind in '*~>' and content is not None:
        return [_plain_or_error(item) for item in content]
    if kind == '%':
        return {plain(content[i]): plain(content[i + 1]) for i in range(0, len(content), 2)}
    if kind == '#':
        return content == b't'
    return None if kind == '_' else content


def _plain_or_error(reply):
    try:
        return plain(reply)
    except ServerError as error:
        return error


class Server:
    """A server process with a data directory of its own, which goes with it unless it was given."""

    host = '127.0.0.1'
    prefix = ()       # words before the program's: what puts it into a place of its own
    environment = {}  # more of it

    def __init__(self, options=(), directory=None, program=SHOAL, file=None, start=True):
        self.program = program
        self.file = [file] if file else []
        self.options = [str(option) for option in options]
        self.port = free_port()
        self.temporary = tempfile.mkdtemp(prefix='shoal-test-')
        self.dir = directory or os.path.join(self.temporary, 'data')
        self.log = os.path.join(self.temporary, 'log')
        self.process = None
        self.others = []
        if start:
            try:
                if NODES > 1 and self.may_gather():
                    self.gather()
                self.start()
                if self.others:
                    wait_for(self.is_gathered, FORM_LIMIT_S, 'the cluster is formed')
            except BaseException:
                self.close()
                raise

    def may_gather(self):
        return not (is_redis(self.program) or self.file or '--requirepass' in self.options
                    or '--cluster-enabled' in self.options)

    def gather(self):
        """The other nodes of its cluster, which the last of them founds."""
        seeds = free_port()
        options = [*self.options, '--cluster-enabled', 'yes',
                   '--cluster-seeds', f'127.0.0.1:{seeds}']
        self.options = [*options, '--cluster-port', str(free_port())]
        for bus_port in [seeds] + [free_port() for _ in range(NODES - 2)]:
            other = Server([*options, '--cluster-port', bus_port], program=self.program,
                           start=False)
            self.others.append(other)
            other.spawn()

    def is_gathered(self):
        with Client(self.port) as client:
            info = client.call('CLUSTER', 'INFO')
        return (b'cluster_members:%d\r' % NODES in info and b'phase:stable' in info
                and b'cluster_slots_ok:16384\r' in info)

    def command(self, options=()):
        command = [*self.prefix, self.program, *self.file, '--bind', self.host,
                   '--port', str(self.port), '--dir', self.dir]
        options = [*self.options, *(str(option) for option in options)]
        if not is_redis(self.program):
            return command + options
        # What Shoal alone has, or means otherwise, a redis-server in its place does not get.
        for own in ('--seal-bytes', '--maxmemory', '--log-format'):
            while own in options:
                at = options.index(own)
                del options[at:at + 2]
        return [*command, '--save', '', '--appendonly', 'yes', *options]

    def spawn(self, options=()):
        """Starts the process and does not wait for it."""
        os.makedirs(self.dir, exist_ok=True)
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(self.command(options), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})
        return self.process

    def start(self, options=()):
        self.spawn(options)
        wait_for(self.answers, START_LIMIT_S, 'the server answers')
        return self

    def answers(self):
        check(self.process.poll() is None,
              f'the server ended with status {self.process.returncode}:\n{self.log_text()[-2000:]}')
        try:
            with self.client() as client:
                client.send('PING')
                kind, content = client.read()
                return not content.startswith((b'LOADING', b'MASTERDOWN'))
        except OSError:
            return False

    def client(self, **more):
        return Client(self.port, host=self.host, **more)

    def ended(self, limit_s=STOP_LIMIT_S):
        """Waits for the end of the process: its exit status."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'the server did not end within {limit_s} s') from None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.ended()
        check(status == 0, f'exit status {status} after SIGTERM:\n{self.log_text()[-2000:]}')

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self, options=()):
        self.stop()
        self.start(options)

    def log_text(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()

    def resident_bytes(self):
        with open(f'/proc/{self.process.pid}/status', encoding='ascii', errors='replace') as status:
            for line in status:
                if line.startswith('VmRSS:'):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat', encoding='ascii', errors='replace') as stat:
            fields = stat.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def close(self):
        for other in self.others:
            other.close()
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
