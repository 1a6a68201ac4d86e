import type { TLSSocket } from 'node:tls';
import type { Connection } from 'mysql2/promise';
import type { Address } from '../endpoint/address.js';
import { EipPoolError } from '../errors.js';
import { isReadOnlyRow, ROLE } from '../mysql2/role.js';

/** What a server is to a client that has logged in. */
export interface LoggedIn {
  readonly role: 'writable' | 'read-only';
}

/** Logs in at this address with a URL whose host is the name, asks for the role, and leaves. */
export async function login(url: URL, address: Address): Promise<LoggedIn> {
  return url.protocol === 'mysql:' ? await loginMysql(url, address) : await loginPostgres(url, address);
}

async function loginPostgres(url: URL, address: Address): Promise<LoggedIn> {
  const { Client, question } = await loaded('pg', async () => {
    const [pg, prober] = await Promise.all([import('../pg/index.js'), import('../pg/prober.js')]);
    return { Client: pg.Client, question: prober.ROLE };
  });
  // The host stays the name, for TLS; the socket goes to the address.
  const client = new Client({ connectionString: url.href, follow: { resolver: { address }, allow: 'any' } });
  try {
    await client.connect();
    const { rows } = await client.query<{ read_only: boolean }>(question);
    return { role: rows[0]?.read_only === false ? 'writable' : 'read-only' };
  } finally {
    await client.end();
  }
}

async function loginMysql(url: URL, address: Address): Promise<LoggedIn> {
  const connection = await connectMysql(url, address, false);
  try {
    const [rows] = await connection.query(ROLE);
    return { role: isReadOnlyRow((rows as unknown[])[0]) ? 'read-only' : 'writable' };
  } finally {
    await connection.end();
  }
}

/** The TLS socket of a login by TLS, whatever its certificate; null where the server offers none. */
export async function mysqlTls(
  url: URL,
  address: Address,
): Promise<{ socket: TLSSocket; end(): Promise<void> } | null> {
  try {
    const connection = await connectMysql(url, address, true);
    const { stream } = (connection as unknown as { connection: { stream: TLSSocket } }).connection;
    return { socket: stream, end: () => connection.end() };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'HANDSHAKE_NO_SSL_SUPPORT') return null;
    throw error;
  }
}

async function connectMysql(url: URL, address: Address, tls: boolean): Promise<Connection> {
  const { createConnection } = await loaded('mysql2', () => import('../mysql2/promise.js'));
  return await createConnection({
    ...partsOf(url),
    ...(tls ? { ssl: { rejectUnauthorized: false } } : {}),
    follow: { resolver: { address }, allow: 'any' },
  });
}

async function loaded<T>(peer: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new EipPoolError('PEER_MISSING', `a login needs the package ${peer}: npm install ${peer}`, { cause: error });
  }
}

/** A database URL in the options that mysql2 knows. */
export function partsOf(url: URL): {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
} {
  return {
    host: url.hostname,
    port: portOf(url),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}

/** The port of a database URL. */
export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'mysql:' ? 3306 : 5432));
}
