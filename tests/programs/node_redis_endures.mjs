// SPDX-License-Identifier: MIT
// node-redis, writing and reading until its input ends: PORT of a node as the only argument. What
// is on its way when a connection breaks, this client never tries again: that is no failure here.
import { createCluster } from 'redis';

const cluster = createCluster({
  rootNodes: [{ socket: { host: '127.0.0.1', port: Number(process.argv[2]) } }],
});
cluster.on('error', () => {}); // a node that dies is one
let ended = false;
process.stdin.on('end', () => { ended = true; }).resume();
await cluster.connect();
console.log('ready');
const failures = [];
let count = 0;
for (; !ended || count < 1000; count++) {
  const key = `key:${count % 500}`;
  try {
    await cluster.set(key, String(count));
    const value = await cluster.get(key);
    if (value !== String(count)) failures.push(`${key} is ${value}, not ${count}`);
  } catch (error) {
    if (error.code !== 'ECONNRESET' && !/^Error: Socket closed/.test(error)) {
      failures.push(String(error));
    }
  }
}
console.log(`${count} done, ${failures.length} failed: ${failures.slice(0, 3)}`);
process.exit();
