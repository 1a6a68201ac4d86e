import type * as mysql from 'mysql2';
import type { Expecting } from '../failover/makings.js';
import type { PoolCounts } from '../failover/trouble.js';
import { inTurn, placeInTurn } from '../failover/turns.js';
import { counts, type GetCallback, newestWaiting, queueAt, settingsOf, unqueue, waiting } from './internals.js';

/** One caller for whom there was no connection at once. */
export class Waiter implements Expecting {
  readonly answer: GetCallback;
  readonly turn: number;
  /** Nobody waits for it: it only finds out when there is a server again. */
  readonly scout: boolean;
  /** Stands for him in mysql2's queue. */
  token: Token;
  answered: boolean = false;

  constructor(answer: GetCallback, turn: number, scout: boolean) {
    this.answer = answer;
    this.turn = turn;
    this.scout = scout;
    this.token = answer;
  }

  get expecting(): boolean {
    return !this.answered && !this.scout;
  }
}

/** Whom it stands for is noted on it. */
interface Token extends GetCallback {
  waiter?: Waiter;
}

/** Who waits for a connection: in mysql2's own queue, or held back while the pool is paused. */
export class Waiters {
  readonly #pool: mysql.Pool;
  readonly #held: Set<Waiter> = new Set();
  #lastTurn = 0;

  constructor(pool: mysql.Pool) {
    this.#pool = pool;
  }

  /** Undefined for a callback of the application's. */
  of(callback: Token): Waiter | undefined {
    return callback.waiter;
  }

  make(answer: GetCallback, scout: boolean = false): Waiter {
    return new Waiter(answer, ++this.#lastTurn, scout);
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
    return [...this.#queued(), ...this.#held];
  }

  #queued(): Waiter[] {
    return waiting(this.#pool).flatMap((token) => this.of(token) ?? []);
  }

  /** mysql2 has just put him at the end of its queue; with tracing on, under a token of its own. */
  queued(waiter: Waiter, isNew: boolean): void {
    waiter.token = newestWaiting(this.#pool) ?? waiter.token;
    waiter.token.waiter = waiter;
    if (isNew) return;
    unqueue(this.#pool, waiter.token);
    this.queue(waiter, waiter.token);
  }

  /** Into mysql2's queue, where his turn is. */
  queue(waiter: Waiter, token: Token): void {
    waiter.token = token;
    token.waiter = waiter;
    queueAt(this.#pool, placeInTurn(this.#queued(), waiter), token);
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
    const held = inTurn(this.#held);
    this.#held.clear();
    return held;
  }
}
