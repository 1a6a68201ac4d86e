import type * as mysql from 'mysql2';
import { settled } from './leases.js';

/** Which server it is. */
export type Identity = string;

/** `server_uuid` of MySQL from 5.6 on, `server_uid` of MariaDB from 10.5.26, 10.6.19 and 10.11.9 on. */
const IDENTITY = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')";

/** How a statement of ours is read, whatever the pool's options are. */
export const PLAIN = { rowsAsArray: true, nestTables: false, typeCast: true } as const;

/** Null where the server does not say. */
export async function identityOf(connection: mysql.Connection): Promise<Identity | null> {
  const { rows } = await settled((told) => connection.query({ sql: IDENTITY, ...PLAIN }, told));
  const [[, value] = []] = rows as [name: string, value: string][];
  return value || null;
}

export function isSame(before: Identity | null, now: Identity | null): boolean {
  return before !== null && before === now;
}
