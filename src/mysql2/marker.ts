import type * as mysql from 'mysql2';
import type { Resolution } from '../failover/transaction.js';
import { invalidOption } from '../options.js';
import { databaseOf } from './internals.js';
import { settled } from './leases.js';
import { PLAIN } from './witness.js';

/** A marker's table by its full name in quotes: one without a schema depends on what `USE` each session has run. */
export type MarkerTable = string;

/** The id is one of ours, so it stands in the text: a `queryFormat` of the application's may have other placeholders. */
export function markStatement(table: MarkerTable, id: string): string {
  return `INSERT INTO ${table} (id) VALUES ('${id}')`;
}

/**
 * Whether a row in this table tells of its transaction; returns the table's full name. It is asked on the transaction's
 * own session, since a temporary table may have the name.
 * @throws `INVALID_OPTION` for a table whose row would tell nothing, or the wrong thing
 */
export async function checkMarker(connection: mysql.Connection, table: string): Promise<MarkerTable> {
  const database = databaseOf(connection);
  const full = table.includes('.') || database === undefined ? table : `${quoted(database)}.${table}`;
  const [[, text = ''] = []] = await rowsOf(connection, `SHOW CREATE TABLE ${full}`);
  const bare = text.replace(/'(?:[^'\\]|\\.|'')*'/g, "''");
  if (/^create temporary /i.test(bare)) throw unfit(table, 'a temporary one, which no other connection sees');
  if (!/^create table /i.test(bare)) throw unfit(table, 'a view, or no table of its own');
  const [, engine = ''] = /\)\s*engine\s*=\s*(\w+)/i.exec(bare) ?? [];
  if (!(await keepsTransactions(connection, engine))) {
    throw unfit(table, `one of the engine ${engine || 'that the server hides'}, which keeps no transactions`);
  }
  if (!isUnique(bare)) throw unfit(table, 'one without a unique index on id alone');
  return full;
}

/** Another server keeps their rows, and commits them before this one does. */
const ELSEWHERE: ReadonlySet<string> = new Set(['FEDERATED', 'SPIDER', 'CONNECT']);

async function keepsTransactions(connection: mysql.Connection, engine: string): Promise<boolean> {
  const name = engine.toUpperCase();
  if (name === 'INNODB') return true;
  if (ELSEWHERE.has(name)) return false;
  const rows = await rowsOf(connection, `SELECT TRANSACTIONS FROM information_schema.ENGINES WHERE ENGINE = '${name}'`);
  return rows[0]?.[0] === 'YES';
}

/** How long an id is: an index on fewer characters of it would take one for another. */
const ID_LENGTH = 36;

function isUnique(bare: string): boolean {
  const keys = /(?:primary key|unique key [^(]*)\s*\(\s*([`"]?)id\1\s*(?:\((\d+)\))?\s*(?:asc|desc)?\s*\)/gi;
  return [...bare.matchAll(keys)].some(([, , prefix]) => prefix === undefined || Number(prefix) >= ID_LENGTH);
}

/**
 * Is the row there, as it was written? A trigger may have changed it, and in some modes a column keeps what it has room for.
 * @throws `INVALID_OPTION`
 */
export async function checkMark(connection: mysql.Connection, table: MarkerTable, id: string): Promise<void> {
  const rows = await rowsOf(connection, `SELECT 1 FROM ${table} WHERE id = '${id}' AND CAST(id AS CHAR) = '${id}'`);
  if (rows.length !== 1) throw unfit(table, 'one that keeps another id than it is given');
}

function unfit(table: string, what: string): Error {
  const error = invalidOption('transaction.marker', 'a permanent table with a unique column id', table);
  error.message += `, which is ${what}; the transaction was rolled back`;
  return error;
}

async function rowsOf(connection: mysql.Connection, sql: string): Promise<(string | undefined)[][]> {
  const { rows } = await settled((told) => connection.query({ sql, ...PLAIN }, told));
  return rows as (string | undefined)[][];
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
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
  table: MarkerTable,
  id: string,
  same: boolean,
): Promise<Resolution> {
  if (!same) {
    const rows = await rowsOf(connection, `SELECT 1 FROM ${table} WHERE id = '${id}'`);
    return rows.length === 0 ? 'unknown' : 'committed';
  }
  await settled((told) => connection.query('SET @eip_pool_before = @@session.innodb_lock_wait_timeout', told));
  await settled((told) => connection.query(`SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`, told));
  try {
    await settled((told) => connection.query(markStatement(table, id), told));
    return 'rolled-back';
  } catch (error) {
    if ((error as { readonly errno?: unknown }).errno === EXISTS) return 'committed';
    throw error;
  } finally {
    connection.query('SET SESSION innodb_lock_wait_timeout = @eip_pool_before', () => {});
  }
}
