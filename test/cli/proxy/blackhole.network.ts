import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lab } from '../../../src/lab/index.js';
import { portOf, resetLab, serverOf, settled, startServers } from '../../pg/support.js';
import { endProxies, ProxyProcess } from './support.js';

/** Runs inside a network of its own (see failover.test.ts): packets get lost, and nobody is told. */
let lab: Lab;
const clients: pg.Client[] = [];

async function login(proxy: ProxyProcess): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port: proxy.port(), ...lab.connection });
  client.on('error', () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const start = (...args: string[]): Promise<ProxyProcess> =>
  ProxyProcess.start(['--listen', '127.0.0.1:0', `${lab.name}:${lab.port}`, ...args]);

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  await endProxies();
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
  for (const host of lab.hosts) await host.unblackhole();
});
afterAll(async () => {
  await lab?.close();
});

describe('the old server is gone without a packet', () => {
  it('and the name moves: sessions are broken when drainMillis end, and who waits is on the new server', async () => {
    const proxy = await start('--drain', '1000');
    const stuck = settled((await login(proxy)).query('select pg_sleep(60)'));
    await lab.hosts[0]!.blackhole();
    const waiting = login(proxy);
    await lab.move(lab.hosts[1]!);
    expect(await serverOf(await waiting)).toBe(portOf(lab, 1));
    expect((await stuck).error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('and the name moves: nobody waits for drainMillis where the server can be asked', async () => {
    const proxy = await start('--drain', '600000', '--protocol', 'postgres');
    const stuck = settled((await login(proxy)).query('select pg_sleep(60)'));
    await lab.hosts[0]!.blackhole();
    await lab.move(lab.hosts[1]!);
    expect((await stuck).error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('and the name stays: a session whose bytes are not acknowledged is broken by what the kernel knows', async () => {
    const proxy = await start();
    const session = await login(proxy);
    await lab.hosts[0]!.blackhole();
    expect((await settled(session.query('select 1'))).error).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('a connection is lost on the way, and its server lives', () => {
  it('it is broken, and a new one works', async () => {
    const proxy = await start('--protocol', 'postgres');
    const session = await login(proxy);
    await lab.hosts[0]!.loseFlows();
    expect((await settled(session.query('select 1'))).error).toMatchObject({ code: 'ECONNRESET' });
    expect(await serverOf(await login(proxy))).toBe(portOf(lab, 0));
  });
});
