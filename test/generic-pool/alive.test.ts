import { expect, it } from 'vitest';
import { make, moveTo, useLab } from './support.js';

useLab({});

it('a ping that fails on this side says nothing of an address that was left: what is borrowed there drains', async () => {
  const destroyed: object[] = [];
  let told: () => void = () => {};
  const first = new Promise<void>((resolve) => (told = resolve));
  // Resources that live on no socket of the pool's.
  const pool = make(
    {
      create: () => Promise.resolve({}),
      destroy: (resource: object) => {
        destroyed.push(resource);
        told();
      },
      ping: () => Promise.reject(new Error('no token for a new session')),
    },
    { failover: { drainMillis: 60_000 } },
  );
  const [borrowed, idle] = [await pool.acquire(), await pool.acquire()];
  await pool.release(idle);
  await moveTo(pool, 1);
  await first;
  expect(destroyed).toEqual([idle]);
  expect(pool.isBorrowedResource(borrowed)).toBe(true);
  await pool.release(borrowed);
});
