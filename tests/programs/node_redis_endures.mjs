// SPDX-License-Identifier: MIT
// node-redis, writing and reading until its input ends: PORT of a node [plain]. What is on its way
// when a connection breaks, this client never tries again: that is no failure of a cluster's client,
// whose node has died.
import { createClient, createCluster } from 'redis';

const socket = { host: '127.0.0.1', port: Number(process.argv[2]) };
const plain = process.argv[3] === 'plain';
const cluster = plain ? createClient({ socket }) : createCluster({ rootNodes: [{ socket }] });
const isBroken = (error) => error.name === 'SocketClosedUnexpectedlyError'
  || error.code === 'ECONNRESET' || /^Error: Socket closed/.test(error);
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
    if (plain || !isBroken(error)) failures.push(String(error));
  }
}
console.log(`${count} done, ${failures.length} failed: ${failures.slice(0, 3)}`);
process.exit();
