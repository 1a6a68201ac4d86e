import type { Address } from '../endpoint/address.js';
import { EipPoolError } from '../errors.js';

/** What a server is to a client that has logged in. */
export interface LoggedIn {
  readonly role: 'writable' | 'read-only';
}

interface MysqlModule {
  createConnection(options: object): Promise<{
    query(sql: string): Promise<[readonly Readonly<Record<string, unknown>>[], unknown]>;
    destroy(): void;
  }>;
}

/** Logs in at this address with a URL whose host is the name, asks for the role, and leaves. */
export async function login(url: URL, address: Address): Promise<LoggedIn> {
  return url.protocol === 'mysql:' ? await loginMysql(url, address) : await loginPostgres(url, address);
}

async function loginPostgres(url: URL, address: Address): Promise<LoggedIn> {
  const { Client } = await loaded('pg', () => import('../pg/index.js'));
  // The host stays the name, for TLS; the socket goes to the address.
  const client = new Client({ connectionString: url.href, follow: { resolver: { address }, allow: 'any' } });
  try {
    await client.connect();
    const { rows } = await client.query<{ standby: boolean; frozen: string }>(
      "select pg_is_in_recovery() as standby, current_setting('default_transaction_read_only') as frozen",
    );
    const [row] = rows;
    return { role: row?.standby === false && row.frozen === 'off' ? 'writable' : 'read-only' };
  } finally {
    await client.end();
  }
}

async function loginMysql(url: URL, address: Address): Promise<LoggedIn> {
  const name = 'mysql2/promise';
  const mysql = await loaded('mysql2', async () => (await import(name)) as MysqlModule);
  const connection = await mysql.createConnection({
    host: address,
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  });
  try {
    const [[row]] = await connection.query('select @@global.read_only as frozen');
    return { role: Number(row?.['frozen']) === 0 ? 'writable' : 'read-only' };
  } finally {
    connection.destroy();
  }
}

async function loaded<T>(peer: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new EipPoolError('PEER_MISSING', `a login needs the package ${peer}: npm install ${peer}`, { cause: error });
  }
}

/** The port of a database URL. */
export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'mysql:' ? 3306 : 5432));
}
