import { Pool } from '../../../pg/index.js';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../pg-client.js';

/** This library's pool for pg, with its defaults. */
export function open({ name, port, dnsServers, user, password, database }: Target): LoadClient {
  const pool = new Pool({
    host: name,
    port,
    user,
    password,
    database,
    max: POOL_SIZE,
    follow: { servers: dnsServers },
  });
  pool.on('error', () => {});
  return loadClient(pool);
}
