import { randomUUID } from 'node:crypto';
import { Surroundings } from '../async-context.js';
import { CommitUnknownError, EipPoolError, messageOf } from '../errors.js';
import { invalidOption } from '../options.js';
import { noteOutcome, noteTransactionOutcome, outcomeOf } from '../outcome/outcome.js';
import type { Dialect } from '../outcome/statement.js';
import { Cancellation } from './abort.js';
import { Attempt, type Failed } from './transaction-attempt.js';
import { readTransactionOptions, type ReadTransactionOptions, type TransactionOptions } from './transaction-options.js';
import type { Scope } from './transaction-scope.js';

/** A leased connection with at most one transaction on it, as an adapter provides it. */
export interface Session {
  begin(options: ReadTransactionOptions): Promise<void>;
  /** One statement of the runner's own: savepoints, ROLLBACK. */
  run(sql: string): Promise<unknown>;
  /** Writes the row that tells of this transaction. */
  mark(table: string, id: string): Promise<void>;
  /** What must be known in case that the answer to COMMIT is lost. */
  beforeCommit(): Promise<void>;
  /** False where the server answers that it rolled back instead. */
  commit(): Promise<boolean>;
  /** As the server said with its last reply; `failed` takes nothing but its end. */
  readonly status: 'none' | 'open' | 'failed';
  /**
   * Whether a statement ended the transaction that was begun: the status cannot tell, where another one was begun in the
   * same breath. Undefined where that is not known after all.
   */
  readonly left?: boolean | undefined;
  /** Whether a ROLLBACK left something undone, as in tables that keep no transactions. */
  readonly remains?: boolean | undefined;
  /** Its connection has ended. */
  readonly lost: boolean;
  /** Back to the pool, or closed if it is broken. */
  release(broken: boolean): void;
}

export type Resolution = 'committed' | 'rolled-back' | 'unknown';

export interface Marker {
  readonly table: string;
  readonly id: string;
}

/** What only a driver's adapter can do. `Tx` is what the application's function gets. */
export interface TransactionAdapter<Tx, S extends Session> {
  readonly dialect: Dialect;
  /** As `pool.connect()`. */
  open(): Promise<S>;
  /** It runs each statement through the scope. */
  handle(session: S, scope: Scope<Tx>): Tx;
  /** A serialization failure or a deadlock: the server rolled back, and a second run may succeed. */
  isConflict(error: unknown): boolean;
  /** The driver's own time-out. */
  isTimeOut(error: unknown): boolean;
  /** COMMIT was sent on this session and not answered: what became of it? Asked on a new connection; may reject. */
  resolve(session: S, marker: Marker | null): Promise<Resolution>;
}

interface LostCommit<T> {
  readonly marker: Marker | null;
  readonly value: T;
  readonly cause: object;
}

/** What one run came to. */
type Result<T> = { readonly kind: 'committed'; readonly value: T } | Failed;

/** Design, pools rule 6: the transactions of one pool. */
export class Transactions<Tx, S extends Session> {
  readonly #adapter: TransactionAdapter<Tx, S>;
  readonly #surroundings: Surroundings<Scope<Tx>> = new Surroundings();

  constructor(adapter: TransactionAdapter<Tx, S>) {
    this.#adapter = adapter;
  }

  async run<T>(fn: (tx: Tx) => Promise<T> | T, input?: TransactionOptions): Promise<T> {
    const options = readTransactionOptions(input);
    const outer = this.#surroundings.scope;
    if (outer !== null) return await this.#nest(outer, fn, options);
    const cancellation = new Cancellation(options.signal);
    try {
      for (let left = options.retries; ; left--) {
        const result = await this.#once(fn, options, cancellation);
        if (result.kind === 'committed') return result.value;
        if (!result.again || left === 0 || cancellation.requested) throw result.error;
      }
    } finally {
      cancellation.end();
    }
  }

  #nest<T>(outer: Scope<Tx>, fn: (tx: Tx) => Promise<T> | T, options: ReadTransactionOptions): Promise<T> {
    for (const name of ['isolationLevel', 'accessMode'] as const) {
      if (options[name] === null) continue;
      throw invalidOption(`transaction.${name}`, 'none in a nested transaction, which is a savepoint', options[name]);
    }
    return outer.transaction(fn);
  }

  async #once<T>(
    fn: (tx: Tx) => Promise<T> | T,
    options: ReadTransactionOptions,
    cancellation: Cancellation,
  ): Promise<Result<T>> {
    const session = await this.#begin(options, cancellation);
    const attempt = new Attempt(this.#adapter, session, this.#surroundings, cancellation);
    try {
      const value = await cancellation.race(attempt.work(fn));
      const marker = options.marker === null ? null : { table: options.marker, id: randomUUID() };
      if (marker !== null) await attempt.statement('insert into', () => session.mark(marker.table, marker.id));
      await attempt.statement('select', () => session.beforeCommit());
      return await this.#commit(attempt, session, marker, value);
    } catch (error) {
      return await attempt.fail(error);
    } finally {
      attempt.close();
    }
  }

  /** A connection that breaks at BEGIN has done nothing, so that one costs no retry. */
  async #begin(options: ReadTransactionOptions, cancellation: Cancellation): Promise<S> {
    for (let attempt = 1; ; attempt++) {
      const session = await this.#lease(cancellation);
      try {
        await cancellation.race(session.begin(options));
        return session;
      } catch (error) {
        const again = session.lost && !this.#adapter.isTimeOut(error) && attempt === 1;
        session.release(true);
        if (cancellation.requested) throw error;
        if (outcomeOf(error) === 'unknown') noteOutcome(error, 'rejected');
        if (!again) throw error;
      }
    }
  }

  async #lease(cancellation: Cancellation): Promise<S> {
    cancellation.throwIfRequested();
    const opening = this.#adapter.open();
    try {
      return await cancellation.race(opening);
    } catch (error) {
      // One that comes all the same is for somebody else.
      opening.then(
        (session) => session.release(false),
        () => {},
      );
      throw error;
    }
  }

  async #commit<T>(attempt: Attempt<Tx, S>, session: S, marker: Marker | null, value: T): Promise<Result<T>> {
    attempt.end();
    let committed: boolean;
    try {
      committed = await session.commit();
    } catch (error) {
      const cause = attempt.own(error as object);
      if (this.#isRefused(session, error)) return await attempt.notCommitted(cause);
      // The pool may have no room for another connection until this one is given back.
      attempt.close();
      return await this.#afterLostCommit(attempt, session, { marker, value, cause });
    }
    if (committed) return { kind: 'committed', value };
    const cause = attempt.firstError;
    const error = attempt.own(
      new EipPoolError(
        'TRANSACTION_FAILED',
        `COMMIT was answered with ROLLBACK, since a statement before it had failed: ${messageOf(cause)}; ` +
          'an error of a statement must not be caught and ignored, except around a nested transaction',
        { cause },
      ),
    );
    attempt.judge(error);
    return { kind: 'failed', error, again: !attempt.unsure && attempt.isConflict(cause) };
  }

  /** Nothing was sent, or the server refused it, as for a deferred constraint: it is rolled back. */
  #isRefused({ lost }: S, error: unknown): boolean {
    const outcome = outcomeOf(error);
    if (outcome === 'not-sent') return true;
    // A pooler may say of its own connection that it was lost, and keep the one to its client.
    return outcome !== 'unknown' && !lost && !this.#adapter.isTimeOut(error) && !speaksOfConnection(error);
  }

  async #afterLostCommit<T>(attempt: Attempt<Tx, S>, session: S, commit: LostCommit<T>): Promise<Result<T>> {
    const { marker, value, cause } = commit;
    let resolution: Resolution = 'unknown';
    try {
      resolution = await this.#adapter.resolve(session, marker);
    } catch {
      // Nobody could be asked.
    }
    switch (resolution) {
      case 'committed':
        return { kind: 'committed', value };
      case 'rolled-back':
        if (!attempt.unsure) noteTransactionOutcome(cause, 'rejected');
        return { kind: 'failed', error: cause, again: !attempt.unsure && !this.#adapter.isTimeOut(cause) };
      case 'unknown': {
        const message =
          `COMMIT was sent, and its answer was lost (${messageOf(cause)}): the transaction was done in whole or not at ` +
          `all; ${marker === null ? 'with the option marker, its row would tell' : 'its marker could not tell'}`;
        return { kind: 'failed', error: new CommitUnknownError(message, { cause }), again: false };
      }
    }
  }
}

/** Class 08 of SQLSTATE: connection exception. */
function speaksOfConnection(error: unknown): boolean {
  const { code, sqlState } = (error ?? {}) as { readonly code?: unknown; readonly sqlState?: unknown };
  return [code, sqlState].some((state) => typeof state === 'string' && /^08\w{3}$/.test(state));
}
