import { createPool } from '../../../mysql2/promise.js';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../mysql-client.js';

/** This library's pool for mysql2, with its defaults. */
export function open({ name, port, dnsServers, user, password, database }: Target): LoadClient {
  const follow = { servers: dnsServers };
  return loadClient(createPool({ host: name, port, user, password, database, connectionLimit: POOL_SIZE, follow }));
}
