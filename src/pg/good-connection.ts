import type pg from 'pg';
import type { Clock } from '../clock.js';
import { outcomeOf } from '../outcome/outcome.js';

/**
 * A connection to a server that answers: the first statement proves it, and where its connection breaks another one is
 * taken, since a pool learns only one after the other that the connections to a dead server are gone.
 * @throws what the pool or the server said, or what the last connection failed with after `until`
 */
export async function leaseAnswering(
  pool: pg.Pool,
  clock: Clock,
  until: number,
  first: string,
): Promise<pg.PoolClient> {
  for (;;) {
    const client = await pool.connect();
    try {
      await client.query(first);
      return client;
    } catch (error) {
      client.release(true);
      if (outcomeOf(error) === undefined || clock.now() >= until) throw error;
    }
  }
}
