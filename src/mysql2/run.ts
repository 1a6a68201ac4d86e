import type * as mysql from 'mysql2';
import { beginInternal, callerNow, endInternal, tellCaller } from '../async-context.js';
import { isMaybeReadOnly } from '../outcome/mysql.js';
import { type Command, createQuery, type Driver, type Leasing, type ResultCallback } from './internals.js';
import type { Keeper } from './keeper.js';
import type { Given } from './replayer.js';

export interface RunSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly keeper: Pick<Keeper, 'statements' | 'lend' | 'giveBack'>;
  /** The statement failed; its caller has not been told. */
  failed(given: Given, error: NodeJS.ErrnoException, told: ResultCallback): void;
}

/** What `pool.query` or `pool.execute` was given. */
type Statement = Omit<Given, 'sent'>;

/**
 * `pool.query` and `pool.execute` for a caller with a callback. They do what mysql2's do; those listen with `once`, which
 * costs a statement as much as all that this library adds to it.
 * @param told runs in the context of this call
 */
export function run(side: RunSide, given: Statement, told: ResultCallback): mysql.Query | undefined {
  const running = new Run(side, given, told);
  side.keeper.lend(running);
  return running.query;
}

/** A lease that ends with its statement. It comes with every statement: what it has to remember is in one object. */
class Run implements Leasing {
  readonly #side: RunSide;
  readonly #method: Statement['method'];
  readonly #sql: unknown;
  readonly #values: unknown;
  readonly #told: ResultCallback;
  readonly #caller: ReturnType<typeof callerNow> = callerNow();
  /** Undefined for one that is prepared first. */
  readonly query: mysql.Query | undefined;
  #connection: mysql.PoolConnection | null = null;
  #command: Command | null = null;
  #failure: NodeJS.ErrnoException | null = null;
  /** The statement ends a second time if its reply comes after a time-out. */
  #ended = false;

  constructor(side: RunSide, given: Statement, told: ResultCallback) {
    this.#side = side;
    this.#method = given.method;
    this.#sql = given.sql;
    this.#values = given.values;
    this.#told = told;
    const { driver, pool } = side;
    this.query = given.method === 'query' ? createQuery(driver, pool, given.sql, given.values, this.#tell) : undefined;
  }

  lease(error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection): void {
    if (error != null) return this.#fail(error);
    try {
      this.#begin(connection);
    } catch (thrown) {
      this.#refused(connection, thrown as Error);
    }
  }

  begin(connection: mysql.PoolConnection): void {
    try {
      this.#begin(connection);
    } catch (thrown) {
      process.nextTick(() => this.#refused(connection, thrown as Error));
    }
  }

  #begin(connection: mysql.PoolConnection): void {
    this.#connection = connection;
    const command = this.#run(connection);
    this.#command = command as unknown as Command;
    command.on('end', () => this.#end());
  }

  /** A query as it is; another statement is prepared first. */
  #run(connection: mysql.PoolConnection): mysql.Query {
    const before = beginInternal();
    try {
      if (this.query !== undefined) return connection.query(this.query);
      return connection.execute(this.#sql as string, this.#values as mysql.ExecuteValues, this.#tell as never);
    } finally {
      endInternal(before);
    }
  }

  /** The driver refused the statement or its values; or the caller's own callback threw, which is the caller's. */
  #refused(connection: mysql.PoolConnection, thrown: Error): void {
    connection.release();
    if (this.#failure !== null) throw thrown;
    this.#fail(thrown);
  }

  readonly #tell: ResultCallback = (error, rows, fields) => {
    if (error == null) return tellCaller(this.#caller, this.#told, error, rows, fields);
    // Until then the driver itself refuses it.
    if (this.#connection === null || this.#command === null) return this.#fail(error);
    const fail: ResultCallback = (failure) => this.#fail(failure);
    this.#side.keeper.statements.failed(this.#connection, this.#command, fail, error);
  };

  #fail(error: NodeJS.ErrnoException | null): void {
    // mysql2 tells twice of a connection that is lost after a time-out, or while a statement is being prepared.
    if (this.#failure !== null || error === null) return;
    this.#failure = error;
    const given: Given = { method: this.#method, sql: this.#sql, values: this.#values, sent: () => this.query?.sql };
    this.#side.failed(given, error, (said, rows, fields) => tellCaller(this.#caller, this.#told, said, rows, fields));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const connection = this.#connection!;
    if (this.#failure !== null && isMaybeReadOnly(this.#failure)) connection.destroy();
    else this.#side.keeper.giveBack(connection);
  }
}
