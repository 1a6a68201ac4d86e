import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { leaseThroughMoves, LEASES, MOVES, sessionsOf } from '../leak-support.js';
import { fill, makePool, moved, startServers } from './support.js';

let lab: Lab;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
afterAll(async () => {
  await lab?.close();
});

it('ten thousand leases while the name moves every two seconds leave no connection behind on either server', async () => {
  const pool = makePool(lab, { max: 10, follow: { intervalMillis: 100 } });
  // The baseline that the first move is a move from.
  await fill(pool);
  const work = async (): Promise<void> => {
    const client = await pool.connect();
    await client.query('select 1');
    client.release();
  };
  expect(await leaseThroughMoves(lab, work, () => moved(pool))).toEqual({ leases: LEASES, moves: MOVES });
  await expect.poll(() => sessionsOf(lab, 0)).toBe(0);
  expect(await sessionsOf(lab, 1)).toBeLessThanOrEqual(10);
  expect(pool.drainingCount).toBe(0);
  await pool.end();
  await expect.poll(() => sessionsOf(lab, 1)).toBe(0);
}, 40_000);
