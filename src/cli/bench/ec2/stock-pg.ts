import pg from 'pg';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { pgClient } from './pg-clients.js';
import type { Ec2Target } from './target.js';

/** pg's own pool as it comes. */
export function open(target: Ec2Target): LoadClient {
  return openStock(target, {});
}

export function openStock(target: Ec2Target, options: pg.PoolConfig): LoadClient {
  const pool = new pg.Pool({ connectionString: target.url, max: POOL_SIZE, ...options });
  // What every application does that uses pg.Pool: without it the first failover ends the process.
  pool.on('error', () => {});
  return pgClient(pool, target);
}
