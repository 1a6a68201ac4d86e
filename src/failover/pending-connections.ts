import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { isBefore, type Waiter } from './waiter-queue.js';

/** A connection that is being made for a caller: dialling, login, and what is asked before it is handed out. */
export class PendingConnection<Connection, Caller extends Waiter> {
  readonly #all: PendingConnections<Connection, Caller>;
  /** Until it is made, another caller may get it; null once it is settled. */
  #caller: Caller | null;
  #connection: Connection | null = null;
  #socket: TrackedSocket | null = null;
  /** It is certain that its caller gets it, if nothing goes wrong any more. */
  #arrived = false;

  constructor(all: PendingConnections<Connection, Caller>, caller: Caller) {
    this.#all = all;
    this.#caller = caller;
  }

  get caller(): Caller | null {
    return this.#caller;
  }

  get isSettled(): boolean {
    return this.#caller === null;
  }

  /** The driver's own; null until the driver has made it. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** Null also for a connection of a class of the application's that makes its own. */
  get socket(): TrackedSocket | null {
    return this.#socket;
  }

  begin(connection: Connection, socket: TrackedSocket | null): void {
    this.#connection = connection;
    this.#socket = socket;
  }

  /** It can be used, by the first of those who wait: attempts that failed have lost their place, their callers have not. */
  arrive(): Caller | null {
    if (!this.#arrived) this.giveToFirst();
    this.#arrived = true;
    return this.#caller;
  }

  /** Its caller's time is over: it goes on for the next one. */
  takeOver(caller: Caller): void {
    if (this.#caller !== null) this.#caller = caller;
  }

  /** It is made, or will not be. Whom it was for, once: from here on it can be given to nobody. */
  settle(): Caller | null {
    const caller = this.#caller;
    this.#caller = null;
    this.#all.delete(this);
    return caller;
  }

  /** It cannot begin yet, and the first of those who wait is served by another connection: whom that is. */
  relieve(): Caller | null {
    this.giveToFirst();
    return this.settle();
  }

  /** Who still waits for it; another one that is ready sooner may take them over. */
  get waitedFor(): Caller | null {
    const gone = this.#arrived || this.#socket?.state.kind === 'closed';
    return !gone && this.#caller !== null && this.#all.expects(this.#caller) ? this.#caller : null;
  }

  /** Its caller and the first of those who still wait for theirs change places: whom it is for now, if anybody waits. */
  giveToFirst(): Caller | null {
    const first = this.#all.firstBefore(this);
    if (first !== null) [this.#caller, first.#caller] = [first.#caller, this.#caller];
    return this.waitedFor;
  }
}

/** Those who wait for what others give back. */
export interface Queue<Caller> {
  readonly first: Caller | undefined;
  remove(caller: Caller): void;
  /** To where its turn is. */
  queueAgain(caller: Caller): void;
}

/** Connections under way. One that has ended is none of them, so that no caller can be given to it. */
export class PendingConnections<Connection, Caller extends Waiter> implements Iterable<
  PendingConnection<Connection, Caller>
> {
  readonly #pending: Set<PendingConnection<Connection, Caller>> = new Set();
  /** False for a caller who has been answered, and where nobody waits. */
  readonly expects: (caller: Caller) => boolean;

  constructor(expects: (caller: Caller) => boolean) {
    this.expects = expects;
  }

  get size(): number {
    return this.#pending.size;
  }

  [Symbol.iterator](): Iterator<PendingConnection<Connection, Caller>> {
    return this.#pending.values();
  }

  add(caller: Caller): PendingConnection<Connection, Caller> {
    const pending = new PendingConnection(this, caller);
    this.#pending.add(pending);
    return pending;
  }

  delete(pending: PendingConnection<Connection, Caller>): void {
    this.#pending.delete(pending);
  }

  /** The one whose caller came first, if that was before the caller of the given one, or nobody waits for that any more. */
  firstBefore(ready: PendingConnection<Connection, Caller>): PendingConnection<Connection, Caller> | null {
    if (ready.isSettled) return null;
    let first: PendingConnection<Connection, Caller> | null = null;
    let { waitedFor: earliest } = ready;
    for (const other of this.#pending) {
      const { waitedFor } = other;
      if (waitedFor === null || (earliest !== null && !isBefore(waitedFor, earliest))) continue;
      [first, earliest] = [other, waitedFor];
    }
    return first;
  }

  of(caller: Caller): PendingConnection<Connection, Caller> | undefined {
    for (const pending of this.#pending) if (pending.caller === caller) return pending;
    return undefined;
  }

  /**
   * A connection becomes free, for the first in the queue. Whoever came before, and waits for a connection that cannot be
   * dialled yet, changes places with it: who waits for that one now, or null.
   */
  exchange(queue: Queue<Caller>): Caller | null {
    const { first: queued } = queue;
    const stuck = queued === undefined ? undefined : this.stuck();
    const first = stuck?.giveToFirst() ?? null;
    if (queued === undefined || stuck === undefined || first === null || !isBefore(first, queued)) return null;
    queue.remove(queued);
    stuck.takeOver(queued);
    queue.queueAgain(first);
    return queued;
  }

  /** One that waits for its turn to dial. */
  stuck(): PendingConnection<Connection, Caller> | undefined {
    for (const pending of this.#pending) if (pending.socket?.state.kind === 'waiting') return pending;
    return undefined;
  }
}
