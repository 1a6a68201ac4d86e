import type { Clock, Timer } from '../src/clock.js';

interface Armed {
  readonly at: number;
  readonly fn: () => void;
  readonly awaited: boolean;
}

/** A clock that stands still until a test moves it. Timers run in the order in which they are due. */
export class FakeClock implements Clock {
  /** What {@link random} returns; half is a jitter of nothing. */
  nextRandom = 0.5;
  #now = 1_000;
  #wallAhead = 1_700_000_000_000;
  #ids = 0;
  readonly #timers: Map<number, Armed> = new Map();

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#wallAhead;
  }

  set(fn: () => void, delayMillis: number): Timer {
    return this.#arm(fn, delayMillis, false);
  }

  setAwaited(fn: () => void, delayMillis: number): Timer {
    return this.#arm(fn, delayMillis, true);
  }

  clear(timer: Timer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer.id as number);
  }

  random(): number {
    return this.nextRandom;
  }

  /** The delays of the timers that are set, from now, shortest first. */
  get delays(): readonly number[] {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).toSorted((a, b) => a - b);
  }

  /** How many timers keep the process alive. */
  get awaited(): number {
    return [...this.#timers.values()].filter((timer) => timer.awaited).length;
  }

  /** Lets time pass: each timer runs at its moment, and what it set off has its turn before the next one. */
  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    for (;;) {
      await settled();
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end).toSorted(([, a], [, b]) => a.at - b.at);
      if (next === undefined) break;
      const [id, { at, fn }] = next;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, at);
      fn();
    }
    this.#now = end;
    await settled();
  }

  /** The process was not running: time has passed, and nothing has had its turn yet. */
  suspend(millis: number): void {
    this.#now += millis;
  }

  /** The machine was suspended: only the wall clock knows. */
  skipWall(millis: number): void {
    this.#wallAhead += millis;
  }

  #arm(fn: () => void, delayMillis: number, awaited: boolean): Timer {
    const id = ++this.#ids;
    this.#timers.set(id, { at: this.#now + delayMillis, fn, awaited });
    return { id };
  }
}

/** Whatever is ready to run has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
