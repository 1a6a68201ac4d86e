import { Pool } from '../../../pg/index.js';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { pgClient } from './pg-clients.js';
import { type Ec2Target, followed } from './target.js';

/** The pool of this library, with its defaults. */
export function open(target: Ec2Target): LoadClient {
  const pool = new Pool({ connectionString: target.url, max: POOL_SIZE, ...followed(target) });
  pool.on('error', () => {});
  return pgClient(pool, target);
}
