import pg from 'pg';
import { type LoadClient, POOL_SIZE, type Target } from './client.js';
import { ResolvingSocket } from './resolving-socket.js';
import { loadClient } from './pg-client.js';

/** pg's own pool as it comes; it asks the lab's DNS where it would ask the machine's, for each connection. */
export function open(target: Target): LoadClient {
  return loadClient(stockPool(target));
}

export function stockPool(target: Target, options: pg.PoolConfig = {}): pg.Pool {
  const { name, port, dnsServers, user, password, database } = target;
  const stream = (): ResolvingSocket => new ResolvingSocket(dnsServers);
  return new pg.Pool({ host: name, port, user, password, database, max: POOL_SIZE, stream, ...options });
}
