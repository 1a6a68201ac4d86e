import type { Clock, Timer } from '../clock.js';

/** A watch that is this many intervals late belongs to a process that was suspended (design, endpoint rule 9). */
const SUSPENDED_INTERVALS = 3;

/**
 * When a name is asked next, and whether the process, or the endpoint, slept meanwhile. The timer holds its endpoint
 * weakly: one that nobody else holds is asked for by nobody.
 */
export class Schedule<Owner extends object> {
  readonly #owner: WeakRef<Owner>;
  readonly #clock: Clock;
  readonly #intervalMillis: number;
  readonly #tick: (owner: Owner) => void;
  #timer: Timer | undefined;
  /** When the name was last known to be watched, on the wall clock, which goes on while the machine sleeps. */
  #watchedAt: number | null = null;
  #isResting = false;

  /** `tick` must hold nothing but what it is given. */
  constructor(owner: Owner, clock: Clock, intervalMillis: number, tick: (owner: Owner) => void) {
    [this.#owner, this.#clock, this.#intervalMillis, this.#tick] = [new WeakRef(owner), clock, intervalMillis, tick];
  }

  /** True where the answer may be of another time. Cheap, for every lease. */
  get slept(): boolean {
    if (this.#watchedAt === null) return false;
    const intervals = this.#isResting ? 1 : SUSPENDED_INTERVALS;
    return Math.abs(this.#clock.wallNow() - this.#watchedAt) > intervals * this.#intervalMillis;
  }

  /** The name is watched, now. */
  watched(): void {
    this.#watchedAt = this.#clock.wallNow();
    this.#isResting = false;
  }

  /** Is its timer set? */
  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  next(delayMillis: number): void {
    this.#clock.clear(this.#timer);
    const [owner, tick] = [this.#owner, this.#tick];
    this.#timer = this.#clock.set(() => {
      const alive = owner.deref();
      if (alive !== undefined) tick(alive);
    }, delayMillis);
  }

  /** Nobody needs the answer for now; whoever does next asks first. */
  rest(): void {
    this.stop();
    this.#isResting = true;
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}
