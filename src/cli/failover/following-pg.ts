import { Pool } from '../../pg/index.js';
import { type LoadClient, POOL_SIZE, type Target } from './client.js';
import { loadClient } from './pg-client.js';

/** The pool of this library, with its defaults. */
export function open({ name, port, dnsServers, user, password, database }: Target): LoadClient {
  const follow = { servers: dnsServers };
  return loadClient(new Pool({ host: name, port, user, password, database, max: POOL_SIZE, follow }));
}
