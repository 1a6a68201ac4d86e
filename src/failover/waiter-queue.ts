import type { Bounded } from './acquire-deadlines.js';
import { LinkedList, type Place } from './linked-list.js';

/** One caller who waits for a connection. The queue keeps its own notes on it. */
export interface Waiter extends Bounded {
  /** When the caller came: nobody loses their turn by a failure of what was done for them. */
  turn?: number;
  /** Where it stands in the queue, while it does. */
  place?: Place<Waiter> | undefined;
}

/** Before anybody who came in the usual way. */
const BEFORE_ALL = -Number.MAX_SAFE_INTEGER;

/** Callers of one pool in the order in which they came, whatever was tried for them in the meantime. */
export class WaiterQueue<W extends Waiter> implements Iterable<W> {
  readonly #list: LinkedList<W> = new LinkedList();
  #lastTurn = 0;
  #lastAhead = BEFORE_ALL;
  #isAhead = false;

  get length(): number {
    return this.#list.length;
  }

  get first(): W | undefined {
    return this.#list.first;
  }

  get last(): W | undefined {
    return this.#list.last;
  }

  [Symbol.iterator](): Iterator<W> {
    return this.#list[Symbol.iterator]();
  }

  has({ place }: W): boolean {
    return place !== undefined;
  }

  /** Who comes within the call was served before, and lost what it got: nobody who waits now came before it. */
  ahead<T>(call: () => T): T {
    this.#isAhead = true;
    try {
      return call();
    } finally {
      this.#isAhead = false;
    }
  }

  /** The caller has come; if it came before, its turn stays. */
  note(waiter: W): void {
    waiter.turn ??= this.#isAhead ? ++this.#lastAhead : ++this.#lastTurn;
  }

  /** To the end: the caller has just come. */
  push(waiter: W): void {
    if (this.#isAhead) return this.queueAgain(waiter);
    this.note(waiter);
    waiter.place = this.#list.push(waiter);
  }

  /** To where its turn is: the end for one who has just come, near the front for one who was tried before. */
  queueAgain(waiter: W): void {
    if (waiter.place !== undefined) return;
    this.note(waiter);
    const { last } = this.#list;
    const isLast = last === undefined || isBefore(last, waiter);
    waiter.place = isLast ? this.#list.push(waiter) : this.#list.insert(waiter, (other) => isBefore(waiter, other));
  }

  shift(): W | undefined {
    const first = this.#list.shift();
    if (first !== undefined) first.place = undefined;
    return first;
  }

  /** False if it was not in the queue. */
  remove(waiter: W): boolean {
    const { place } = waiter;
    waiter.place = undefined;
    return place !== undefined && this.#list.remove(place as Place<W>);
  }

  /** Takes all of them out, in turn. */
  clear(): W[] {
    const all = [...this.#list];
    for (const waiter of all) this.remove(waiter);
    return all;
  }
}

export function isBefore(waiter: Waiter, other: Waiter): boolean {
  return (waiter.turn ?? Infinity) < (other.turn ?? Infinity);
}
