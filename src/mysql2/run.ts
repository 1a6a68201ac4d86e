import type * as mysql from 'mysql2';
import { callerNow, enterInternals, leaveInternals, tellCaller } from '../async-context.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { type Command, createQuery, type Driver, type GetCallback, type ResultCallback } from './internals.js';
import type { Given } from './replayer.js';
import type { Statements } from './statements.js';

export interface RunSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly statements: Statements<mysql.PoolConnection>;
  /** The statement failed; its caller has not been told. */
  failed(given: Given, error: NodeJS.ErrnoException, told: ResultCallback): void;
}

/**
 * `pool.query` and `pool.execute` for a caller with a callback: a lease that ends with its statement. It does what
 * mysql2's do; those listen with `once`, which costs a statement as much as all that this library adds to it.
 * @param told runs in the context of this call
 */
// The functions of one call: an object with methods would cost every statement more than all of this.
// oxlint-disable-next-line max-lines-per-function
export function run(
  { driver, pool, statements, failed }: RunSide,
  method: Given['method'],
  sql: unknown,
  values: unknown,
  told: ResultCallback,
): mysql.Query | undefined {
  const caller = callerNow();
  let connection: mysql.PoolConnection | undefined;
  let command: mysql.Query | undefined;
  let failure: NodeJS.ErrnoException | null = null;
  const tell: ResultCallback = (error, rows, fields) => {
    if (error == null) return tellCaller(caller, told, error, rows, fields);
    // Until then the driver itself refuses it.
    if (connection === undefined || command === undefined) return fail(error);
    statements.failed(connection, command as Command, fail, error);
  };
  const fail: ResultCallback = (error) => {
    // mysql2 tells twice of a connection that is lost after a time-out, or while a statement is being prepared.
    if (failure !== null || error === null) return;
    failure = error;
    const given: Given = { method, sql, values, sent: () => query?.sql };
    failed(given, error, (...result) => tellCaller(caller, told, ...result));
  };
  const query = method === 'query' ? createQuery(driver, pool, sql, values, tell) : undefined;
  const lease: GetCallback = (error, leased) => {
    if (error != null) return fail(error);
    connection = leased;
    let ended = false;
    const onEnd = (): void => {
      // A second time, if the reply comes after a time-out.
      if (ended) return;
      ended = true;
      if (failure !== null && isMaybeReadOnly(failure)) leased.destroy();
      else leased.release();
    };
    const before = enterInternals();
    try {
      command =
        query !== undefined
          ? leased.query(query)
          : leased.execute(sql as string, values as mysql.ExecuteValues, tell as never);
      leaveInternals(before);
      command.on('end', onEnd);
    } catch (thrown) {
      leaveInternals(before);
      leased.release();
      // The driver refused the statement or its values; or the caller's own callback threw, which is the caller's.
      if (failure !== null) throw thrown;
      fail(thrown as Error);
    }
  };
  const before = enterInternals();
  try {
    pool.getConnection(lease);
  } finally {
    leaveInternals(before);
  }
  return query;
}
