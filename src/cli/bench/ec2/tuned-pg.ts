import type { LoadClient } from '../../failover/client.js';
import { openStock } from './stock-pg.js';
import type { Ec2Target } from './target.js';

/** pg's own pool with what is usually advised: every time-out 2 s, and keepalive. */
export function open(target: Ec2Target): LoadClient {
  const tuned = { connectionTimeoutMillis: 2_000, query_timeout: 2_000, keepAlive: true };
  return openStock(target, { ...tuned, keepAliveInitialDelayMillis: 1_000 });
}
