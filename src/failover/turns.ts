/** In which order callers came, so that nobody loses his turn by a failure of what was done for him. */
export class Turns<Caller extends object> {
  readonly #turns: WeakMap<Caller, number> = new WeakMap();
  #last = 0;

  note(caller: Caller): void {
    if (!this.#turns.has(caller)) this.#turns.set(caller, ++this.#last);
  }

  /** Behind how many of those who wait he belongs. The queue is in order; who has no turn came last. */
  placeIn(queue: readonly (Caller | undefined)[], caller: Caller): number {
    const own = this.#turn(caller);
    const later = queue.findIndex((other) => this.#turn(other) > own);
    return later < 0 ? queue.length : later;
  }

  inOrder(callers: readonly Caller[]): Caller[] {
    return callers.toSorted((a, b) => this.#turn(a) - this.#turn(b));
  }

  #turn(caller: Caller | undefined): number {
    return (caller && this.#turns.get(caller)) ?? Number.MAX_SAFE_INTEGER;
  }
}
