import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { Backend, breakOf, connect, endProxies, ProxyProcess, textOf } from './support.js';

let lab: Lab;
let backend: Backend;
const start = (...args: string[]): Promise<ProxyProcess> =>
  ProxyProcess.start(['--listen', '127.0.0.1:0', `${lab.name}:${backend.port}`, '--server', lab.servers[0]!, ...args]);

/** A client that is known to be served. */
async function served(proxy: ProxyProcess): Promise<net.Socket> {
  const client = await connect({ port: proxy.port() });
  client.write('x');
  await once(client, 'data');
  return client;
}

beforeAll(async () => {
  lab = await startLab({ hosts: 1 });
  lab.dns.setAnswer({ a: ['127.0.0.1'] });
});
beforeEach(async () => {
  backend = await Backend.listen((socket) => socket.pipe(socket));
});
afterEach(async () => {
  await endProxies();
  await backend.close();
});
afterAll(async () => {
  await lab.close();
});

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: takes no new client, and ends when the last one has ended',
  async (name) => {
    const proxy = await start('--grace', '600000');
    const client = await served(proxy);
    proxy.signal(name);
    expect(await proxy.event('draining')).toMatchObject({ clients: 1, graceMillis: 600_000 });
    const refused = net.connect(proxy.port());
    expect(await breakOf(refused)).toBe('ECONNREFUSED');
    client.end(' and the rest');
    expect(await textOf(client)).toBe(' and the rest');
    expect(await proxy.ended).toBe(0);
    expect(await proxy.event('ended')).toMatchObject({ cut: 0 });
  },
);

it('breaks who is left when the time for that is over', async () => {
  const proxy = await start('--grace', '200');
  const client = await served(proxy);
  proxy.signal('SIGTERM');
  expect(await breakOf(client)).toBe('ECONNRESET');
  expect(await proxy.ended).toBe(0);
  expect(proxy.told.at(-1)).toMatchObject({ event: 'ended', cut: 1 });
});

it('ends at once where nobody is there', async () => {
  const proxy = await start('--grace', '600000');
  proxy.signal('SIGTERM');
  expect(await proxy.ended).toBe(0);
});

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('a second signal, %s, ends it at once with %i', async (name, status) => {
  const proxy = await start('--grace', '600000');
  await served(proxy);
  proxy.signal('SIGTERM');
  await proxy.event('draining');
  proxy.signal(name);
  expect(await proxy.ended).toBe(status);
});
