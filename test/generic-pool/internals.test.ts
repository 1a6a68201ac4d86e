import { expect, it } from 'vitest';
import * as internals from '../../src/generic-pool/internals.js';

/** Each test says what breaks if a private member of generic-pool goes or changes its meaning. */
class Pool extends internals.StockPool {
  readonly refused: Set<unknown> = new Set();
  held = false;

  protected override mayServe(): boolean {
    return !this.held;
  }

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

it('the queue that the constructor takes, and reject: or a caller would not fail at its deadline', async () => {
  const { pool } = make(1);
  const acquire = (): internals.Acquired => internals.acquired(pool, () => pool.acquire());
  const held = await acquire().promise;
  const waiting = acquire();
  expect(internals.allWaiting(pool)).toEqual([waiting.request]);
  waiting.request!.reject(new Error('too late'));
  await expect(waiting.promise).rejects.toThrow('too late');
  expect(internals.allWaiting(pool)).toEqual([]);
  await pool.release(held);
  expect(pool.available).toBe(1);
});

it('enqueue: or a caller that is refused would be taken for one that waits', async () => {
  const pool = new Pool({ create: async () => ({}), destroy: async () => {} }, { max: 1, maxWaitingClients: 1 });
  await pool.acquire();
  const waiting = pool.acquire();
  const refused = internals.acquired(pool, () => pool.acquire());
  expect(refused.request).toBeUndefined();
  await expect(refused.promise).rejects.toThrow('max waitingClients count exceeded');
  internals.allWaiting(pool)[0]!.reject(new Error('ended'));
  await expect(waiting).rejects.toThrow('ended');
});

it('resolve and reject of a request: or a deadline would go on for a caller that has been served', async () => {
  const { pool } = make(1);
  const held = await pool.acquire();
  const [one, two] = [internals.acquired(pool, () => pool.acquire()), internals.acquired(pool, () => pool.acquire())];
  const settled: string[] = [];
  internals.onSettled(one.request!, () => settled.push('one'), String);
  internals.onSettled(
    two.request!,
    () => settled.push('two'),
    (error) => new Error(`explained: ${String(error)}`),
  );
  await pool.release(held);
  expect(await one.promise).toBe(held);
  expect(settled).toEqual(['one']);
  two.request!.reject('why');
  await expect(two.promise).rejects.toThrow('explained: why');
  expect(settled).toEqual(['one', 'two']);
});

it('dequeue: or one whose time is over would use up what the next could get', async () => {
  const { pool } = make(1);
  const held = await pool.acquire();
  const [late, next] = [internals.acquired(pool, () => pool.acquire()), pool.acquire()];
  late.request!.reject(new Error('too late'));
  await expect(late.promise).rejects.toThrow('too late');
  await pool.release(held);
  expect(await next).toBe(held);
});

it('_dispense and _addPooledResourceToAvailableObjects: or a pool that is held would serve', async () => {
  const { pool } = make(1);
  const held = await pool.acquire();
  const waiting = internals.acquired(pool, () => pool.acquire());
  pool.held = true;
  await pool.release(held);
  expect([waiting.request!.state, pool.available]).toEqual(['PENDING', 1]);
  pool.held = false;
  internals.dispense(pool);
  expect(await waiting.promise).toBe(held);
});

it('_testOnBorrowResources: or what is tested while the pool is held would be handed out', async () => {
  let answer = (_good: boolean): void => {};
  const validate = (): Promise<boolean> => new Promise((resolve) => (answer = resolve));
  const factory = { create: async () => ({}), destroy: async () => {}, validate };
  const pool = new Pool(factory, { max: 1, testOnBorrow: true });
  const waiting = internals.acquired(pool, () => pool.acquire());
  await expect.poll(() => internals.nextPlace(pool)).toBe(1);
  pool.held = true;
  answer(true);
  await expect.poll(() => pool.available).toBe(1);
  expect(waiting.request!.state).toBe('PENDING');
});

it('_waitingClientsQueue, and the counts that nextPlace takes: or nobody knew how many are too many', async () => {
  const { pool } = make(2);
  expect(internals.nextPlace(pool)).toBe(0);
  const held = [pool.acquire(), pool.acquire()];
  expect(internals.nextPlace(pool)).toBe(1);
  await Promise.all(held);
  expect(internals.nextPlace(pool)).toBe(1);
  void pool.acquire();
  expect(internals.nextPlace(pool)).toBe(2);
  await pool.release(await held[0]!);
  await pool.release(await held[1]!);
  expect(internals.nextPlace(pool)).toBe(0);
});

it('_createResource and _factoryCreateOperations: or nobody would look for a server while all callers fail fast', async () => {
  const { pool } = make(1);
  internals.makeOne(pool);
  expect(internals.openingCount(pool)).toBe(1);
  await expect.poll(() => pool.available).toBe(1);
  expect(internals.openingCount(pool)).toBe(0);
});

it('_Promise: or a caller who is refused would get another kind of promise', async () => {
  class Chosen<T> extends Promise<T> {}
  const factory = { create: async () => ({}), destroy: async () => {} };
  const refused = internals.refused(new Pool(factory, { Promise: Chosen }), new Error('no'));
  expect(refused).toBeInstanceOf(Chosen);
  await expect(refused).rejects.toThrow('no');
});

it('_draining: or a pool that was shut would go on following', async () => {
  const { pool } = make(1);
  expect(internals.isDraining(pool)).toBe(false);
  await pool.drain();
  expect(internals.isDraining(pool)).toBe(true);
});
