import { createPool } from 'mysql2/promise';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { partsOf } from '../../login.js';
import { mysqlClient } from './mysql-clients.js';
import type { Ec2Target } from './target.js';

/** mysql2's own pool as it comes. */
export function open(target: Ec2Target): LoadClient {
  return mysqlClient(createPool({ ...partsOf(new URL(target.url)), connectionLimit: POOL_SIZE }), target);
}
