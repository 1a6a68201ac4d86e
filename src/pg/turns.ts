import type pg from 'pg';
import { type PendingItem, queueBefore } from './internals.js';

/** In which order callers came for whom a connection was made, so that nobody loses his turn by a failure of it. */
export class Turns {
  readonly #turns: WeakMap<PendingItem, number> = new WeakMap();
  #last = 0;

  note(item: PendingItem): void {
    if (!this.#turns.has(item)) this.#turns.set(item, ++this.#last);
  }

  /** Into the pool's queue, before all who came after him. Those who never had a turn came last. */
  queueAgain(pool: pg.Pool, item: PendingItem): void {
    const own = this.#turns.get(item) ?? 0;
    queueBefore(pool, item, (other) => (this.#turns.get(other) ?? Infinity) > own);
  }

  isBefore(item: PendingItem, other: PendingItem): boolean {
    return (this.#turns.get(item) ?? 0) < (this.#turns.get(other) ?? 0);
  }
}
