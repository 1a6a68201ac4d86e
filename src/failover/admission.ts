import type { Clock, Timer } from '../clock.js';
import { EipPoolError, messageOf } from '../errors.js';
import type { ReadFailoverOptions } from './options.js';

/** What a caller who asks for a connection finds. */
export interface Arrival {
  /** The place in the queue that he would get, from 1; 0 if there is a connection for him, or room for one. */
  readonly place: number;
  /** For how long there has been no usable server; null while there is one. */
  readonly downMillis: number | null;
}

export type Limits = Pick<ReadFailoverOptions, 'maxWaiting' | 'failFastAfterMillis'>;

export type Admittance = 'admitted' | 'failing-fast' | 'too-many';

export function admit({ place, downMillis }: Arrival, { maxWaiting, failFastAfterMillis }: Limits): Admittance {
  if (downMillis !== null && downMillis >= failFastAfterMillis) return 'failing-fast';
  return place > maxWaiting ? 'too-many' : 'admitted';
}

/** Who is refused at once notices no recovery: while there is no server, somebody looks for one this often. */
const LOOK_OUT_MILLIS = 1_000;

/** Whether a caller may wait for a connection of one pool. */
export class Admission {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #limits: Limits;
  readonly #lookOut: () => void;
  /** May it ever refuse a caller? Otherwise nobody needs to ask. */
  readonly limited: boolean;
  #timer: Timer | undefined;
  #downSince: number | null = null;
  #cause: unknown = null;

  /** @param lookOut makes a connection for nobody, if none is being made */
  constructor(clock: Clock, name: string, limits: Limits, lookOut: () => void) {
    this.#clock = clock;
    this.#name = name;
    this.#limits = limits;
    this.#lookOut = lookOut;
    this.limited = limits.maxWaiting !== Infinity || limits.failFastAfterMillis !== Infinity;
  }

  /** An attempt failed, and the pool has no usable connection. */
  down(cause: unknown): void {
    if (this.#downSince === null && this.#limits.failFastAfterMillis !== Infinity) this.#arm();
    this.#downSince ??= this.#clock.now();
    this.#cause = cause ?? this.#cause;
  }

  /** A connection was made, or the pool has ended. */
  up(): void {
    this.#clock.clear(this.#timer);
    this.#downSince = null;
    this.#cause = null;
  }

  #arm(): void {
    this.#timer = this.#clock.set(() => {
      this.#arm();
      this.#lookOut();
    }, LOOK_OUT_MILLIS);
  }

  /** Null if he may. */
  refusal(place: number): EipPoolError | null {
    const downMillis = this.#downSince === null ? null : this.#clock.now() - this.#downSince;
    const { maxWaiting, failFastAfterMillis } = this.#limits;
    switch (admit({ place, downMillis }, this.#limits)) {
      case 'admitted':
        return null;
      case 'too-many':
        return new EipPoolError(
          'TOO_MANY_WAITING',
          `${place - 1} callers wait for a connection to ${this.#name}, and failover.maxWaiting is ${maxWaiting}: ` +
            'shed load, or raise it',
        );
      case 'failing-fast':
        return new EipPoolError(
          'FAILING_FAST',
          `no usable server behind ${this.#name} for ${Math.round(downMillis ?? 0)} ms, which is more than ` +
            `failover.failFastAfterMillis (${failFastAfterMillis}); last cause: ${messageOf(this.#cause ?? 'none yet')}`,
          { cause: this.#cause },
        );
    }
  }
}
