import type pg from 'pg';
import { systemClock } from '../clock.js';
import type { Marker, Resolution, Session as TransactionSession, TransactionAdapter } from '../failover/transaction.js';
import type { Scope } from '../failover/transaction-scope.js';
import type { ReadTransactionOptions } from '../failover/transaction-options.js';
import { leaseAnswering } from '../failover/repeat.js';
import type { Dialect } from '../outcome/statement.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { endsTransaction } from '../outcome/reads.js';
import { isNeverWritten, isTimeOut } from './driver-words.js';
import { socketOf } from './handshake.js';
import { activeQuery, onCommandTag, onReady, onServerError, preparedText } from './internals.js';
import { lenderOf } from './lender.js';
import { askMarker, type MarkerTable, markIn } from './marker.js';
import { askStatus, type Identity, identityOf, isSame, type TransactionId, transactionIdOf } from './witness.js';

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
  /** Where it wrote its marker, so that another connection finds the same table. */
  markerTable: MarkerTable | null = null;
  lost: boolean = false;
  left: boolean = false;
  #status = 'I';
  #readOnly = false;
  /** The statement of ours that is under way. */
  #ours: string | null = null;
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
    const stops = [
      onServerError(client, () => this.#fails()),
      onReady(client, (status) => this.#ready(status)),
      onCommandTag(client, (tag) => this.#completed(tag)),
    ];
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
    await this.run(`BEGIN${isolation}${access}`);
  }

  async run(sql: string): Promise<void> {
    await this.#runOurs(sql);
  }

  async mark(table: string, id: string): Promise<void> {
    this.markerTable = await this.settled(() => markIn(this.client, table, id));
  }

  /**
   * PostgreSQL sends an error at once, and only then what it does to the transaction; pg rejects at the first of the
   * two, and they need not come in one packet.
   */
  async settled<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.#failing?.over;
      if (error instanceof Error && isNeverWritten(error)) this.lost = true;
      throw error;
    }
  }

  async beforeCommit(): Promise<void> {
    // What a marker tells, the server's own record need not.
    if (this.markerTable !== null || this.#readOnly || this.identity === null || this.status !== 'open') return;
    this.id = await this.settled(() => transactionIdOf(this.client));
  }

  async commit(): Promise<boolean> {
    const { command } = await this.#runOurs('COMMIT');
    return command === 'COMMIT';
  }

  release(broken: boolean): void {
    this.#stopListening();
    try {
      this.client.release(broken);
    } catch {
      // Who had it before gave it back twice, so it is no lease any more. That is not what the transaction came to.
    }
  }

  async #runOurs(sql: string): Promise<pg.QueryResult> {
    this.#ours = sql;
    try {
      return await this.settled(() => this.client.query(sql));
    } finally {
      this.#ours = null;
    }
  }

  #completed(tag: string): void {
    const text = activeQuery(this.client)?.text ?? null;
    if (this.#ours === null || text !== this.#ours) this.left ||= endsTransaction(tag, text);
  }

  #fails(): void {
    if (this.#failing !== null || activeQuery(this.client) === null) return;
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
      const text = textOf(session.client, config);
      // In a function of its own, so that a config that pg throws at is one that it rejects.
      const run = async (): Promise<unknown> => await session.client.query(config, values);
      return scope.statement(text, () => session.settled(run));
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

  async resolve({ client: before, identity, id, markerTable }: Session, marker: Marker | null): Promise<Resolution> {
    const clock = this.#endpoint?.clock ?? systemClock;
    const client = await leaseAnswering(lenderOf(this.#pool), '', clock, this.#deadlineMillis);
    try {
      const same = isSame(identity, await identityOf(client)) && addressOf(before) === addressOf(client);
      if (marker !== null)
        return markerTable === null ? 'unknown' : await askMarker(client, markerTable, marker.id, same);
      return same && id !== null ? await askStatus(client, identity, id, clock) : 'unknown';
    } finally {
      client.release();
    }
  }
}

function addressOf(client: pg.PoolClient): string | null {
  return socketOf(client)?.dialledAddress ?? null;
}

/** Empty where there is none: what cannot be read may be anything. */
function textOf(client: pg.PoolClient, config: unknown): string {
  if (typeof config === 'string') return config;
  const { text, name } = (config ?? {}) as { readonly text?: unknown; readonly name?: unknown };
  if (typeof text === 'string') return text;
  return typeof name === 'string' ? (preparedText(client, name) ?? '') : '';
}
