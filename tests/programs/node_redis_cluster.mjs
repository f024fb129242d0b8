// SPDX-License-Identifier: MIT
// node-redis as a client of a cluster: PORT of one of its nodes as the only argument.
import assert from 'node:assert/strict';
import { createCluster } from 'redis';

const port = Number(process.argv[2]);

for (const RESP of [2, 3]) {
  const cluster = createCluster({
    rootNodes: [{ socket: { host: '127.0.0.1', port } }],
    defaults: { RESP },
  });
  cluster.on('error', (error) => { throw error; });
  await cluster.connect();
  assert.ok(cluster.masters.length >= 1 && cluster.replicas.length === 0);
  const keys = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
  await Promise.all(keys.map((key, i) => cluster.set(key, String(i))));
  const values = await Promise.all(keys.map((key) => cluster.get(key)));
  assert.ok(values.every((value, i) => value === String(i)));
  assert.equal(await cluster.get('none'), null);
  await cluster.mSet({ '{tag}a': '1', '{tag}b': '2' });
  assert.deepEqual(await cluster.mGet(['{tag}a', '{tag}none', '{tag}b']), ['1', null, '2']);
  assert.equal(await cluster.incrBy('{tag}a', 41), 42);
  await assert.rejects(cluster.incr('key:x').then(() => cluster.set('key:x', 'x'))
    .then(() => cluster.incr('key:x')), /not an integer/);
  assert.equal(await cluster.set('brief', 'x', { PX: 60000 }), 'OK');
  const left = await cluster.pTTL('brief');
  assert.ok(left > 0 && left <= 60000);
  const found = new Set();
  for (const master of cluster.masters) {
    const client = await cluster.nodeClient(master);
    for await (const some of client.scanIterator({ MATCH: 'key:*', COUNT: 300 })) {
      for (const key of [].concat(some)) found.add(key);
    }
  }
  assert.equal(found.size, 2001);
  await Promise.all([...found].map((key) => cluster.del(key)));
  assert.equal(await cluster.exists('key:1'), 0);
  await cluster.close();
}
console.log('all is well');
