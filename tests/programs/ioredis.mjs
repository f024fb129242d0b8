// SPDX-License-Identifier: MIT
// ioredis: PORT as the only argument. It speaks RESP2, and asks INFO whether the server is ready.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const redis = new Redis(Number(process.argv[2]), '127.0.0.1', { connectionName: 'ioredis' });
redis.on('error', (error) => { throw error; });
assert.equal(await redis.ping(), 'PONG');
await redis.flushall();
assert.equal(await redis.set('k', 'value', 'PX', 100000, 'NX'), 'OK');
assert.equal(await redis.set('k', 'value', 'NX'), null);
assert.equal(await redis.get('k'), 'value');
const left = await redis.pttl('k');
assert.ok(left > 0 && left <= 100000);
assert.deepEqual(await redis.getBuffer('k'), Buffer.from('value'));
assert.equal(await redis.incrby('n', 7), 7);
await assert.rejects(redis.incr('k'), /not an integer/);
const pipeline = redis.pipeline();
for (let i = 0; i < 2000; i++) pipeline.set(`key:${i}`, i);
const replies = await pipeline.exec();
assert.ok(replies.length === 2000 && replies.every(([error, reply]) => !error && reply === 'OK'));
const found = new Set();
for await (const keys of redis.scanStream({ match: 'key:*', count: 300 })) {
  keys.forEach((key) => found.add(key));
}
assert.equal(found.size, 2000);
assert.equal(await redis.unlink(...found), 2000);
assert.equal(await redis.client('GETNAME'), 'ioredis');
assert.equal((await redis.command('INFO', 'get'))[0][0], 'get');
await redis.quit();
console.log('all is well');
