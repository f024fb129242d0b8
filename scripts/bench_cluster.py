#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench_cluster.py [--quick] [--only death|speed|healing]: three nodes of Shoal beside a Redis
Cluster of three masters and three replicas, on this machine, in one run.

death    a node is killed, stopped for 5 s, cut off, under load: which commands failed, how long
         the slowest took, what is lost. A client of Shoal asks the two nodes that live and never
         asks twice: an error is a failure. The client of Redis Cluster knows it, and says a command
         again for up to 30 s: only what then is not done is a failure; tries that it had to
         repeat are counted beside.
speed    operations a second and, above all, CPU time of all server processes per operation
healing  a node is away while keys are written: how long until it has all again
"""

import argparse
import os
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, os.path.join(ROOT, 'tests/process'))
import network  # noqa: E402
import shoal  # noqa: E402
from cluster import Cluster  # noqa: E402
from redis_cluster import RedisCluster, RedisConnection  # noqa: E402
from traffic import Direct, Reader, Traffic, slot_of  # noqa: E402

OPTIONS = ['--appendfsync', 'everysec']
IN_NETWORK = ['--protected-mode', 'no']
SECRET = ['--cluster-secret', 'known to these three nodes and to nobody else']
STOP_S = 5
HEAL_LIMIT_S = 600


def out(text=''):
    print(text, flush=True)


# ---- death of a node -----------------------------------------------------------------------------


class Death:
    """How a node goes away, and comes back."""

    def __init__(self, name, go, back):
        self.name, self.go, self.back = name, go, back


def cut_off(victim, others):
    victim.place.cut([node.place for node in others])


DEATHS = [
    Death('kill -9', lambda victim, others: victim.kill(), lambda victim: victim.start()),
    Death('stopped 5 s', lambda victim, others: victim.process.send_signal(signal.SIGSTOP),
          lambda victim: victim.process.send_signal(signal.SIGCONT)),
    Death('link cut', cut_off, lambda victim: victim.place.heal()),
]
DEATH_HEAD = (f'{"":<30}{"commands":>10}{"failed":>8}{"repeated":>9}{"longest ms: before":>20}'
              f'{"in fault":>10}{"stale":>7}{"lost":>6}  lacks')


def phases(traffic, death, victim, others, calm_s, fault_s):
    """Calm, then the fault: the figures of both. A fault that is short is over within its phase."""
    time.sleep(calm_s)
    calm = traffic.next_phase()
    death.go(victim, others)
    if 'stopped' in death.name:
        time.sleep(STOP_S)
        death.back(victim)
        fault_s = max(fault_s - STOP_S, 2)
    time.sleep(fault_s)
    return calm


def tell_death(name, calm, traffic, total, lost, repeated, lacks):
    fault = traffic.sum_of(traffic.phases[-1])
    out(f'{name:<30}{fault.done:>10}{fault.failed:>8}{repeated:>9}{calm.longest_s * 1000:>20.0f}'
        f'{fault.longest_s * 1000:>10.0f}{total.stale:>7}{lost:>6}  {lacks}')
    for error, count in total.errors.most_common(3):
        out(f'    {count} x {error}')
    for line in total.faults[:3]:
        out(f'    FAULT {line}')


def hints_are_in(nodes):
    infos = [node.info('quorum') for node in nodes]
    return all(info and int(info['sync_hints_pending']) == 0 for info in infos)


def lacks_alone(cluster, victim, others, traffic):
    """What the node that came back lacks right after its hints are in: the others are killed, and
    it is asked alone. Then they come again."""
    begin = time.monotonic()
    shoal.wait_for(lambda: hints_are_in(others), HEAL_LIMIT_S, 'hints are in')
    seconds = time.monotonic() - begin
    for node in others:
        node.kill()
    for node in others:
        cluster.wait_until_seen_down(cluster.nodes.index(node))
    with Reader(victim, 1) as reader:
        lacks = [fault for fault in traffic.verify(reader) if fault.startswith('lost')]
    for node in others:
        node.start()
    cluster.wait_until_formed()
    return f'{len(lacks)} keys, hints in after {seconds:.1f} s'


def death_of_shoal(death, net, calm_s, fault_s):
    more = IN_NETWORK + SECRET if net else []
    with Cluster(3, OPTIONS + more,
                 where=lambda i: {'place': net.place()} if net else {}) as cluster:
        victim, others = cluster[2], cluster.nodes[:2]
        addresses = [(node.host, node.port) for node in others]
        traffic = Traffic(lambda i: Direct(addresses, i))
        try:
            calm = phases(traffic, death, victim, others, calm_s, fault_s)
        finally:
            total = traffic.end()
        if 'stopped' not in death.name:
            death.back(victim)
        lacks = lacks_alone(cluster, victim, others, traffic)
        with Reader(cluster[0], 2) as reader:
            lost = traffic.verify(reader)
        tell_death(f'Shoal, {death.name}', calm, traffic, total, len(lost), 0, lacks)
        for line in lost[:3]:
            out(f'    {line}')


def death_of_redis(death, net, timeout_ms, calm_s, fault_s):
    options = [*OPTIONS, '--cluster-node-timeout', timeout_ms, *(IN_NETWORK if net else [])]
    with RedisCluster(3, options, place=net.place if net else lambda: None) as cluster:
        victim, others = cluster[0], cluster.nodes[1:]
        connections = []

        def connect(_):
            connections.append(RedisConnection(cluster))
            return connections[-1]
        traffic = Traffic(connect)
        try:
            calm = phases(traffic, death, victim, others, calm_s, fault_s)
        finally:
            total = traffic.end()
        if 'stopped' not in death.name:
            death.back(victim)
        shoal.wait_for(cluster.is_whole, 120, 'the cluster is whole again')
        reader = RedisConnection(cluster)
        lost = traffic.verify(reader)
        reader.close()
        repeated = sum(connection.refused for connection in connections)
        tell_death(f'Redis {timeout_ms / 1000:g} s, {death.name}', calm, traffic, total, len(lost),
                   repeated, '')
        for line in lost[:2]:
            out(f'    {line}')


def bench_death(arguments, why_no_network):
    calm_s, fault_s = (2, 5) if arguments.quick else (10, 30)
    out('Death of a node: 8 clients, half SET of values of which no two are equal, half GET; '
        '4000 keys')
    out(DEATH_HEAD)
    for death in DEATHS:
        if death.name == 'link cut' and why_no_network:
            out(f'{death.name}: skipped, no network of its own: {why_no_network}')
            continue
        contests = [lambda net, d=death: death_of_shoal(d, net, calm_s, fault_s)]
        for timeout_ms in (1000, 15000):
            if timeout_ms == 15000 and arguments.quick:
                continue  # its default, which takes a while
            seconds = max(fault_s, timeout_ms / 1000 * 1.5 + 3)
            contests.append(lambda net, d=death, t=timeout_ms, s=seconds:
                            death_of_redis(d, net, t, calm_s, s))
        for contest in contests:
            if death.name == 'link cut':
                with network.Network() as net:
                    contest(net)
            else:
                contest(None)
    out()


# ---- speed ---------------------------------------------------------------------------------------


class Pump:
    """Sends batches on many connections, each as soon as the one before is answered, as fast as it
    goes. All answers of a batch together have a known size: only their bytes are counted, so that
    this side costs little."""

    def __init__(self, addresses, batch, answer_size, connections):
        self.batch, self.answer_size = batch, answer_size
        self.poll = selectors.DefaultSelector()
        self.done = 0  # batches
        for i in range(connections):
            link = socket.create_connection(addresses[i % len(addresses)])
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.poll.register(link, selectors.EVENT_READ, [i % len(addresses), answer_size])

    def run(self, is_over):
        for key in list(self.poll.get_map().values()):
            key.fileobj.sendall(self.batch(key.data[0]))
        open_ones = len(self.poll.get_map())
        while open_ones:
            for key, _ in self.poll.select(30):
                got = key.fileobj.recv(1 << 16)
                shoal.check(got and b'-' not in got, f'an error: {got[:200]}')
                key.data[1] -= len(got)
                if key.data[1]:
                    continue
                self.done += 1
                if is_over():
                    self.poll.unregister(key.fileobj)
                    key.fileobj.close()
                    open_ones -= 1
                else:
                    key.data[1] = self.answer_size
                    key.fileobj.sendall(self.batch(key.data[0]))


def cpu_of(nodes):
    return sum(node.cpu_seconds() for node in nodes)


def redis_benchmark(nodes, words, pipeline, requests):
    """(operations a second, CPU microseconds of all servers per operation)."""
    before = cpu_of(nodes)
    # Four keys in each slot: {tag} becomes one that the asked node has.
    done = subprocess.run(
        ['redis-benchmark', '--cluster', '-p', str(nodes[0].port), '-c', '48', '-n', str(requests),
         '-P', str(pipeline), '-r', '4', *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    cpu = cpu_of(nodes) - before
    rate = re.search(r'throughput summary: ([\d.]+)', done.stdout)
    if done.returncode or not rate or 'rror' in done.stdout:
        sys.exit(f'bench_cluster: redis-benchmark: {done.stdout[-2000:]}')
    p99 = re.search(r'latency summary .*\n.*\n\s*' + r'\S+\s+' * 4 + r'(\S+)', done.stdout)
    return float(rate[1]), cpu * 1e6 / requests, float(p99[1]) if p99 else 0


def set_and_wait(cluster, size, pipeline, requests):
    """SETs, then WAIT until one replica has them."""
    masters = cluster.nodes[:cluster.masters]
    names = [[] for _ in masters]
    number = 0
    while min(len(each) for each in names) < 2000:
        number += 1
        names[min(slot_of(f'wait:{number}') * 3 // 16384, 2)].append(f'wait:{number}')
    value = 'x' * size
    turns = [0] * len(masters)

    def batch(master):
        parts = []
        for _ in range(pipeline):
            turns[master] = (turns[master] + 1) % 2000
            parts.append(shoal.encode('SET', names[master][turns[master]], value))
        return b''.join(parts) + shoal.encode('WAIT', 1, 0)
    pump = Pump([(node.host, node.port) for node in masters], batch,
                len('+OK\r\n') * pipeline + len(':1\r\n'), 48)
    before, begin = cpu_of(cluster.nodes), time.monotonic()
    pump.run(lambda: pump.done * pipeline >= requests)
    seconds = time.monotonic() - begin
    count = pump.done * pipeline
    return count / seconds, (cpu_of(cluster.nodes) - before) * 1e6 / count, 0


def measure_speed(ours, theirs, size, pipeline, requests):
    """{name: (ops/s, CPU us, p99 ms)} of one repetition."""
    key = 'key:{tag}:__rand_int__'
    put, get = ['SET', key, 'x' * size], ['GET', key]
    found = {}
    for name, cluster in (('Shoal', ours), ('Redis', theirs)):
        found[name, 'SET'] = redis_benchmark(cluster.nodes, put, pipeline, requests)
    found['Redis WAIT 1', 'SET'] = set_and_wait(theirs, size, pipeline, requests)
    for copies in (2, 1):
        for node in ours.nodes:
            node.ask('CONFIG', 'SET', 'read-quorum', copies)
        name = f'Shoal R={copies}'
        found[name, 'GET'] = redis_benchmark(ours.nodes, get, pipeline, requests)
    for node in ours.nodes:
        node.ask('CONFIG', 'SET', 'read-quorum', 2)
    found['Redis', 'GET'] = redis_benchmark(theirs.nodes, get, pipeline, requests)
    return found


def tell_speed(repetitions, size, pipeline):
    def median(name, what, index):
        return statistics.median(found[name, what][index] for found in repetitions)

    for name, what in repetitions[0]:
        rivals = ('Redis', 'Redis WAIT 1') if what == 'SET' else ('Redis',)
        ratios = ''
        if name.startswith('Shoal'):
            for rival in rivals:
                ratios += (f'  {median(name, what, 0) / median(rival, what, 0):.2f} ops, '
                           f'{median(name, what, 1) / median(rival, what, 1):.2f} CPU of {rival};')
        p99 = median(name, what, 2)
        out(f'{what} {size:>4} B{pipeline:>4}  {name:<14}{median(name, what, 0):>10.0f}'
            f'{median(name, what, 1):>11.2f}{f"{p99:.2f}" if p99 else "-":>9}{ratios}')


def bench_speed(arguments):
    repetitions = 1 if arguments.quick else 3
    out('Speed: 48 clients, redis-benchmark --cluster; Shoal: 3 nodes, N=3 W=2; Redis Cluster: 3 '
        f'masters, 3 replicas; all with appendfsync everysec; median of {repetitions}')
    out(f'{"":<10}{"-P":>4}  {"":<14}{"ops/s":>10}{"CPU us/op":>11}{"p99 ms":>9}  ratios')
    with Cluster(3, OPTIONS) as ours, RedisCluster(3, OPTIONS) as theirs:
        for size in (64, 1024):
            for cluster in (ours, theirs):  # all keys are there
                redis_benchmark(cluster.nodes, ['SET', 'key:{tag}:__rand_int__', 'x' * size], 16,
                                200_000)
            for pipeline in (1, 16):
                requests = (60_000 if arguments.quick else 200_000) * min(pipeline, 4)
                tell_speed([measure_speed(ours, theirs, size, pipeline, requests)
                            for _ in range(repetitions)], size, pipeline)
    out()


# ---- healing -------------------------------------------------------------------------------------


def pump_sets(nodes, keys, is_over, batch=100):
    """Each key in turn."""
    turn = [0]
    value = b'v' * 64

    def commands(_):
        begin = turn[0]
        turn[0] += batch
        return b''.join(shoal.encode('SET', f'heal:{i % keys}', value)
                        for i in range(begin, begin + batch))
    pump = Pump([(node.host, node.port) for node in nodes], commands, len('+OK\r\n') * batch, 8)
    pump.run(lambda: is_over(pump.done * batch))
    return pump.done * batch


def is_equal(nodes, rounds):
    """No slot differs, and all have compared everything twice since."""
    infos = [node.info('quorum') for node in nodes]
    return all(info and int(info['sync_slots_unequal']) == 0
               and int(info['sync_hints_pending']) == 0
               and int(info['sync_rounds']) >= before + 2 for info, before in zip(infos, rounds))


def bench_healing(arguments):
    keys = arguments.keys or (100_000 if arguments.quick else 1_000_000)
    away_s = arguments.away or (5 if arguments.quick else 60)
    with Cluster(3, OPTIONS) as cluster:
        begin = time.monotonic()
        pump_sets(cluster.nodes, keys, lambda done: done >= keys)
        out(f'Healing: {keys} keys of 64 B, loaded in {time.monotonic() - begin:.1f} s; one node '
            f'away for {away_s} s of writes')
        victim, others = cluster[2], cluster.nodes[:2]
        victim.stop()
        end = time.monotonic() + away_s
        written = pump_sets(others, keys, lambda _: time.monotonic() > end)
        pending = max(int(node.info('quorum')['sync_hints_pending']) for node in others)
        before = cpu_of(others)
        begin = time.monotonic()
        victim.start()
        started = time.monotonic() - begin
        shoal.wait_for(lambda: hints_are_in(others), HEAL_LIMIT_S, 'hints are in')
        hints = time.monotonic() - begin
        rounds = [int(node.info('quorum')['sync_rounds']) for node in cluster.nodes]
        shoal.wait_for(lambda: is_equal(cluster.nodes, rounds), HEAL_LIMIT_S, 'digests are equal')
        equal = time.monotonic() - begin
        cpu = cpu_of(others) - before + victim.cpu_seconds()
        figures = victim.info('quorum')
        out(f'  {written} writes meanwhile, {pending} keys hinted at most by one node; it answers '
            f'after {started:.1f} s, hints in after {hints:.1f} s, digests equal (and twice '
            f'compared) after {equal:.1f} s;\n  CPU of all: {cpu:.1f} s; keys that it pulled: '
            f'{figures["sync_keys_pulled"]}')
    out()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='fewer requests, keys, seconds')
    parser.add_argument('--only', choices=['death', 'speed', 'healing'])
    parser.add_argument('--keys', type=int, default=0, help='of healing')
    parser.add_argument('--away', type=int, default=0, help='seconds of healing')
    arguments = parser.parse_args()
    why_no_network = network.run_in_own()
    if not why_no_network:
        network.tool('ip', 'link', 'set', 'lo', 'up')
    os.chdir(ROOT)
    if arguments.only in (None, 'death'):
        bench_death(arguments, why_no_network)
    if arguments.only in (None, 'speed'):
        bench_speed(arguments)
    if arguments.only in (None, 'healing'):
        bench_healing(arguments)


if __name__ == '__main__':
    main()
