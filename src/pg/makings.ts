import type pg from 'pg';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { PendingItem } from './internals.js';
import type { Turns } from './turns.js';

/** A client that is being made for a caller: dialling, log-in and the hook for new connections. */
export class Making {
  /** Until it arrives, another caller may get it. */
  item: PendingItem;
  /** Null for a client of a class of the application's that makes its own. */
  socket: TrackedSocket | null = null;
  /** Its caller has been served by another connection. */
  relieved: boolean = false;
  /** It is certain that its caller gets it, if nothing goes wrong any more. */
  arrived: boolean = false;

  constructor(item: PendingItem) {
    this.item = item;
  }
}

export class Makings {
  readonly #makings: Map<pg.PoolClient, Making> = new Map();
  readonly #turns: Turns;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  get size(): number {
    return this.#makings.size;
  }

  add(client: pg.PoolClient, making: Making): void {
    this.#makings.set(client, making);
  }

  /** It can be used. Attempts that failed have lost their place, their callers have not. */
  arrive(client: pg.PoolClient): Making | undefined {
    const making = this.#makings.get(client);
    if (making === undefined || making.arrived) return making;
    this.#giveToFirst(making);
    making.arrived = true;
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
    this.#giveToFirst(making);
    this.#makings.delete(client);
    making.relieved = true;
    return making;
  }

  destroyAll(error: Error): void {
    for (const { socket } of [...this.#makings.values()]) socket?.destroy(error);
  }

  /** Its caller and the first of those who still wait for theirs change places. */
  #giveToFirst(making: Making): void {
    let first = making;
    for (const other of this.#makings.values()) {
      const waits = !other.arrived && other.item.timedOut !== true && other.socket?.state.kind !== 'closed';
      if (waits && this.#turns.isBefore(other.item, first.item)) first = other;
    }
    [making.item, first.item] = [first.item, making.item];
  }
}
