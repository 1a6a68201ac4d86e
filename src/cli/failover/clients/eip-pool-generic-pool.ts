import pg from 'pg';
import { createPool } from '../../../generic-pool/index.js';
import { loadClient } from '../borrowing.js';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';

/** This library's generic-pool with pg in it. */
export function open({ name, port, dnsServers, user, password, database }: Target): LoadClient {
  const pool = createPool(
    {
      create: async (target) => {
        const client = new pg.Client({ host: name, port, user, password, database, stream: () => target.connect() });
        client.on('error', () => {});
        await client.connect();
        return client;
      },
      destroy: (client) => client.end(),
      ping: (client) => client.query('select 1'),
    },
    { host: name, port, max: POOL_SIZE, follow: { servers: dnsServers } },
  );
  return loadClient(pool);
}
