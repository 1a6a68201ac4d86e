import type * as mysql from 'mysql2';
import type { Pause } from '../failover/pause.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isQuiet } from '../sockets/watch.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { socketOf } from './connections.js';
import { type Caller, type GetCallback, lendFree, queueLast, type Take, tell } from './internals.js';

export interface HandOutSide {
  readonly pool: mysql.Pool;
  readonly endpoint: Endpoint;
  readonly pause: Pause;
  /** mysql2's own `getConnection`. */
  stock(callback: GetCallback): void;
  /** The caller asks for another one. */
  get(caller: Caller): void;
  /** The caller was the first in the queue, and is so again. */
  again(caller: Caller): void;
}

/** Design, endpoint rule 1: the answer of the moment in which the caller gets the connection. */
export class HandOut {
  readonly #side: HandOutSide;
  readonly #pool: mysql.Pool;
  readonly #pause: Pause;
  readonly #endpoint: Endpoint;

  constructor(side: HandOutSide) {
    this.#side = side;
    // Every statement comes by, and each step to them costs it something.
    this.#pool = side.pool;
    this.#pause = side.pause;
    this.#endpoint = side.endpoint;
  }

  /** For a caller who comes while one is free. */
  free(caller: Caller): void {
    if (lendFree(this.#pool, this.#checkFree, caller)) return;
    this.#side.stock((error, connection) =>
      error == null ? this.#checkFree(caller, connection) : tell(caller, error, connection),
    );
  }

  /** For one who has to wait for nothing but its turn: it gets what somebody gives back. */
  inTurn(caller: Caller): void {
    const token = typeof caller === 'function' ? this.checked(caller) : caller;
    if (!queueLast(this.#pool, token)) this.#side.stock(this.checked(caller));
  }

  /** For mysql2, which gives what somebody has given back a turn later. */
  checked(caller: Caller): GetCallback {
    return (error, connection) =>
      error == null ? this.#checkGivenBack(caller, connection) : tell(caller, error, connection);
  }

  readonly #checkFree: Take = (caller, connection) => {
    const socket = socketOf(connection);
    if (socket?.isCurrent !== true || this.#pause.on) return this.#another(caller, connection);
    if (!isQuiet(socket) && !this.#endpoint.slept) return tell(caller, null, connection);
    this.#ask(socket, (answers) => (answers ? tell(caller, null, connection) : this.#another(caller, connection)));
  };

  #checkGivenBack(caller: Caller, connection: mysql.PoolConnection): void {
    const socket = socketOf(connection);
    if (socket?.isCurrent !== true || this.#pause.on) return this.#giveBack(caller, connection);
    if (!this.#endpoint.slept) return tell(caller, null, connection);
    this.#ask(socket, (answers) => (answers ? tell(caller, null, connection) : this.#giveBack(caller, connection)));
  }

  /** One that has been idle for long, or through a suspension, has to answer first. */
  #ask(socket: TrackedSocket, done: (answers: boolean) => void): void {
    void this.#answers(socket).then((answers) => {
      if (!answers) socket.destroy();
      // In a turn of its own, so that what a caller's callback throws is its own.
      process.nextTick(() => done(answers && socket.isCurrent));
    });
  }

  async #answers(socket: TrackedSocket): Promise<boolean> {
    if (this.#endpoint.slept) await this.#endpoint.wake();
    return socket.isCurrent && (await this.#endpoint.confirm(socket));
  }

  #giveBack(caller: Caller, connection: mysql.PoolConnection): void {
    connection.release();
    this.#side.again(caller);
  }

  #another(caller: Caller, connection: mysql.PoolConnection): void {
    connection.release();
    this.#side.get(caller);
  }
}
