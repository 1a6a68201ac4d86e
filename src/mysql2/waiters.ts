import { type Waiter as Queued, WaiterQueue } from '../failover/waiter-queue.js';
import { type Caller, type CallerQueue, type GetCallback, installQueue, type Leasing, tell } from './internals.js';
import type * as mysql from 'mysql2';

/** One caller for whom there was no connection at once. */
export class Waiter implements Queued {
  readonly #caller: Caller;
  /** Nobody waits for it: it only finds out when there is a server again. */
  readonly scout: boolean;
  /** Stands for the caller where mysql2 has a connection for it, or room for one; null until mysql2 has. */
  token: Token | null = null;
  answered: boolean = false;
  turn?: number;
  place?: Queued['place'];
  deadline?: unknown;

  constructor(caller: Caller, scout: boolean = false) {
    this.#caller = caller;
    this.scout = scout;
  }

  answer(...[error, connection]: Parameters<GetCallback>): void {
    tell(this.#caller, error, connection);
  }

  get expecting(): boolean {
    return !this.answered && !this.scout;
  }
}

/** Whom it stands for is noted on it. */
interface Token extends GetCallback {
  waiter?: Waiter;
}

/**
 * Who waits for a connection. A caller of a pool that is merely busy is there with nothing but its callback, until
 * somebody asks for it. It takes the place of mysql2's queue, which has to be turned as a whole to take one out.
 */
export class Waiters implements CallerQueue {
  /** mysql2 has something for the caller. */
  readonly #serve: (waiter: Waiter, ...given: Parameters<GetCallback>) => void;
  /** What mysql2 calls for a statement. */
  readonly #checked: (statement: Leasing) => GetCallback;
  readonly #queue: WaiterQueue<Waiter> = new WaiterQueue();
  /** mysql2's own queue, for those who have just come; they stand behind all others. */
  readonly #latest: { readonly length: number; push(caller: Caller): void; shift(): Caller | undefined };
  #entering: Waiter | null = null;
  /** While it is on, mysql2 finds nobody here. */
  held: boolean = false;

  constructor(
    pool: mysql.Pool,
    serve: (waiter: Waiter, ...given: Parameters<GetCallback>) => void,
    checked: (statement: Leasing) => GetCallback,
  ) {
    this.#serve = serve;
    this.#checked = checked;
    this.#latest = installQueue(pool, this);
  }

  /** As mysql2 sees it; {@link count} tells the truth. */
  get length(): number {
    return this.held ? 0 : this.count;
  }

  /** For mysql2. */
  push(caller: Caller): void {
    const waiter = this.#entering;
    if (waiter === null || typeof caller !== 'function') return this.#come(caller);
    const token: Token = caller;
    token.waiter = waiter;
    waiter.token = token;
    this.#inOrder.queueAgain(waiter);
  }

  /**
   * Whom mysql2 queues within the call, it queues for the waiter: under its token or, with tracing on, under one of mysql2's
   * own. Null: for whoever asks.
   */
  enter(waiter: Waiter | null, call: () => void): void {
    const before = this.#entering;
    this.#entering = waiter;
    try {
      call();
    } finally {
      this.#entering = before;
    }
  }

  /** Does a listener of the application's ask, while mysql2 is asked for somebody else? */
  get isEntering(): boolean {
    return this.#entering !== null;
  }

  /** For mysql2. */
  shift(): GetCallback | undefined {
    if (this.held) return undefined;
    const first = this.#queue.shift();
    return first === undefined ? this.#callbackOf(this.#latest.shift()) : this.tokenOf(first);
  }

  /** Takes out whoever is the first: a statement as it is. */
  takeFirst(): Caller | undefined {
    return this.#queue.length === 0 && !this.held ? this.#latest.shift() : this.shift();
  }

  #callbackOf(caller: Caller | undefined): GetCallback | undefined {
    return typeof caller === 'object' ? this.#checked(caller) : caller;
  }

  get count(): number {
    return this.#queue.length + this.#latest.length;
  }

  get first(): Waiter | undefined {
    return this.#inOrder.first;
  }

  /** Undefined for a callback of the application's. */
  of(caller: Caller): Waiter | undefined {
    return (caller as Token).waiter;
  }

  make(caller: Caller, scout: boolean = false): Waiter {
    const waiter = new Waiter(caller, scout);
    this.#inOrder.note(waiter);
    return waiter;
  }

  /** For one who was the first in the queue, and got nothing. */
  makeFirst(caller: Caller): Waiter {
    return this.ahead(() => this.make(caller));
  }

  /** Who comes within the call was served before. */
  ahead<T>(call: () => T): T {
    return this.#inOrder.ahead(call);
  }

  all(): Iterable<Waiter> {
    return this.#inOrder;
  }

  #come(caller: Caller): void {
    if (this.#queue.isAhead) this.#queue.push(new Waiter(this.#callbackOf(caller)!));
    else this.#latest.push(caller);
  }

  /** All of them in one queue, for whatever has to do with their order. */
  get #inOrder(): WaiterQueue<Waiter> {
    for (let left = this.#latest.length; left > 0; left--) {
      this.#queue.push(new Waiter(this.#callbackOf(this.#latest.shift())!));
    }
    return this.#queue;
  }

  /** What mysql2 calls for it. */
  tokenOf(waiter: Waiter): GetCallback {
    if (waiter.token?.waiter === waiter) return waiter.token;
    const token: Token = (error, connection) => this.#serve(waiter, error, connection);
    token.waiter = waiter;
    waiter.token = token;
    return token;
  }

  /** Back to where its turn is. */
  queueAgain(waiter: Waiter): void {
    this.#inOrder.queueAgain(waiter);
  }

  /** False if it was not in the queue. */
  remove(waiter: Waiter): boolean {
    return this.#queue.remove(waiter);
  }

  /** Takes the first of them out. */
  next(): Waiter | undefined {
    return this.#inOrder.shift();
  }
}
