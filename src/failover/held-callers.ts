import { systemClock } from '../clock.js';
import { AcquireDeadlines, type Bounded } from './acquire-deadlines.js';
import { type PoolCounts, Trouble } from './trouble.js';

export interface HeldCallersSide<W> {
  /** What the driver would have said of a caller whose time is over. */
  readonly said: string;
  readonly name: string;
  readonly deadlineMillis: number;
  counts(): PoolCounts;
  expire(waiter: W, error: Error): void;
}

/** Callers of a paused pool that follows no name: they wait for nothing but the end of the pause, each until its deadline. */
export class HeldCallers<W extends Bounded> {
  readonly #deadlines: AcquireDeadlines<W>;

  constructor(side: HeldCallersSide<W>) {
    const { said, name, deadlineMillis } = side;
    this.#deadlines = new AcquireDeadlines(systemClock, deadlineMillis, (waiter, waitedMillis) => {
      const pool = side.counts();
      side.expire(waiter, new Trouble().deadlineError({ said, name, waitedMillis, paused: true, pool }));
    });
  }

  bound(waiters: Iterable<W>): void {
    for (const waiter of waiters) this.#deadlines.begin(waiter);
  }

  unbind(): void {
    this.#deadlines.endAll();
  }
}
