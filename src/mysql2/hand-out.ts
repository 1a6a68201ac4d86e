import type * as mysql from 'mysql2';
import type { Pause } from '../failover/pause.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isQuiet } from '../sockets/watch.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { Connections } from './connections.js';
import { type Caller, callbackOf, type GetCallback, lendFree, queueLast } from './internals.js';

export interface HandOutSide {
  readonly pool: mysql.Pool;
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  readonly pause: Pause;
  /** mysql2's own `getConnection`. */
  stock(callback: GetCallback): void;
  /** He asks for another one. */
  get(callback: GetCallback): void;
  /** He was the first in the queue, and is so again. */
  again(callback: GetCallback): void;
}

/** Design, endpoint rule 1: the answer of the moment in which the caller gets the connection. */
export class HandOut {
  readonly #side: HandOutSide;

  constructor(side: HandOutSide) {
    this.#side = side;
  }

  /** For a caller who comes while one is free. */
  free(callback: GetCallback): void {
    const token: GetCallback = (error, connection) =>
      error == null ? this.#checkFree(callback, connection) : callback(error, connection);
    if (!lendFree(this.#side.pool, token)) this.#side.stock(token);
  }

  /** For one who has to wait for nothing but his turn: he gets what somebody gives back. */
  inTurn(caller: Caller): void {
    const token = typeof caller === 'function' ? this.checked(caller) : caller;
    if (!queueLast(this.#side.pool, token)) this.#side.stock(this.checked(callbackOf(caller)));
  }

  /** For mysql2, which gives what somebody has given back a turn later. */
  checked(callback: GetCallback): GetCallback {
    return (error, connection) =>
      error == null ? this.#checkGivenBack(callback, connection) : callback(error, connection);
  }

  #checkFree(callback: GetCallback, connection: mysql.PoolConnection): void {
    const { connections, pause, endpoint } = this.#side;
    const socket = connections.socketOf(connection);
    if (socket?.isCurrent !== true || pause.on) return this.#another(connection, callback);
    if (!isQuiet(socket) && !endpoint.slept) return callback(null, connection);
    this.#ask(socket, (answers) => (answers ? callback(null, connection) : this.#another(connection, callback)));
  }

  #checkGivenBack(callback: GetCallback, connection: mysql.PoolConnection): void {
    const { connections, pause, endpoint } = this.#side;
    const socket = connections.socketOf(connection);
    if (socket?.isCurrent !== true || pause.on) return this.#giveBack(connection, callback);
    if (!endpoint.slept) return callback(null, connection);
    this.#ask(socket, (answers) => (answers ? callback(null, connection) : this.#giveBack(connection, callback)));
  }

  /** One that has been idle for long, or through a suspension, has to answer first. */
  #ask(socket: TrackedSocket, done: (answers: boolean) => void): void {
    void this.#answers(socket).then((answers) => {
      if (!answers) socket.destroy();
      // In a turn of its own, so that what a caller's callback throws is his.
      process.nextTick(() => done(answers && socket.isCurrent));
    });
  }

  async #answers(socket: TrackedSocket): Promise<boolean> {
    const { endpoint } = this.#side;
    if (endpoint.slept) await endpoint.wake();
    return socket.isCurrent && (await endpoint.confirm(socket));
  }

  #giveBack(connection: mysql.PoolConnection, callback: GetCallback): void {
    connection.release();
    this.#side.again(callback);
  }

  #another(connection: mysql.PoolConnection, callback: GetCallback): void {
    connection.release();
    this.#side.get(callback);
  }
}
