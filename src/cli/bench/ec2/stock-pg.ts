import pg from 'pg';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { ResolvingSocket } from '../../failover/resolving-socket.js';
import { pgClient } from './pg-clients.js';
import type { Ec2Target } from './target.js';

/** pg's own pool as it comes. */
export function open(target: Ec2Target): LoadClient {
  return pgClient(stockPool(target), target);
}

export function stockPool({ url, dnsServers }: Ec2Target, options: pg.PoolConfig = {}): pg.Pool {
  const asked = dnsServers.length === 0 ? {} : { stream: () => new ResolvingSocket(dnsServers) };
  return new pg.Pool({ connectionString: url, max: POOL_SIZE, ...asked, ...options });
}
