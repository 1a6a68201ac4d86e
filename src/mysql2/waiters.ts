import type * as mysql from 'mysql2';
import type { PoolCounts } from '../failover/trouble.js';
import { Turns } from '../failover/turns.js';
import { counts, type GetCallback, newestWaiting, queueAt, settingsOf, unqueue, waiting } from './internals.js';

/** One caller for whom there was no connection at once. */
export interface Waiter {
  readonly answer: GetCallback;
  /** Nobody waits for it: it only finds out when there is a server again. */
  readonly scout: boolean;
  /** Stands for him in mysql2's queue. */
  token: GetCallback;
  answered: boolean;
}

/** Who waits for a connection: in mysql2's own queue, or held back while the pool is paused. */
export class Waiters {
  readonly #pool: mysql.Pool;
  readonly #turns: Turns<Waiter> = new Turns();
  readonly #byToken: WeakMap<GetCallback, Waiter> = new WeakMap();
  readonly #held: Set<Waiter> = new Set();

  constructor(pool: mysql.Pool) {
    this.#pool = pool;
  }

  /** Undefined for a callback of the application's. */
  of(callback: GetCallback): Waiter | undefined {
    return this.#byToken.get(callback);
  }

  make(answer: GetCallback, scout: boolean = false): Waiter {
    const waiter: Waiter = { answer, scout, token: () => {}, answered: false };
    this.#turns.note(waiter);
    return waiter;
  }

  get count(): number {
    return counts(this.#pool).waiting + this.#held.size;
  }

  counts(): PoolCounts {
    const { total, idle } = counts(this.#pool);
    return { total, active: total - idle, idle, waiting: this.count };
  }

  /** The place that one more would get; 0 if there is room for one more connection. */
  place(paused: boolean): number {
    const { connectionLimit } = settingsOf(this.#pool);
    const hasRoom = connectionLimit === 0 || counts(this.#pool).total < connectionLimit;
    return hasRoom && !paused ? 0 : this.count + 1;
  }

  all(): Waiter[] {
    return [...waiting(this.#pool).flatMap((token) => this.of(token) ?? []), ...this.#held];
  }

  /** mysql2 has just put him at the end of its queue; with tracing on, under a token of its own. */
  queued(waiter: Waiter, isNew: boolean): void {
    waiter.token = newestWaiting(this.#pool) ?? waiter.token;
    this.#byToken.set(waiter.token, waiter);
    if (isNew) return;
    unqueue(this.#pool, waiter.token);
    this.queue(waiter, waiter.token);
  }

  /** Into mysql2's queue, where his turn is. */
  queue(waiter: Waiter, token: GetCallback): void {
    waiter.token = token;
    this.#byToken.set(token, waiter);
    const queue = waiting(this.#pool).map((other) => this.of(other));
    queueAt(this.#pool, this.#turns.placeIn(queue, waiter), token);
  }

  remove(waiter: Waiter): void {
    unqueue(this.#pool, waiter.token);
    this.#held.delete(waiter);
  }

  hold(waiter: Waiter): void {
    this.#held.add(waiter);
  }

  holdAll(): void {
    for (const waiter of this.all()) {
      unqueue(this.#pool, waiter.token);
      this.#held.add(waiter);
    }
  }

  /** Those who were held, in the order in which they came. */
  letGo(): Waiter[] {
    const held = this.#turns.inOrder([...this.#held]);
    this.#held.clear();
    return held;
  }
}
