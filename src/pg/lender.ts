import type pg from 'pg';
import type { Lender } from '../failover/repeat.js';

export function lenderOf(pool: pg.Pool): Lender<pg.PoolClient> {
  return {
    lease: () => pool.connect(),
    ask: (client, statement) => client.query(statement),
    discard: (client) => client.release(true),
  };
}
