import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { configOf, fill, kill, makePool, portOf, resetLab, serverOf, settled, startServers } from './support.js';
import { Pool as Following } from '../../src/pg/index.js';

/** A caller who comes before the pool fails fast waits until his deadline. */
const PATIENT = { timeout: 10_000 };

let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  for (const host of lab.hosts) await host.restore();
  if (!pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

describe('maxWaiting', () => {
  it('refuses who comes when as many wait as may, and nobody for whom there is room', async () => {
    pool = makePool(lab, { max: 2, failover: { maxWaiting: 1 } });
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    const waiting = pool.connect();
    const { error } = await settled(pool.query('select 1'));
    expect(error).toMatchObject({ code: 'TOO_MANY_WAITING', message: expect.stringContaining('failover.maxWaiting') });
    expect(outcomeOf(error)).toBe('not-sent');
    for (const client of clients) client.release();
    (await waiting).release();
    await Promise.all([pool.query('select 1'), pool.query('select 1'), pool.query('select 1')]);
  });

  it('with 0 lets nobody wait', async () => {
    pool = makePool(lab, { max: 1, failover: { maxWaiting: 0 } });
    const results = await Promise.all([1, 2].map(() => settled(pool.query('select 1'))));
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'TOO_MANY_WAITING']);
  });

  it('counts in a failover too', async () => {
    pool = makePool(lab, { max: 2, failover: { maxWaiting: 3 } });
    await fill(pool);
    await kill(lab, pool);
    const waiting = Array.from({ length: 5 }, () => serverOf(pool));
    expect((await settled(pool.query('select 1'))).error?.code).toBe('TOO_MANY_WAITING');
    await lab.move(lab.hosts[1]!);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([portOf(lab, 1)]));
  });
});

describe('failFastAfterMillis', () => {
  it('ends the waiting once there was no server for so long, with the cause, until there is one', async () => {
    pool = makePool(lab, { max: 2, failover: { failFastAfterMillis: 300 } });
    await fill(pool);
    await kill(lab, pool);
    const first = serverOf(pool);
    await expect
      .poll(async () => (await settled(Promise.race([pool.query('select 1'), pause(20)]))).error?.code)
      .toBe('FAILING_FAST');
    const { error } = await settled(pool.query('select 1'));
    expect(error).toMatchObject({ code: 'FAILING_FAST', cause: { code: 'ECONNREFUSED' } });
    expect(outcomeOf(error)).toBe('not-sent');
    await lab.hosts[0]!.restore();
    expect(await first).toBe(portOf(lab, 0));
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
  });

  it('notices a recovery though nobody waits', async () => {
    pool = makePool(lab, { max: 2, failover: { failFastAfterMillis: 300, deadlineMillis: 1_500 } });
    await fill(pool);
    await kill(lab, pool);
    await expect.poll(async () => (await settled(pool.query('select 1'))).error?.code, PATIENT).toBe('FAILING_FAST');
    await lab.hosts[0]!.restore();
    await expect.poll(async () => (await settled(serverOf(pool))).value, PATIENT).toBe(portOf(lab, 0));
  }, 20_000);
});

async function pause(millis: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, millis));
}

describe('pause() and resume()', () => {
  it('hold new work for a planned switch: nothing fails, and nothing runs on the old server after it', async () => {
    pool = makePool(lab, { max: 3 });
    await fill(pool);
    const lease = await pool.connect();
    const before = [1, 2, 3, 4].map(() => serverOf(pool));
    await Promise.all(before);
    let complete = false;
    const paused = pool.pause().then(() => (complete = true));
    const held = [serverOf(pool), ...Array.from({ length: 5 }, () => serverOf(pool))];
    expect(await serverOf(lease)).toBe(portOf(lab, 0));
    expect([complete, pool.waitingCount]).toEqual([false, 6]);
    lease.release();
    await paused;
    lab.hosts[0]!.refuse();
    await lab.move(lab.hosts[1]!);
    await pool.endpoint!.refresh();
    pool.resume();
    expect(new Set(await Promise.all(held))).toEqual(new Set([portOf(lab, 1)]));
  });

  it('holds callers for whom a connection was being made, and keeps their order', async () => {
    pool = makePool(lab, { max: 2 });
    const order: number[] = [];
    const held = [1, 2, 3].map(async (n) => {
      const client = await pool.connect();
      order.push(n);
      client.release();
    });
    await pool.pause();
    await expect.poll(() => pool.idleCount).toBe(2);
    expect([order, pool.waitingCount]).toEqual([[], 3]);
    pool.resume();
    await Promise.all(held);
    expect(order).toEqual([1, 2, 3]);
  });

  it.each([
    ['deadlineMillis', { failover: { deadlineMillis: 300 } }],
    ['connectionTimeoutMillis', { connectionTimeoutMillis: 300 }],
  ])('keep nobody longer than %s, though the pool has an address and follows no name', async (_, extra) => {
    const fixed = { host: lab.hosts[0]!.address, port: lab.port, ...lab.connection, max: 1, ...extra };
    pool = new Following(fixed);
    const before = settled(pool.pause().then(() => pool.query('select 1')));
    const message = expect.stringContaining('the pool is paused, and was not resumed for') as string;
    expect((await before).error).toMatchObject({ code: 'DEADLINE_EXCEEDED', message });
    const held = settled(serverOf(pool));
    pool.resume();
    expect(await held).toEqual({ value: portOf(lab, 0) });
    void pool.pause();
    const idle = settled(pool.query('select 1'));
    expect((await idle).error?.message).toContain('timeout exceeded when trying to connect');
  });

  it('keep nobody longer than his deadline, and end() lets everybody go', async () => {
    pool = makePool(lab, { failover: { deadlineMillis: 300 } });
    await fill(pool, 1);
    await pool.pause();
    const { error } = await settled(pool.query('select 1'));
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: expect.stringContaining('paused') });
    const waiting = settled(pool.query('select 1'));
    await pool.end();
    expect((await waiting).error?.code).toBe('POOL_ENDED');
  });

  it('a pause that is resumed before every lease is back tells so', async () => {
    pool = makePool(lab);
    const client = await pool.connect();
    const paused = settled(pool.pause());
    pool.resume();
    expect((await paused).error?.code).toBe('PAUSE_ENDED');
    client.release();
  });

  it('work on a pool that follows no name too', async () => {
    pool = new Following({ ...configOf(lab), follow: undefined, host: lab.hosts[0]!.address, max: 1 });
    await pool.pause();
    const held = [serverOf(pool), serverOf(pool)];
    expect(pool.waitingCount).toBe(2);
    pool.resume();
    expect(await Promise.all(held)).toEqual([portOf(lab, 0), portOf(lab, 0)]);
  });

  it('end() lets everybody go on a pool that follows no name too', async () => {
    pool = new Following({ ...configOf(lab), follow: undefined, host: lab.hosts[0]!.address, max: 1 });
    const client = await pool.connect();
    const paused = pool.pause();
    const waiting = [settled(pool.query('select 1')), settled(pool.connect())];
    const ended = pool.end();
    for (const { error } of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'POOL_ENDED' });
    client.release();
    await Promise.all([paused, ended]);
    pool = new Following({ ...configOf(lab), follow: undefined, host: lab.hosts[0]!.address });
    await pool.pause();
    const held = settled(pool.connect());
    await pool.end();
    expect((await held).error).toMatchObject({ code: 'POOL_ENDED' });
  });
});
