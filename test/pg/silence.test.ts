import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool } from '../../src/pg/index.js';
import { configOf, fill, makePool, moved, next, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers({ postgres: { settings: { max_connections: '12' } } });
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  if (pool !== undefined && !pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

const IMPATIENT = { silenceMillis: 250, probeTimeoutMillis: 500 };

async function backendOf(client: Pick<Pool, 'query'>): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]!.pid;
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

describe('a server falls silent, and its name stays', () => {
  it.each([
    ['a host that answers nothing', async () => lab.hosts[0]!.stall(), () => lab.hosts[0]!.restore()],
    ['a stopped process', () => lab.hosts[0]!.database.suspend(), () => lab.hosts[0]!.database.resume()],
  ])('%s: what waits is cut, and who comes then waits until it answers again', async (_, silence, recover) => {
    pool = makePool(lab, { max: 3, failover: { replay: 'none' } });
    await fill(pool, 3);
    const lease = await pool.connect();
    await silence();
    const down = next(pool.endpoint!, 'down');
    const hung = await Promise.all([pool.query('select 1'), lease.query('select 2')].map(settled));
    for (const { error } of hung) expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
    await down;
    lease.release();
    const later = serverOf(pool);
    await recover();
    expect(await later).toBe(portOf(lab, 0));
  });

  it('the pool goes where the name moves then', async () => {
    pool = makePool(lab, { max: 2, failover: { ...IMPATIENT, replay: 'none' } });
    await fill(pool, 2);
    lab.hosts[0]!.stall();
    expect((await settled(pool.query('select 1'))).error).toMatchObject({ code: 'ADDRESS_DEAD' });
    const waiting = serverOf(pool);
    const move = moved(pool);
    await lab.move(lab.hosts[1]!);
    await move;
    expect(await waiting).toBe(portOf(lab, 1));
  });

  it('a log-in that never ends is cut too', async () => {
    lab.hosts[0]!.stall();
    pool = makePool(lab, { failover: IMPATIENT });
    expect((await settled(pool.query('select 1'))).error).toMatchObject({ code: 'ADDRESS_DEAD' });
  });

  it('a client without a pool gets the same error', async () => {
    const client = new Client({ ...configOf(lab, { failover: IMPATIENT }) });
    await client.connect();
    lab.hosts[0]!.stall();
    const { error } = await settled(client.query('select 1'));
    expect(error).toMatchObject({ code: 'ADDRESS_DEAD' });
  });
});

describe('a server that is busy is left alone', () => {
  it('while a statement takes long, and is asked ever less often', async () => {
    pool = makePool(lab, { max: 1, failover: IMPATIENT });
    await fill(pool, 1);
    const before = lab.hosts[0]!.accepted;
    await pool.query('select pg_sleep(6)');
    // After 0.25, 0.5, 1, 2 and 4 s of silence, each as long as the next look; on a machine that starves, more than once.
    // As often as at first would be 24 times.
    expect(lab.hosts[0]!.accepted - before).toBeLessThanOrEqual(12);
    expect(lab.hosts[0]!.accepted - before).toBeGreaterThanOrEqual(2);
  }, 10_000);

  it('while it has no slot for another log-in', async () => {
    pool = makePool(lab, { max: 9, failover: IMPATIENT });
    const clients = await Promise.all(Array.from({ length: 9 }, () => pool.connect()));
    const { error } = await settled(new Client({ ...configOf(lab) }).connect());
    expect(error).toMatchObject({ code: '53300' });
    await Promise.all(clients.map((client) => client.query('select pg_sleep(3)')));
    for (const client of clients) client.release();
    expect(pool.endpoint!.generation).toBe(0);
  }, 10_000);

  it('while its logins hang and its connections answer', async () => {
    pool = makePool(lab, { max: 2, failover: IMPATIENT });
    await fill(pool, 2);
    const postmaster = parentOf(await backendOf(pool));
    process.kill(postmaster, 'SIGSTOP');
    try {
      await pool.query('select pg_sleep(3)');
    } finally {
      process.kill(postmaster, 'SIGCONT');
    }
  }, 10_000);

  it('while this process does not read what it says', async () => {
    pool = makePool(lab, { max: 2, failover: IMPATIENT });
    await fill(pool, 2);
    const work = settled(pool.query('select pg_sleep(4)'));
    for (let i = 0; i < 6; i++) {
      const until = performance.now() + 500;
      while (performance.now() < until);
      await setTimeout(20);
    }
    expect((await work).error).toBeUndefined();
  }, 10_000);
});

describe('a connection that was idle for long', () => {
  it('answers before it is handed out, or is replaced with all that were idle as long', async () => {
    pool = makePool(lab, { max: 3, idleTimeoutMillis: 0 });
    await fill(pool, 3);
    const stopped = await backendOf(pool);
    const others = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    const pids = await Promise.all(others.map(backendOf));
    expect(pids).toContain(stopped);
    for (const client of others.toSorted((a, b) => Number(pidIs(a, stopped)) - Number(pidIs(b, stopped))))
      client.release();
    await setTimeout(10_500);
    process.kill(stopped, 'SIGSTOP');
    try {
      // The last one released is the next one handed out.
      expect(pids).not.toContain(await backendOf(pool));
      expect(pool.totalCount).toBe(1);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
  }, 20_000);
});

function pidIs(client: unknown, pid: number): boolean {
  return (client as { processID: number }).processID === pid;
}
