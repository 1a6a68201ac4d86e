import { Pool } from 'postgres-pool';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../pg-client.js';

/** postgres-pool as it comes. */
export function open({ name, port, user, password, database }: Target): LoadClient {
  const pool = new Pool({ host: name, port, user, password, database, poolSize: POOL_SIZE });
  pool.on('error', () => {});
  return loadClient({ query: (text, values) => pool.query(text, values), end: () => pool.end() });
}
