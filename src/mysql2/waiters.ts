import type * as mysql from 'mysql2';
import type { Expecting } from '../failover/makings.js';
import type { PoolCounts } from '../failover/trouble.js';
import { inTurn, placeInTurn } from '../failover/turns.js';
import {
  counts,
  type GetCallback,
  isFull,
  newestWaiting,
  queueAt,
  replaceWaiting,
  unqueue,
  waiting,
} from './internals.js';

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

/** Before anybody who came in the usual way. */
const FIRST_TURN = -Number.MAX_SAFE_INTEGER;

/**
 * Who waits for a connection: in mysql2's own queue, or held back while the pool is paused. A caller of a pool that is
 * merely busy is in the queue with nothing but his callback, until somebody asks for him.
 */
export class Waiters {
  readonly #pool: mysql.Pool;
  /** mysql2 has something for him. */
  readonly #serve: (waiter: Waiter, ...given: Parameters<GetCallback>) => void;
  readonly #held: Set<Waiter> = new Set();
  #lastTurn = 0;
  #lastFirst = FIRST_TURN;

  constructor(pool: mysql.Pool, serve: (waiter: Waiter, ...given: Parameters<GetCallback>) => void) {
    this.#pool = pool;
    this.#serve = serve;
  }

  /** Undefined for a callback of the application's. */
  of(callback: Token): Waiter | undefined {
    return callback.waiter;
  }

  make(answer: GetCallback, scout: boolean = false): Waiter {
    return new Waiter(answer, ++this.#lastTurn, scout);
  }

  /** For one who was the first in the queue, and got nothing. */
  makeFirst(answer: GetCallback): Waiter {
    return new Waiter(answer, ++this.#lastFirst, false);
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
    return isFull(this.#pool) || paused ? this.count + 1 : 0;
  }

  all(): Waiter[] {
    return [...this.#queued(), ...this.#held];
  }

  #queued(): Waiter[] {
    replaceWaiting(this.#pool, (token: Token) => (token.waiter === undefined ? this.#token(this.make(token)) : token));
    return waiting(this.#pool).flatMap((token) => this.of(token) ?? []);
  }

  #token(waiter: Waiter): Token {
    waiter.token = (error, connection) => this.#serve(waiter, error, connection);
    waiter.token.waiter = waiter;
    return waiter.token;
  }

  /** mysql2 has just put him at the end of its queue; with tracing on, under a token of its own. */
  queued(waiter: Waiter, isNew: boolean): void {
    waiter.token = newestWaiting(this.#pool) ?? waiter.token;
    waiter.token.waiter = waiter;
    if (isNew) return;
    unqueue(this.#pool, waiter.token);
    queueAt(this.#pool, placeInTurn(this.#queued(), waiter), waiter.token);
  }

  /** Into mysql2's queue, where his turn is. */
  queue(waiter: Waiter): void {
    queueAt(this.#pool, placeInTurn(this.#queued(), waiter), this.#token(waiter));
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
