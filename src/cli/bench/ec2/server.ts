import type { Address } from '../../../endpoint/address.js';
import type { FollowingConfig } from '../../../failover/options.js';
import { partsOf } from '../../login.js';

/** One of the two database servers, asked by itself at its private address. */
export interface Session {
  query<Row>(sql: string): Promise<Row[]>;
}

/** Logs in with a URL whose host is the name, at this address: TLS verifies the name. */
export async function at<T>(url: URL, address: Address, work: (session: Session) => Promise<T>): Promise<T> {
  const config: FollowingConfig = { follow: { resolver: { address }, allow: 'any' } };
  return url.protocol === 'mysql:' ? await atMysql(url, config, work) : await atPostgres(url, config, work);
}

async function atPostgres<T>(url: URL, config: FollowingConfig, work: (session: Session) => Promise<T>): Promise<T> {
  const { Client } = await import('../../../pg/index.js');
  const client = new Client({ connectionString: url.href, ...config });
  try {
    await client.connect();
    return await work({ query: async <Row>(sql: string) => (await client.query(sql)).rows as Row[] });
  } finally {
    await client.end();
  }
}

async function atMysql<T>(url: URL, config: FollowingConfig, work: (session: Session) => Promise<T>): Promise<T> {
  const { createConnection } = await import('../../../mysql2/promise.js');
  const connection = await createConnection({ ...partsOf(url), ...config });
  try {
    return await work({ query: async <Row>(sql: string) => (await connection.query(sql))[0] as Row[] });
  } finally {
    await connection.end();
  }
}
