import type * as mysql from 'mysql2';
import { callerNow, internally, tellCaller } from '../async-context.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { type Command, createQuery, type Driver, type GetCallback, type ResultCallback } from './internals.js';
import type { Keeper } from './keeper.js';
import type { Given } from './replayer.js';

export interface RunSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly keeper: Pick<Keeper, 'statements' | 'giveBack'>;
  /** The statement failed; its caller has not been told. */
  failed(given: Given, error: NodeJS.ErrnoException, told: ResultCallback): void;
}

/** What `pool.query` or `pool.execute` was given. */
type Statement = Omit<Given, 'sent'>;

/**
 * `pool.query` and `pool.execute` for a caller with a callback: a lease that ends with its statement. It does what
 * mysql2's do; those listen with `once`, which costs a statement as much as all that this library adds to it.
 * @param told runs in the context of this call
 */
export function run(
  { driver, pool, keeper, failed }: RunSide,
  given: Statement,
  told: ResultCallback,
): mysql.Query | undefined {
  const caller = callerNow();
  let connection: mysql.PoolConnection | undefined;
  let command: mysql.Query | undefined;
  let failure: NodeJS.ErrnoException | null = null;
  const fail: ResultCallback = (error) => {
    // mysql2 tells twice of a connection that is lost after a time-out, or while a statement is being prepared.
    if (failure !== null || error === null) return;
    failure = error;
    failed({ ...given, sent: () => query?.sql }, error, (said, rows, fields) =>
      tellCaller(caller, told, said, rows, fields),
    );
  };
  const tell: ResultCallback = (error, rows, fields) => {
    if (error == null) return tellCaller(caller, told, error, rows, fields);
    // Until then the driver itself refuses it.
    if (connection === undefined || command === undefined) return fail(error);
    keeper.statements.failed(connection, command as Command, fail, error);
  };
  const query = given.method === 'query' ? createQuery(driver, pool, given.sql, given.values, tell) : undefined;
  const lease: GetCallback = (error, leased) => {
    if (error != null) return fail(error);
    connection = leased;
    const onEnd = giveBackOnce(keeper, leased, () => failure);
    try {
      command = internally(begin, leased, query ?? given, tell);
      command.on('end', onEnd);
    } catch (thrown) {
      leased.release();
      // The driver refused the statement or its values; or the caller's own callback threw, which is the caller's.
      if (failure !== null) throw thrown;
      fail(thrown as Error);
    }
  };
  internally(lend, pool, lease);
  return query;
}

function lend(pool: mysql.Pool, lease: GetCallback): void {
  pool.getConnection(lease);
}

/** A query as it is; another statement is prepared first. */
function begin(connection: mysql.PoolConnection, what: mysql.Query | Statement, tell: ResultCallback): mysql.Query {
  if (!('method' in what)) return connection.query(what);
  return connection.execute(what.sql as string, what.values as mysql.ExecuteValues, tell as never);
}

/** The statement ends a second time if its reply comes after a time-out. */
function giveBackOnce(
  keeper: RunSide['keeper'],
  connection: mysql.PoolConnection,
  failure: () => Error | null,
): () => void {
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    const error = failure();
    if (error !== null && isMaybeReadOnly(error)) connection.destroy();
    else keeper.giveBack(connection);
  };
}
