# SPDX-License-Identifier: MIT
"""redis-py, a client that others wrote for Redis, used as its users use it."""

import datetime
import time

from shoal import Server, Skip, check, skip_cluster, wait_for

try:
    import redis
except ImportError:
    redis = None


def connect(server, **more):
    if not redis:
        raise Skip('redis-py is not installed (python3-redis)')
    return redis.Redis(port=server.port, **more)


def fails(kind, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except kind as error:
        return str(error)
    raise AssertionError(f'{call.__name__}{arguments} went well')


def test_redis_py_strings():
    with Server() as server, connect(server, decode_responses=True) as client:
        check(client.ping() and client.echo('words') == 'words', 'PING and ECHO')
        check(client.set('k', 'ä value', ex=100) and client.get('k') == 'ä value', 'SET and GET')
        check(0 < client.ttl('k') <= 100 and 0 < client.pttl('k') <= 100_000, 'TTL')
        check(client.set('k', 'no', nx=True) is None and client.set('new', 'no', xx=True) is None,
              'conditions')
        check(client.set('k', 'next', keepttl=True, get=True) == 'ä value', 'SET GET')
        check(client.persist('k') and client.ttl('k') == -1 and client.ttl('none') == -2, 'no TTL')
        check(client.mset({'a': 1, 'b': 2}) and client.mget('a', 'none', 'b') == ['1', None, '2'],
              'MSET and MGET')
        check(client.incr('a', 41) == 42 and client.decr('a') == 41, 'INCRBY and DECR')
        check(client.append('b', '345') == 4 and client.strlen('b') == 4, 'APPEND')
        check(client.getrange('b', 1, 2) == '34' and client.setrange('b', 6, 'x') == 7, 'ranges')
        check(client.getdel('a') == '41' and client.exists('a', 'b', 'b') == 2, 'GETDEL, EXISTS')
        check(client.type('b') == 'string' and client.type('none') == 'none', 'TYPE')
        check(client.expire('b', 100) and client.expiretime('b') > 0, 'EXPIRE')
        check(client.getex('b', persist=True) and client.ttl('b') == -1, 'GETEX')
        check(client.delete('b', 'k', 'none') == 2 and client.dbsize() == 0, 'DEL')
        words = fails(redis.ResponseError, client.execute_command, 'NOSUCH', 'x')
        check("unknown command 'NOSUCH'" in words, 'an unknown command')
        client.set('word', 'abc')
        check('not an integer' in fails(redis.ResponseError, client.incr, 'word'), 'an error')


def test_redis_py_binary_and_pipelines():
    everything = bytes(range(256)) * 500
    with Server() as server, connect(server) as client:
        check(client.set(everything[:600], everything), 'any bytes')
        check(client.get(everything[:600]) == everything, 'come back')
        pipe = client.pipeline(transaction=False)
        for i in range(10_000):
            pipe.set(f'key:{i}', i).get(f'key:{i}')
        replies = pipe.execute()
        check(replies[1::2] == [b'%d' % i for i in range(10_000)], 'a pipeline')
        check(set(client.scan_iter('key:*', count=1000)) == {b'key:%d' % i for i in range(10_000)},
              'all of them in a scan')
        check(len(client.keys('key:99*')) == 111, 'KEYS')
        pipe = client.pipeline(transaction=False)
        pipe.set('a', 'x').incr('a').get('a')
        replies = pipe.execute(raise_on_error=False)
        check(isinstance(replies[1], redis.ResponseError) and replies[2] == b'x', 'an error in it')
        check(client.flushall() and client.dbsize() == 0, 'FLUSHALL')


def test_redis_py_asks_about_the_server():
    skip_cluster('each node counts and notes what it runs')
    with Server() as server, connect(server, client_name='tester') as client:
        client.set('k', 'v', ex=1000)
        client.get('k')
        client.get('none')
        info = client.info()
        check(info['redis_version'].startswith('7.') and info['tcp_port'] == server.port, 'INFO')
        check(info['db0']['keys'] == 1 and info['db0']['expires'] == 1, 'keyspace')
        check(info['keyspace_hits'] == 1 and info['keyspace_misses'] == 1, 'hits and misses')
        check(client.config_get('maxmem*')['maxmemory-policy'] == 'noeviction', 'CONFIG GET')
        check(client.config_set('timeout', 100), 'CONFIG SET')
        check(client.config_get('timeout') == {'timeout': '100'}, 'and what it did')
        check(client.client_getname() in ('tester', b'tester'), 'a name')
        mine = [entry for entry in client.client_list() if entry['id'] == str(client.client_id())]
        check(len(mine) == 1 and mine[0]['name'] == 'tester', 'CLIENT LIST')
        check(client.client_info()['id'] == client.client_id(), 'CLIENT INFO')
        check(client.command_count() == len(client.command()), 'COMMAND')
        check(client.command_getkeys('MSET', 'a', 1, 'b', 2) in ([b'a', b'b'], ['a', 'b']),
              'GETKEYS')
        check(client.time()[0] > 1_500_000_000, 'TIME')


def test_redis_py_passwords_and_databases():
    with Server(['--requirepass', 'sesame']) as server:
        with connect(server) as client:
            fails(redis.AuthenticationError, client.get, 'k')
        with connect(server, password='wrong') as client:
            check('WRONGPASS' in fails(redis.ResponseError, client.get, 'k'), 'refused in words')
        with connect(server, username='default', password='sesame', db=3) as client:
            client.set('k', 'three')
        with redis.Redis.from_url(f'redis://:sesame@127.0.0.1:{server.port}/3') as client:
            check(client.get('k') == b'three', 'from the same database')
        with redis.Redis.from_url(f'redis://:sesame@127.0.0.1:{server.port}/0') as client:
            check(client.get('k') is None, 'not from another')


def test_redis_py_connects_again():
    with Server() as server, connect(server, health_check_interval=1) as client, \
            connect(server) as other:
        client.set('k', 1)
        check(other.client_kill_filter(_id=str(client.client_id()), skipme=False) == 1, 'killed')
        check(client.get('k') == b'1', 'connected again')
        server.restart()
        check(client.get('k') == b'1', 'after a restart')


def test_redis_py_every_string_command():
    skip_cluster('keys of one command must be in one slot')
    with Server() as server, connect(server, decode_responses=True) as client:
        check(client.setnx('k', 'abc') and not client.setnx('k', 'no'), 'SETNX')
        check(client.getset('k', 'abcdef') == 'abc', 'GETSET')
        check(client.setex('e', 100, 'x') and client.psetex('p', 100_000, 'x'), 'SETEX, PSETEX')
        check(0 < client.ttl('e') <= 100 and 0 < client.pttl('p') <= 100_000, 'and their time')
        check(client.msetnx({'m1': 1, 'm2': 2}) and not client.msetnx({'m2': 3, 'm3': 3}), 'MSETNX')
        check(client.incrbyfloat('f', 1.25) == 1.25 and client.incrbyfloat('f', -0.25) == 1.0,
              'INCRBYFLOAT')
        check(client.incrby('n', 5) == 5 and client.decrby('n', 2) == 3, 'INCRBY, DECRBY')
        check(client.substr('k', 1, 2) == 'bc', 'SUBSTR')
        client.mset({'l1': 'ohmytext', 'l2': 'mynewtext'})
        check(client.execute_command('LCS', 'l1', 'l2') == 'mytext', 'LCS')
        check(client.execute_command('LCS', 'l1', 'l2', 'LEN') == 6, 'LCS LEN')
        check(client.getex('k', ex=50) == 'abcdef' and 0 < client.ttl('k') <= 50, 'GETEX EX')
        when = datetime.datetime.now() + datetime.timedelta(hours=1)
        check(client.set('k', 'x', exat=when) and 3500 < client.ttl('k') <= 3600, 'SET EXAT')
        check(client.set('k', 'x', pxat=int(time.time() * 1000) + 90_000), 'SET PXAT')
        check(80 < client.ttl('k') <= 90, 'and its time')


def test_redis_py_bits():
    with Server() as server, connect(server, decode_responses=True) as client:
        check(client.setbit('b', 7, 1) == 0 and client.getbit('b', 7) == 1, 'SETBIT, GETBIT')
        client.set('a', b'\xff\xf0\x00')
        check(client.bitcount('a') == 12 and client.bitcount('a', 1, 2) == 4, 'BITCOUNT')
        check(client.bitcount('a', 8, 9, 'BIT') == 2, 'of bits')
        check(client.bitpos('a', 0) == 12 and client.bitpos('a', 1, 2) == -1, 'BITPOS')
        check(client.bitpos('a', 0, 0, 3, 'BIT') == -1, 'of bits')
        check(client.bitop('NOT', 'd', 'a') == 3 and client.bitcount('d') == 12, 'BITOP NOT')
        check(client.bitop('XOR', 'd', 'a', 'd') == 3 and client.bitcount('d') == 24, 'BITOP XOR')
        field = client.bitfield('f').set('u8', '#1', 255).incrby('i5', 0, 3).get('u8', 8)
        check(field.execute() == [0, 3, 255], 'BITFIELD')
        field = client.bitfield('f', 'FAIL').incrby('u8', '#1', 1)
        check(field.execute() == [None], 'OVERFLOW FAIL')
        check(client.execute_command('BITFIELD_RO', 'f', 'GET', 'u8', 8) == [255], 'BITFIELD_RO')


def test_redis_py_every_key_command():
    skip_cluster('keys of one command must be in one slot')
    with Server() as server, connect(server) as client, connect(server, db=1) as other:
        client.mset({'a': 'value', 'b': 'x'})
        check(client.copy('a', 'c') and not client.copy('a', 'c'), 'COPY')
        check(client.copy('a', 'c', destination_db=1, replace=True) and other.get('c') == b'value',
              'COPY DB REPLACE')
        check(client.move('b', 1) and other.get('b') == b'x' and not client.exists('b'), 'MOVE')
        check(client.rename('c', 'd') and client.get('d') == b'value', 'RENAME')
        check(not client.renamenx('d', 'a') and client.renamenx('d', 'e'), 'RENAMENX')
        check('no such key' in fails(redis.ResponseError, client.rename, 'none', 'x'), 'no key')
        payload = client.dump('a')
        check(client.restore('r', 50_000, payload) and client.get('r') == b'value', 'RESTORE')
        check(0 < client.pttl('r') <= 50_000, 'its time')
        check('BUSYKEY' in fails(redis.ResponseError, client.restore, 'r', 0, payload), 'BUSYKEY')
        check(client.restore('r', 0, payload, replace=True) and client.ttl('r') == -1, 'REPLACE')
        check('checksum' in fails(redis.ResponseError, client.restore, 'q', 0, payload[:-1] + b'x'),
              'a damaged one')
        check(client.randomkey() in (b'a', b'e', b'r'), 'RANDOMKEY')
        check(client.touch('a', 'none', 'e') == 2 and client.unlink('e', 'none') == 1, 'TOUCH')
        check(client.object('encoding', 'a') == b'embstr', 'OBJECT ENCODING')
        check(client.object('refcount', 'a') == 1 and client.object('idletime', 'a') >= 0, 'OBJECT')
        check(client.expire('a', 100, nx=True) and not client.expire('a', 100, nx=True), 'NX')
        check(client.expire('a', 200, gt=True) and not client.expire('a', 300, lt=True), 'GT, LT')
        now = int(time.time())
        check(client.expireat('a', now + 100) and client.expiretime('a') == now + 100, 'EXPIREAT')
        check(client.pexpireat('a', now * 1000 + 5) is not None, 'PEXPIREAT')
        check(client.pexpire('r', 9000) and client.pexpiretime('r') > now * 1000, 'PEXPIRETIME')
        check(client.swapdb(0, 1) and client.get('b') == b'x' and other.exists('r'), 'SWAPDB')
        check(client.wait(0, 10) == 0, 'WAIT')
        check(client.flushdb(asynchronous=True) and other.dbsize() > 0, 'FLUSHDB ASYNC')


def test_redis_py_every_server_command():
    skip_cluster('each node counts and notes what it runs')
    with Server() as server, connect(server, decode_responses=True) as client:
        check(client.acl_whoami() == 'default' and client.acl_users() == ['default'], 'ACL')
        check('string' in client.acl_cat() and 'get' in client.acl_cat('string'), 'ACL CAT')
        check(client.acl_list()[0].startswith('user default on'), 'ACL LIST')
        check(client.role()[0] == 'master', 'ROLE')
        check(client.module_list() == [], 'MODULE LIST')
        check(abs(client.lastsave().timestamp() - time.time()) < 100, 'LASTSAVE')
        check(client.save() and isinstance(client.lastsave(), datetime.datetime), 'SAVE')
        check(client.bgsave() and client.bgrewriteaof(), 'BGSAVE, BGREWRITEAOF')
        check('version' in client.lolwut().lower() or 'ver' in client.lolwut(), 'LOLWUT')
        client.set('k', 'x' * 1000)
        check(client.memory_usage('k', samples=0) >= 1000 and client.memory_usage('no') is None,
              'MEMORY USAGE')
        check(client.memory_stats()['keys.count'] == 1, 'MEMORY STATS')
        check(client.memory_purge(), 'MEMORY PURGE')
        check(isinstance(client.memory_malloc_stats(), str), 'MEMORY MALLOC-STATS')
        check(client.config_resetstat() and client.info('stats')['keyspace_hits'] == 0, 'RESETSTAT')
        client.get('k')
        check(client.info('commandstats')['cmdstat_get']['calls'] == 1, 'commandstats')
        check(client.info('errorstats') is not None, 'errorstats')
        check('server' not in client.info('memory', 'stats'), 'INFO of sections')
        fails(redis.ResponseError, client.config_rewrite)
        check(client.execute_command('LATENCY', 'LATEST') == [], 'LATENCY LATEST')
        check(client.execute_command('LATENCY', 'RESET') == 0, 'LATENCY RESET')
        check(client.time()[0] > 1_500_000_000, 'TIME')


def test_redis_py_slow_commands_and_a_monitor():
    skip_cluster('each node counts and notes what it runs')
    with Server() as server, connect(server, decode_responses=True) as client:
        client.config_set('slowlog-log-slower-than', 0)
        client.set('k', 'v')
        client.config_set('slowlog-log-slower-than', -1)
        entries = client.slowlog_get(10)
        check(b'SET k v' in [entry['command'] for entry in entries], f'SLOWLOG GET: {entries}')
        check(client.slowlog_len() == len(entries) and client.slowlog_reset(), 'SLOWLOG LEN, RESET')
        check(client.slowlog_len() == 0, 'none is left')
        with connect(server, decode_responses=True) as watcher, watcher.monitor() as monitor:
            client.set('seen', 'words here')
            event = monitor.next_command()
            check(event['command'] == 'SET seen words here' and event['db'] == 0, f'{event}')


def test_redis_py_looks_after_clients():
    with Server() as server, connect(server, decode_responses=True) as client, \
            connect(server, decode_responses=True) as other:
        other.client_setname('other')
        check(client.client_no_evict('ON') == 'OK', 'CLIENT NO-EVICT')
        names = [entry['name'] for entry in client.client_list(_type='normal')]
        check(sorted(names) == ['', 'other'], f'CLIENT LIST TYPE: {names}')
        theirs = client.client_list(client_id=[str(other.client_id())])
        check([entry['name'] for entry in theirs] == ['other'], 'CLIENT LIST ID')
        check(client.client_getredir() == -1, 'CLIENT GETREDIR')
        check(client.client_pause(10_000, all=False) and other.get('k') is None, 'CLIENT PAUSE')
        check(client.client_unpause() and other.set('k', 'v'), 'CLIENT UNPAUSE')
        check(client.client_unblock(other.client_id()) == 0, 'CLIENT UNBLOCK')
        check(client.client_kill_filter(_type='normal') == 1, 'CLIENT KILL TYPE')
        wait_for(lambda: len(client.client_list()) == 1, what='it is gone')
        check(client.execute_command('RESET') == 'RESET', 'RESET')
