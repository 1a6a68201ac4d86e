import type pg from 'pg';
import type { Admission } from '../failover/admission.js';
import type { Pause } from '../failover/pause.js';
import { type ConnectCallback, WAITED } from './driver-words.js';

export interface EntranceSide {
  readonly pool: pg.Pool;
  readonly admission: Admission;
  readonly pause: Pause;
  /** pg-pool's own `connect` of this pool. */
  readonly connect: (callback: ConnectCallback) => void;
  /** Is there a connection on which the next statement can run? */
  isServed(): boolean;
  isMaking(): boolean;
  /** Whoever came last has a deadline, if it waits, and not for its turn alone. */
  boundLatest(): void;
  deadlineError(waitedMillis: number): Error;
}

/** Where callers come in who may have to wait for more than their turn. */
export class Entrance {
  readonly #side: EntranceSide;
  #scouting = false;

  constructor(side: EntranceSide) {
    this.#side = side;
  }

  get(callback: ConnectCallback): void {
    const { pool, admission, connect, boundLatest } = this.#side;
    const refusal = admission.limited && !pool.ending ? admission.refusal(this.#place()) : null;
    if (refusal !== null) return process.nextTick(() => callback(refusal, undefined, () => {}));
    const isTimed = (pool.options.connectionTimeoutMillis ?? 0) > 0;
    connect(isTimed ? this.#explained(callback) : callback);
    boundLatest();
  }

  /** While there is no server, the driver's own time-out says what the pool has met. */
  #explained(callback: ConnectCallback): ConnectCallback {
    const { pool, isServed, deadlineError } = this.#side;
    return (error, client, done) => {
      const timedOut = error?.message === WAITED && !isServed();
      callback(timedOut ? deadlineError(pool.options.connectionTimeoutMillis ?? 0) : error, client, done);
    };
  }

  /** The place in the queue of a caller who comes now; 0 if there is a connection for him, or room for one. */
  #place(): number {
    const { pool, pause } = this.#side;
    const { totalCount, idleCount, waitingCount, options } = pool;
    const free = pause.on ? 0 : idleCount + options.max - totalCount;
    return Math.max(0, waitingCount + 1 - free);
  }

  /** Nobody waits for a server any more, but somebody must notice that there is one. */
  scout(): void {
    const { pool, connect, isMaking, boundLatest } = this.#side;
    if (this.#scouting || pool.ending || isMaking() || pool.waitingCount > 0) return;
    this.#scouting = true;
    connect((_error, client, done) => {
      this.#scouting = false;
      if (client !== undefined) done();
    });
    boundLatest();
  }
}
