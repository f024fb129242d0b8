# SPDX-License-Identifier: MIT
"""redis-cli in all its modes. What it prints is what redis-server makes it print, except where a
test names an error: that is what Shoal does not have."""

import json
import os
import re
import tempfile

import program
from shoal import SHOAL, Client, Server, check, encode, is_redis

MANY = 100_000


def words_for(server, *words):
    return [program.found('redis-cli', 'redis-tools'), '-p', str(server.port), *words]


def cli(server, *words, text='', status=0, environment=None):
    return program.run(words_for(server, *words), text, status, environment)


def fill(server, count=1000):
    lines = b''.join(encode('SET', f'key:{i}', 'x' * i) for i in range(1, count + 1))
    check(f'errors: 0, replies: {count}' in cli(server, '--pipe', text=lines), 'filled')


def test_mass_insertion():
    with Server() as server:
        lines = b''.join(encode('SET', f'key:{i}', i) for i in range(MANY))
        check(f'errors: 0, replies: {MANY}' in cli(server, '--pipe', text=lines), 'protocol')
        check(cli(server, 'DBSIZE') == f'{MANY}\n', 'all are there')
        check(cli(server, 'GET', f'key:{MANY - 1}') == f'{MANY - 1}\n', 'the last too')
        said = cli(server, '--pipe', text='SET a 1\r\nINCR a\r\nSET b x\r\nINCR b\r\n', status=1)
        check('errors: 1, replies: 4' in said and 'not an integer' in said, f'lines: {said}')


def test_scan():
    with Server() as server:
        fill(server)
        names = cli(server, '--scan').split()
        check(sorted(names) == sorted(f'key:{i}' for i in range(1, 1001)), 'all, each once')
        check(len(cli(server, '--scan', '--pattern', 'key:?').split()) == 9, '--pattern')
        check(cli(server, '--scan', '--quoted-pattern', '"key:\\x31"') == 'key:1\n', 'quoted')


def test_keys_are_sampled():
    with Server() as server:
        fill(server)
        said = cli(server, '--bigkeys')
        check('Biggest string found \'"key:1000"\' has 1000 bytes' in said, f'--bigkeys: {said}')
        check('Sampled 1000 keys' in said and '1000 strings with 500500 bytes' in said, 'sums')
        said = cli(server, '--memkeys')
        biggest = re.search(r'Biggest string found \'"key:(\d+)"\' has (\d+) bytes', said)
        check(biggest and int(biggest[1]) > 500 and int(biggest[2]) > 500, f'--memkeys: {said}')
        said = cli(server, '--memkeys', '--memkeys-samples', '10')
        check('Sampled 1000 keys' in said, '--memkeys-samples')


def test_hot_keys():
    with Server(['--maxmemory-policy', 'allkeys-lfu']) as server:
        fill(server, 50)
        cli(server, '-r', '2000', 'GET', 'key:7')
        said = cli(server, '--hotkeys')
        hottest = re.search(r'hot key found with counter: (\d+)\s+keyname: "key:7"', said)
        check(hottest and int(hottest[1]) > 10, f'the one that is read: {said}')
    with Server() as server:
        fill(server, 5)
        said = cli(server, '--hotkeys', status=1)
        check('LFU maxmemory policy is not selected' in said, f'without the policy: {said}')


def test_statistics():
    with Server() as server:
        fill(server, 10)
        said = program.read_until(words_for(server, '--stat', '-i', '0.05'), r'(\n\d+ .*){3}')
        lines = [line.split() for line in said.splitlines() if re.match(r'\d', line)]
        check(lines[0][0] == '10' and re.fullmatch(r'[\d.]+[BKMG]', lines[0][1]), f'keys: {said}')
        check(int(lines[1][4]) > 10 and lines[1][2] == '1', f'requests and clients: {said}')


def test_latency():
    with Server() as server:
        said = cli(server, '--latency', '-i', '0.1')
        check(re.fullmatch(r'(\d+ ){2}[\d.]+ \d+\n', said), f'--latency: {said!r}')
        said = program.read_until(words_for(server, '--latency-history', '-i', '0.1'),
                                  r'(?s)seconds range.*seconds range')
        check(re.search(r'(\d+ ){2}[\d.]+ \d+\n', said), f'--latency-history: {said}')
        program.read_until(words_for(server, '--latency-dist', '-i', '0.1'), r'---')


def test_forms_of_output():
    with Server() as server:
        cli(server, 'MSET', 'a', 'x', 'b', 'ä "quoted"\n')
        check(cli(server, '--csv', 'MGET', 'a', 'no') == '"x",NULL\n', '--csv')
        check(json.loads(cli(server, '--json', 'MGET', 'a', 'b', 'no')) ==
              ['x', 'ä "quoted"\n', None], '--json')
        said = cli(server, '--quoted-json', 'GET', 'b')
        check('\\\\x' in said or '\\u' in said, f'--quoted-json: {said}')
        check(cli(server, '--no-raw', 'GET', 'a') == '"x"\n', '--no-raw')
        check(cli(server, '--no-raw', 'GET', 'no') == '(nil)\n', 'nothing')
        check(cli(server, '-d', ';', 'MGET', 'a', 'a') == 'x;x\n', '-d')
        check(cli(server, '-2', '--json', 'DBSIZE') == '2\n', '-2 --json')
        hello = json.loads(cli(server, '--json', 'HELLO'))
        check(hello['proto'] == 3 and hello['role'] == 'master', f'HELLO: {hello}')
        check('proto 3' in cli(server, '-3', 'HELLO'), '-3')
        check(cli(server, '-3', '--no-raw', 'CONFIG', 'GET', 'port') ==
              f'1# "port" => "{server.port}"\n', 'a map')


def test_input():
    with Server() as server:
        cli(server, '-x', 'SET', 'text', text='from here')
        check(cli(server, 'GET', 'text') == 'from here\n', '-x')
        cli(server, '-X', 'tag', 'SET', 'k2', 'tag', 'EX', '100', text='tagged')
        check(cli(server, 'GET', 'k2') == 'tagged\n', '-X')
        cli(server, '--quoted-input', 'SET', '"\\x00k"', '"v\\n"')
        check(cli(server, '--quoted-input', '--no-raw', 'GET', '"\\x00k"') == '"v\\n"\n', 'quoted')
        said = cli(server, text='GET text\nINCR text\n3 INCR n\n"get" n\n')
        check(said.startswith('from here\nERR value is not an integer'), f'lines: {said}')
        check(said.endswith('1\n2\n3\n3\n'), f'and how often: {said}')
        check(cli(server, '-r', '3', '-i', '0.01', 'INCR', 'n') == '4\n5\n6\n', '-r -i')
        cli(server, '-n', '2', 'SET', 'two', 'x')
        check(cli(server, '-n', '2', 'DBSIZE') == '1\n', '-n')
        check('unknown command' in cli(server, '-e', 'NOSUCH', status=1), '-e')


def test_addresses_and_passwords():
    with Server(['--requirepass', 'sesame']) as server:
        check('NOAUTH' in cli(server, 'DBSIZE'), 'without a password')
        check(cli(server, '--no-auth-warning', '-a', 'sesame', 'DBSIZE') == '0\n', '-a')
        check(cli(server, 'DBSIZE', environment={'REDISCLI_AUTH': 'sesame'}) == '0\n', 'by name')
        check(cli(server, '--no-auth-warning', '--user', 'default', '--pass', 'sesame',
                  'DBSIZE') == '0\n', '--user')
        check('WRONGPASS' in cli(server, '--no-auth-warning', '-a', 'no', 'PING'), 'a wrong one')
        for user in ('sesame', 'default:sesame'):
            url = f'redis://{user}@127.0.0.1:{server.port}/5'
            cli(server, '--no-auth-warning', '-u', url, 'SET', 'k', user)
            check(cli(server, '--no-auth-warning', '-u', url, 'GET', 'k') == f'{user}\n', url)
        check(cli(server, '--no-auth-warning', '-a', 'sesame', '-n', '5', 'DBSIZE') == '1\n', '/5')


def test_at_a_terminal():
    with Server() as server, program.Terminal(words_for(server)) as terminal:
        prompt = r'127\.0\.0\.1:\d+> $'
        terminal.read(prompt)
        terminal.type('SET k ')
        terminal.read(r'SET k \x1b\[[0-9;]*mvalue \[NX\|XX[^\]]*\] \[GET\] \[EX seconds\|')
        terminal.type('v EX 100\r')
        terminal.read(r'\nOK\r\n' + prompt)
        terminal.type('getr\t')
        terminal.read(r'GETRANGE\x1b\[[0-9;]*m key start end')
        terminal.type(' k 0 0\r')
        terminal.read(r'\n"v"\r\n' + prompt)
        terminal.type('help strlen\r')
        terminal.read(r'(?s)STRLEN.*summary:.*since:.*2\.2\.0.*group:.*string.*' + prompt)
        prompt = r'127\.0\.0\.1:\d+\[3\]> $'
        terminal.type('select 3\r')
        terminal.read(prompt)
        terminal.type('hello 3\r')
        terminal.read(r'(?s)"proto" => \(integer\) 3.*' + prompt)
        terminal.type('incr k\r')
        terminal.read(r'\(integer\) 1\r\n' + prompt)
        terminal.type('config get port\r')
        terminal.read(r'(?s)1# "port" => .*' + prompt)
        server.restart()
        terminal.type('get k\r')
        terminal.read(r'(?s)(not connected|\[3\])> $')
        terminal.type('get k\r')  # connected again, to database 0, whatever its prompt says
        terminal.read(r'"v"\r\n' + prompt)


def test_a_cache_s_hit_rate():
    options = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru']
    with Server(options) as server, program.Terminal(words_for(server, '--lru-test', '1000')) as it:
        said = it.read(r'(?s)Gets/sec.*Hits')
        check('rror' not in said, f'--lru-test: {said}')


def test_what_is_not_there_is_an_error():
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'file')
        if not is_redis(SHOAL):
            for mode in ('--rdb', '--functions-rdb'):
                said = cli(server, mode, path, status=1)
                check(re.search(r'failed|Failed|aborting', said) and not os.path.exists(path),
                      f'{mode}: {said}')
            said = cli(server, '--replica', status=1)
            check('SYNC with master failed' in said, f'--replica: {said}')
            with open(path, 'w', encoding='utf-8') as script:
                script.write('return 1')
            check('ERR' in cli(server, '--eval', path, 'k', ',', 'a'), '--eval')
            check('ERR' in cli(server, '--cluster', 'check', f'127.0.0.1:{server.port}', status=1),
                  '--cluster')
        with Client(server.port) as client:
            check(client.call('PING') == b'PONG', 'and the server goes on')
