import type pg from 'pg';
import type { Resolution } from '../failover/transaction.js';
import { invalidOption } from '../options.js';

/** A marker's table by its full name in quotes: a name without a schema depends on each session's search path. */
export type MarkerTable = string;

interface Written {
  /** Of the table that has the row: a part of the one that was named, where that is partitioned. */
  readonly oid: string;
  readonly id: string;
}

interface Description {
  readonly full: string;
  readonly kind: string;
  readonly persistence: string;
  readonly unique: boolean;
  readonly triggered: boolean;
}

/** Tables that were found to be good, by the one that has the row. */
const known: WeakMap<pg.ClientBase, Map<string, MarkerTable>> = new WeakMap();

/**
 * Writes the row, in the transaction that it is to tell of.
 * @throws `INVALID_OPTION` for a table whose row would tell nothing, or the wrong thing
 */
export async function markIn(client: pg.ClientBase, table: string, id: string): Promise<MarkerTable> {
  const oid = await write(client, table, id);
  const tables = known.get(client) ?? new Map<string, MarkerTable>();
  known.set(client, tables);
  const before = tables.get(oid);
  if (before !== undefined) return before;
  const { rows } = await client.query<Description>(DESCRIPTION, [table, oid]);
  const full = checked(table, rows[0]);
  tables.set(oid, full);
  return full;
}

async function write(client: pg.ClientBase, table: string, id: string): Promise<string> {
  const insert = `INSERT INTO ${table} (id) VALUES ($1) RETURNING tableoid::text AS oid, id::text`;
  let written: Written | undefined;
  try {
    written = (await client.query<Written>(insert, [id])).rows[0];
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== UNDEFINED_COLUMN) throw error;
    throw unfit(table, 'a view, or has no column id', error);
  }
  if (written === undefined) throw unfit(table, 'one whose trigger keeps the row out');
  if (written.id !== id) throw unfit(table, 'one that keeps another id than it is given');
  return written.oid;
}

/** A view has no tableoid. */
const UNDEFINED_COLUMN = '42703';

const DESCRIPTION = `
  select quote_ident(n.nspname) || '.' || quote_ident(named.relname) as full,
    part.relkind as kind, part.relpersistence as persistence,
    exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = part.oid and a.attname = 'id' and i.indnkeyatts = 1 and i.indpred is null
        and i.indisunique and i.indimmediate and i.indisvalid) as unique,
    exists (select from pg_trigger t where t.tgrelid in (named.oid, part.oid)
      and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 4 <> 0) as triggered
  from pg_class named join pg_namespace n on n.oid = named.relnamespace, pg_class part
  where named.oid = to_regclass($1) and part.oid = $2::oid`;

const WRONG_PERSISTENCE: Readonly<Record<string, string>> = {
  u: 'an unlogged one, which a crash empties',
  t: 'a temporary one, which no other connection sees',
};

function checked(table: string, description: Description | undefined): MarkerTable {
  if (description === undefined) throw unfit(table, 'one that cannot be found by its name');
  const { full, kind, persistence, unique, triggered } = description;
  const wrong = WRONG_PERSISTENCE[persistence];
  if (wrong !== undefined) throw unfit(table, wrong);
  // A foreign one is committed by another server, before this transaction is.
  if (kind !== 'r') throw unfit(table, 'one that another server keeps');
  if (!unique) throw unfit(table, 'one without a unique index on id alone');
  // It may take the row away again, at the end of the statement or of the transaction.
  if (triggered) throw unfit(table, 'one with a trigger for each row that comes');
  return full;
}

function unfit(table: string, what: string, cause?: unknown): Error {
  const error = invalidOption('transaction.marker', 'a permanent table with a unique column id', table);
  error.message += `, which is ${what}; the transaction was rolled back`;
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** For as long as the old session is at its COMMIT, it holds its row, and whoever inserts the same waits. */
const LOCK_TIMEOUT = "select set_config('lock_timeout', '2s', true)";

/**
 * The transaction's row tells that it was done. That there is none tells something only of the server that it ran on,
 * and only if it cannot come any more: hence the row is written in its place.
 */
export async function askMarker(
  client: pg.ClientBase,
  table: MarkerTable,
  id: string,
  same: boolean,
): Promise<Resolution> {
  if (!same) {
    const { rowCount } = await client.query(`SELECT FROM ${table} WHERE id = $1`, [id]);
    return rowCount === 0 ? 'unknown' : 'committed';
  }
  await client.query('BEGIN');
  try {
    await client.query(LOCK_TIMEOUT);
    const { rowCount } = await client.query(`INSERT INTO ${table} (id) VALUES ($1) ON CONFLICT DO NOTHING`, [id]);
    await client.query('COMMIT');
    return rowCount === 0 ? 'committed' : 'rolled-back';
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
