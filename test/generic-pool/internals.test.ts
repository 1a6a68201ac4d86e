import { expect, it } from 'vitest';
import * as internals from '../../src/generic-pool/internals.js';

/** Each test says what breaks if a private member of generic-pool goes or changes its meaning. */
class Pool extends internals.StockPool {
  readonly refused: Set<unknown> = new Set();

  protected override mayLend(resource: unknown): boolean {
    return !this.refused.has(resource);
  }
}

function make(max: number): { pool: Pool; destroyed: unknown[] } {
  const destroyed: unknown[] = [];
  const factory = { create: async () => ({}), destroy: async (resource: unknown) => void destroyed.push(resource) };
  return { pool: new Pool(factory, { max }), destroyed };
}

it('_availableObjects, _allObjects and _destroy: or an idle resource on the old address would be acquired', async () => {
  const { pool, destroyed } = make(2);
  const [one, two] = [await pool.acquire(), await pool.acquire()];
  expect(internals.takeIdle(pool, one)).toBe(null);
  await pool.release(one);
  await pool.release(two);
  const destroy = internals.takeIdle(pool, one);
  expect([pool.available, pool.size]).toEqual([1, 1]);
  destroy!();
  expect(destroyed).toEqual([one]);
  expect(await pool.acquire()).toBe(two);
});

it('_resourceLoans and _dispense: or what drains would keep its place from the new server', async () => {
  const { pool, destroyed } = make(1);
  const held = await pool.acquire();
  const waiting = pool.acquire();
  internals.uncount(pool, held);
  internals.dispense(pool);
  const fresh = await waiting;
  expect([pool.isBorrowedResource(held), pool.size]).toEqual([true, 1]);
  await pool.destroy(held);
  await pool.release(fresh);
  expect([destroyed, pool.size]).toEqual([[held], 1]);
});

it('_dispatchPooledResourceToNextWaitingClient: or what has just become stale would be acquired', async () => {
  const { pool, destroyed } = make(1);
  const stale = await pool.acquire();
  const [one, two] = [pool.acquire(), pool.acquire()];
  pool.refused.add(stale);
  await pool.release(stale);
  const fresh = await one;
  expect([destroyed, pool.size, fresh === stale]).toEqual([[stale], 1, false]);
  await pool.release(fresh);
  expect(await two).toBe(fresh);
});

it('the queue that the constructor takes, and reject: or a caller would not fail at his deadline', async () => {
  const { pool } = make(1);
  const held = await pool.acquire();
  expect(internals.takeWaiting(pool)).toBeUndefined();
  const waiting = pool.acquire();
  const request = internals.takeWaiting(pool)!;
  expect(internals.allWaiting(pool)).toEqual([request]);
  request.reject(new Error('too late'));
  await expect(waiting).rejects.toThrow('too late');
  expect(internals.allWaiting(pool)).toEqual([]);
  await pool.release(held);
  expect(pool.available).toBe(1);
});

it('_draining: or a pool that was shut would go on following', async () => {
  const { pool } = make(1);
  expect(internals.isDraining(pool)).toBe(false);
  await pool.drain();
  expect(internals.isDraining(pool)).toBe(true);
});
