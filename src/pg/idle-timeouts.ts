import type pg from 'pg';
import { inNobodysContext } from '../async-context.js';
import {
  closeIdle,
  endIdleTimer,
  idleTimerOf,
  type IdleListener,
  isKept,
  keepIdle,
  type NoError,
  setIdleTimer,
} from './internals.js';

/**
 * `idleTimeoutMillis` of a pool's clients. pg-pool makes a timer at each release and clears it at the next checkout; here
 * a client has one for as long as it is the pool's, which begins anew with each release, and means nothing in a lease.
 */
export class IdleTimeouts {
  readonly #pool: pg.Pool;
  readonly #millis: unknown;
  /** Unless timers are plain numbers here, as in some test environments. */
  #canRefresh = true;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    this.#millis = pool.options.idleTimeoutMillis;
  }

  /** The client comes back without an error. False where pg-pool's own release is due. */
  keeps(client: pg.PoolClient, idleListener: IdleListener, error: NoError): boolean {
    const { idleTimeoutMillis, allowExitOnIdle, min } = this.#pool.options;
    const isTimed = Boolean(idleTimeoutMillis) && idleTimeoutMillis === this.#millis;
    const isUsual = isTimed && !allowExitOnIdle && !min && this.#canRefresh;
    const timer = isUsual && isKept(this.#pool, client) ? (idleTimerOf(client) ?? this.#begin(client)) : null;
    if (timer === null) {
      endIdleTimer(client);
      return false;
    }
    timer.refresh().ref();
    keepIdle(this.#pool, client, idleListener, error);
    return true;
  }

  #begin(client: pg.PoolClient): NodeJS.Timeout | null {
    const timer = inNobodysContext(setTimeout, () => closeIdle(this.#pool, client), Number(this.#millis));
    this.#canRefresh = typeof timer.refresh === 'function';
    if (this.#canRefresh) setIdleTimer(client, timer);
    else clearTimeout(timer);
    return this.#canRefresh ? timer : null;
  }
}
