import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { fill, kill, makePool, portOf, resetLab, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
});
afterEach(async () => {
  if (!pool.ending) await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

/** A pool that has lost its server, and as many callers as it may have connections, who have them made. */
async function inOutage(extra: PoolConfig = {}): Promise<{ readonly first: Promise<unknown> }> {
  pool = makePool(lab, { max: 2, ...extra });
  await fill(pool);
  await kill(lab, pool);
  const first = Promise.all([settled(pool.query('select 1')), settled(pool.query('select 1'))]);
  await expect.poll(() => pool.endpoint!.state).toBe('down');
  return { first };
}

describe('statements that wait for a server', () => {
  it('run in the order in which they came, and each is told in the context of its caller', async () => {
    const { first } = await inOutage();
    const context = new AsyncLocalStorage<number>();
    const told: (readonly [number | undefined, unknown])[] = [];
    const text = 'select $1::int as n, inet_server_port() as port';
    const done = Array.from({ length: 6 }, (_, n) =>
      context.run(n, async () => {
        const note = (result: { rows: unknown[] }): unknown => told.push([context.getStore(), result.rows[0]]);
        if (n % 2 === 0) return note(await pool.query(text, [n]));
        return await new Promise<void>((resolve, reject) => {
          pool.query(text, [n], (error, result) => {
            if (error != null) return reject(error);
            note(result);
            resolve();
          });
        });
      }),
    );
    expect(pool.waitingCount).toBe(6);
    await lab.hosts[0]!.restore();
    await Promise.all([first, ...done]);
    const port = portOf(lab, 0);
    expect(told.toSorted(([a], [b]) => a! - b!)).toEqual(Array.from({ length: 6 }, (_, n) => [n, { n, port }]));
    expect([pool.waitingCount, pool.idleCount]).toEqual([0, 2]);
  });

  it('give their client back where the driver refuses them', async () => {
    await inOutage();
    const refuse = {
      toPostgres: (): never => {
        throw new Error('no');
      },
    };
    const [bad, good] = [settled(pool.query('select $1::text', [refuse])), settled(pool.query('select 1 as one'))];
    await lab.hosts[0]!.restore();
    expect((await bad).error?.message).toBe('no');
    expect((await good).value?.rows).toEqual([{ one: 1 }]);
    await expect.poll(() => pool.totalCount - pool.idleCount).toBe(0);
  });

  it('ask an application’s own connect, where there is one', async () => {
    await inOutage();
    const asked: unknown[] = [];
    const stock = pool.connect.bind(pool);
    const waiting = settled(pool.query('select 1'));
    pool.connect = ((callback: never) => {
      asked.push(callback);
      return stock(callback);
    }) as never;
    const patched = settled(pool.query('select 2 as two'));
    expect(asked).toHaveLength(1);
    await lab.hosts[0]!.restore();
    expect((await patched).value?.rows).toEqual([{ two: 2 }]);
    expect((await waiting).error).toBeUndefined();
    await expect.poll(() => pool.totalCount - pool.idleCount).toBe(0);
  });

  it('are told by end() that nothing was sent', async () => {
    const { first } = await inOutage();
    const waiting = [
      settled(pool.query('select 1')),
      settled(
        new Promise((resolve, reject) => pool.query('select 1', (error) => (error ? reject(error) : resolve(0)))),
      ),
    ];
    await pool.end();
    for (const { error } of await Promise.all(waiting)) {
      expect(error?.code).toBe('POOL_ENDED');
      expect(outcomeOf(error)).toBe('not-sent');
    }
    await first;
  });
});
