import { AwsPoolConfig } from 'aws-advanced-nodejs-wrapper';
import { AwsPgPoolClient } from 'aws-advanced-nodejs-wrapper/pg';
import { type LoadClient, POOL_SIZE, type Target } from '../client.js';
import { loadClient } from '../pg-client.js';

/** AWS's wrapper around pg with its internal pool, with the plugins that it chooses itself. */
export function open(target: Target): LoadClient {
  return openWrapper(target, {});
}

export function openWrapper(
  { name, port, user, password, database }: Target,
  options: { readonly plugins?: string },
): LoadClient {
  const config = { host: name, port, user, password, database, ...options };
  const pool = new AwsPgPoolClient(config, new AwsPoolConfig({ maxConnections: POOL_SIZE, minConnections: 0 }));
  return loadClient({
    query: async (text, values) => (await pool.query(text, values ?? [])) as { rows: unknown[] },
    end: () => pool.end(),
  });
}
