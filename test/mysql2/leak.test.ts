import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { leaseThroughMoves, LEASES, MOVES } from '../leak-support.js';
import { end, fill, lease, makePool, moved, onServers, startServers } from './support.js';

let lab: Lab;

async function sessionsOf(index: number): Promise<number> {
  const rows = await lab.hosts[index]!.database.query<{ User: string }>('show processlist');
  return rows.filter(({ User }) => User === lab.connection!.user).length;
}

onServers('ten thousand leases while the name moves every two seconds', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  afterAll(async () => {
    await lab?.close();
  });

  it('leave no connection behind on either server', async () => {
    const pool = makePool(lab, { connectionLimit: 10, follow: { intervalMillis: 100 } });
    // The baseline that the first move is a move from.
    await fill(pool);
    const work = async (): Promise<void> => {
      const connection = await lease(pool);
      await connection.promise().query('do 1');
      connection.release();
    };
    expect(await leaseThroughMoves(lab, work, () => moved(pool))).toEqual({ leases: LEASES, moves: MOVES });
    await expect.poll(() => sessionsOf(0)).toBe(0);
    expect(await sessionsOf(1)).toBeLessThanOrEqual(10);
    expect(pool.drainingCount).toBe(0);
    await end(pool);
    await expect.poll(() => sessionsOf(1)).toBe(0);
  }, 40_000);
});
