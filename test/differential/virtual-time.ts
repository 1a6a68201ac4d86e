import timers from 'node:timers';

const real = { setTimeout, clearTimeout, setInterval, clearInterval, dateNow: Date.now, now: performance.now };

/** Resolves after so many turns of the real event loop, in each of which sockets are read. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** A real millisecond. */
export async function aWhile(): Promise<void> {
  await new Promise<void>((resolve) => void real.setTimeout(resolve, 1));
}

/** A promise that is rejected if it has not settled after so many real milliseconds. */
export async function withinReal<T>(promise: Promise<T>, millis: number, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = real.setTimeout(() => reject(new Error(`${what()} took more than ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    real.clearTimeout(timer);
  }
}

/** What `setTimeout` returns while time is virtual. */
class VirtualTimer {
  readonly #time: VirtualTime;
  readonly fn: () => void;
  readonly delayMillis: number;
  readonly every: boolean;
  at = 0;
  keepsProcess = true;

  constructor(time: VirtualTime, fn: () => void, delayMillis: number, every: boolean) {
    this.#time = time;
    this.fn = fn;
    // As Node does: no timer is due in the turn that sets it.
    this.delayMillis = Number.isFinite(delayMillis) && delayMillis >= 1 ? Math.trunc(delayMillis) : 1;
    this.every = every;
    this.refresh();
  }

  ref(): this {
    this.keepsProcess = true;
    return this;
  }

  unref(): this {
    this.keepsProcess = false;
    return this;
  }

  hasRef(): boolean {
    return this.keepsProcess;
  }

  refresh(): this {
    this.at = this.#time.now + this.delayMillis;
    this.#time.arm(this);
    return this;
  }

  close(): this {
    this.#time.disarm(this);
    return this;
  }

  [Symbol.dispose](): void {
    this.#time.disarm(this);
  }
}

/**
 * The time of the process, for as long as it is installed: timers are due when {@link advance} says so, while sockets stay
 * real. Whoever has waited ten seconds has spent none, and two runs of the same program see the same instants.
 */
export class VirtualTime {
  #now = 1_800_000_000_000;
  readonly #timers: Set<VirtualTimer> = new Set();

  get now(): number {
    return this.#now;
  }

  /** Timers that would keep the process alive. */
  get awaited(): number {
    return [...this.#timers].filter((timer) => timer.keepsProcess).length;
  }

  arm(timer: VirtualTimer): void {
    this.#timers.delete(timer); // so that of two that are due together the one armed first comes first
    this.#timers.add(timer);
  }

  disarm(timer: VirtualTimer): void {
    this.#timers.delete(timer);
  }

  /** Calls it then; it does not count as one that keeps the process. */
  at(fn: () => void, delayMillis: number): void {
    new VirtualTimer(this, fn, delayMillis, false).unref();
  }

  install(): void {
    const set =
      (every: boolean) =>
      (fn: (...args: unknown[]) => void, delay?: number, ...args: unknown[]) =>
        new VirtualTimer(this, () => fn(...args), delay ?? 1, every);
    const clear = (timer: unknown): void => {
      if (timer instanceof VirtualTimer) this.disarm(timer);
      else real.clearTimeout(timer as NodeJS.Timeout);
    };
    const replaced = { setTimeout: set(false), setInterval: set(true), clearTimeout: clear, clearInterval: clear };
    Object.assign(globalThis, replaced);
    Object.assign(timers, replaced);
    Date.now = () => this.#now;
    performance.now = () => this.#now;
  }

  uninstall(): void {
    const { dateNow, now, ...theirs } = real;
    Object.assign(globalThis, theirs);
    Object.assign(timers, theirs);
    Date.now = dateNow;
    performance.now = now;
    this.#timers.clear();
  }

  /** Fires what becomes due, one instant after the other; `settle` runs after each. */
  async advance(millis: number, settle: () => Promise<void>): Promise<void> {
    const until = this.#now + millis;
    for (let due = this.#next(until); due !== undefined; due = this.#next(until)) {
      this.#now = Math.max(this.#now, due.at);
      while (due !== undefined && due.at <= this.#now) {
        this.#fire(due);
        await new Promise<void>((resolve) => process.nextTick(resolve));
        due = this.#next(this.#now);
      }
      await settle();
    }
    this.#now = until;
  }

  /** Forgets all timers, and is so much later: what was before has no more to do with what comes. */
  skip(millis: number): void {
    this.#timers.clear();
    this.#now += millis;
  }

  #next(until: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers)
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    return first;
  }

  #fire(timer: VirtualTimer): void {
    if (timer.every) timer.refresh();
    else this.#timers.delete(timer);
    timer.fn();
  }
}
