import type * as mysql from 'mysql2';
import type promise from 'mysql2/promise';
import { type Clock, systemClock } from '../clock.js';
import type { Scope } from '../failover/transaction-scope.js';
import type { Marker, Resolution, Session as TransactionSession, TransactionAdapter } from '../failover/transaction.js';
import type { ReadTransactionOptions } from '../failover/transaction-options.js';
import { leaseAnswering } from '../failover/repeat.js';
import { keepsTransaction } from '../outcome/reads.js';
import type { Dialect } from '../outcome/statement.js';
import { isTimeOut } from './driver-words.js';
import { breakOff, type GetCallback, hasOwnFormat, isEnded, takesSeveral } from './internals.js';
import { lease, lenderOf } from './leases.js';
import { askMarker, checkMark, checkMarker, type MarkerTable, markStatement } from './marker.js';
import { type Identity, identityOf, isSame } from './witness.js';

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

/** As long as it is there, so is the transaction in which it was set: the status tells nothing of one after the other. */
const GUARD = 'eip_pool_guard';
/** ER_SP_DOES_NOT_EXIST */
const GUARD_IS_GONE = 1305;

type Method = 'query' | 'execute';

/** A connection with a transaction on it. */
export class Session implements TransactionSession {
  readonly connection: mysql.PoolConnection;
  readonly promised: promise.PoolConnection;
  identity: Identity | null = null;
  /** Where it wrote its marker, so that another connection finds the same table. */
  markerTable: MarkerTable | null = null;
  left: boolean = false;
  remains: boolean = false;
  #inTransaction = false;
  /** It was asked after an error, and did not answer. */
  #unanswered = false;

  constructor(connection: mysql.PoolConnection) {
    this.connection = connection;
    this.promised = connection.promise();
  }

  /** MySQL has no transaction that only takes its end. */
  get status(): 'none' | 'open' {
    return this.#inTransaction ? 'open' : 'none';
  }

  get lost(): boolean {
    return this.#unanswered || isEnded(this.connection);
  }

  async begin({ isolationLevel, accessMode, marker }: ReadTransactionOptions): Promise<void> {
    if (marker !== null) this.identity = await identityOf(this.connection);
    // For the next transaction only.
    if (isolationLevel !== null) await this.run(`SET TRANSACTION ISOLATION LEVEL ${isolationLevel.toUpperCase()}`);
    await this.run(accessMode === null ? 'START TRANSACTION' : `START TRANSACTION ${accessMode.toUpperCase()}`);
  }

  async run(sql: string): Promise<void> {
    const [result] = await this.#watched(() => this.promised.query(sql));
    // MySQL warns of what it could not roll back.
    if (sql.startsWith('ROLLBACK') && (headerOf(result)?.warningStatus ?? 0) > 0) this.remains = true;
  }

  async mark(table: string, id: string): Promise<void> {
    const full = await checkMarker(this.connection, table);
    await this.run(markStatement(full, id));
    await checkMark(this.connection, full, id);
    this.markerTable = full;
  }

  /** MySQL keeps no record of its transactions. */
  async beforeCommit(): Promise<void> {}

  /** The server answers it with OK, also where it had rolled back before; the status has told of that. */
  async commit(): Promise<boolean> {
    await this.run('COMMIT');
    return true;
  }

  /** One statement of the application's: is it still the same transaction after it? */
  async statement<T extends readonly [unknown, ...unknown[]]>(
    text: string,
    method: Method,
    run: () => Promise<T>,
  ): Promise<T> {
    const single = method === 'execute' || !takesSeveral(this.connection);
    if (keepsTransaction(text, 'mysql', single)) return await this.#watched(run);
    await this.run(`SAVEPOINT ${GUARD}`);
    try {
      return await this.#watched(run);
    } finally {
      await this.#checkGuard();
    }
  }

  release(broken: boolean): void {
    // Whatever ended the transaction may have left more behind, as LOCK TABLES leaves its locks.
    if (broken || this.left) breakOff(this.connection, new Error('its transaction was broken off'));
    else this.connection.release();
  }

  async #checkGuard(): Promise<void> {
    if (this.status === 'none') this.left = true;
    if (this.lost || this.left) return;
    try {
      await this.run(`RELEASE SAVEPOINT ${GUARD}`);
    } catch (error) {
      if ((error as { readonly errno?: unknown }).errno === GUARD_IS_GONE) this.left = true;
    }
  }

  /** What a statement's reply says of the transaction. An error's reply says nothing of it, so it is asked for. */
  async #watched<T extends readonly [unknown, ...unknown[]]>(run: () => Promise<T>): Promise<T> {
    try {
      const result = await run();
      this.#observe(result[0]);
      return result;
    } catch (error) {
      if (!this.lost && !isTimeOut(error)) await this.#ask();
      throw error;
    }
  }

  async #ask(): Promise<void> {
    try {
      this.#observe((await this.promised.query(NOTHING))[0]);
    } catch {
      // The connection was lost, which the error that is on its way may not tell.
      this.#unanswered = true;
    }
  }

  #observe(result: unknown): void {
    const status = headerOf(result)?.serverStatus;
    if (status !== undefined) this.#inTransaction = (status & IN_TRANSACTION) !== 0;
  }
}

interface Header {
  readonly serverStatus?: number;
  readonly warningStatus?: number;
}

/** Rows come with none, and no SELECT ends a transaction; what a CALL returns ends with one. */
function headerOf(result: unknown): Header | null {
  const last = (Array.isArray(result) ? (result as unknown[]).at(-1) : result) as object | null | undefined;
  return last?.constructor?.name === 'ResultSetHeader' ? last : null;
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
      (method: Method) =>
      (sql: unknown, values?: unknown): Promise<unknown> => {
        const text = textOf(session.connection, method, sql, values);
        // In a function of its own, so that a statement that mysql2 throws at is one that it rejects.
        const run = async (): ReturnType<Run> => await (promised[method].bind(promised) as Run)(sql, values);
        return scope.statement(text, () => session.statement(text, method, run));
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

  async resolve({ identity, markerTable }: Session, marker: Marker | null): Promise<Resolution> {
    if (marker === null || markerTable === null) return 'unknown';
    const clock = this.#side.clock ?? systemClock;
    const { get, deadlineMillis } = this.#side;
    const connection = await leaseAnswering(lenderOf(get), NOTHING, clock, deadlineMillis);
    try {
      const same = isSame(identity, await identityOf(connection));
      return await askMarker(connection, markerTable, marker.id, same);
    } finally {
      connection.release();
    }
  }
}

/**
 * The statement's text, with its values in it where these may be SQL themselves. Empty where there is none: what cannot be
 * read may be anything.
 */
function textOf(connection: mysql.PoolConnection, method: Method, statement: unknown, given: unknown): string {
  const options = typeof statement === 'object' ? ((statement ?? {}) as { sql?: unknown; values?: unknown }) : null;
  const text = options === null ? statement : options.sql;
  if (typeof text !== 'string') return '';
  const values = given ?? options?.values;
  if (method === 'execute' || (!hasOwnFormat(connection) && areLiterals(values))) return text;
  try {
    return connection.format(text, values);
  } catch {
    return '';
  }
}

function areLiterals(values: unknown): boolean {
  return Array.isArray(values) ? values.every(isLiteral) : isLiteral(values);
}

function isLiteral(value: unknown): boolean {
  if (typeof value === 'object') return value === null || value instanceof Date || Buffer.isBuffer(value);
  return typeof value !== 'function';
}
