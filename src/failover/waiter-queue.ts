import type { Bounded } from './acquire-deadlines.js';
import { LinkedList, Place } from './linked-list.js';

/** One caller who waits for a connection. The queue keeps its own notes on it. */
export interface Waiter extends Bounded {
  /** When the caller came: nobody loses their turn by a failure of what was done for them. */
  turn?: number;
  /** Where it stands in the queue, while it does. */
  place?: Place | undefined;
}

class Turn<W> extends Place {
  readonly waiter: W;

  constructor(waiter: W) {
    super();
    this.waiter = waiter;
  }
}

/** Of a waiter who is the only one: nothing has to be made for it. */
const ALONE: Place = new Place();

/** Before anybody who came in the usual way. */
const BEFORE_ALL = -Number.MAX_SAFE_INTEGER;

/** Callers of one pool in the order in which they came, whatever was tried for them in the meantime. */
export class WaiterQueue<W extends Waiter> implements Iterable<W> {
  readonly #list: LinkedList<Turn<W>> = new LinkedList();
  /** The only one, which stands in no list yet: in a pool that is not busy, a caller comes and is served. */
  #alone: W | undefined;
  #length = 0;
  #lastTurn = 0;
  #lastAhead = BEFORE_ALL;
  #isAhead = false;
  #latest: W | undefined;

  /** How many wait: drivers ask this several times for each statement. */
  get length(): number {
    return this.#length;
  }

  get first(): W | undefined {
    return this.#alone ?? this.#list.first?.waiter;
  }

  /** Who came last, wherever its turn is, if it is still there. */
  get latest(): W | undefined {
    return this.#latest;
  }

  *[Symbol.iterator](): Iterator<W> {
    this.#toList();
    for (const { waiter } of this.#list) yield waiter;
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

  /** Is somebody coming who was served before? */
  get isAhead(): boolean {
    return this.#isAhead;
  }

  /** The caller has come; if it came before, its turn stays. */
  note(waiter: W): void {
    waiter.turn ??= this.#isAhead ? ++this.#lastAhead : ++this.#lastTurn;
  }

  /** The caller has just come: to the end, unless it was served before. */
  push(waiter: W): void {
    this.#latest = waiter;
    if (this.#isAhead) return this.queueAgain(waiter);
    this.note(waiter);
    if (this.#length === 0 && !this.#list.isIterated) {
      this.#length = 1;
      this.#alone = waiter;
      waiter.place = ALONE;
      return;
    }
    this.#toList();
    this.#list.push(this.#placeOf(waiter));
  }

  /** To where its turn is: the end for one who has just come, near the front for one who was tried before. */
  queueAgain(waiter: W): void {
    if (waiter.place !== undefined) return;
    this.note(waiter);
    this.#toList();
    const last = this.#list.last?.waiter;
    const place = this.#placeOf(waiter);
    if (last === undefined || isBefore(last, waiter)) this.#list.push(place);
    else this.#list.insert(place, (other) => isBefore(waiter, other.waiter));
  }

  shift(): W | undefined {
    const first = this.#alone ?? this.#list.shift()?.waiter;
    if (first !== undefined) this.#left(first);
    return first;
  }

  /** False if it was not in the queue. */
  remove(waiter: W): boolean {
    const { place } = waiter;
    if (place === undefined) return false;
    const alone = waiter === this.#alone;
    this.#left(waiter);
    if (alone) return true;
    return this.#list.remove(place as Turn<W>);
  }

  /** Takes all of them out, in turn. */
  clear(): W[] {
    const all = [...this];
    for (const waiter of all) this.remove(waiter);
    return all;
  }

  #left(waiter: W): void {
    this.#length--;
    if (waiter === this.#alone) this.#alone = undefined;
    waiter.place = undefined;
    if (waiter === this.#latest) this.#latest = undefined;
  }

  #toList(): void {
    const alone = this.#alone;
    if (alone === undefined) return;
    this.#alone = undefined;
    this.#length = 0;
    this.#list.push(this.#placeOf(alone));
  }

  #placeOf(waiter: W): Turn<W> {
    this.#length++;
    const place = new Turn(waiter);
    waiter.place = place;
    return place;
  }
}

export function isBefore(waiter: Waiter, other: Waiter): boolean {
  return (waiter.turn ?? Infinity) < (other.turn ?? Infinity);
}
