import type { Clock, Timer } from '../clock.js';
import { LinkedList, Place } from './linked-list.js';

/** A caller whose time runs. The record of it is the deadlines' own. */
export interface Bounded {
  deadline?: unknown;
}

/** There are as many of them as callers, so each stands in its list by itself. */
class Wait<W> extends Place {
  readonly waiter: W;
  readonly since: number;
  readonly durations: Durations<W>;

  constructor(waiter: W, since: number, durations: Durations<W>) {
    super();
    this.waiter = waiter;
    this.since = since;
    this.durations = durations;
  }
}

/** Deadlines of one duration end in the order in which they began, so one timer serves them all. */
interface Durations<W> {
  readonly millis: number;
  readonly waits: LinkedList<Wait<W>>;
  timer: Timer | undefined;
}

/** Whoever's time is up at the same moment is told so in slices: nothing else runs meanwhile. */
const SLICE_MILLIS = 10;

/** Callers that wait for a server, each with their deadline. `W` is a driver's own record of one. */
export class AcquireDeadlines<W extends Bounded> {
  readonly #clock: Clock;
  readonly #deadlineMillis: number;
  readonly #expire: (waiter: W, waitedMillis: number) => void;
  #count = 0;
  readonly #durations: Map<number, Durations<W>> = new Map();

  constructor(clock: Clock, deadlineMillis: number, expire: (waiter: W, waitedMillis: number) => void) {
    this.#clock = clock;
    this.#deadlineMillis = deadlineMillis;
    this.#expire = expire;
  }

  /** Whether anybody waits for a server. */
  get any(): boolean {
    return this.#count > 0;
  }

  /** The caller's time begins now, if it has not begun. */
  begin(waiter: W, deadlineMillis: number = this.#deadlineMillis): void {
    if (waiter.deadline !== undefined) return;
    const durations = this.#durationsOf(deadlineMillis);
    const wait = new Wait(waiter, this.#clock.now(), durations);
    durations.waits.push(wait);
    waiter.deadline = wait;
    this.#count++;
    if (durations.timer === undefined) this.#arm(durations, deadlineMillis);
  }

  end(waiter: W): void {
    // Every checkout comes by, and hardly ever does anybody wait.
    if (this.#count > 0 && waiter.deadline !== undefined) this.#end(waiter.deadline as Wait<W>);
  }

  endAll(): void {
    for (const { waits } of this.#durations.values()) for (const wait of waits) this.#end(wait);
  }

  #durationsOf(millis: number): Durations<W> {
    let durations = this.#durations.get(millis);
    if (durations === undefined) {
      durations = { millis, waits: new LinkedList(), timer: undefined };
      this.#durations.set(millis, durations);
    }
    return durations;
  }

  #end(wait: Wait<W>): void {
    const { waiter, durations } = wait;
    waiter.deadline = undefined;
    this.#count--;
    durations.waits.remove(wait);
    // A timer that waits for nobody would keep the process alive.
    if (durations.waits.length === 0) this.#disarm(durations);
  }

  #disarm(durations: Durations<W>): void {
    this.#clock.clear(durations.timer);
    durations.timer = undefined;
  }

  #arm(durations: Durations<W>, delayMillis: number): void {
    // Awaited: a caller is waiting, as it would for the driver's own connecting socket.
    durations.timer = this.#clock.setAwaited(() => {
      durations.timer = undefined;
      this.#expireDue(durations);
    }, delayMillis);
  }

  #expireDue(durations: Durations<W>): void {
    const { waits, millis } = durations;
    const began = this.#clock.now();
    for (let now = began; now - began < SLICE_MILLIS; now = this.#clock.now()) {
      const wait = waits.first;
      if (wait === null || wait.since + millis > now) break;
      this.#end(wait);
      this.#expire(wait.waiter, now - wait.since);
    }
    const next = waits.first;
    if (next === null) return;
    this.#disarm(durations);
    this.#arm(durations, Math.max(0, next.since + millis - this.#clock.now()));
  }
}
