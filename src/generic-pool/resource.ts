import type { Address } from '../endpoint/address.js';
import { isEipPoolError } from '../errors.js';
import type { Connection } from '../sockets/connection.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** What the pool does for a resource whose address was left. */
export interface PoolSide {
  readonly drainMillis: number;
  has(address: Address): boolean;
  isBorrowed(resource: unknown): boolean;
  /** Undefined where the factory cannot ask. */
  readonly ping: ((resource: unknown) => Promise<void>) | undefined;
  /** Nobody gets it any more; the returned function destroys it, where it was idle. */
  retire(entry: Resource): (() => void) | null;
  /** It has lost a socket that it lived on. */
  lost(entry: Resource): void;
}

/** One resource of the pool, as the sockets see it. */
export class Resource implements Connection {
  readonly value: unknown;
  /** Where it lives, if not on sockets of ours. */
  readonly address: Address;
  #sockets: readonly TrackedSocket[];
  /** Only its driver knows when it waits for its server. */
  readonly silenceMillis: number = Infinity;
  readonly #side: PoolSide;
  #destroy: (() => void) | null = null;
  retired = false;

  constructor(side: PoolSide, value: unknown, address: Address, sockets: readonly TrackedSocket[]) {
    this.#side = side;
    this.value = value;
    this.address = address;
    this.#sockets = sockets;
    for (const socket of sockets) {
      socket.carry(this);
      socket.once('close', () => this.#closed(socket));
    }
  }

  get drainMillis(): number {
    return this.#side.drainMillis;
  }

  get hasSockets(): boolean {
    return this.#sockets.length > 0;
  }

  /** Does it lead to where the name points, all of it? */
  get isCurrent(): boolean {
    if (this.retired) return false;
    let current = 0;
    for (const socket of this.#sockets) {
      if (socket.isCurrent) current++;
      else if (!wasClosedByItsOwner(socket)) return false;
    }
    return this.hasSockets ? current > 0 : this.#side.has(this.address);
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

  get ping(): (() => Promise<void>) | undefined {
    const { ping } = this.#side;
    return ping && (() => ping(this.value));
  }

  /** The factory has destroyed it. */
  expectEnd(): void {
    for (const socket of this.#sockets) socket.expectEnd();
  }

  #closed(socket: TrackedSocket): void {
    // That it gave up one of several is no loss.
    if (wasClosedByItsOwner(socket) && this.#sockets.length > 1) {
      this.#sockets = this.#sockets.filter((other) => other !== socket);
    } else this.#side.lost(this);
  }
}

/** Neither was it lost, nor did its endpoint end it. */
export function wasClosedByItsOwner({ destroyed, ending, lastError }: TrackedSocket): boolean {
  return destroyed && ending && !isEipPoolError(lastError);
}
