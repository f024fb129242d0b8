# SPDX-License-Identifier: MIT
"""What watches a server and shows it to people: Prometheus's exporter, and the calls that the
program RedisInsight makes."""

import re
import urllib.request

import program
from shoal import Server, ServerError, check, free_port, wait_for

# What dashboards and alerts are made of. A value is a pattern; None: any number.
METRICS = {
    'redis_up': '1',
    'redis_exporter_last_scrape_error{err=""}': '0',
    'redis_uptime_in_seconds': None,
    'redis_start_time_seconds': None,
    'redis_connected_clients': r'[1-9]\d*',
    'redis_blocked_clients': '0',
    'redis_rejected_connections_total': '0',
    'redis_connections_received_total': None,
    'redis_config_maxclients': '10000',
    'redis_config_maxmemory': r'2\.097152e\+08',
    'redis_memory_used_bytes': None,
    'redis_memory_used_rss_bytes': None,
    'redis_memory_used_peak_bytes': None,
    'redis_memory_max_bytes': r'2\.097152e\+08',
    'redis_mem_fragmentation_ratio': None,
    'redis_commands_processed_total': None,
    'redis_commands_total{cmd="get"}': '3',
    'redis_commands_total{cmd="set"}': '20',
    'redis_commands_duration_seconds_total{cmd="get"}': None,
    'redis_commands_failed_calls_total{cmd="incr"}': '1',
    'redis_errors_total{err="ERR"}': '1',
    'redis_latency_percentiles_usec_count{cmd="get"}': '3',
    'redis_keyspace_hits_total': '2',
    'redis_keyspace_misses_total': '1',
    'redis_db_keys{db="db0"}': '20',
    'redis_db_keys{db="db1"}': '0',
    'redis_db_keys_expiring{db="db0"}': '1',
    'redis_db_avg_ttl_seconds{db="db0"}': None,
    'redis_expired_keys_total': '0',
    'redis_evicted_keys_total': '0',
    'redis_net_input_bytes_total': None,
    'redis_net_output_bytes_total': None,
    'redis_cpu_sys_seconds_total': None,
    'redis_cpu_user_seconds_total': None,
    'redis_slowlog_length': '1',
    'redis_slowlog_last_id': '0',
    'redis_last_slow_execution_duration_seconds': None,
    'redis_loading_dump_file': '0',
    'redis_connected_slaves': '0',
    'redis_master_repl_offset': None,
    'redis_rdb_last_bgsave_status': '1',
    'redis_rdb_changes_since_last_save': None,
    'redis_rdb_last_save_timestamp_seconds': None,
    'redis_aof_enabled': '1',
    'redis_aof_last_write_status': '1',
    'redis_pubsub_channels': '0',
    'redis_pubsub_patterns': '0',
    'redis_cluster_enabled': '0',
}
NUMBER = r'-?[0-9.]+(e[+-]\d+)?'


def scrape(port):
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=30) as reply:
        return reply.read().decode()


class Exporter(program.Background):
    def __init__(self, server, password=''):
        path = program.found('prometheus-redis-exporter', 'prometheus-redis-exporter')
        self.port = free_port()
        super().__init__(
            [path, '-redis.addr', f'redis://127.0.0.1:{server.port}',
             '-web.listen-address', f'127.0.0.1:{self.port}', '-export-client-list',
             '-check-single-keys', 'key:7'],
            environment={'REDIS_PASSWORD': password})

    def metrics(self):
        def scraped():
            self.check_runs()
            try:
                return scrape(self.port)
            except OSError:
                return None
        text = wait_for(scraped, what='metrics')
        return dict(line.rsplit(' ', 1) for line in text.splitlines() if not line.startswith('#'))


def test_prometheus_exporter():
    with Server(['--slowlog-log-slower-than', '-1']) as server, server.client() as client:
        client.call('CONFIG', 'SET', 'maxmemory', '200mb')
        for i in range(20):
            client.call('SET', f'key:{i}', 'word', *(['EX', 1000] if i == 7 else []))
        for name in ('key:1', 'key:2', 'none'):
            client.call('GET', name)
        client.send('INCR', 'key:1')
        client.read()
        client.call('CONFIG', 'SET', 'slowlog-log-slower-than', 0)
        client.call('CONFIG', 'SET', 'slowlog-log-slower-than', -1)
        with Exporter(server) as exporter:
            metrics = exporter.metrics()
            wrong = [f'{name}: {metrics.get(name, "not there")}, expected {value or "a number"}'
                     for name, value in METRICS.items()
                     if not re.fullmatch(value or NUMBER, metrics.get(name, ''))]
            check(not wrong, 'metrics:\n' + '\n'.join(wrong))
            check(any(name.startswith('redis_instance_info{') and 'role="master"' in name
                      for name in metrics), 'redis_instance_info')
            check(any(name.startswith('redis_key_size{') for name in metrics), 'a key looked at')
            exporter.metrics()
            said = exporter.said()
            check('level=error' not in said and 'err' not in said, f'its log: {said}')


def test_prometheus_exporter_with_a_password():
    with Server(['--requirepass', 'sesame']) as server:
        with Exporter(server, 'sesame') as exporter:
            check(exporter.metrics()['redis_up'] == '1', 'with it')
        with Exporter(server, 'wrong') as exporter:
            check(exporter.metrics()['redis_up'] == '0', 'with a wrong one')


class Raised:
    """The reply is an error that begins so."""

    def __init__(self, text):
        self.text = text


def has(*lines):
    return lambda reply: all(line in reply.decode() for line in lines)


def fields(reply):
    return dict(zip(reply[::2], reply[1::2]))


# What RedisInsight sends when a database is added, opened, its keys are browsed and its tools used,
# and what it needs of the reply.
CALLS = [
    ('CLIENT SETNAME redisinsight-common-1', b'OK'),
    ('INFO', has('redis_version:7.', 'redis_mode:standalone', '# Server', '# Clients', '# Memory',
                 '# Persistence', '# Stats', '# Replication', '# CPU', '# Cluster', '# Keyspace')),
    ('INFO server', has('uptime_in_seconds:', 'run_id:', 'os:', 'process_id:', 'executable:')),
    ('INFO clients', has('connected_clients:1', 'maxclients:')),
    ('INFO memory', has('used_memory:', 'maxmemory:', 'number_of_cached_scripts:0')),
    ('INFO stats', has('instantaneous_ops_per_sec:', 'instantaneous_input_kbps:',
                       'instantaneous_output_kbps:', 'keyspace_hits:')),
    ('INFO replication', has('role:master', 'connected_slaves:0')),
    ('INFO cpu', has('used_cpu_sys:', 'used_cpu_user:')),
    ('INFO keyspace', has('db0:keys=3,expires=1')),
    ('CLUSTER INFO', Raised('ERR This instance has cluster support disabled')),
    ('CLUSTER NODES', Raised('ERR This instance has cluster support disabled')),
    ('SENTINEL MASTERS', Raised("ERR unknown command 'SENTINEL'")),
    ('MODULE LIST', []),
    ('COMMAND INFO json.get ft.search', [None, None]),
    ('COMMAND COUNT', lambda reply: reply > 50),
    ('COMMAND', lambda reply: any(entry[0] == b'get' for entry in reply)),
    ('ACL WHOAMI', b'default'),
    ('CONFIG GET databases', [b'databases', b'16']),
    ('CONFIG GET maxmemory-policy', [b'maxmemory-policy', b'noeviction']),
    ('CLIENT LIST', has('name=redisinsight-common-1')),
    ('DBSIZE', 3),
    ('SELECT 1', b'OK'),
    ('DBSIZE', 0),
    ('SELECT 0', b'OK'),
    ('SCAN 0 MATCH * COUNT 10000', lambda reply: len(reply[1]) == 3 and reply[0] == b'0'),
    ('SCAN 0 MATCH user:* COUNT 10000 TYPE string', lambda reply: len(reply[1]) == 2),
    ('SCAN 0 MATCH * COUNT 10000 TYPE hash', [b'0', []]),
    ('TYPE user:1', b'string'),
    ('TTL user:1', -1),
    ('PTTL user:2', lambda reply: 0 < reply <= 100_000),
    ('OBJECT ENCODING user:1', b'embstr'),
    ('OBJECT IDLETIME user:1', lambda reply: reply >= 0),
    ('MEMORY USAGE user:1 SAMPLES 0', lambda reply: reply > 0),
    ('MEMORY USAGE none SAMPLES 0', None),
    ('STRLEN user:1', 5),
    ('GET user:1', b'Alice'),
    ('GETRANGE user:1 0 2', b'Ali'),
    ('SETRANGE user:1 0 E', 5),
    ('EXPIRE user:1 100', 1),
    ('PERSIST user:1', 1),
    ('RENAMENX user:1 user:3', 1),
    ('RENAMENX user:3 user:2', 0),
    ('DUMP user:3', lambda reply: len(reply) > 10),
    ('UNLINK user:3', 1),
    ('SLOWLOG GET 50', lambda reply: len(reply) == 1 and reply[0][3][0] == b'GET'),
    ('SLOWLOG LEN', 1),
    ('SLOWLOG RESET', b'OK'),
    ('CONFIG GET slowlog*', lambda reply: {b'slowlog-max-len', b'slowlog-log-slower-than'} ==
     set(fields(reply))),
    ('CONFIG SET slowlog-max-len 100', b'OK'),
    ('LATENCY LATEST', []),
    ('LATENCY RESET', 0),
    ('MEMORY DOCTOR', lambda reply: len(reply) > 0),
    ('MEMORY STATS', lambda reply: b'total.allocated' in fields(reply)),
    ('FT._LIST', Raised("ERR unknown command 'FT._LIST'")),
]


def suits(reply, wanted):
    if callable(wanted):
        return wanted(reply)
    return reply == wanted


def test_the_calls_of_redisinsight():
    with Server(['--slowlog-log-slower-than', '-1']) as server, server.client() as client:
        client.call('MSET', 'user:1', 'Alice', 'user:2', 'Bob', 'other', 'x')
        client.call('EXPIRE', 'user:2', 100)
        client.call('CONFIG', 'SET', 'slowlog-max-len', 1)
        client.call('CONFIG', 'SET', 'slowlog-log-slower-than', 0)
        client.call('GET', 'user:1')
        client.call('CONFIG', 'SET', 'slowlog-log-slower-than', -1)
        wrong = []
        for call, wanted in CALLS:
            try:
                reply = client.call(*call.split())
                good = not isinstance(wanted, Raised) and suits(reply, wanted)
            except ServerError as error:
                reply = error
                good = isinstance(wanted, Raised) and str(error).startswith(wanted.text)
            if not good:
                wrong.append(f'{call}: {reply!r:.300}')
        check(not wrong, 'replies:\n' + '\n'.join(wrong))
