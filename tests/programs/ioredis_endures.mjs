// SPDX-License-Identifier: MIT
// ioredis, writing and reading until its input ends: PORT of a node [plain].
import Redis from 'ioredis';

const node = { host: '127.0.0.1', port: Number(process.argv[2]) };
const plain = process.argv[3] === 'plain';
const cluster = plain ? new Redis(node) : new Redis.Cluster([node]);
cluster.on('error', () => {}); // a node that dies is one
let ended = false;
process.stdin.on('end', () => { ended = true; }).resume();
await cluster.set('k', 'v');
console.log('ready');
const failures = [];
let count = 0;
for (; !ended || count < 1000; count++) {
  const key = `key:${count % 500}`;
  try {
    await cluster.set(key, count);
    const value = await cluster.get(key);
    if (value !== String(count)) failures.push(`${key} is ${value}, not ${count}`);
  } catch (error) {
    failures.push(String(error));
  }
}
console.log(`${count} done, ${failures.length} failed: ${failures.slice(0, 3)}`);
process.exit();
