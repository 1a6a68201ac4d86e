import type pg from 'pg';
import { type LoadClient, READ, WRITE } from './client.js';

/** A pool of pg, or one that is used like it. */
export function loadClient(pool: pg.Pool): LoadClient {
  // What every application does that uses pg.Pool: without it the first failover ends the process.
  pool.on('error', () => {});
  const portOf = async (text: string, values: string[]): Promise<number> => {
    const { rows } = await pool.query<{ port: number }>(text, values);
    return rows[0]!.port;
  };
  return { write: (id) => portOf(WRITE, [id]), read: () => portOf(READ, []), close: () => pool.end() };
}
