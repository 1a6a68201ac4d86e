import type pg from 'pg';
import type { LoadClient } from '../../failover/client.js';
import { type Ec2Target, serverOf } from './target.js';

/** A pool of pg, or one that is used like it. */
export function pgClient(pool: pg.Pool, { sql }: Ec2Target): LoadClient {
  const ask = async (text: string, values: string[]): Promise<number> => {
    const { rows } = await pool.query<{ server: number | null }>(text, values);
    return serverOf(rows[0]);
  };
  const read = (): Promise<number> => ask(sql.read, []);
  const { write } = sql;
  return { read, write: write === null ? read : (id) => ask(write, [id]), close: () => pool.end() };
}
