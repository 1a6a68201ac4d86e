import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Lab, startLab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { makePool, moved, startServers } from './support.js';

/**
 * Two DNS servers, of which one never hears of a move: a cache, or a secondary that gets no transfers. Both servers of
 * the name are alive all the time, and take writes.
 */
let lab: Lab;
let stale: Lab;
let pool: Pool;
let writing: Promise<void>[];

beforeAll(async () => {
  lab = await startServers({ ttlSeconds: 5 });
  stale = await startLab({ ttlSeconds: 300 });
  for (const { database } of lab.hosts) {
    await database.query('create table written (n int)');
    await database.query('grant all on written to public');
  }
}, 60_000);
beforeEach(async () => {
  await lab.move(lab.hosts[0]!);
  stale.dns.setAnswer({ a: lab.dns.answer.a });
});
afterEach(async () => {
  lab.dns.setMode({ kind: 'normal' });
  await pool.end();
  await Promise.allSettled(writing);
});
afterAll(async () => {
  await lab.close();
  await stale.close();
});

/** Each address is proven, and may return, soon. */
const pace = { intervalMillis: 100, returnAfterMillis: 500, quarantineMillis: 1_000 };

async function start(servers: readonly string[]): Promise<void> {
  pool = makePool(lab, { max: 5, follow: { servers, ...pace }, failover: { drainMillis: 100 } });
  const write = async (): Promise<void> => {
    while (!pool.ending) await pool.query('insert into written values (1)');
  };
  writing = Array.from({ length: 5 }, write);
  const { at } = await pool.endpoint!.ready();
  const heard = stale.dns.queries.length;
  await expect.poll(() => stale.dns.queries.length).toBeGreaterThan(heard);
  await expect.poll(() => pool.endpoint!.current!.at - at).toBeGreaterThan(pace.returnAfterMillis);
}

const countOf = async (host: number): Promise<number> => {
  const [row] = await lab.hosts[host]!.database.query<{ n: number }>('select count(*)::int as n from written');
  return row!.n;
};

async function follow(): Promise<void> {
  const seen = moved(pool);
  await lab.move(lab.hosts[1]!);
  await seen;
  await expect.poll(() => pool.drainingCount).toBe(0);
}

/** Loses so many packets to the server that knows better. */
async function lose(packets: number): Promise<void> {
  lab.dns.setMode({ kind: 'drop' });
  for (let lost = 0; lost < packets; lost++) await lab.dns.nextQuery('A');
  lab.dns.setMode({ kind: 'normal' });
}

async function after(millis: number): Promise<void> {
  const from = pool.endpoint!.current!.at;
  await expect.poll(() => pool.endpoint!.current!.at - from).toBeGreaterThan(millis);
}

describe('a move that one of two DNS servers has not heard of', () => {
  it.each([1, 5])(
    'is followed by every write, though the second one is stale and %d packets to the first one are lost',
    async (packets) => {
      await start([...lab.servers, ...stale.servers]);
      await follow();
      const before = await countOf(0);
      const asked = stale.dns.queries.length;
      await lose(packets);
      await after(4 * pace.returnAfterMillis);
      expect(stale.dns.queries.length).toBeGreaterThan(asked);
      expect([await countOf(0), pool.endpoint!.generation]).toEqual([before, 1]);
      expect(await countOf(1)).toBeGreaterThan(0);
    },
  );

  it('is followed by every write where it is the first that is stale, once the other one has been asked', async () => {
    await start([...stale.servers, ...lab.servers]);
    const seen = moved(pool);
    await lab.move(lab.hosts[1]!);
    stale.dns.setMode({ kind: 'drop' });
    await seen;
    stale.dns.setMode({ kind: 'normal' });
    await expect.poll(() => pool.drainingCount).toBe(0);
    const before = await countOf(0);
    // It has its place back when it answers, which is soon, but not at once.
    const asked = stale.dns.queries.length;
    await expect.poll(() => stale.dns.queries.length).toBeGreaterThan(asked + 1);
    await after(4 * pace.returnAfterMillis);
    expect([await countOf(0), pool.endpoint!.generation]).toEqual([before, 1]);
  });

  it('is undone as soon as both say so', async () => {
    await start([...lab.servers, ...stale.servers]);
    const [first] = lab.dns.answer.a;
    await follow();
    await lose(1);
    const seen = moved(pool);
    lab.dns.setAnswer({ a: [first!] });
    expect(await seen).toMatchObject({ to: [first] });
    const before = await countOf(1);
    await expect.poll(() => pool.drainingCount).toBe(0);
    const then = await countOf(0);
    await expect.poll(() => countOf(0)).toBeGreaterThan(then);
    expect(before).toBeGreaterThan(0);
  });
});
