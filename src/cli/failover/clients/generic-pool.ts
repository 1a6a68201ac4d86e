import genericPool from 'generic-pool';
import pg from 'pg';
import { loadClient } from '../borrowing.js';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';

/** generic-pool as it comes, with pg in it. */
export function open({ name, port, user, password, database }: Target): LoadClient {
  const pool = genericPool.createPool<pg.Client>(
    {
      create: async () => {
        const client = new pg.Client({ host: name, port, user, password, database });
        client.on('error', () => {});
        await client.connect();
        return client;
      },
      destroy: (client) => client.end(),
    },
    { max: POOL_SIZE },
  );
  return loadClient(pool);
}
