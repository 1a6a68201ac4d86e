import type { Surroundings } from '../async-context.js';
import { EipPoolError } from '../errors.js';

/** A transaction, or a savepoint in one, while its function runs. */
export interface Scope<Tx> {
  /** Runs one statement of the application's, and looks at what became of the transaction then. */
  statement<T>(text: string, run: () => Promise<T>): Promise<T>;
  /** A savepoint; those of one scope are run one after the other. */
  transaction<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T>;
}

/** What runs the statements of a transaction, whichever scope they come from. */
export interface Runner<Tx> {
  readonly surroundings: Surroundings<Scope<Tx>>;
  statement<T>(text: string, run: () => Promise<T>): Promise<T>;
  savepoint<T>(fn: (tx: Tx) => Promise<T> | T, level: Level<Tx>): Promise<T>;
  /** The error is this transaction's: it says so of its outcome. */
  own<E extends object>(error: E): E;
}

/** The transaction itself, or one of its savepoints. */
export class Level<Tx> implements Scope<Tx> {
  readonly #parent: Level<Tx> | null;
  readonly #runner: Runner<Tx>;
  #last: Promise<unknown> = Promise.resolve();
  /** From its SAVEPOINT on until it is settled. */
  #isNestedOpen = false;
  /** Its function still runs. */
  open: boolean = true;
  /** Its savepoints that are not settled. */
  nesting: number = 0;

  constructor(parent: Level<Tx> | null, runner: Runner<Tx>) {
    this.#parent = parent;
    this.#runner = runner;
  }

  /** Do its function, and those around it, still run? */
  get usable(): boolean {
    return this.open && this.#parent?.usable !== false;
  }

  /** It would be undone with the nested transaction; and to wait for that one may be to wait for itself. */
  async statement<T>(text: string, run: () => Promise<T>): Promise<T> {
    if (this.usable && this.#isNestedOpen) throw this.#runner.own(nestedError());
    return await this.own(text, run);
  }

  /** One of the runner's own. */
  async own<T>(text: string, run: () => Promise<T>): Promise<T> {
    if (!this.usable) throw this.#runner.own(overError());
    return await this.#runner.statement(text, run);
  }

  async transaction<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    if (this.#isNestedOpen && this.#isAround(this.#runner.surroundings.scope)) {
      throw this.#runner.own(nestedError());
    }
    this.nesting++;
    const result = this.#last.then(() => this.#nest(fn));
    this.#last = result.catch(() => {});
    return await result;
  }

  async #nest<T>(fn: (tx: Tx) => Promise<T> | T): Promise<T> {
    this.#isNestedOpen = true;
    try {
      return await this.#runner.savepoint(fn, this);
    } finally {
      this.#isNestedOpen = false;
      this.nesting--;
    }
  }

  /** Is that scope inside of one of its own whose function still runs? */
  #isAround(scope: Scope<Tx> | null): boolean {
    if (!(scope instanceof Level) || scope.#parent === null) return false;
    return (scope.#parent === this && scope.open) || this.#isAround(scope.#parent);
  }
}

export function overError(): EipPoolError {
  return new EipPoolError('TRANSACTION_OVER', 'the transaction is over: await every statement inside its function');
}

function nestedError(): EipPoolError {
  return new EipPoolError(
    'TRANSACTION_NESTED',
    'a nested transaction is open, which this would become a part of: await the nested one first, or use its own handle',
  );
}
