import type * as mysql from 'mysql2';
import type { Connection } from '../sockets/connection.js';
import {
  type Driver,
  hasSaidGoodbye,
  isBusy,
  isFree,
  isMember,
  isWaiting,
  quit,
  takeOut,
  threadIdOf,
} from './internals.js';

/** What the pool does when one of its connections leaves it because its address was left. */
export interface PoolSide {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly drainMillis: number;
  readonly silenceMillis: number;
  /** The connection no longer counts; a caller, or a statement, still holds it. */
  drained(connection: mysql.PoolConnection): void;
  /** There may be room for waiting callers. */
  madeRoom(): void;
}

/** A pool's connection, as the sockets see it. */
export class PooledConnection implements Connection {
  readonly #side: PoolSide;
  readonly #connection: mysql.PoolConnection;

  constructor(side: PoolSide, connection: mysql.PoolConnection) {
    this.#side = side;
    this.#connection = connection;
  }

  get drainMillis(): number {
    return this.#side.drainMillis;
  }

  get silenceMillis(): number {
    return this.#side.silenceMillis;
  }

  get sessionId(): number | null {
    return threadIdOf(this.#connection);
  }

  isWaiting(): boolean {
    return isWaiting(this.#connection);
  }

  /** mysql2 lets a caller release a connection on which his statements still run. */
  isLeased(): boolean {
    const { pool } = this.#side;
    if (!isMember(pool, this.#connection)) return isBusy(this.#connection);
    return !isFree(pool, this.#connection) || isBusy(this.#connection);
  }

  retire(): void {
    const { driver, pool } = this.#side;
    if (!isMember(pool, this.#connection)) return;
    const free = isFree(pool, this.#connection);
    takeOut(pool, this.#connection);
    if (!free) this.#side.drained(this.#connection);
    // Nobody will release it: it leaves after the statement that it still runs.
    else if (isBusy(this.#connection)) quit(driver, this.#connection);
    this.#side.madeRoom();
  }

  goodbye(): void {
    quit(this.#side.driver, this.#connection);
  }

  hasSaidGoodbye(): boolean {
    return hasSaidGoodbye(this.#connection);
  }

  ping(): Promise<void> {
    return ping(this.#connection);
  }
}

export function ping(connection: mysql.Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.ping((error) => (error == null ? resolve() : reject(error)));
  });
}
