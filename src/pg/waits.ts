import type { Clock, Timer } from '../clock.js';
import type { Address } from '../endpoint/address.js';
import { EipPoolError, messageOf } from '../errors.js';
import type { PendingItem } from './internals.js';

interface Wait {
  readonly since: number;
  timer: Timer | undefined;
  /** The caller has his answer; what comes for him now belongs to the pool. */
  answered: boolean;
}

/** Callers that wait for a server, each with his deadline. */
export class Waits {
  readonly #clock: Clock;
  readonly #deadlineMillis: number;
  readonly #expire: (item: PendingItem, waitedMillis: number) => void;
  readonly #waits: Map<PendingItem, Wait> = new Map();

  constructor(clock: Clock, deadlineMillis: number, expire: (item: PendingItem, waitedMillis: number) => void) {
    this.#clock = clock;
    this.#deadlineMillis = deadlineMillis;
    this.#expire = expire;
  }

  /** The caller's time begins now, if it has not begun. */
  begin(item: PendingItem): Readonly<Wait> {
    const begun = this.#waits.get(item);
    if (begun !== undefined) return begun;
    const wait: Wait = { since: this.#clock.now(), timer: undefined, answered: false };
    // Awaited: a caller is waiting, as he would for pg's own connecting socket.
    wait.timer = this.#clock.setAwaited(() => {
      wait.answered = true;
      this.#waits.delete(item);
      this.#expire(item, this.#clock.now() - wait.since);
    }, this.#deadlineMillis);
    this.#waits.set(item, wait);
    return wait;
  }

  end(item: PendingItem): void {
    this.#clock.clear(this.#waits.get(item)?.timer);
    this.#waits.delete(item);
  }

  endAll(): void {
    for (const item of [...this.#waits.keys()]) this.end(item);
  }
}

/** What a pool has met since it last had a working connection. */
export class Trouble {
  readonly #failures: Map<Address, unknown> = new Map();
  #cause: unknown = null;

  note(failures: ReadonlyMap<Address, unknown>, cause: unknown): void {
    for (const [address, failure] of failures) this.#failures.set(address, failure);
    if (cause != null) this.#cause = cause;
  }

  /** `opening` is what the driver would have said; applications look for it. */
  deadlineError(opening: string, name: string, waitedMillis: number, counts: PoolCounts): EipPoolError {
    const tried = [...this.#failures].map(([address, failure]) => `${address} (${messageOf(failure)})`).join(', ');
    return new EipPoolError(
      'DEADLINE_EXCEEDED',
      `${opening}: no usable server behind ${name} for ${Math.round(waitedMillis)} ms; ` +
        `tried: ${tried || 'no address'}; last cause: ${this.#cause === null ? 'none yet' : messageOf(this.#cause)}; ` +
        `pool: total ${counts.total}, active ${counts.active}, idle ${counts.idle}, waiting ${counts.waiting}`,
      { cause: this.#cause },
    );
  }

  clear(): void {
    this.#failures.clear();
    this.#cause = null;
  }
}

export interface PoolCounts {
  readonly total: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
}
