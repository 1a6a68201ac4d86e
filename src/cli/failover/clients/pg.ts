import pg from 'pg';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../pg-client.js';

/** pg's own pool as it comes. */
export function open(target: Target): LoadClient {
  return openStock(target, {});
}

export function openStock({ name, port, user, password, database }: Target, options: pg.PoolConfig): LoadClient {
  const pool = new pg.Pool({ host: name, port, user, password, database, max: POOL_SIZE, ...options });
  // What every application does that uses pg.Pool: without it the first failover ends the process.
  pool.on('error', () => {});
  return loadClient(pool);
}
