import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Endpoint, follow, type TrackedSocket } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';

const COUNT = 1_000;
let lab: Lab;
let endpoint: Endpoint;

beforeAll(async () => {
  lab = await startLab();
  endpoint = follow(lab.name, { servers: lab.servers });
});
afterAll(async () => {
  endpoint.close();
  await lab.close();
});

it('a thousand sockets are closed by one move, and come back through the gate', async () => {
  const attempts = { now: 0, most: 0 };
  const errors: unknown[] = [];
  const connect = async (): Promise<TrackedSocket> => {
    const socket = endpoint.connect(lab.port);
    socket.once('connectionAttempt', () => (attempts.most = Math.max(attempts.most, ++attempts.now)));
    socket.once('error', (error) => errors.push(error));
    await new Promise<void>((resolve, reject) => {
      // Heard before 'connect', an error is the end of the test; afterwards it is what the test is about.
      socket.once('error', reject);
      socket.once('connect', () => {
        attempts.now--;
        resolve();
      });
    });
    return socket;
  };
  const sockets = await Promise.all(Array.from({ length: COUNT }, connect));
  const back = sockets.map(async (socket) => {
    await new Promise((resolve) => socket.once('close', resolve));
    return await connect();
  });
  const { from, to } = await lab.move(lab.hosts[1]!);
  const addresses = (await Promise.all(back)).map((socket) => socket.dialledAddress);
  expect(new Set(addresses)).toEqual(new Set([to]));
  expect(new Set(sockets.map((socket) => socket.dialledAddress))).toEqual(new Set([from]));
  expect(errors).toHaveLength(COUNT);
  expect(errors).toEqual(Array(COUNT).fill(expect.objectContaining({ code: 'ADDRESS_LEFT' })));
  expect(attempts.most).toBeLessThanOrEqual(4);
  expect(endpoint.snapshot().sockets).toEqual({ open: COUNT, connecting: 0, leaving: 0 });
}, 30_000);

it('closing the endpoint closes every socket it made', async () => {
  const socket = endpoint.connect(lab.port);
  await once(socket, 'connect');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  endpoint.close();
  await closed;
  expect(endpoint.snapshot().sockets.open).toBe(0);
  const late = endpoint.connect(lab.port);
  expect(await new Promise((resolve) => late.once('error', resolve))).toMatchObject({ code: 'ENDPOINT_CLOSED' });
});
