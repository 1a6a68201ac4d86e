import type { Address } from '../endpoint/address.js';
import type { Connection } from '../sockets/connection.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** What the pool does for a resource whose address was left. */
export interface PoolSide {
  readonly drainMillis: number;
  isBorrowed(resource: unknown): boolean;
  ping(resource: unknown): Promise<unknown> | undefined;
  /** Nobody gets it any more; the returned function destroys it, where it was idle. */
  retire(entry: Resource): (() => void) | null;
}

/** One resource of the pool, as the sockets see it. */
export class Resource implements Connection {
  readonly value: unknown;
  readonly address: Address;
  readonly socket: TrackedSocket | null;
  /** Only its driver knows when it waits for its server. */
  readonly silenceMillis: number = Infinity;
  readonly #side: PoolSide;
  #destroy: (() => void) | null = null;
  retired = false;

  constructor(side: PoolSide, value: unknown, address: Address, socket: TrackedSocket | null) {
    this.#side = side;
    this.value = value;
    this.address = address;
    this.socket = socket;
  }

  get drainMillis(): number {
    return this.#side.drainMillis;
  }

  isLeased(): boolean {
    return this.#side.isBorrowed(this.value);
  }

  isWaiting(): boolean {
    return false;
  }

  retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.#destroy = this.#side.retire(this);
  }

  goodbye(): void {
    this.#destroy?.();
    this.#destroy = null;
  }

  async ping(): Promise<void> {
    // No ping, no evidence.
    await this.#side.ping(this.value);
  }
}
