import type * as mysql from 'mysql2';
import type { Uptime } from '../sockets/uptime.js';
import { threadIdOf } from './internals.js';
import { settled } from './leases.js';

const PLAIN = { rowsAsArray: true, nestTables: false, typeCast: true } as const;
/** In the table, since proxies answer by themselves what a session's number is. */
const SESSION = 'select id from information_schema.processlist where id = connection_id()';
const UPTIME = "show global status like 'Uptime'";
/** It tells how often the second of its clock has changed. */
const RESOLUTION_MILLIS = 1_000;

/** Null where the login gave another number than the session has: a proxy's sessions are not the server's. */
export async function uptimeOf(connection: mysql.Connection): Promise<Uptime | null> {
  const ask = async (sql: string): Promise<readonly unknown[] | undefined> => {
    const { rows } = await settled((told) => connection.query({ sql, ...PLAIN }, told as never));
    return (rows as readonly (readonly unknown[])[])[0];
  };
  const [id] = (await ask(SESSION)) ?? [];
  if (id === undefined || Number(id) !== threadIdOf(connection)) return null;
  const [, seconds] = (await ask(UPTIME)) ?? [];
  if (seconds === undefined) return null;
  return { millis: 1_000 * Number(seconds), resolutionMillis: RESOLUTION_MILLIS, sessionId: Number(id) };
}
