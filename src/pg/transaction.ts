import type pg from 'pg';
import { systemClock } from '../clock.js';
import type { Marker, Resolution, Session as TransactionSession, TransactionAdapter } from '../failover/transaction.js';
import type { Scope } from '../failover/transaction-scope.js';
import type { ReadTransactionOptions } from '../failover/transaction-options.js';
import { leaseAnswering } from '../failover/repeat.js';
import type { Dialect } from '../outcome/statement.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isTimeOut } from './driver-words.js';
import { socketOf } from './handshake.js';
import { activeStatement, onReady, onServerError } from './internals.js';
import { lenderOf } from './lender.js';
import {
  askMarker,
  askStatus,
  type Identity,
  identityOf,
  isSame,
  type TransactionId,
  transactionIdOf,
} from './witness.js';

/** What the function of `pool.transaction` gets. Its statements run in the transaction, one after the other. */
export interface Transaction {
  query<R extends unknown[] = unknown[], I = unknown[]>(
    config: pg.QueryArrayConfig<I>,
    values?: pg.QueryConfigValues<I>,
  ): Promise<pg.QueryArrayResult<R>>;
  // The row's default type is pg's own.
  // oxlint-disable-next-line typescript/no-explicit-any
  query<R extends pg.QueryResultRow = any, I = unknown[]>(
    text: string | pg.QueryConfig<I>,
    values?: pg.QueryConfigValues<I>,
  ): Promise<pg.QueryResult<R>>;
  /**
   * A savepoint: if the function throws, only what it did is undone. While it is open, this handle's own statements are
   * refused with `TRANSACTION_NESTED`.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T): Promise<T>;
}

/** A client with a transaction on it. */
export class Session implements TransactionSession {
  readonly client: pg.PoolClient;
  identity: Identity | null = null;
  id: TransactionId | null = null;
  lost: boolean = false;
  #status = 'I';
  #marked = false;
  #readOnly = false;
  /** The server said that a statement failed, and did not yet say that it is ready for the next one. */
  #failing: { readonly over: Promise<void>; readonly end: () => void } | null = null;
  readonly #stopListening: () => void;

  constructor(client: pg.PoolClient) {
    this.client = client;
    const onLost = (): void => {
      this.lost = true;
      this.#ready();
    };
    // A statement in flight gets the error itself; without a listener, it would end the process too.
    client.on('error', onLost).on('end', onLost);
    const stops = [onServerError(client, () => this.#fails()), onReady(client, (status) => this.#ready(status))];
    this.#stopListening = () => {
      for (const stop of stops) stop();
      client.off('error', onLost).off('end', onLost);
    };
  }

  get status(): 'none' | 'open' | 'failed' {
    return this.#status === 'I' ? 'none' : this.#status === 'E' ? 'failed' : 'open';
  }

  async begin({ isolationLevel, accessMode }: ReadTransactionOptions): Promise<void> {
    this.identity = await identityOf(this.client);
    const isolation = isolationLevel === null ? '' : ` ISOLATION LEVEL ${isolationLevel.toUpperCase()}`;
    const access = accessMode === null ? '' : ` ${accessMode.toUpperCase()}`;
    this.#readOnly = accessMode === 'read only';
    await this.client.query(`BEGIN${isolation}${access}`);
  }

  async run(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  async mark(table: string, id: string): Promise<void> {
    await this.client.query(`INSERT INTO ${table} (id) VALUES ($1)`, [id]);
    this.#marked = true;
  }

  /**
   * PostgreSQL sends an error at once, and only then what it does to the transaction; pg rejects at the first of the
   * two, and they need not come in one packet.
   */
  async statement<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.#failing?.over;
      throw error;
    }
  }

  async beforeCommit(): Promise<void> {
    // What a marker tells, the server's own record need not.
    if (this.#marked || this.#readOnly || this.identity === null || this.status !== 'open') return;
    this.id = await transactionIdOf(this.client);
  }

  async commit(): Promise<boolean> {
    const { command } = await this.client.query('COMMIT');
    return command === 'COMMIT';
  }

  release(broken: boolean): void {
    this.#stopListening();
    this.client.release(broken);
  }

  #fails(): void {
    if (this.#failing !== null || activeStatement(this.client) === undefined) return;
    let end = (): void => {};
    const over = new Promise<void>((resolve) => (end = resolve));
    this.#failing = { over, end };
  }

  #ready(status = this.#status): void {
    this.#status = status;
    this.#failing?.end();
    this.#failing = null;
  }
}

export class PgTransactions implements TransactionAdapter<Transaction, Session> {
  readonly dialect: Dialect = 'postgres';
  readonly #pool: pg.Pool;
  readonly #endpoint: Endpoint | null;
  readonly #deadlineMillis: number;

  constructor(pool: pg.Pool, endpoint: Endpoint | null, deadlineMillis: number) {
    this.#pool = pool;
    this.#endpoint = endpoint;
    this.#deadlineMillis = deadlineMillis;
  }

  async open(): Promise<Session> {
    return new Session(await this.#pool.connect());
  }

  handle(session: Session, scope: Scope<Transaction>): Transaction {
    const query = (config: string | pg.QueryConfig, values?: unknown[]): Promise<unknown> => {
      const text = typeof config === 'string' ? config : config.text;
      return scope.statement(text, () => session.statement(() => session.client.query(config, values)));
    };
    return { query: query as Transaction['query'], transaction: (fn) => scope.transaction(fn) };
  }

  /** serialization_failure, deadlock_detected. */
  isConflict(error: unknown): boolean {
    const { code } = (error ?? {}) as { readonly code?: unknown };
    return code === '40001' || code === '40P01';
  }

  isTimeOut(error: unknown): boolean {
    return isTimeOut(error);
  }

  async resolve({ client: before, identity, id }: Session, marker: Marker | null): Promise<Resolution> {
    const clock = this.#endpoint?.clock ?? systemClock;
    const client = await leaseAnswering(lenderOf(this.#pool), '', clock, this.#deadlineMillis);
    try {
      const same = isSame(identity, await identityOf(client)) && addressOf(before) === addressOf(client);
      if (marker !== null) return await askMarker(client, marker, same);
      return same && id !== null ? await askStatus(client, identity, id, clock) : 'unknown';
    } finally {
      client.release();
    }
  }
}

function addressOf(client: pg.PoolClient): string | null {
  return socketOf(client)?.dialledAddress ?? null;
}
