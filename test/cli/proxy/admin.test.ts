import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Lab, startLab } from '../../../src/lab/index.js';
import { Backend, connect, endProxies, freePort, ProxyProcess, textOf } from './support.js';

let lab: Lab;
let backend: Backend | null = null;
const start = (port: number, ...args: string[]): Promise<ProxyProcess> =>
  ProxyProcess.start([
    ...['--listen', '127.0.0.1:0', `${lab.name}:${port}`, '--server', lab.servers[0]!],
    ...['--admin', '127.0.0.1:0', ...args],
  ]);

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

/** The samples of a metric of ours, by their labels without those of the route. */
async function samples(proxy: ProxyProcess, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${proxy.admin}/metrics`)).text();
  const route = `listen="127.0.0.1:${proxy.port()}",name="${lab.name}"`;
  const lines = text.split('\n').filter((line) => line.startsWith(`eip_pool_proxy_${name}{`) && line.includes(route));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /\{(.*)\} (.*)$/.exec(line)!;
      return [labels.replace(route, '').replace(/^,|,$/, ''), Number(value)];
    }),
  );
}

it('/metrics counts clients, what ended them, and bytes, as Prometheus reads it', async () => {
  backend = await Backend.listen((socket) => socket.pipe(socket));
  const proxy = await start(backend.port);
  const client = await connect({ port: proxy.port() });
  client.write('12345');
  await once(client, 'data');
  expect(await samples(proxy, 'connections')).toEqual({ 'state="waiting"': 0, 'state="open"': 1 });
  client.end();
  await textOf(client);
  await expect.poll(() => samples(proxy, 'ended_total')).toMatchObject({ 'reason="client"': 1, 'reason="server"': 0 });
  expect(await samples(proxy, 'connections_total')).toEqual({ '': 1 });
  expect(await samples(proxy, 'bytes_total')).toEqual({
    'direction="from-client"': 5,
    'direction="to-client"': 5,
  });
  expect(await samples(proxy, 'wait_seconds_count')).toEqual({ '': 1 });
  const { headers } = await fetch(`${proxy.admin}/metrics`);
  expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
});

it('/ready is 503 while there is no server, and 200 as soon as there is one, though no client comes', async () => {
  const port = await freePort();
  const proxy = await start(port, '--deadline', '100');
  const client = await connect({ port: proxy.port() });
  client.on('error', () => {});
  await proxy.event('down');
  const down = await fetch(`${proxy.admin}/ready`);
  expect(down.status).toBe(503);
  expect(await down.json()).toMatchObject({ ready: false, draining: false, routes: [{ ready: false, state: 'down' }] });
  expect((await fetch(`${proxy.admin}/health`)).status).toBe(200);
  backend = await Backend.listen(() => {}, port);
  await expect.poll(async () => (await fetch(`${proxy.admin}/ready`)).status).toBe(200);
  expect(await samples(proxy, 'endpoint_state')).toMatchObject({ 'state="steady"': 1, 'state="down"': 0 });
});

it('/ready is 503 once the proxy has been told to end, and /health tells so', async () => {
  backend = await Backend.listen((socket) => socket.pipe(socket));
  const proxy = await start(backend.port, '--grace', '600000');
  const client = await connect({ port: proxy.port() });
  client.write('x');
  await once(client, 'data');
  expect((await fetch(`${proxy.admin}/ready`)).status).toBe(200);
  proxy.signal('SIGTERM');
  await proxy.event('draining');
  const ready = await fetch(`${proxy.admin}/ready`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { ready: false, draining: true }]);
  expect(await (await fetch(`${proxy.admin}/health`)).json()).toMatchObject({ ok: true, draining: true });
});

it('knows no other place, and takes no order', async () => {
  backend = await Backend.listen();
  const proxy = await start(backend.port);
  expect((await fetch(`${proxy.admin}/`)).status).toBe(404);
  expect((await fetch(`${proxy.admin}/ready`, { method: 'POST' })).status).toBe(405);
});
