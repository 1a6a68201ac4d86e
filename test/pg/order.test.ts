import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { afterFailures, CALLERS, inOrder, POOLS, served } from '../order-support.js';
import { fill, kill, makePool, next, resetLab, startServers } from './support.js';

let lab: Lab;
let pools: Pool[] = [];

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  await lab.hosts[0]!.restore();
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
afterAll(async () => {
  await lab?.close();
});

function makePools(extra: PoolConfig): void {
  pools = Array.from({ length: POOLS }, () => makePool(lab, { max: CALLERS, ...extra }));
}

const orderOf = (pool: Pool): Promise<number[]> => served(() => pool.connect());

describe('callers keep their order though attempts fail', () => {
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
    for (const pool of pools) await fill(pool);
    const down = pools.map(afterFailures);
    const [first, ...others] = pools as [Pool, ...Pool[]];
    await kill(lab, first);
    for (const pool of others) await expect.poll(() => pool.idleCount).toBe(0);
    const orders = pools.map(orderOf);
    await Promise.all(down);
    await lab.move(lab.hosts[1]!);
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });

  it('where a server that takes writes is waited for', async () => {
    const { database } = lab.hosts[0]!;
    await database.query('alter system set default_transaction_read_only = on');
    await database.query('select pg_reload_conf()');
    makePools({ failover: { waitAtStart: true, role: 'writable' } });
    const refused = pools.map(async (pool) => {
      for (let i = 0; i < CALLERS; i++) await next(pool, 'remove');
    });
    const orders = pools.map(orderOf);
    await Promise.all(refused);
    await database.query('alter system reset default_transaction_read_only');
    await database.query('select pg_reload_conf()');
    expect(await Promise.all(orders)).toEqual(pools.map(() => inOrder));
  });
});

it('where a connection cannot be dialled yet, the first caller who waits takes one that another gives back', async () => {
  const passwords: ((password: string) => void)[] = [];
  const password = (): Promise<string> => new Promise((resolve) => passwords.push(resolve));
  pools = [makePool(lab, { max: 4, password })];
  const [pool] = pools as [Pool];
  const callers = Array.from({ length: 5 }, async () => await pool.connect());
  await expect.poll(() => passwords.length).toBe(1);
  passwords[0]!(lab.connection!.password);
  const first = await callers[0]!;
  // Two may log in now, and do not come to an end; one has to wait for them, and one for its turn. All keep their order.
  await expect.poll(() => passwords.length).toBe(3);
  first.release();
  expect(await callers[1]).toBe(first);
  first.release();
  expect(await callers[2]).toBe(first);
  first.release();
  for (const give of passwords.slice(1)) give(lab.connection!.password);
  for (const client of await Promise.all(callers.slice(3))) client.release();
});
