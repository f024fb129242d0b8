// SPDX-License-Identifier: MIT
// node-redis: PORT as the only argument. A round trip in RESP2 and RESP3.
import assert from 'node:assert/strict';
import { createClient } from 'redis';

const port = Number(process.argv[2]);

for (const RESP of [2, 3]) {
  const client = createClient({ socket: { host: '127.0.0.1', port }, RESP, name: 'node-redis' });
  client.on('error', (error) => { throw error; });
  await client.connect();
  assert.equal(await client.ping(), 'PONG');
  await client.flushAll();
  assert.equal(await client.set('k', 'ä value', { EX: 100 }), 'OK');
  assert.equal(await client.get('k'), 'ä value');
  assert.equal(await client.get('none'), null);
  const ttl = await client.ttl('k');
  assert.ok(ttl > 0 && ttl <= 100);
  assert.equal(await client.set('k', 'no', { NX: true }), null);
  await client.mSet({ a: '1', b: '2' });
  assert.deepEqual(await client.mGet(['a', 'none', 'b']), ['1', null, '2']);
  assert.equal(await client.incrBy('a', 41), 42);
  assert.equal(await client.append('b', '34'), 3);
  assert.equal(await client.exists(['a', 'b', 'none']), 2);
  assert.equal(await client.type('a'), 'string');
  await assert.rejects(client.incr('k'), /not an integer/);
  await Promise.all(Array.from({ length: 2000 }, (_, i) => client.set(`key:${i}`, String(i))));
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'key:*', COUNT: 300 })) {
    for (const key of [].concat(keys)) found.add(key);
  }
  assert.equal(found.size, 2000);
  assert.equal(await client.del([...found]), 2000);
  assert.match(await client.info('server'), /redis_version:7/);
  const settings = await client.configGet('maxmemory-policy');
  assert.equal(settings['maxmemory-policy'], 'noeviction');
  assert.equal(await client.clientGetName(), 'node-redis');
  await client.close();
}
console.log('all is well');
