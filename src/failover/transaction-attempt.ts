import type { Surroundings } from '../async-context.js';
import { EipPoolError } from '../errors.js';
import { noteTransactionOutcome, outcomeOf } from '../outcome/outcome.js';
import { keepsTransaction } from '../outcome/reads.js';
import type { Cancellation } from './abort.js';
import { isForeign } from './foreign-error.js';
import type { Session, TransactionAdapter } from './transaction.js';
import { Level, overError, type Runner, type Scope } from './transaction-scope.js';

/** Why no further statement may run, and nothing may be committed. */
type Doom =
  /** The connection is lost. */
  | { readonly kind: 'lost'; readonly error: unknown }
  /** The driver's own timeout: its reply may still come, and then for another statement. */
  | { readonly kind: 'timed-out'; readonly error: unknown }
  /** The server rolled it back, and a second run may succeed. */
  | { readonly kind: 'conflict'; readonly error: unknown }
  /** A statement ended it. */
  | { readonly kind: 'left'; readonly error: EipPoolError };

export interface Failed {
  readonly kind: 'failed';
  readonly error: unknown;
  /** Whether a second run may help, and does no harm. */
  readonly again: boolean;
}

/** Errors of the application's own, of which nobody but transactions says anything; it may throw one more than once. */
const applications: WeakSet<object> = new WeakSet();

/** One run of a transaction's function on one connection. */
export class Attempt<Tx, S extends Session> implements Runner<Tx> {
  readonly surroundings: Surroundings<Scope<Tx>>;
  readonly #adapter: TransactionAdapter<Tx, S>;
  readonly #session: S;
  readonly #cancellation: Cancellation;
  /** What this transaction's own statements failed with, and what it says itself. Its outcome is for it to say. */
  readonly #own: WeakSet<object> = new WeakSet();
  #doom: Doom | null = null;
  #over = false;
  #released = false;
  /** The connection is of no more use. */
  #broken = false;
  /** Whether a statement ran that may have ended the transaction, or certainly did. */
  #unsure = false;
  #savepoints = 0;
  /** The end of the statement under way, or of the last one that waits for its turn. */
  #underWay: Promise<void> | null = null;
  #firstError: unknown = undefined;

  constructor(
    adapter: TransactionAdapter<Tx, S>,
    session: S,
    surroundings: Surroundings<Scope<Tx>>,
    cancellation: Cancellation,
  ) {
    this.surroundings = surroundings;
    this.#adapter = adapter;
    this.#session = session;
    this.#cancellation = cancellation;
  }

  get unsure(): boolean {
    return this.#unsure;
  }

  /** What the transaction failed with on the server, unless a savepoint undid it. */
  get firstError(): unknown {
    return this.#firstError;
  }

  /** Runs the application's function; rejects with what it threw, or with the reason not to commit. */
  async work<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    const value = await this.#within(fn, null);
    // Statements that it did not wait for are part of it all the same.
    while (this.#underWay !== null) await this.#underWay;
    this.#mayRun();
    return value;
  }

  /**
   * One after the other, each only when it is known what became of the transaction: after a deadlock, MySQL would commit
   * the next one on its own.
   */
  async statement<T>(text: string, run: () => Promise<T>): Promise<T> {
    this.#mayRun();
    return await this.#inTurn(async () => {
      this.#mayRun();
      return await this.#watched(text, run);
    });
  }

  async savepoint<T>(fn: (tx: Tx) => Promise<T> | T, parent: Level<Tx>): Promise<T> {
    const name = `eip_pool_${++this.#savepoints}`;
    await parent.own('savepoint', () => this.#session.run(`SAVEPOINT ${name}`));
    try {
      const value = await this.#within(fn, parent);
      // It swallowed an error, which undid what it had done.
      if (this.#session.status === 'failed') throw this.#firstError;
      await parent.own('release', () => this.#session.run(`RELEASE SAVEPOINT ${name}`));
      return value;
    } catch (error) {
      // With what is around it, it was undone too, and the connection may be in somebody else's hands by now.
      if (this.#doom === null && parent.usable) await this.#inTurn(() => this.#undo(name));
      throw error;
    }
  }

  own<E extends object>(error: E): E {
    this.#own.add(error);
    return error;
  }

  /** The function is done: what else it tries to run comes too late. */
  end(): void {
    this.#over = true;
  }

  /** COMMIT itself failed, and did nothing. That there is no transaction any more is no news then. */
  async notCommitted(error: object): Promise<Failed> {
    this.own(error);
    if (this.#session.lost || outcomeOf(error) === 'not-sent') this.#doom = { kind: 'lost', error };
    else if (this.#adapter.isConflict(error)) this.#doom = { kind: 'conflict', error };
    return await this.fail(error);
  }

  /** Undoes it, and tells whether a second run may help. */
  async fail(error: unknown): Promise<Failed> {
    this.#over = true;
    const helps = this.#helps(error);
    await this.#rollBack();
    this.#unsure ||= this.#session.remains === true;
    // What runs on it still, nobody waits for.
    if (this.#cancellation.requested) this.#broken = true;
    const told = this.#doom?.kind === 'left' ? this.#toldOf(this.#doom.error, error) : error;
    this.judge(told);
    return { kind: 'failed', error: told, again: helps && !this.#unsure && !this.#cancellation.requested };
  }

  /**
   * Nothing was committed, so what ran was rolled back, whatever was known of the statement whose error it may be. The
   * signal's reason is shared by all who listen to it, and what tells of other work is told by others.
   */
  judge(error: unknown): void {
    if (this.#cancellation.requested || typeof error !== 'object' || error === null) return;
    const outcome = outcomeOf(error);
    if (!this.#own.has(error) && !applications.has(error)) {
      if (outcome !== 'unknown' || isForeign(error, (one) => this.#own.has(one))) return;
      applications.add(error);
    }
    if (outcome !== undefined) noteTransactionOutcome(error, this.#unsure ? 'unknown' : 'rejected');
  }

  /** The server's answer said that it is a conflict, in a statement of this transaction. */
  isConflict(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#own.has(error) && this.#adapter.isConflict(error);
  }

  /** Gives the connection back. */
  close(): void {
    this.#over = true;
    if (this.#released) return;
    this.#released = true;
    const { status, lost } = this.#session;
    this.#session.release(this.#broken || lost || status !== 'none');
  }

  #mayRun(): void {
    this.#cancellation.throwIfRequested();
    if (this.#doom !== null) throw this.#doom.error;
    if (this.#over) throw this.own(overError());
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#underWay;
    let end = (): void => {};
    const own = new Promise<void>((resolve) => (end = resolve));
    this.#underWay = own;
    try {
      if (before !== null) await before;
      return await run();
    } finally {
      if (this.#underWay === own) this.#underWay = null;
      end();
    }
  }

  async #watched<T>(text: string, run: () => Promise<T>): Promise<T> {
    const before = this.#unsure;
    this.#unsure ||= !keepsTransaction(text, this.#adapter.dialect);
    let value: T;
    try {
      value = await this.#cancellation.race(run());
    } catch (error) {
      this.#note(error);
      if (this.#stays) this.#unsure = before;
      throw error;
    }
    if (this.#session.status === 'none' || this.#session.left === true) throw this.#leave(undefined);
    if (this.#stays) this.#unsure = before;
    // Whatever had failed, a savepoint undid it.
    if (this.#session.status === 'open') this.#firstError = undefined;
    return value;
  }

  /** Is it certainly still the transaction that was begun? */
  get #stays(): boolean {
    return this.#doom === null && this.#session.status !== 'none' && this.#session.left === false;
  }

  #note(error: unknown): void {
    if (this.#cancellation.requested) return;
    if (typeof error === 'object' && error !== null) this.own(error);
    this.#firstError ??= error;
    const { lost, status, left } = this.#session;
    const timedOut = this.#adapter.isTimeOut(error);
    if (lost || timedOut) {
      this.#broken = true;
      this.#doom ??= { kind: timedOut ? 'timed-out' : 'lost', error };
    } else if (status === 'none' && this.#adapter.isConflict(error)) {
      // MySQL has rolled back: what came next would be committed on its own.
      this.#doom ??= { kind: 'conflict', error };
    } else if (status === 'none' || left === true) this.#leave(error);
  }

  #leave(cause: unknown): EipPoolError {
    const error = this.own(leftError(cause));
    this.#unsure = true;
    this.#doom ??= { kind: 'left', error };
    return error;
  }

  /** It undoes a failure, so it is none of the statements that are looked at. */
  async #undo(name: string): Promise<void> {
    if (this.#doom !== null || this.#over) return;
    try {
      await this.#cancellation.race(this.#session.run(`ROLLBACK TO SAVEPOINT ${name}`));
      this.#firstError = undefined;
    } catch (error) {
      this.#note(error);
      // Without its savepoint this is another transaction, or the application's statements removed it: the part that had
      // to be undone would be committed with the rest.
      if (this.#doom === null && !this.#cancellation.requested) this.#leave(error);
    }
  }

  /** Would a second run meet the same again? What the application's function has against it would not go away. */
  #helps(error: unknown): boolean {
    if (this.#doom !== null) return this.#doom.kind === 'lost' || this.#doom.kind === 'conflict';
    return this.isConflict(error) || (this.#session.status === 'failed' && this.isConflict(this.#firstError));
  }

  async #rollBack(): Promise<void> {
    const { lost, status } = this.#session;
    if (this.#cancellation.requested || this.#broken || lost || status === 'none') return;
    try {
      await this.#cancellation.race(this.#session.run('ROLLBACK'));
    } catch {
      this.#broken = true;
    }
  }

  /** What the function threw instead must not hide that a part may be committed. */
  #toldOf(left: EipPoolError, error: unknown): unknown {
    return error === left ? error : this.own(leftError(error));
  }

  async #within<T>(fn: (tx: Tx) => Promise<T> | T, parent: Level<Tx> | null): Promise<T> {
    const level = new Level<Tx>(parent, this);
    const tx = this.#adapter.handle(this.#session, level);
    return await this.surroundings.within(level, async () => {
      try {
        const value = await fn(tx);
        // A part of it would be committed without the rest.
        if (level.nesting > 0) throw this.own(overError());
        return value;
      } finally {
        level.open = false;
      }
    });
  }
}

function leftError(cause: unknown): EipPoolError {
  return new EipPoolError(
    'TRANSACTION_LEFT',
    'a statement ended the transaction that pool.transaction had begun, or began another one: leave BEGIN, COMMIT, ' +
      'ROLLBACK and their CHAIN to it, and keep statements out of it that commit implicitly; what ran so far may be ' +
      'committed, and the rest was not run',
    { cause },
  );
}
