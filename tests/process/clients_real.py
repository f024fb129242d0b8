# SPDX-License-Identifier: MIT
"""redis-py, a client that others wrote for Redis, used as its users use it."""

from run import Skip
from shoal import Server, check

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
