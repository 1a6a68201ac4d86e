import type { Socket } from 'node:net';
import type pg from 'pg';
import type { ReadFailoverOptions } from '../failover/options.js';
import type { Connection } from '../sockets/connection.js';
import { closeClient, expire, isIdle, isMember, isWaiting, processIdOf, takeOut, topOf } from './internals.js';

/** What the pool does when one of its connections leaves it because its address was left. */
export interface PoolSide {
  readonly pool: pg.Pool;
  readonly failover: ReadFailoverOptions;
  /** The connection no longer counts; a caller still holds it. */
  drained(client: pg.PoolClient): unknown;
  /** There may be room for waiting callers. */
  madeRoom(): void;
}

const SILENCE_AT_END_MILLIS = 1_000;

/** A pool's client, as the sockets see it. */
export class PooledConnection implements Connection {
  readonly #side: PoolSide;
  readonly #client: pg.PoolClient;
  /** The pool said goodbye to it before its address was left. */
  #closing = false;

  constructor(side: PoolSide, client: pg.PoolClient) {
    this.#side = side;
    this.#client = client;
  }

  get drainMillis(): number {
    return this.#side.failover.drainMillis;
  }

  get silenceMillis(): number {
    const { pool, failover } = this.#side;
    // The end of a pool waits for its leases, but for none on a server that is dead.
    return pool.ending ? Math.min(SILENCE_AT_END_MILLIS, failover.silenceMillis) : failover.silenceMillis;
  }

  get sessionId(): number | null {
    return processIdOf(this.#client);
  }

  get top(): Socket | null {
    return topOf(this.#client);
  }

  isWaiting(): boolean {
    return isWaiting(this.#client);
  }

  isLeased(): boolean {
    const { pool } = this.#side;
    return isMember(pool, this.#client) && !isIdle(pool, this.#client);
  }

  retire(): void {
    const { pool } = this.#side;
    this.#closing = !isMember(pool, this.#client);
    // A pool that ends waits for what is leased, and leases nothing more.
    if (this.#closing || pool.ending) return;
    if (this.isLeased()) {
      expire(pool, this.#client);
      this.#side.drained(this.#client);
    }
    takeOut(pool, this.#client);
    this.#side.madeRoom();
  }

  goodbye(): void {
    if (!this.#closing) closeClient(this.#side.pool, this.#client);
  }

  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.query('', (error: Error | null | undefined) => (error == null ? resolve() : reject(error)));
    });
  }
}
