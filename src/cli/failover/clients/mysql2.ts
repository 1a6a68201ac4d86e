import { createPool } from 'mysql2/promise';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../mysql-client.js';

/** mysql2's own pool as it comes. */
export function open({ name, port, user, password, database }: Target): LoadClient {
  return loadClient(createPool({ host: name, port, user, password, database, connectionLimit: POOL_SIZE }));
}
