import type { AsyncLocalStorage } from 'node:async_hooks';
import { EipPoolError } from '../errors.js';
import { noteOutcome, outcomeOf } from '../outcome/outcome.js';
import { keepsTransaction } from '../outcome/reads.js';
import { onAbort } from './abort.js';
import type { Session, TransactionAdapter } from './transaction.js';

/** A transaction, or a savepoint in one, while its function runs. */
export interface Scope<Tx> {
  /** May it still run statements? */
  readonly open: boolean;
  /** Runs one statement of the application's, and looks at what became of the transaction then. */
  statement<T>(text: string, run: () => Promise<T>): Promise<T>;
  /** A savepoint; those of one scope are run one after the other. */
  transaction<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T>;
}

/** One run of a transaction's function on one connection. */
export class Attempt<Tx, S extends Session> {
  readonly #adapter: TransactionAdapter<Tx, S>;
  readonly #session: S;
  readonly #scopes: AsyncLocalStorage<Scope<Tx>>;
  /** Why no further statement may run on it, and it may not be committed. */
  #doom: { readonly error: unknown } | null = null;
  #over = false;
  #released = false;
  /** The connection is of no more use. */
  #broken = false;
  #aborted = false;
  #lost = false;
  #conflict = false;
  #unsure = false;
  #savepoints = 0;
  #stopped: Promise<never> | null = null;
  #firstError: unknown = undefined;

  constructor(adapter: TransactionAdapter<Tx, S>, session: S, scopes: AsyncLocalStorage<Scope<Tx>>) {
    this.#adapter = adapter;
    this.#session = session;
    this.#scopes = scopes;
  }

  /** Did a statement run that may have ended the transaction, or certainly did? */
  get unsure(): boolean {
    return this.#unsure;
  }

  /** The first failure of a statement, unless a savepoint undid it. */
  get firstError(): unknown {
    return this.#firstError;
  }

  /** Runs the application's function; rejects with what it threw, or with the reason not to commit. */
  async work<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    const value = await this.#within(fn);
    if (this.#doom !== null) throw this.#doom.error;
    return value;
  }

  /** Listens to the caller's signal; returns the way to stop it. */
  obey(signal: AbortSignal | null): () => void {
    if (signal === null) return () => {};
    let reject = (_reason: unknown): void => {};
    this.#stopped = new Promise<never>((_, onReject) => (reject = onReject));
    this.#stopped.catch(() => {});
    const abort = (): void => {
      this.#aborted = true;
      this.#doom = { error: signal.reason };
      reject(signal.reason);
    };
    if (!signal.aborted) return onAbort(signal, abort);
    abort();
    return () => {};
  }

  async statement<T>(text: string, run: () => Promise<T>): Promise<T> {
    if (this.#doom !== null) throw this.#doom.error;
    if (this.#over) throw overError();
    if (!this.#unsure) this.#unsure = !keepsTransaction(text, this.#adapter.dialect);
    let value: T;
    try {
      value = await (this.#stopped === null ? run() : Promise.race([run(), this.#stopped]));
    } catch (error) {
      this.#note(error);
      throw error;
    }
    if (this.#session.status === 'none') throw this.#leave(undefined);
    return value;
  }

  /** The function is done: what else it tries to run comes too late. */
  end(): void {
    this.#over = true;
  }

  /** Undoes it, and tells whether a second run may help. */
  async fail(error: unknown): Promise<{ readonly kind: 'failed'; readonly error: unknown; readonly again: boolean }> {
    this.#over = true;
    if (!this.#aborted && !this.#broken && !this.#session.lost && this.#session.status !== 'none') {
      try {
        await this.#session.run('ROLLBACK');
      } catch {
        this.#broken = true;
      }
    }
    this.judge(error);
    const worthIt = this.#lost || this.#session.lost || this.#conflict || this.#adapter.isConflict(error);
    return { kind: 'failed', error, again: worthIt && !this.#unsure && !this.#aborted };
  }

  /** COMMIT did nothing, so what ran was rolled back, whatever is known of the statement whose error it may be. */
  judge(error: unknown): void {
    const outcome = outcomeOf(error);
    if (outcome !== undefined) noteOutcome(error, this.#unsure ? 'unknown' : 'rejected');
  }

  /** Gives the connection back. */
  close(): void {
    this.#over = true;
    if (this.#released) return;
    this.#released = true;
    const { status, lost } = this.#session;
    this.#session.release(this.#broken || lost || this.#aborted || status !== 'none');
  }

  #note(error: unknown): void {
    this.#firstError ??= error;
    const outcome = outcomeOf(error);
    if (this.#session.lost || outcome === 'unknown' || outcome === 'not-sent') {
      this.#broken = true;
      this.#doom ??= { error };
      if (!this.#adapter.isTimeOut(error)) this.#lost = true;
      return;
    }
    if (this.#adapter.isConflict(error)) {
      this.#conflict = true;
      // MySQL has rolled back: what came next would be committed on its own.
      if (this.#session.status === 'none') this.#doom ??= { error };
    } else if (this.#session.status === 'none') this.#leave(error);
  }

  #leave(cause: unknown): EipPoolError {
    const error = leftError(cause);
    this.#unsure = true;
    this.#doom ??= { error };
    return error;
  }

  #within<T>(fn: (tx: Tx) => Promise<T> | T, parent: Level<Tx> | null = null): Promise<T> {
    const scope: Level<Tx> = new Level<Tx>(
      parent,
      (text, run) => this.statement(text, run),
      (nested) => this.#savepoint(nested, scope),
      () => this.#scopes.getStore(),
    );
    const tx = this.#adapter.handle(this.#session, scope);
    return this.#scopes.run(scope, async () => {
      try {
        const value = await fn(tx);
        // A part of it would be committed without the rest.
        if (scope.nesting > 0) throw overError();
        return value;
      } finally {
        scope.open = false;
      }
    });
  }

  async #savepoint<T>(fn: (tx: Tx) => Promise<T> | T, parent: Level<Tx>): Promise<T> {
    const name = `eip_pool_${++this.#savepoints}`;
    await parent.own('savepoint', () => this.#session.run(`SAVEPOINT ${name}`));
    const before = this.#firstError;
    try {
      const value = await this.#within(fn, parent);
      // It swallowed an error, which undid what it had done.
      if (this.#session.status === 'failed') throw this.#firstError;
      await parent.own('release', () => this.#session.run(`RELEASE SAVEPOINT ${name}`));
      return value;
    } catch (error) {
      // With what is around it, it was undone too, and the connection may be in somebody else's hands by now.
      if (this.#doom === null && parent.usable) {
        // It undoes a failure, so it is none of the statements that are looked at.
        await this.#session.run(`ROLLBACK TO SAVEPOINT ${name}`);
        this.#firstError = before;
      }
      throw error;
    }
  }
}

class Level<Tx> implements Scope<Tx> {
  readonly #parent: Level<Tx> | null;
  readonly #statement: Scope<Tx>['statement'];
  readonly #savepoint: Scope<Tx>['transaction'];
  readonly #caller: () => Scope<Tx> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** From its SAVEPOINT on until it is settled. */
  #isNestedOpen = false;
  open: boolean = true;
  /** Its savepoints that are not settled. */
  nesting: number = 0;

  /** @param caller whose function runs, of which a call comes */
  constructor(
    parent: Level<Tx> | null,
    statement: Scope<Tx>['statement'],
    savepoint: Scope<Tx>['transaction'],
    caller: () => Scope<Tx> | undefined,
  ) {
    this.#parent = parent;
    this.#statement = statement;
    this.#savepoint = savepoint;
    this.#caller = caller;
  }

  /** Do its function, and those around it, still run? */
  get usable(): boolean {
    return this.open && this.#parent?.usable !== false;
  }

  /** It would be undone with the nested transaction; and to wait for that one may be to wait for itself. */
  async statement<T>(text: string, run: () => Promise<T>): Promise<T> {
    if (this.usable && this.#isNestedOpen) throw nestedError();
    return await this.own(text, run);
  }

  /** One of the runner's own. */
  async own<T>(text: string, run: () => Promise<T>): Promise<T> {
    if (!this.usable) throw overError();
    return await this.#statement(text, run);
  }

  async transaction<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    if (this.#isNestedOpen && this.#isAround(this.#caller())) throw nestedError();
    this.nesting++;
    const result = this.#last.then(() => this.#nest(fn));
    this.#last = result.catch(() => {});
    return await result;
  }

  async #nest<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    this.#isNestedOpen = true;
    try {
      return await this.#savepoint(fn);
    } finally {
      this.#isNestedOpen = false;
      this.nesting--;
    }
  }

  /** Is that scope inside of one of its own whose function still runs? */
  #isAround(scope: Scope<Tx> | undefined): boolean {
    if (!(scope instanceof Level) || scope.#parent === null) return false;
    return (scope.#parent === this && scope.open) || this.#isAround(scope.#parent);
  }
}

function overError(): EipPoolError {
  return new EipPoolError('TRANSACTION_OVER', 'the transaction is over: await every statement inside its function');
}

function nestedError(): EipPoolError {
  return new EipPoolError(
    'TRANSACTION_NESTED',
    'a nested transaction is open, which this would become a part of: await the nested one first, or use its own handle',
  );
}

function leftError(cause: unknown): EipPoolError {
  return new EipPoolError(
    'TRANSACTION_LEFT',
    'a statement ended the transaction that pool.transaction had begun: leave BEGIN, COMMIT and ROLLBACK to it, and ' +
      'keep statements out of it that commit implicitly; what ran so far may be committed, and the rest was not run',
    { cause },
  );
}
