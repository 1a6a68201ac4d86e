/** What stands in a {@link LinkedList}, and can be taken out of it again without a search. */
export class Place {
  before: Place | null = null;
  after: Place | null = null;
  list: object | null = null;
}

/** Where an iteration stands: behind this place; null in front of the first one. */
interface Cursor {
  behind: Place | null;
}

/** An order in which each place is added, found and removed in constant time, however many there are. */
export class LinkedList<P extends Place> implements Iterable<P> {
  #first: Place | null = null;
  #last: Place | null = null;
  #length = 0;
  readonly #cursors: Set<Cursor> = new Set();

  get length(): number {
    return this.#length;
  }

  /** Is somebody going through it, who is to meet what is added meanwhile? */
  get isIterated(): boolean {
    return this.#cursors.size > 0;
  }

  get first(): P | null {
    return this.#first as P | null;
  }

  get last(): P | null {
    return this.#last as P | null;
  }

  /** @param place one that stands nowhere */
  push(place: P): void {
    this.#link(place, null);
  }

  /** In front of the first one of which `isLater` is true: what belongs near the front is found soon. */
  insert(place: P, isLater: (other: P) => boolean): void {
    let next = this.#first;
    while (next !== null && !isLater(next as P)) next = next.after;
    this.#link(place, next);
  }

  shift(): P | null {
    const { first } = this;
    if (first !== null) this.remove(first);
    return first;
  }

  /** False if it had been removed. */
  remove(place: P): boolean {
    if (place.list !== this) return false;
    if (place.before === null) this.#first = place.after;
    else place.before.after = place.after;
    if (place.after === null) this.#last = place.before;
    else place.after.before = place.before;
    if (this.#cursors.size > 0) this.#stepBack(place);
    // One that is old, and not collected yet, would keep all that ever came after it in memory until then.
    place.before = null;
    place.after = null;
    place.list = null;
    this.#length--;
    return true;
  }

  /** Goes on with what is there by then, whatever is removed meanwhile. */
  *[Symbol.iterator](): Iterator<P> {
    const cursor: Cursor = { behind: null };
    this.#cursors.add(cursor);
    try {
      for (;;) {
        const place: Place | null = cursor.behind === null ? this.#first : cursor.behind.after;
        if (place === null) return;
        cursor.behind = place;
        yield place as P;
      }
    } finally {
      this.#cursors.delete(cursor);
    }
  }

  #stepBack(place: P): void {
    for (const cursor of this.#cursors) if (cursor.behind === place) cursor.behind = place.before;
  }

  #link(place: P, after: Place | null): void {
    const before = after === null ? this.#last : after.before;
    place.before = before;
    place.after = after;
    place.list = this;
    if (before === null) this.#first = place;
    else before.after = place;
    if (after === null) this.#last = place;
    else after.before = place;
    this.#length++;
  }
}
