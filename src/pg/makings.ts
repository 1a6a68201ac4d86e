import type pg from 'pg';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { PendingItem } from './internals.js';

/** A client that is being made for a caller: dialling, log-in and the hook for new connections. */
export interface Making {
  readonly item: PendingItem;
  /** Null for a client of a class of the application's that makes its own. */
  readonly socket: TrackedSocket | null;
  /** Its caller has been served by another connection. */
  relieved: boolean;
}

export class Makings {
  readonly #makings: Map<pg.PoolClient, Making> = new Map();

  get size(): number {
    return this.#makings.size;
  }

  add(client: pg.PoolClient, item: PendingItem, socket: TrackedSocket | null): Making {
    const making: Making = { item, socket, relieved: false };
    this.#makings.set(client, making);
    return making;
  }

  /** It is made, or will not be; undefined if that was known. */
  end(client: pg.PoolClient): Making | undefined {
    const making = this.#makings.get(client);
    this.#makings.delete(client);
    return making;
  }

  of(item: PendingItem): Making | undefined {
    return [...this.#makings.values()].find((making) => making.item === item);
  }

  /** Takes out one that cannot begin yet: its caller is to be served by another connection. */
  relieve(): Making | undefined {
    const stuck = [...this.#makings].find(([, { socket }]) => socket?.state.kind === 'waiting');
    if (stuck === undefined) return undefined;
    const [client, making] = stuck;
    this.#makings.delete(client);
    making.relieved = true;
    return making;
  }

  destroyAll(error: Error): void {
    for (const { socket } of [...this.#makings.values()]) socket?.destroy(error);
  }
}
