import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { CommitUnknownError, EipPoolError, messageOf } from '../errors.js';
import { invalidOption } from '../options.js';
import { noteOutcome, outcomeOf } from '../outcome/outcome.js';
import type { Dialect } from '../outcome/statement.js';
import { onAbort } from './abort.js';
import { readTransactionOptions, type ReadTransactionOptions, type TransactionOptions } from './transaction-options.js';
import { Attempt, type Scope } from './transaction-scope.js';

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
  readonly cause: unknown;
}

/** What one run came to. */
type Result<T> =
  | { readonly kind: 'committed'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown; readonly again: boolean };

/** Design, pools rule 6: the transactions of one pool. */
export class Transactions<Tx, S extends Session> {
  readonly #adapter: TransactionAdapter<Tx, S>;
  readonly #scopes: AsyncLocalStorage<Scope<Tx>> = new AsyncLocalStorage();

  constructor(adapter: TransactionAdapter<Tx, S>) {
    this.#adapter = adapter;
  }

  async run<T>(fn: (tx: Tx) => Promise<T> | T, input?: TransactionOptions): Promise<T> {
    const options = readTransactionOptions(input);
    const outer = this.#scopes.getStore();
    if (outer?.open === true) return await this.#nest(outer, fn, options);
    for (let left = options.retries; ; left--) {
      const result = await this.#once(fn, options);
      if (result.kind === 'committed') return result.value;
      if (!result.again || left === 0 || options.signal?.aborted === true) throw result.error;
    }
  }

  #nest<T>(outer: Scope<Tx>, fn: (tx: Tx) => Promise<T> | T, options: ReadTransactionOptions): Promise<T> {
    for (const name of ['isolationLevel', 'accessMode'] as const) {
      if (options[name] === null) continue;
      throw invalidOption(`transaction.${name}`, 'none in a nested transaction, which is a savepoint', options[name]);
    }
    return outer.transaction(fn);
  }

  async #once<T>(fn: (tx: Tx) => Promise<T> | T, options: ReadTransactionOptions): Promise<Result<T>> {
    const session = await this.#begin(options);
    const attempt = new Attempt(this.#adapter, session, this.#scopes);
    const stop = attempt.obey(options.signal);
    try {
      const value = await attempt.work(fn);
      const marker = options.marker === null ? null : { table: options.marker, id: randomUUID() };
      if (marker !== null) await attempt.statement('insert into', () => session.mark(marker.table, marker.id));
      await attempt.statement('select', () => session.beforeCommit());
      stop();
      return await this.#commit(attempt, session, marker, value);
    } catch (error) {
      return await attempt.fail(error);
    } finally {
      stop();
      attempt.close();
    }
  }

  /** A connection that breaks at BEGIN has done nothing, so that one costs no retry. */
  async #begin(options: ReadTransactionOptions): Promise<S> {
    for (let attempt = 1; ; attempt++) {
      const session = await this.#lease(options.signal);
      try {
        await session.begin(options);
        return session;
      } catch (error) {
        session.release(true);
        if (outcomeOf(error) === undefined || this.#adapter.isTimeOut(error) || attempt > 1) throw error;
      }
    }
  }

  async #lease(signal: AbortSignal | null): Promise<S> {
    if (signal === null) return await this.#adapter.open();
    signal.throwIfAborted();
    const opening = this.#adapter.open();
    let stop = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      stop = onAbort(signal, () => reject(signal.reason as Error));
    });
    try {
      return await Promise.race([opening, aborted]);
    } catch (error) {
      // One that comes all the same is for somebody else.
      opening.then(
        (session) => session.release(false),
        () => {},
      );
      throw error;
    } finally {
      stop();
    }
  }

  async #commit<T>(attempt: Attempt<Tx, S>, session: S, marker: Marker | null, value: T): Promise<Result<T>> {
    attempt.end();
    let committed: boolean;
    try {
      committed = await session.commit();
    } catch (error) {
      const outcome = outcomeOf(error);
      // Nothing was sent, or the server refused it, as for a deferred constraint: it is rolled back.
      if (outcome === 'not-sent' || (outcome !== 'unknown' && !session.lost)) return await attempt.fail(error);
      // The pool may have no room for another connection until this one is given back.
      attempt.close();
      return await this.#afterLostCommit(attempt, session, { marker, value, cause: error });
    }
    if (committed) return { kind: 'committed', value };
    const cause = attempt.firstError;
    const error = new EipPoolError(
      'TRANSACTION_FAILED',
      `COMMIT was answered with ROLLBACK, since a statement before it had failed: ${messageOf(cause)}; ` +
        'an error of a statement must not be caught and ignored, except around a nested transaction',
      { cause },
    );
    attempt.judge(error);
    return { kind: 'failed', error, again: !attempt.unsure && this.#adapter.isConflict(cause) };
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
        if (!attempt.unsure) noteOutcome(cause, 'rejected');
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
