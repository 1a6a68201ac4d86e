import type * as mysql from 'mysql2';
import type promise from 'mysql2/promise';
import { type Clock, systemClock } from '../clock.js';
import type { Scope } from '../failover/transaction-scope.js';
import type { Marker, Resolution, Session as TransactionSession, TransactionAdapter } from '../failover/transaction.js';
import type { ReadTransactionOptions } from '../failover/transaction-options.js';
import { leaseAnswering } from '../failover/repeat.js';
import type { Dialect } from '../outcome/statement.js';
import { isTimeOut } from './driver-words.js';
import { breakOff, type GetCallback, isEnded } from './internals.js';
import { lease, lenderOf } from './leases.js';
import type { QueryOptions } from './options.js';
import { askMarker, type Identity, identityOf, isSame } from './witness.js';

/** What the function of `pool.transaction` gets. Its statements run in the transaction, one after the other. */
export interface Transaction {
  query: promise.PoolConnection['query'];
  execute: promise.PoolConnection['execute'];
  /**
   * A savepoint: if the function throws, only what it did is undone. While it is open, this handle's own statements are
   * refused with `TRANSACTION_NESTED`.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T): Promise<T>;
}

type Run = (sql: unknown, values: unknown) => Promise<[unknown, ...unknown[]]>;

/** SERVER_STATUS_IN_TRANS of the MySQL protocol's status flags. */
const IN_TRANSACTION = 1;

/** It does nothing, and its reply has the status. */
const NOTHING = 'DO 0';

/** A connection with a transaction on it. */
export class Session implements TransactionSession {
  readonly connection: mysql.PoolConnection;
  readonly promised: promise.PoolConnection;
  identity: Identity | null = null;
  #inTransaction = false;

  constructor(connection: mysql.PoolConnection) {
    this.connection = connection;
    this.promised = connection.promise();
  }

  /** MySQL has no transaction that only takes its end. */
  get status(): 'none' | 'open' {
    return this.#inTransaction ? 'open' : 'none';
  }

  get lost(): boolean {
    return isEnded(this.connection);
  }

  async begin({ isolationLevel, accessMode, marker }: ReadTransactionOptions): Promise<void> {
    if (marker !== null) this.identity = await identityOf(this.connection);
    // For the next transaction only.
    if (isolationLevel !== null) await this.run(`SET TRANSACTION ISOLATION LEVEL ${isolationLevel.toUpperCase()}`);
    await this.run(accessMode === null ? 'START TRANSACTION' : `START TRANSACTION ${accessMode.toUpperCase()}`);
  }

  async run(sql: string): Promise<void> {
    await this.watched(() => this.promised.query(sql));
  }

  async mark(table: string, id: string): Promise<void> {
    await this.watched(() => this.promised.query(`INSERT INTO ${table} (id) VALUES (?)`, [id]));
  }

  /** MySQL keeps no record of its transactions. */
  async beforeCommit(): Promise<void> {}

  /** The server answers it with OK, also where it had rolled back before; the status has told of that. */
  async commit(): Promise<boolean> {
    await this.run('COMMIT');
    return true;
  }

  /** What a statement's reply says of the transaction. An error's reply says nothing of it, so it is asked for. */
  async watched<T extends readonly [unknown, ...unknown[]]>(run: () => Promise<T>): Promise<T> {
    try {
      const result = await run();
      this.#observe(result[0]);
      return result;
    } catch (error) {
      if (!this.lost && !isTimeOut(error)) await this.#ask();
      throw error;
    }
  }

  release(broken: boolean): void {
    if (broken) breakOff(this.connection, new Error('its transaction was broken off'));
    else this.connection.release();
  }

  async #ask(): Promise<void> {
    try {
      this.#observe((await this.promised.query(NOTHING))[0]);
    } catch {
      // The connection was lost, which the error that is on its way may not tell.
    }
  }

  #observe(result: unknown): void {
    const status = statusOf(result);
    if (status !== null) this.#inTransaction = (status & IN_TRANSACTION) !== 0;
  }
}

/** Rows come with no status, and no SELECT ends a transaction; what a CALL returns ends with a header that has one. */
function statusOf(result: unknown): number | null {
  const last = (Array.isArray(result) ? result.at(-1) : result) as Readonly<Record<string, unknown>> | null | undefined;
  const isHeader = last?.constructor?.name === 'ResultSetHeader';
  return isHeader && typeof last?.['serverStatus'] === 'number' ? last['serverStatus'] : null;
}

export interface TransactionsSide {
  readonly get: (callback: GetCallback) => void;
  readonly clock: Clock | null;
  readonly deadlineMillis: number;
}

export class Mysql2Transactions implements TransactionAdapter<Transaction, Session> {
  readonly dialect: Dialect = 'mysql';
  readonly #side: TransactionsSide;

  constructor(side: TransactionsSide) {
    this.#side = side;
  }

  async open(): Promise<Session> {
    return new Session(await lease(this.#side.get));
  }

  handle(session: Session, scope: Scope<Transaction>): Transaction {
    const { promised } = session;
    const through =
      (method: 'query' | 'execute') =>
      (sql: string | QueryOptions, values?: unknown): Promise<unknown> => {
        const run = promised[method].bind(promised) as Run;
        return scope.statement(typeof sql === 'string' ? sql : sql.sql, () => session.watched(() => run(sql, values)));
      };
    return {
      query: through('query') as Transaction['query'],
      execute: through('execute') as Transaction['execute'],
      transaction: (fn) => scope.transaction(fn),
    };
  }

  /** ER_LOCK_DEADLOCK, and what else has its SQLSTATE: a certification that failed in a cluster. */
  isConflict(error: unknown): boolean {
    const { errno, sqlState } = (error ?? {}) as { readonly errno?: unknown; readonly sqlState?: unknown };
    return errno === 1213 || sqlState === '40001';
  }

  isTimeOut(error: unknown): boolean {
    return isTimeOut(error);
  }

  async resolve({ identity }: Session, marker: Marker | null): Promise<Resolution> {
    if (marker === null) return 'unknown';
    const clock = this.#side.clock ?? systemClock;
    const { get, deadlineMillis } = this.#side;
    const connection = await leaseAnswering(lenderOf(get), NOTHING, clock, deadlineMillis);
    try {
      return await askMarker(connection, marker, isSame(identity, await identityOf(connection)));
    } finally {
      connection.release();
    }
  }
}
