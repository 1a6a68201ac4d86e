import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { fill, makePool, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
const WRITE = 'insert into w values (1) returning inet_server_port() as port';

beforeAll(async () => {
  lab = await startServers();
  for (const { database } of lab.hosts) await database.query('create table w (n int); grant all on w to app');
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  if (!pool.ending) await pool.end();
  for (const index of [0, 1]) await demote(index, false);
});
afterAll(async () => {
  await lab?.close();
});

function make(extra: PoolConfig = {}): void {
  pool = makePool(lab, { ...extra, failover: { role: 'writable', ...extra.failover } });
}

async function demote(index: number, readOnly = true): Promise<void> {
  const { database } = lab.hosts[index]!;
  await database.query(`alter system set default_transaction_read_only = ${readOnly ? 'on' : 'off'}`);
  await database.query('select pg_reload_conf()');
  await expect
    .poll(async () => (await database.query<{ on: string }>('show default_transaction_read_only'))[0])
    .toEqual({ default_transaction_read_only: readOnly ? 'on' : 'off' });
  // That session may have been told first, as the newest. One more is only accepted when all have been told.
  await database.query('select 1');
}

describe('a pool that asks for a server which takes writes', () => {
  it('works as any on one that does, and asks it nothing', async () => {
    make();
    expect((await pool.query<{ port: number }>(WRITE)).rows[0]?.port).toBe(portOf(lab, 0));
    const sql = "select from pg_stat_activity where usename = 'app' and query like '%is_in_recovery%'";
    expect(await lab.hosts[0]!.database.query(sql)).toEqual([]);
  });

  it('says so at once if it never had one', async () => {
    await demote(0);
    make();
    const { error } = await settled(pool.query('select 1'));
    expect(error?.code).toBe('READ_ONLY_SERVER');
    expect(outcomeOf(error)).toBe('not-sent');
    expect(pool.totalCount).toBe(0);
  });

  it('waits for it, with pauses, if it is told to, until it does', async () => {
    await demote(0);
    make({ failover: { waitAtStart: true } });
    const before = lab.hosts[0]!.accepted;
    const waiting = pool.query<{ port: number }>(WRITE);
    await expect.poll(() => lab.hosts[0]!.accepted - before).toBeGreaterThan(2);
    await demote(0, false);
    expect((await waiting).rows[0]?.port).toBe(portOf(lab, 0));
    expect(lab.hosts[0]!.accepted - before).toBeLessThan(50);
  });

  it('tells at the deadline what it waited for', async () => {
    await demote(0);
    make({ failover: { waitAtStart: true, deadlineMillis: 700 } });
    const { error } = await settled(pool.query('select 1'));
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: expect.stringContaining('read-only') });
  });

  it('gives up every connection to one that was demoted in place, and loses no statement that it refused', async () => {
    make();
    await fill(pool);
    const replays: ReplayEvent[] = [];
    pool.endpoint!.on('replay', (event) => void replays.push(event));
    await demote(0);
    const writes = Array.from({ length: 10 }, () => pool.query<{ port: number }>(WRITE));
    await expect.poll(() => replays.length).toBeGreaterThan(0);
    await lab.move(lab.hosts[1]!);
    for (const { rows } of await Promise.all(writes)) expect(rows[0]?.port).toBe(portOf(lab, 1));
    expect(replays[0]).toMatchObject({ statement: 'insert', why: 'rejected', outcome: 'rejected' });
    // What is left of it are at most leases that were given back in the meantime.
    await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
  });

  it('asks the others before it hands them out, once one was refused', async () => {
    make({ max: 3, failover: { replay: 'none' } });
    await fill(pool);
    await demote(0);
    expect(await settled(pool.query(WRITE))).toMatchObject({ error: { code: '25006' } });
    const waiting = serverOf(pool);
    await expect.poll(() => pool.idleCount).toBe(0);
    await demote(0, false);
    expect(await waiting).toBe(portOf(lab, 0));
  });

  it('is not taken in by a caller’s own READ ONLY transaction', async () => {
    make({ max: 2 });
    await fill(pool);
    const client = await pool.connect();
    await client.query('begin read only');
    expect(await settled(client.query(WRITE))).toMatchObject({ error: { code: '25006' } });
    await client.query('rollback');
    client.release();
    expect((await pool.query<{ port: number }>(WRITE)).rows[0]?.port).toBe(portOf(lab, 0));
    expect(pool.endpoint!.state).toBe('steady');
  });
});

describe('a pool that takes any server', () => {
  it('passes a refusal through at once', async () => {
    make({ failover: { role: 'any' } });
    await demote(0);
    const { error } = await settled(pool.query(WRITE));
    expect(error).toMatchObject({ code: '25006' });
    expect(outcomeOf(error)).toBe('rejected');
    expect(pool.endpoint!.state).toBe('steady');
  });
});

it('a lease whose session was made read-only finishes on the address that was left, and pause() and end() wait for it', async () => {
  make({ failover: { drainMillis: 20_000 }, follow: { intervalMillis: 100 } });
  await fill(pool, 2);
  const lease = await pool.connect();
  await lease.query('set default_transaction_read_only = on');
  const moved = new Promise((resolve) => pool.endpoint!.once('move', resolve));
  await lab.move(lab.hosts[1]!);
  await moved;
  expect(pool.drainingCount).toBe(1);
  let paused = false;
  const pausing = pool.pause().then(() => (paused = true));
  await lease.query('select 1');
  expect(paused).toBe(false);
  lease.release();
  await pausing;
  pool.resume();
});
