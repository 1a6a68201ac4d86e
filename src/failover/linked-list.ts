/** A place in a {@link LinkedList}; whoever keeps it can take its item out again without a search. */
export interface Place<T> {
  readonly item: T;
}

interface Node<T> extends Place<T> {
  before: Node<T> | null;
  after: Node<T> | null;
  list: LinkedList<T> | null;
}

/** An order in which each item is added, found and removed in constant time, however many there are. */
export class LinkedList<T> implements Iterable<T> {
  #first: Node<T> | null = null;
  #last: Node<T> | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): T | undefined {
    return this.#first?.item;
  }

  get last(): T | undefined {
    return this.#last?.item;
  }

  push(item: T): Place<T> {
    return this.#link(item, null);
  }

  /** In front of the first item of which `isLater` is true: what belongs near the front is found soon. */
  insert(item: T, isLater: (other: T) => boolean): Place<T> {
    let next = this.#first;
    while (next !== null && !isLater(next.item)) next = next.after;
    return this.#link(item, next);
  }

  shift(): T | undefined {
    const first = this.#first;
    if (first !== null) this.remove(first);
    return first?.item;
  }

  /** False if it had been removed. */
  remove(place: Place<T>): boolean {
    const node = place as Node<T>;
    if (node.list !== this) return false;
    if (node.before === null) this.#first = node.after;
    else node.before.after = node.after;
    if (node.after === null) this.#last = node.before;
    else node.after.before = node.before;
    // `after` stays, so that an iteration that stands here goes on.
    node.list = null;
    this.#length--;
    return true;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let node = this.#first; node !== null; node = node.after) if (node.list === this) yield node.item;
  }

  #link(item: T, after: Node<T> | null): Place<T> {
    const before = after === null ? this.#last : after.before;
    const node: Node<T> = { item, before, after, list: this };
    if (before === null) this.#first = node;
    else before.after = node;
    if (after === null) this.#last = node;
    else after.before = node;
    this.#length++;
    return node;
  }
}
