import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { createPool, type Pool, type PoolOptions } from '../../src/mysql2/index.js';
import { afterFailures, CALLERS, inOrder, POOLS, served } from '../order-support.js';
import { startLogins } from './logins.js';
import { countsOf, end, fill, kill, lease, makePool, next, onServers, resetLab, startServers } from './support.js';

let lab: Lab;
let pools: Pool[] = [];

function makePools(extra: PoolOptions): void {
  pools = Array.from({ length: POOLS }, () => makePool(lab, { connectionLimit: CALLERS, ...extra }));
}

const orderOf = (pool: Pool): Promise<number[]> => served(() => lease(pool));

onServers('callers keep their order though attempts fail', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
  });
  afterEach(async () => {
    await lab.hosts[0]!.restore();
    await Promise.all(pools.splice(0).map(end));
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('in a pool that waits at its start', async () => {
    lab.hosts[0]!.refuse();
    makePools({ failover: { waitAtStart: true } });
    const down = pools.map(afterFailures);
    const orders = pools.map(orderOf);
    await Promise.all(down);
    await lab.hosts[0]!.restore();
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });

  it('in a failover', async () => {
    makePools({});
    for (const pool of pools) await fill(pool, CALLERS);
    const down = pools.map(afterFailures);
    const [first, ...others] = pools as [Pool, ...Pool[]];
    await kill(lab, first);
    for (const pool of others) await expect.poll(() => countsOf(pool).idle).toBe(0);
    const orders = pools.map(orderOf);
    await Promise.all(down);
    await lab.move(lab.hosts[1]!);
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });

  it('in the queue of a pool that was merely busy, and whose leases end on the server that was left', async () => {
    makePools({ failover: { drainMillis: 0 } });
    for (const pool of pools) await fill(pool, CALLERS);
    const [held] = await Promise.all(pools.map((pool) => Promise.all(inOrder.map(() => lease(pool)))));
    const orders = pools.map(orderOf);
    for (const pool of pools) await expect.poll(() => countsOf(pool).waiting).toBe(CALLERS);
    const moves = pools.map((pool) => next(pool.endpoint!, 'move'));
    await lab.move(lab.hosts[1]!);
    await Promise.all(moves);
    for (const connection of held!) connection.release();
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });

  it('in the queue of a pool that is paused and resumed', async () => {
    makePools({});
    for (const pool of pools) await fill(pool, CALLERS);
    const held = await Promise.all(pools.map((pool) => Promise.all(inOrder.map(() => lease(pool)))));
    const orders = pools.map(orderOf);
    for (const pool of pools) await expect.poll(() => countsOf(pool).waiting).toBe(CALLERS);
    // Some are on their way to the next callers when the pause begins.
    for (const own of held) for (const connection of own.slice(0, 2)) connection.release();
    const paused = pools.map((pool) => pool.pause());
    for (const own of held) for (const connection of own.slice(2)) connection.release();
    await Promise.all(paused);
    for (const pool of pools) pool.resume();
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });

  it('where a server that takes writes is waited for', async () => {
    const { database } = lab.hosts[0]!;
    await database.query('set global read_only = 1');
    makePools({ failover: { waitAtStart: true, role: 'writable' } });
    const refused = pools.map(async (pool) => {
      for (let i = 0; i < CALLERS; i++) await next(pool, 'connection');
    });
    const orders = pools.map(orderOf);
    await Promise.all(refused);
    await database.query('set global read_only = 0');
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });
});

it('where a connection cannot be dialled yet, the first caller who waits takes one that another gives back', async () => {
  const logins: (() => void)[] = [];
  const server = await startLogins({ onLogin: (letIn) => void logins.push(letIn) });
  const pool = createPool({ host: 'localhost', port: server.port, user: 'u', connectionLimit: 4 });
  const callers = Array.from({ length: 5 }, async () => await lease(pool));
  await expect.poll(() => logins.length).toBe(1);
  logins[0]!();
  const first = await callers[0]!;
  // Two may log in now, and do not come to an end; one has to wait for them, and one for its turn. All keep their order.
  await expect.poll(() => logins.length).toBe(3);
  first.release();
  expect(await callers[1]).toBe(first);
  first.release();
  expect(await callers[2]).toBe(first);
  first.release();
  for (const login of logins.slice(1)) login();
  for (const leased of await Promise.all(callers.slice(3))) leased.release();
  await end(pool);
  server.close();
});
