import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { Turned } from './turns.js';

/** The adapter's record of who a connection is made for. */
export interface Expecting extends Turned {
  /** False once he has been answered, and for whom nobody waits. */
  readonly expecting: boolean;
}

/** A connection that is being made for a caller: dialling, log-in, and what is asked before it is handed out. */
export interface Making<Connection, Caller> {
  /** The driver's own. */
  readonly connection: Connection;
  /** Until it is made, another caller may get it. */
  caller: Caller;
  readonly socket: TrackedSocket;
  /** Its caller has been served by another connection. */
  relieved: boolean;
}

export class Makings<Connection, Caller extends Expecting> {
  readonly #makings: Set<Making<Connection, Caller>> = new Set();

  get size(): number {
    return this.#makings.size;
  }

  add(connection: Connection, caller: Caller, socket: TrackedSocket): Making<Connection, Caller> {
    const making = { connection, caller, socket, relieved: false };
    this.#makings.add(making);
    return making;
  }

  /** It is made, for the first of those who wait: attempts that failed have lost their place, their callers have not. */
  arrive(making: Making<Connection, Caller>): void {
    this.#giveToFirst(making);
    this.end(making);
  }

  /** It is made, or will not be. */
  end(making: Making<Connection, Caller>): void {
    this.#makings.delete(making);
  }

  of(caller: Caller): Making<Connection, Caller> | undefined {
    return [...this.#makings].find((making) => making.caller === caller);
  }

  /** Takes out one that cannot begin yet: its caller is to be served by another connection. */
  relieve(): Making<Connection, Caller> | undefined {
    const stuck = [...this.#makings].find(({ socket }) => socket.state.kind === 'waiting');
    if (stuck === undefined) return undefined;
    this.#giveToFirst(stuck);
    this.#makings.delete(stuck);
    stuck.relieved = true;
    return stuck;
  }

  /** Takes all of them out. */
  drop(): Making<Connection, Caller>[] {
    const all = [...this.#makings];
    this.#makings.clear();
    return all;
  }

  /** Its caller and the first of those who still wait for theirs change places. */
  #giveToFirst(making: Making<Connection, Caller>): void {
    let first = making;
    for (const other of this.#makings) {
      if (!other.caller.expecting || other.socket.state.kind === 'closed') continue;
      if (!first.caller.expecting || other.caller.turn < first.caller.turn) first = other;
    }
    [making.caller, first.caller] = [first.caller, making.caller];
  }
}
