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
  /** There may be some: every release asks. */
  #any = false;

  constructor(side: LeaseSide) {
    this.#side = side;
  }

  get draining(): ReadonlySet<pg.PoolClient> {
    return this.#draining;
  }

  drain(client: pg.PoolClient): void {
    this.#draining.add(client);
    this.#any = true;
  }

  /** Its connection has ended, while a caller may hold it. */
  ended(client: pg.PoolClient, address: Address | null): void {
    const { pool } = this.#side;
    if (address === null || !isMember(pool, client) || isIdle(pool, client)) return;
    this.#dead.set(client, address);
    this.#any = true;
    this.moved();
  }

  released(client: pg.PoolClient): void {
    if (!this.#any) return;
    this.#draining.delete(client);
    this.#dead.delete(client);
    this.#any = this.#draining.size + this.#dead.size > 0;
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
