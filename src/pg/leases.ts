import type pg from 'pg';
import type { Address } from '../endpoint/address.js';
import { isIdle, isMember, takeOut } from './internals.js';

/** What the leases need to know of their pool. */
export interface LeaseSide {
  readonly pool: pg.Pool;
  isCurrent(address: Address): boolean;
  madeRoom(): void;
}

/**
 * Leases that keep no place from the connections to where the name points now: they drain on an address that was left,
 * or are dead on one. `end()` waits for them all the same.
 */
export class Leases {
  readonly #side: LeaseSide;
  readonly #draining: Set<pg.PoolClient> = new Set();
  /** Closed at the other end: they count as leases until the name leaves their address. */
  readonly #dead: Map<pg.PoolClient, Address> = new Map();

  constructor(side: LeaseSide) {
    this.#side = side;
  }

  get draining(): ReadonlySet<pg.PoolClient> {
    return this.#draining;
  }

  drain(client: pg.PoolClient): void {
    this.#draining.add(client);
  }

  /** Its connection has ended, while a caller may hold it. */
  ended(client: pg.PoolClient, address: Address | null): void {
    const { pool } = this.#side;
    if (address === null || !isMember(pool, client) || isIdle(pool, client)) return;
    this.#dead.set(client, address);
    this.moved();
  }

  released(client: pg.PoolClient): void {
    if (this.#draining.size > 0) this.#draining.delete(client);
    if (this.#dead.size > 0) this.#dead.delete(client);
  }

  moved(): void {
    const { pool, isCurrent, madeRoom } = this.#side;
    for (const [client, address] of this.#dead) {
      if (isCurrent(address) || pool.ending) continue;
      this.#dead.delete(client);
      this.#draining.add(client);
      takeOut(pool, client);
      madeRoom();
    }
  }
}
