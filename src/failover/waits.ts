import type { Clock, Timer } from '../clock.js';

interface Wait {
  readonly since: number;
  timer: Timer | undefined;
}

/** Callers that wait for a server, each with his deadline. `Item` is a driver's own record of one. */
export class Waits<Item extends object> {
  readonly #clock: Clock;
  readonly #deadlineMillis: number;
  readonly #expire: (item: Item, waitedMillis: number) => void;
  readonly #waits: Map<Item, Wait> = new Map();

  constructor(clock: Clock, deadlineMillis: number, expire: (item: Item, waitedMillis: number) => void) {
    this.#clock = clock;
    this.#deadlineMillis = deadlineMillis;
    this.#expire = expire;
  }

  /** Does anybody wait for a server? */
  get any(): boolean {
    return this.#waits.size > 0;
  }

  /** The caller's time begins now, if it has not begun. */
  begin(item: Item, deadlineMillis: number = this.#deadlineMillis): void {
    const begun = this.#waits.get(item);
    if (begun !== undefined) return;
    const wait: Wait = { since: this.#clock.now(), timer: undefined };
    // Awaited: a caller is waiting, as he would for the driver's own connecting socket.
    wait.timer = this.#clock.setAwaited(() => {
      this.#waits.delete(item);
      this.#expire(item, this.#clock.now() - wait.since);
    }, deadlineMillis);
    this.#waits.set(item, wait);
  }

  end(item: Item): void {
    // Every hand-out comes by, and hardly ever does anybody wait.
    if (!this.any) return;
    this.#clock.clear(this.#waits.get(item)?.timer);
    this.#waits.delete(item);
  }

  endAll(): void {
    for (const item of [...this.#waits.keys()]) this.end(item);
  }
}
