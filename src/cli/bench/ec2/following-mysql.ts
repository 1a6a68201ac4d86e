import { createPool } from '../../../mysql2/promise.js';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { partsOf } from '../../login.js';
import { mysqlClient } from './mysql-clients.js';
import { type Ec2Target, followed } from './target.js';

/** The pool of this library, with its defaults. */
export function open(target: Ec2Target): LoadClient {
  return mysqlClient(
    createPool({ ...partsOf(new URL(target.url)), connectionLimit: POOL_SIZE, ...followed(target) }),
    target,
  );
}
