/** What stands in a {@link LinkedList}, and can be taken out of it again without a search. */
export class Place {
  before: Place | null = null;
  after: Place | null = null;
  list: object | null = null;
}

/** An order in which each place is added, found and removed in constant time, however many there are. */
export class LinkedList<P extends Place> implements Iterable<P> {
  #first: Place | null = null;
  #last: Place | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
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
    // `after` stays, so that an iteration that stands here goes on.
    place.list = null;
    this.#length--;
    return true;
  }

  *[Symbol.iterator](): Iterator<P> {
    for (let place = this.#first; place !== null; place = place.after) if (place.list === this) yield place as P;
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
