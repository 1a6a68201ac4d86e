import type { LoadClient, Target } from '../client.js';
import { openStock } from './pg.js';

/** pg's own pool with what is usually advised: every time-out 2 s, and keepalive that really is on. */
export function open(target: Target): LoadClient {
  return openStock(target, {
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1_000,
  });
}
