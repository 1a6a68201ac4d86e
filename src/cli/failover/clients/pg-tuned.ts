import type pg from 'pg';
import type { LoadClient, Target } from '../client.js';
import { openStock } from './pg.js';

/** What is usually advised: every time-out 2 s, and keepalive that really is on. */
export const TUNED: pg.PoolConfig = {
  connectionTimeoutMillis: 2_000,
  query_timeout: 2_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 1_000,
};

/** pg's own pool, tuned. */
export function open(target: Target): LoadClient {
  return openStock(target, TUNED);
}
