# SPDX-License-Identifier: MIT
"""Networks for tests: places with an address each, whose links are cut, cut one way, made slow.

All of it is in network namespaces that live no longer than the program: nothing of this machine's
own network is touched, and nothing stays. Needs root, ip, nft and tc.
"""

import os
import shutil
import subprocess
import sys

from shoal import Skip, wait_for

PREFIX = '10.79.0.'
BRIDGE = 'shoal-bridge'
MARK = 'SHOAL_NETWORK'
NAMESPACES = ('--net', '--mount')


def can_have_own():
    """None, or why this program cannot have networks of its own."""
    if os.geteuid() != 0:
        return 'it needs root'
    for tool in ('ip', 'nft', 'tc', 'unshare', 'nsenter'):
        if not shutil.which(tool):
            return f'{tool} is not installed'
    done = subprocess.run(['unshare', *NAMESPACES, 'ip', 'link', 'add', 'one', 'type', 'veth'],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip() or 'not permitted' if done.returncode else None


def run_in_own():
    """Begins this program anew in a network of its own, once. Where that is not possible it goes on
    as it is: why."""
    if os.environ.get(MARK):
        return None
    reason = can_have_own()
    if reason is None:
        os.environ[MARK] = 'own'
        sys.stdout.flush()
        os.execvp('unshare', ['unshare', *NAMESPACES, sys.executable, *sys.argv])
    return reason


def tool(*words, given=None):
    done = subprocess.run(words, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        raise AssertionError(f'{" ".join(words)}: {done.stdout.strip()}')


class Network:
    """A bridge, at which the clients are, and places at it."""

    def __init__(self):
        if not os.environ.get(MARK):
            raise Skip('no network of its own')
        self.places = []
        tool('ip', 'link', 'set', 'lo', 'up')
        tool('ip', 'link', 'add', BRIDGE, 'type', 'bridge')
        tool('ip', 'addr', 'add', PREFIX + '254/24', 'dev', BRIDGE)
        tool('ip', 'link', 'set', BRIDGE, 'up')

    def place(self):
        place = Place(len(self.places) + 1)
        self.places.append(place)
        return place

    def close(self):
        for place in self.places:
            place.close()
        tool('ip', 'link', 'del', BRIDGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Place:
    """Where a server runs, with a network card of its own."""

    def __init__(self, number):
        self.host = f'{PREFIX}{number}'
        # Ends when this program does, and the namespace with it.
        self.holder = subprocess.Popen(['unshare', '--net', 'cat'], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
        pid = self.holder.pid
        own = os.readlink('/proc/self/ns/net')
        wait_for(lambda: os.readlink(f'/proc/{pid}/ns/net') != own, what='a namespace')
        self.prefix = ['nsenter', f'--net=/proc/{pid}/ns/net', '--']
        self.outside, inside = f'shoal-{number}', 'card'
        tool('ip', 'link', 'add', self.outside, 'type', 'veth', 'peer', 'name', inside,
             'netns', str(pid))
        tool('ip', 'link', 'set', self.outside, 'master', BRIDGE, 'up')
        for words in (['addr', 'add', self.host + '/24', 'dev', inside],
                      ['link', 'set', inside, 'up'], ['link', 'set', 'lo', 'up']):
            tool(*self.prefix, 'ip', *words)

    def cut(self, others, arriving=True, leaving=True):
        """Nothing comes from the others, nothing goes to them: packets vanish, nobody is told."""
        hosts = ', '.join(place.host for place in others)
        rules = ['table inet cut {', 'chain arriving {', 'type filter hook input priority 0;']
        rules += [f'ip saddr {{ {hosts} }} drop;'] if arriving else []
        rules += ['}', 'chain leaving {', 'type filter hook output priority 0;']
        rules += [f'ip daddr {{ {hosts} }} drop;'] if leaving else []
        rules += ['}', '}', '']
        tool(*self.prefix, 'nft', '-f', '-', given='\n'.join(rules))

    def slow(self, bits_per_second):
        """What leaves it waits in a queue of up to half a second, and what is too much is lost."""
        tool(*self.prefix, 'tc', 'qdisc', 'replace', 'dev', 'card', 'root', 'tbf',
             'rate', str(bits_per_second), 'burst', '4kb', 'latency', '500ms')

    def heal(self):
        tool(*self.prefix, 'nft', 'flush', 'ruleset')
        subprocess.run([*self.prefix, 'tc', 'qdisc', 'del', 'dev', 'card', 'root'],
                       stderr=subprocess.DEVNULL, check=False)

    def close(self):
        # The namespace goes some time after its last process: the next card has the same name.
        tool('ip', 'link', 'del', self.outside)
        self.holder.stdin.close()
        self.holder.wait()
