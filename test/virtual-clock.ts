import type { Clock, Timer } from '../src/clock.js';

interface Pending {
  readonly at: number;
  readonly fn: () => void;
}

/** Time that a test owns. `random` is a seeded generator: a run can be repeated. */
export class VirtualClock implements Clock {
  #now = 1_000_000;
  readonly #timers: Map<Timer, Pending> = new Map();
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  set(fn: () => void, delayMillis: number): Timer {
    const timer = { id: {} };
    this.#timers.set(timer, { at: this.#now + delayMillis, fn });
    return timer;
  }

  setAwaited(fn: () => void, delayMillis: number): Timer {
    return this.set(fn, delayMillis);
  }

  clear(timer: Timer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer);
  }

  /** Mulberry32. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Runs every timer that is due within this time, and what promises make of it, in order. */
  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    await settled();
    for (;;) {
      const [timer, pending] = this.#earliest() ?? [];
      if (timer === undefined || pending === undefined || pending.at > end) break;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, pending.at);
      pending.fn();
      await settled();
    }
    this.#now = end;
  }

  #earliest(): [Timer, Pending] | undefined {
    let first: [Timer, Pending] | undefined;
    for (const entry of this.#timers) if (first === undefined || entry[1].at < first[1].at) first = entry;
    return first;
  }
}

/** Every promise that is settled has told its followers. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
