import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Endpoint, follow } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Pool } from '../../src/pg/index.js';
import { configOf, fill, makePool, moved, next, portOf, resetLab, serverOf, settled, startServers } from './support.js';

/** Runs inside a network of its own (see real-network.test.ts): real addresses, port 53, packets that get lost. */
let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  for (const host of lab.hosts) await host.unblackhole();
  if (!pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

describe('in a VPC of the lab', () => {
  it('a pool needs nothing but the name: the resolver of the system knows it', async () => {
    const { follow: _, ...config } = configOf(lab);
    pool = new Pool(config);
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
    expect(pool.endpoint!.current).toMatchObject({ addresses: [lab.hosts[0]!.address], chain: [lab.publicName] });
    expect(lab.hosts[0]!.address).toMatch(/^10\.254\.171\./);
  });
});

describe('the old server is gone without a packet, and the name moves', () => {
  it('it is found dead by a ping, and what runs there is cut', async () => {
    pool = makePool(lab, { failover: { drainMillis: 60_000, replay: 'none' } });
    await fill(pool);
    const stuck = settled(pool.query('select pg_sleep(60)'));
    await expect.poll(() => pool.idleCount).toBe(9);
    await lab.hosts[0]!.blackhole();
    const move = moved(pool);
    await lab.move(lab.hosts[1]!);
    await move;
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
    expect((await stuck).error).toMatchObject({ code: 'ADDRESS_DEAD' });
    await expect.poll(() => pool.endpoint!.snapshot().sockets).toMatchObject({ connecting: 0, leaving: 0 });
  });

  it('a read that ran there is answered by the next one', async () => {
    pool = makePool(lab);
    await fill(pool);
    const read = pool.query<{ port: number }>('select pg_sleep(1), inet_server_port() as port');
    await expect.poll(() => pool.idleCount).toBe(9);
    await lab.hosts[0]!.blackhole();
    await lab.move(lab.hosts[1]!);
    expect((await read).rows[0]?.port).toBe(portOf(lab, 1));
  });

  it('without an idle connection, leases are cut when drainMillis ends', async () => {
    pool = makePool(lab, { max: 2, failover: { drainMillis: 300, replay: 'none' } });
    await fill(pool);
    const stuck = [1, 2].map(() => settled(pool.query('select pg_sleep(60)')));
    const waiting = serverOf(pool);
    await lab.hosts[0]!.blackhole();
    await lab.move(lab.hosts[1]!);
    expect(await waiting).toBe(portOf(lab, 1));
    for (const { error } of await Promise.all(stuck)) expect(error).toMatchObject({ code: 'ADDRESS_LEFT' });
  });

  it('a connection that was being made is dialled again at once', async () => {
    pool = makePool(lab, { max: 2 });
    const lease = await pool.connect();
    await lab.hosts[0]!.blackhole();
    const waiting = serverOf(pool);
    await expect.poll(() => pool.endpoint!.snapshot().sockets.connecting).toBe(1);
    await lab.move(lab.hosts[1]!);
    expect(await waiting).toBe(portOf(lab, 1));
    lease.release(true);
  });
});

describe('an address that swallows connection attempts', () => {
  let endpoint: Endpoint;
  afterEach(() => endpoint.close());

  it('fails them within connectTimeoutMillis, with a coded error', async () => {
    await lab.hosts[0]!.blackhole();
    endpoint = follow(lab.name, { servers: lab.servers, connectTimeoutMillis: 200 });
    const socket = endpoint.connect(lab.port);
    expect(await next(socket, 'error')).toMatchObject({ code: 'CONNECT_TIMEOUT' });
  });

  it('is passed over for the next one of the answer', async () => {
    await lab.hosts[0]!.blackhole();
    lab.dns.setAnswer({ a: lab.hosts.map(({ address }) => address) });
    endpoint = follow(lab.name, { servers: lab.servers, connectTimeoutMillis: 200 });
    const socket = endpoint.connect(lab.port);
    await once(socket, 'connect');
    expect(socket.dialledAddress).toBe(lab.hosts[1]!.address);
  });
});

describe('a public answer', () => {
  it('gets not one packet, neither at the start nor later', async () => {
    const counter = await lab.network.countPackets(lab.publicAddress);
    lab.dns.setMode({ kind: 'public' });
    const first = makePool(lab);
    expect((await settled(first.query('select 1'))).error).toMatchObject({ code: 'PUBLIC_ADDRESS' });
    await first.end();

    lab.dns.setMode({ kind: 'normal' });
    pool = makePool(lab, { max: 2, failover: { deadlineMillis: 1_500 } });
    const client = await pool.connect();
    lab.dns.setMode({ kind: 'public' });
    await next(pool.endpoint!, 'warning');
    expect((await settled(pool.query('select 1'))).error).toMatchObject({ cause: { code: 'PUBLIC_ADDRESS' } });
    expect(await serverOf(client)).toBe(portOf(lab, 0));
    client.release();
    expect(await counter.packets()).toBe(0);

    // The counter counts: one attempt that is not ours.
    const stray = connect({ host: lab.publicAddress, port: lab.port });
    stray.on('error', () => {});
    await expect.poll(() => counter.packets()).toBeGreaterThan(0);
    stray.destroy();
  });
});
