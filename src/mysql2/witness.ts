import type * as mysql from 'mysql2';
import type { Marker, Resolution } from '../failover/transaction.js';
import { settled } from './leases.js';

/** Which server it is. */
export type Identity = string;

/** `server_uuid` of MySQL from 5.6 on, `server_uid` of MariaDB from 10.5.26, 10.6.19 and 10.11.9 on. */
const IDENTITY = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')";

/** Null where the server does not say. */
export async function identityOf(connection: mysql.Connection): Promise<Identity | null> {
  const { rows } = await settled((told) => connection.query({ sql: IDENTITY, rowsAsArray: true }, told));
  const [[, value] = []] = rows as [name: string, value: string][];
  return value || null;
}

export function isSame(before: Identity | null, now: Identity | null): boolean {
  return before !== null && before === now;
}

/** For as long as the old session is at its COMMIT, it holds its row, and whoever inserts the same waits. */
const LOCK_WAIT_SECONDS = 2;

/** ER_DUP_ENTRY */
const EXISTS = 1062;

/**
 * The transaction's row tells that it was done. That there is none tells something only of the server that it ran on,
 * and only if it cannot come any more: hence the row is written in its place.
 */
export async function askMarker(
  connection: mysql.Connection,
  { table, id }: Marker,
  same: boolean,
): Promise<Resolution> {
  if (!same) {
    const { rows } = await settled((told) => connection.query(`SELECT 1 FROM ${table} WHERE id = ?`, [id], told));
    return (rows as unknown[]).length === 0 ? 'unknown' : 'committed';
  }
  await settled((told) => connection.query('SET @eip_pool_before = @@session.innodb_lock_wait_timeout', told));
  await settled((told) => connection.query(`SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`, told));
  try {
    await settled((told) => connection.query(`INSERT INTO ${table} (id) VALUES (?)`, [id], told));
    return 'rolled-back';
  } catch (error) {
    if ((error as { readonly errno?: unknown }).errno === EXISTS) return 'committed';
    throw error;
  } finally {
    connection.query('SET SESSION innodb_lock_wait_timeout = @eip_pool_before', () => {});
  }
}
