import type * as mysql from 'mysql2';
import { internally } from '../async-context.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { createQuery, type Driver, type GetCallback, type ResultCallback } from './internals.js';
import type { Given } from './replayer.js';

export interface RunSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  /** The statement failed; its caller has not been told. */
  failed(given: Given, error: NodeJS.ErrnoException, told: ResultCallback): void;
}

/**
 * `pool.query` and `pool.execute` for a caller with a callback: a lease that ends with its statement. It does what
 * mysql2's do; those listen with `once`, which costs a statement as much as all that this library adds to it.
 * @param told runs in its caller's context
 */
export function run(
  { driver, pool, failed }: RunSide,
  method: Given['method'],
  sql: unknown,
  values: unknown,
  told: ResultCallback,
): mysql.Query | undefined {
  let failure: NodeJS.ErrnoException | null = null;
  const tell: ResultCallback = (error, rows, fields) => {
    if (error == null) return told(error, rows, fields);
    // mysql2 tells twice of a connection that is lost after a time-out, or while a statement is being prepared.
    if (failure !== null) return;
    failure = error;
    failed({ method, sql, values, sent: () => query?.sql }, error, told);
  };
  const query = method === 'query' ? createQuery(driver, pool, sql, values, tell) : undefined;
  const lease: GetCallback = (error, connection) => {
    if (error != null) return tell(error);
    let ended = false;
    const onEnd = (): void => {
      // A second time, if the reply comes after a time-out.
      if (ended) return;
      ended = true;
      if (failure !== null && isMaybeReadOnly(failure)) connection.destroy();
      else connection.release();
    };
    try {
      const command = internally(() =>
        query !== undefined
          ? connection.query(query)
          : connection.execute(sql as string, values as mysql.ExecuteValues, tell as never),
      );
      command.on('end', onEnd);
    } catch (thrown) {
      connection.release();
      // The driver refused the statement or its values; or the caller's own callback threw, which is the caller's.
      if (failure !== null) throw thrown;
      tell(thrown as Error);
    }
  };
  internally(() => pool.getConnection(lease));
  return query;
}
