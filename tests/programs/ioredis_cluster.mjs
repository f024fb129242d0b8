// SPDX-License-Identifier: MIT
// ioredis as a client of a cluster: PORT of one of its nodes as the only argument.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const cluster = new Redis.Cluster([{ host: '127.0.0.1', port: Number(process.argv[2]) }]);
cluster.on('error', (error) => { throw error; });
assert.equal(await cluster.set('k', 'value', 'PX', 100000, 'NX'), 'OK');
assert.equal(await cluster.set('k', 'value', 'NX'), null);
assert.equal(await cluster.get('k'), 'value');
const keys = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
await Promise.all(keys.map((key, i) => cluster.set(key, i)));
const values = await Promise.all(keys.map((key) => cluster.get(key)));
assert.ok(values.every((value, i) => value === String(i)));
await cluster.mset('{tag}a', 1, '{tag}b', 2);
assert.deepEqual(await cluster.mget('{tag}a', '{tag}none', '{tag}b'), ['1', null, '2']);
assert.equal(await cluster.incrby('{tag}a', 41), 42);
await assert.rejects(cluster.incr('k'), /not an integer/);
const pipeline = cluster.pipeline();
for (let i = 0; i < 100; i++) pipeline.set(`{tag}${i}`, i);
const replies = await pipeline.exec();
assert.ok(replies.length === 100 && replies.every(([error, reply]) => !error && reply === 'OK'));
assert.ok(cluster.nodes('master').length >= 1);
assert.equal(cluster.nodes('slave').length, 0);
const found = new Set();
for (const node of cluster.nodes('master')) {
  for await (const some of node.scanStream({ match: 'key:*', count: 300 })) {
    some.forEach((key) => found.add(key));
  }
}
assert.equal(found.size, 2000);
await Promise.all([...found].map((key) => cluster.unlink(key)));
assert.equal(await cluster.del('k'), 1);
await cluster.quit();
console.log('all is well');
