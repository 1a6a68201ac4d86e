import { createPool } from 'mysql2/promise';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { mysqlClient } from './mysql-clients.js';
import { mysqlOptions } from './mysql-options.js';
import type { Ec2Target } from './target.js';

/** mysql2's own pool as it comes. */
export function open(target: Ec2Target): LoadClient {
  return mysqlClient(createPool({ ...mysqlOptions(new URL(target.url)), connectionLimit: POOL_SIZE }), target);
}
