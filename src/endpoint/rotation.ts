/** More changes than these within the time, and the name rotates through its servers by design. */
const CHANGES = 5;
const WITHIN_MILLIS = 60_000;
/** A name that moves may alternate for half a minute; what pauses for this long has come to rest. */
const REST_MILLIS = 10_000;

/** Tells a name that rotates from one that moves, and from one that flickers while it moves. */
export class Rotation {
  #moves: readonly number[] = [];
  /** One server says now this, now that: since when, and when it did last. */
  #turning: { readonly since: number; readonly at: number; readonly times: number } | null = null;

  moved(now: number): void {
    this.#moves = [...this.#moves, now].filter((at) => now - at <= WITHIN_MILLIS);
  }

  /** A server named other addresses than it did before. */
  turned(now: number): void {
    const before = this.#turning;
    const resting = before === null || now - before.at > REST_MILLIS;
    this.#turning = resting ? { since: now, at: now, times: 1 } : { ...before, at: now, times: before.times + 1 };
  }

  /** How often it changed within a minute, if it rotates; else null. */
  get changes(): number | null {
    if (this.#moves.length >= CHANGES) return this.#moves.length;
    if (this.#turning === null) return null;
    const { since, at, times } = this.#turning;
    const perMinute = Math.round((times * WITHIN_MILLIS) / Math.max(WITHIN_MILLIS, at - since));
    return at - since > WITHIN_MILLIS && perMinute >= CHANGES ? perMinute : null;
  }
}
