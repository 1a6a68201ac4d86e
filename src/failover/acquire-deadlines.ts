import type { Clock, Timer } from '../clock.js';
import { LinkedList, type Place } from './linked-list.js';

/** A caller whose time runs. The record of it is the deadlines' own. */
export interface Bounded {
  deadline?: unknown;
}

interface Wait<W> {
  readonly waiter: W;
  readonly since: number;
  readonly until: number;
  readonly list: Durations<W>;
  place: Place<Wait<W>>;
}

/** Deadlines of one duration end in the order in which they began, so one timer serves them all. */
interface Durations<W> {
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
    const list = this.#listOf(deadlineMillis);
    const since = this.#clock.now();
    const wait = { waiter, since, until: since + deadlineMillis, list } as Wait<W>;
    wait.place = list.waits.push(wait);
    waiter.deadline = wait;
    this.#count++;
    if (list.timer === undefined) this.#arm(list, deadlineMillis);
  }

  end(waiter: W): void {
    // Every checkout comes by, and hardly ever does anybody wait.
    if (this.#count > 0 && waiter.deadline !== undefined) this.#end(waiter.deadline as Wait<W>);
  }

  endAll(): void {
    for (const { waits } of this.#durations.values()) for (const wait of waits) this.#end(wait);
  }

  #listOf(deadlineMillis: number): Durations<W> {
    let list = this.#durations.get(deadlineMillis);
    if (list === undefined) {
      list = { waits: new LinkedList(), timer: undefined };
      this.#durations.set(deadlineMillis, list);
    }
    return list;
  }

  #end({ waiter, list, place }: Wait<W>): void {
    waiter.deadline = undefined;
    this.#count--;
    list.waits.remove(place);
    // A timer that waits for nobody would keep the process alive.
    if (list.waits.length === 0) this.#disarm(list);
  }

  #disarm(list: Durations<W>): void {
    this.#clock.clear(list.timer);
    list.timer = undefined;
  }

  #arm(list: Durations<W>, delayMillis: number): void {
    // Awaited: a caller is waiting, as it would for the driver's own connecting socket.
    list.timer = this.#clock.setAwaited(() => {
      list.timer = undefined;
      this.#expireDue(list);
    }, delayMillis);
  }

  #expireDue(list: Durations<W>): void {
    const began = this.#clock.now();
    for (let now = began; now - began < SLICE_MILLIS; now = this.#clock.now()) {
      const wait = list.waits.first;
      if (wait === undefined || wait.until > now) break;
      this.#end(wait);
      this.#expire(wait.waiter, now - wait.since);
    }
    const next = list.waits.first;
    if (next === undefined) return;
    this.#disarm(list);
    this.#arm(list, Math.max(0, next.until - this.#clock.now()));
  }
}
