import type { LoadClient } from '../../failover/client.js';
import { TUNED } from '../../failover/clients/pg-tuned.js';
import { openStock } from './stock-pg.js';
import type { Ec2Target } from './target.js';

/** pg's own pool, tuned. */
export function open(target: Ec2Target): LoadClient {
  return openStock(target, TUNED);
}
