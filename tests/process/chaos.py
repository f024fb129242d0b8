#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""chaos.py [--seconds 60] [--only SHAPE,...] [--seed 1] [--strict] [--nodes 3]: nodes under load,
and what can happen to them.

One shape of trouble after the other, each for so long: trouble comes and goes at random, to one
node at a time unless the shape says more, while clients do all that the simulator's checkers know,
at all nodes. Then everything is healed, the copies must become equal, and every key is read at
every node. What clients were told is judged by the checkers (history.py); it stays, with the nodes'
logs, in build/chaos/.

Networks are cut in namespaces that end with this program. Where that is not permitted only the
shapes that need none are held, which is said.
"""

import argparse
import contextlib
import functools
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time

import network
from cluster import Cluster
from history import History, Workers, audit, judge
from powercut import Disk
from shoal import ROOT, Skip, check, hold, wait_for

OPTIONS = ['--cluster-secret', 'known to these nodes and to nobody else',
           '--protected-mode', 'no', '--appendfsync', 'always']
STRICT = ['--sloppy-quorum', 'no']
KEPT = os.path.join(ROOT, 'build/chaos')
EQUAL_LIMIT_S = 120
DONE_LEAST = 100  # or nothing was tried
CLIENTS = 12
CLOCK_JUMPS_MAX_S = 2, 20, 300
# A node asks for the time once in a turn of its loop, which on a busy machine may take a while.
SLACK_S = 0.05
MISSED = 'does not answer'


class World:
    """The cluster, and what a shape may do to it."""

    def __init__(self, cluster, chance):
        self.cluster, self.chance = cluster, chance
        self.nodes = cluster.nodes
        self.busy = []       # who is in trouble, while more is looked for
        self.disks = {}
        self.clocks = {}
        self.jump_max_s = 0  # a clock is never wrong by more
        self.formed = []     # how long each node's log was then

    def is_undivided(self):
        """No node ever missed another one: so there was one coordinator at a time."""
        return not any(MISSED in node.log_text()[size:]
                       for node, size in zip(self.nodes, self.formed))

    def free(self):
        return [node for node in self.nodes if node not in self.busy]

    def one(self):
        return self.chance.choice(self.free())

    def others(self, node):
        return [each.place for each in self.nodes if each is not node]

    def sleep(self, least_s, most_s):
        time.sleep(self.chance.uniform(least_s, most_s))


class Shape:
    """Trouble that comes (`strike`, which may return who was struck) and goes (`heal`)."""

    needs = ()    # of 'network', 'disk', 'clock'
    lasts_s = 0.2, 4
    parts = True  # nodes from each other: what two of them do may overlap

    def strike(self, world):
        raise NotImplementedError

    def heal(self, world, struck):
        pass


class Calm(Shape):
    """Nothing at all: then all is as with one node alone, if the machine is not too busy."""
    parts = False

    def strike(self, world):
        pass


class Kill(Shape):
    """kill -9, and started again."""

    def strike(self, world):
        node = world.one()
        node.kill()
        return node

    def heal(self, world, struck):
        struck.start()


class KillAll(Shape):
    """kill -9 of all at once: what was acknowledged was durable."""
    lasts_s = 0.2, 1

    def strike(self, world):
        for node in world.nodes:
            node.process.kill()
        for node in world.nodes:
            node.process.wait()

    def heal(self, world, struck):
        world.cluster.start(*range(len(world.nodes)))


class Pause(Shape):
    """SIGSTOP, also for longer than a node needs to be held for dead."""
    lasts_s = 0.1, 8

    def strike(self, world):
        node = world.one()
        node.process.send_signal(signal.SIGSTOP)
        return node

    def heal(self, world, struck):
        struck.process.send_signal(signal.SIGCONT)


class Cut(Shape):
    """No packet between one node and the others; clients still reach all."""
    needs = ('network',)
    arriving = leaving = True
    lasts_s = 0.5, 8

    def strike(self, world):
        node = world.one()
        node.place.cut(world.others(node), self.arriving, self.leaving)
        return node

    def heal(self, world, struck):
        struck.place.heal()


class CutOneWay(Cut):
    """One node hears the others, and they do not hear it; or the other way round."""

    def strike(self, world):
        self.arriving = world.chance.random() < 0.5
        self.leaving = not self.arriving
        return super().strike(world)


class Slow(Cut):
    """What one node sends waits, and some of it is lost."""

    def strike(self, world):
        node = world.one()
        node.place.slow(world.chance.choice([64_000, 500_000, 4_000_000]))
        return node


class Halves(Shape):
    """No packet between some of the nodes and the others."""
    needs = ('network',)
    lasts_s = 0.5, 8

    def strike(self, world):
        group = world.chance.sample(world.nodes, len(world.nodes) // 2)
        rest = [node.place for node in world.nodes if node not in group]
        for node in group:
            node.place.cut(rest)
        return group

    def heal(self, world, struck):
        for node in struck:
            node.place.heal()


class PowerCut(Shape):
    """One node loses what it had not synced to its disk."""
    needs = ('disk',)
    lasts_s = 0.2, 2
    all = False

    def strike(self, world):
        struck = list(world.nodes) if self.all else [world.one()]
        for node in struck:
            world.disks[node].cut()
        for node in struck:
            node.kill()
        for node in struck:
            world.disks[node].unmount()
        return struck

    def heal(self, world, struck):
        for node in struck:
            world.disks[node].mount()
        world.cluster.start(*(world.nodes.index(node) for node in struck))


class PowerCuts(PowerCut):
    """All of them at once."""
    all = True


class Clock(Shape):
    """The clock of one node jumps, by up to minutes in one run and seconds in another, either
    way."""
    needs = ('clock',)
    lasts_s = 0.5, 3
    parts = False

    def strike(self, world):
        node = world.one()
        seconds = world.chance.uniform(-world.jump_max_s, world.jump_max_s)
        world.clocks[node](seconds)
        wait_for(lambda: is_wrong_by(node, seconds), what='its clock has jumped')
        return node

    def heal(self, world, struck):
        if world.chance.random() < 0.3:
            world.clocks[world.one()](0)


class Mixed(Shape):
    """Now this, now that."""
    shapes = Kill, Pause

    def strike(self, world):
        shape = world.chance.choice(self.shapes)()
        return shape, shape.strike(world)

    def heal(self, world, struck):
        shape, node = struck
        shape.heal(world, node)


class MixedWithCuts(Mixed):
    needs = ('network',)
    shapes = Kill, Pause, Cut, CutOneWay, Halves, Slow


class Storm(Shape):
    """All of that, to two nodes at once."""
    needs = 'network', 'disk', 'clock'
    lasts_s = 0.3, 5
    shapes = Kill, Pause, Cut, CutOneWay, Slow, PowerCut, Clock

    def strike(self, world):
        both = []
        for _ in range(2):
            shape = world.chance.choice(self.shapes)()
            struck = shape.strike(world)
            world.busy += struck if isinstance(struck, list) else [struck]
            both.append((shape, struck))
        return both

    def heal(self, world, struck):
        for shape, node in struck:
            shape.heal(world, node)
        world.busy.clear()


SHAPES = {'calm': Calm, 'kill': Kill, 'kill-all': KillAll, 'pause': Pause, 'cut': Cut,
          'cut-one-way': CutOneWay, 'halves': Halves, 'slow': Slow, 'power-cut': PowerCut,
          'power-cuts': PowerCuts, 'clock': Clock, 'kill-and-pause': Mixed,
          'mixed': MixedWithCuts, 'storm': Storm}


# ---- clusters as a shape needs them --------------------------------------------------------------


def clock_library(place):
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clock_jump.c')
    library = os.path.join(place, 'clock_jump.so')
    network.tool('gcc', '-O2', '-shared', '-fPIC', '-o', library, source)
    return library


def with_clocks(cluster, place):
    """Gives each node a clock of its own: {node: what sets it wrong by so many seconds}."""
    library = clock_library(place)
    clocks = {}
    for index, node in enumerate(cluster.nodes):
        file = os.path.join(place, f'clock-{index}')
        with open(file, 'wb') as out:
            out.write(bytes(8))

        def jump(seconds, file=file):
            with open(file, 'r+b') as out:
                out.write(struct.pack('=q', int(seconds * 1e9)))
        node.environment = {'LD_PRELOAD': library, 'CLOCK_JUMP_FILE': file}
        clocks[node] = jump
    return clocks


def is_wrong_by(node, seconds):
    """What its clock says lies between what is true before it is asked and after."""
    before_s = time.time()
    said = node.ask('TIME')
    return said and before_s - 2 < int(said[0]) - seconds < time.time() + 2


@contextlib.contextmanager
def world_for(shape, chance, count, options):
    """A cluster that runs, in what the shape needs."""
    with contextlib.ExitStack() as stack:
        where = lambda i: {}  # noqa: E731
        disks = []
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix='shoal-test-chaos-'))
        if os.environ.get(network.MARK):
            net = stack.enter_context(network.Network())
            where = lambda i: {'place': net.place()}  # noqa: E731
        elif 'network' in shape.needs:
            raise Skip('no network of its own')
        if 'disk' in shape.needs:
            if os.geteuid() != 0:
                raise Skip('mounting a loop device needs root')
            disks = [mounted_disk(stack, place, i) for i in range(count)]
            in_places = where
            where = lambda i: {**in_places(i),  # noqa: E731
                               'directory': os.path.join(disks[i].mount_point, 'data')}
        cluster = stack.enter_context(Cluster(count, options, where=where, start=False))
        world = World(cluster, chance)
        world.disks = dict(zip(cluster.nodes, disks))
        if 'clock' in shape.needs:
            world.clocks = with_clocks(cluster, place)
            world.jump_max_s = chance.choice(CLOCK_JUMPS_MAX_S)
        cluster.start(*range(count))
        cluster.wait_until_formed()
        world.formed = [len(node.log_text()) for node in cluster.nodes]
        yield world


def mounted_disk(stack, place, index):
    directory = os.path.join(place, str(index))
    os.mkdir(directory)
    disk = Disk(directory)
    disk.mount()
    stack.callback(lambda: os.path.ismount(disk.mount_point) and disk.unmount())
    return disk


# ---- one shape -----------------------------------------------------------------------------------


def quorum(node, name):
    return int(node.info('quorum').get(name, -1))


def are_equal(nodes, rounds):
    return all(quorum(node, 'sync_slots_unequal') == 0 and quorum(node, 'sync_hints_pending') == 0
               and quorum(node, 'sync_rounds') >= before + 2
               for node, before in zip(nodes, rounds))


def wait_until_equal(cluster):
    """All digests are, after two more rounds of comparing. How long it took."""
    begin = time.monotonic()
    cluster.wait_until_formed(EQUAL_LIMIT_S)
    rounds = [quorum(node, 'sync_rounds') for node in cluster.nodes]
    wait_for(lambda: are_equal(cluster.nodes, rounds), EQUAL_LIMIT_S, 'the copies are equal')
    return time.monotonic() - begin


def differences(cluster):
    return sum(quorum(node, 'quorum_differences') for node in cluster.nodes)


def who(world, struck):
    """In words."""
    if isinstance(struck, list):
        return ', '.join(who(world, each) for each in struck)
    if isinstance(struck, tuple):
        return f'{type(struck[0]).__name__} {who(world, struck[1])}'
    return f'n{world.nodes.index(struck) + 1}' if struck else ''


def trouble(shape, world, history, seconds):
    """How often it struck."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        world.sleep(0.2, 2)
        history.remark('trouble')
        struck = shape.strike(world)
        history.remark(f'has struck: {type(shape).__name__} {who(world, struck)}')
        count += 1
        try:
            world.sleep(*shape.lasts_s)
        finally:
            history.remark('heals')
            shape.heal(world, struck)
            history.remark('is healed')
    return count


def keep(path, history, shape, world, strict):
    """The history, as the checkers read it, and what the nodes have logged."""
    os.makedirs(KEPT, exist_ok=True)
    slack_s = SLACK_S + 2 * world.jump_max_s  # one clock may be ahead, another behind
    history.write(path, f'slack_us={slack_s * 1e6:.0f}' + ' strict monotonic' * strict
                  + ' undivided' * (not shape.parts and world.is_undivided()))
    for index, node in enumerate(world.nodes):
        shutil.copyfile(node.log, f'{path}.n{index + 1}')


def work(shape, world, history, seconds):
    """The clients' work, amid trouble, and its end: (how often it struck, how long it took until
    the copies were equal)."""
    cluster = world.cluster
    addresses = [(node.host, node.port) for node in cluster.nodes]
    workers = Workers(history, addresses, CLIENTS)
    try:
        count = trouble(shape, world, history, seconds)
    finally:
        workers.stop()
    took_s = wait_until_equal(cluster)
    before = differences(cluster)
    audit(history, addresses, CLIENTS)
    check(differences(cluster) == before, 'copies were not equal: reads have found differences')
    return count, took_s


def hold_shape(name, seconds, seed, nodes=3, strict=False):
    shape = SHAPES[name]()
    chance = random.Random(f'{seed} {name}')
    history = History()
    path = os.path.join(KEPT, f'{name}-{nodes}{"-strict" * strict}-{seed}')
    with world_for(shape, chance, nodes, OPTIONS + STRICT * strict) as world:
        try:
            count, took_s = work(shape, world, history, seconds)
        except AssertionError:
            print(f'# {name}: what was seen so far is in {path}', flush=True)
            raise
        finally:
            keep(path, history, shape, world, strict)
    outcomes, longest_s, errors = history.figures()
    right, verdict = judge(path)
    print(f'# {name}: struck {count} times; {outcomes["done"]} done, '
          f'{outcomes["unknown"]} unknown, {outcomes["refused"]} refused, '
          f'the slowest {longest_s * 1000:.0f} ms; equal after {took_s:.1f} s', flush=True)
    for line in [f'{times} x {error}' for error, times in errors.most_common(4)] + verdict[-3:-1]:
        print(f'#   {line}')
    check(right, f'{path}\n' + '\n'.join(verdict[:10]))
    check(outcomes['done'] >= DONE_LEAST, f'only {outcomes["done"]} commands were done')


# ---- short, among the tests of processes ---------------------------------------------------------


def test_nodes_are_killed_and_stand_still(seconds=6):
    hold_shape('kill-and-pause', seconds, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=60, help='of trouble, for each shape')
    parser.add_argument('--only', default=','.join(SHAPES), help=', '.join(SHAPES))
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--nodes', type=int, default=3, help='with more than 3 there are hints')
    parser.add_argument('--strict', action='store_true', help='no sloppy quorums')
    arguments = parser.parse_args()
    names = arguments.only.split(',')
    for name in names:
        if name not in SHAPES:
            parser.error(f'no such shape: {name} (there are: {", ".join(SHAPES)})')
    reason = network.run_in_own()
    if reason:
        print(f'# No network of its own ({reason}): all nodes on loopback, no link is cut.')
    hold((f'chaos.{name}', functools.partial(hold_shape, name, arguments.seconds, arguments.seed,
                                             arguments.nodes, arguments.strict))
         for name in names)


if __name__ == '__main__':
    sys.exit(main())
