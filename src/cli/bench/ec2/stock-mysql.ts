import { createPool } from 'mysql2/promise';
import { type LoadClient, POOL_SIZE } from '../../failover/client.js';
import { ResolvingSocket } from '../../failover/resolving-socket.js';
import { mysqlClient } from './mysql-clients.js';
import { mysqlOptions } from './mysql-options.js';
import type { Ec2Target } from './target.js';

/** mysql2's own pool as it comes. */
export function open(target: Ec2Target): LoadClient {
  const { dnsServers } = target;
  const options = { ...mysqlOptions(new URL(target.url)), connectionLimit: POOL_SIZE };
  const { host, port } = options;
  const stream = (): ResolvingSocket => new ResolvingSocket(dnsServers).connect(port, host);
  return mysqlClient(createPool({ ...options, ...(dnsServers.length === 0 ? {} : { stream }) }), target);
}
