import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { Backend, breakOf, connect, endProxies, freePort, ProxyProcess, textOf } from './support.js';

let lab: Lab;
let backend: Backend | null = null;
/** Its DNS is the lab's, its server a test's own. */
const start = (port: number, ...args: string[]): Promise<ProxyProcess> =>
  ProxyProcess.start(['--listen', '127.0.0.1:0', `${lab.name}:${port}`, '--server', lab.servers[0]!, ...args]);

beforeAll(async () => {
  lab = await startLab({ hosts: 1 });
  lab.dns.setAnswer({ a: ['127.0.0.1'] });
});
afterEach(async () => {
  await endProxies();
  await backend?.close();
  backend = null;
});
afterAll(async () => {
  await lab.close();
});

const GREETING = 'the server speaks first';

describe('a connection through the proxy', () => {
  it('goes on in the other direction when the client has said all that it has to say', async () => {
    backend = await Backend.listen();
    const proxy = await start(backend.port);
    const client = await connect({ port: proxy.port() });
    client.end('the question');
    const server = await backend.connection();
    expect(await textOf(server)).toBe('the question');
    const answer = textOf(client);
    server.write('an answer, ');
    server.end('after the end');
    expect(await answer).toBe('an answer, after the end');
  });

  it('goes on in the other direction when the server has', async () => {
    backend = await Backend.listen((socket) => socket.end(GREETING));
    const proxy = await start(backend.port);
    const client = await connect({ port: proxy.port() });
    expect(await textOf(client)).toBe(GREETING);
    const server = await backend.connection();
    const heard = textOf(server);
    client.write('still ');
    client.end('speaking');
    expect(await heard).toBe('still speaking');
  });

  it('breaks on the other side where it breaks on one', async () => {
    backend = await Backend.listen((socket) => socket.write(GREETING));
    const proxy = await start(backend.port);
    const first = await connect({ port: proxy.port() });
    await once(first, 'data');
    const heard = breakOf(await backend.connection());
    first.resetAndDestroy();
    expect(await heard).toBe('ECONNRESET');
    const second = await connect({ port: proxy.port() });
    await once(second, 'data');
    const told = breakOf(second);
    (await backend.connection(2)).resetAndDestroy();
    expect(await told).toBe('ECONNRESET');
  });

  it('waits for a server, which then gets what was said meanwhile, once and in order', async () => {
    const port = await freePort();
    const proxy = await start(port);
    const client = await connect({ port: proxy.port() });
    client.write('first, ');
    client.write('x'.repeat(100_000));
    client.end(', last');
    await proxy.event('down');
    backend = await Backend.listen(() => {}, port);
    expect(await textOf(await backend.connection())).toBe(`first, ${'x'.repeat(100_000)}, last`);
    expect(backend.accepted).toHaveLength(1);
  });

  it('is broken where there is no server until the deadline', async () => {
    const proxy = await start(await freePort(), '--deadline', '300');
    const client = await connect({ port: proxy.port() });
    expect(await breakOf(client)).toBe('ECONNRESET');
    expect((await proxy.event('unreached'))['cause']).toContain('ECONNREFUSED');
  });

  it('is broken at once where the name is public', async () => {
    lab.dns.setAnswer({ a: ['203.0.113.7'] });
    try {
      const proxy = await start(5432);
      const client = await connect({ port: proxy.port() });
      expect(await breakOf(client)).toBe('ECONNRESET');
      expect((await proxy.event('unreached'))['cause']).toContain('203.0.113.7');
    } finally {
      lab.dns.setAnswer({ a: ['127.0.0.1'] });
    }
  });

  it('is closed at once where there are --max-connections already, which is told', async () => {
    backend = await Backend.listen((socket) => socket.pipe(socket));
    const proxy = await start(backend.port, '--max-connections', '1');
    const first = await connect({ port: proxy.port() });
    first.write('x');
    await once(first, 'data');
    const second = await connect({ port: proxy.port() });
    second.resume();
    await once(second, 'end');
    expect(await proxy.event('full')).toMatchObject({ maxConnections: 1 });
    first.end();
    await textOf(first);
    const third = await connect({ port: proxy.port() });
    third.write('y');
    expect(String(await once(third, 'data'))).toBe('y');
  });
});

const MEGABYTE = Buffer.alloc(1_048_576, 'x');
const GIGABYTE = 1_024 * MEGABYTE.length;

/** Writes a gigabyte, as fast as it is taken. */
async function pour(socket: net.Socket): Promise<void> {
  for (let sent = 0; sent < GIGABYTE; sent += MEGABYTE.length) {
    if (!socket.write(MEGABYTE)) await once(socket, 'drain');
  }
  socket.end();
}

/** Reads to the end, slower than the other side writes; how much there was. */
async function sip(socket: net.Socket): Promise<number> {
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await once(socket, 'end');
  return read;
}

const linux = process.platform === 'linux';
const why = linux ? '' : ' (skipped: the memory of a process is read from /proc)';

describe('what a side does not read', () => {
  it.skipIf(!linux)(`does not gather in the proxy: a gigabyte each way${why}`, { timeout: 120_000 }, async () => {
    backend = await Backend.listen();
    const proxy = await start(backend.port);
    const client = await connect({ port: proxy.port() });
    const server = await backend.connection();
    const before = proxy.peakMemory;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const poured = pour(from);
      expect(await sip(to)).toBe(GIGABYTE);
      await poured;
    }
    expect(proxy.peakMemory - before).toBeLessThan(100 * MEGABYTE.length);
  });
});

describe('a Unix socket in front', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'eip-pool-proxy-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const listenAt = (file: string, port: number): Promise<ProxyProcess> =>
    ProxyProcess.start(['--listen', file, `${lab.name}:${port}`, '--server', lab.servers[0]!]);

  it('leads to the server as a port does, and is removed in the end', async () => {
    backend = await Backend.listen((socket) => socket.pipe(socket));
    const file = path.join(folder, 'a.sock');
    const proxy = await listenAt(file, backend.port);
    const client = await connect({ path: file });
    client.end('there and back');
    expect(await textOf(client)).toBe('there and back');
    proxy.signal('SIGTERM');
    expect(await proxy.ended).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it('ends its client where the server breaks the connection', async () => {
    backend = await Backend.listen((socket) => socket.write(GREETING));
    const file = path.join(folder, 'b.sock');
    await listenAt(file, backend.port);
    const client = await connect({ path: file });
    await once(client, 'data');
    const closed = once(client, 'close');
    (await backend.connection()).resetAndDestroy();
    await once(client, 'end');
    client.end();
    await closed;
  });

  it('takes the place of one that a killed proxy has left, and of no living one', async () => {
    backend = await Backend.listen((socket) => socket.pipe(socket));
    const file = path.join(folder, 'c.sock');
    const killed = await listenAt(file, backend.port);
    killed.signal('SIGKILL');
    await killed.ended;
    expect(existsSync(file)).toBe(true);
    await listenAt(file, backend.port);
    const third = ProxyProcess.run(['--listen', file, `${lab.name}:1`, '--server', lab.servers[0]!]);
    expect(await third.ended).toBe(1);
    expect(JSON.stringify(third.told)).toContain(`cannot listen on ${file}`);
    const client = await connect({ path: file });
    client.end('still served');
    expect(await textOf(client)).toBe('still served');
  });
});
