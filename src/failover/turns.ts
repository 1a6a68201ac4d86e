/** When a caller came: nobody loses his turn by a failure of what was done for him. */
export interface Turned {
  readonly turn: number;
}

/** Behind how many of those who wait he belongs. The queue is in order. */
export function placeInTurn(queue: readonly Turned[], { turn }: Turned): number {
  const later = queue.findIndex((other) => other.turn > turn);
  return later < 0 ? queue.length : later;
}

export function inTurn<Caller extends Turned>(callers: Iterable<Caller>): Caller[] {
  return [...callers].toSorted((a, b) => a.turn - b.turn);
}
