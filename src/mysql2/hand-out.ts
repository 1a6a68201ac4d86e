import type * as mysql from 'mysql2';
import type { Pause } from '../failover/pause.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isQuiet } from '../sockets/watch.js';
import type { Connections } from './connections.js';
import { type GetCallback, queueLast } from './internals.js';

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
    this.#side.stock((error, connection) =>
      error == null ? this.#checkFree(callback, connection) : callback(error, connection),
    );
  }

  /** For one who has to wait for nothing but his turn: he gets what somebody gives back. */
  inTurn(callback: GetCallback): void {
    const token: GetCallback = (error, connection) =>
      error == null ? this.#checkGivenBack(callback, connection) : callback(error, connection);
    if (!queueLast(this.#side.pool, token)) this.#side.stock(token);
  }

  #checkFree(callback: GetCallback, connection: mysql.PoolConnection): void {
    const { connections, pause, endpoint } = this.#side;
    const socket = connections.socketOf(connection);
    if (socket?.isCurrent !== true || pause.on) return this.#another(connection, callback);
    if (!isQuiet(socket)) return callback(null, connection);
    // It has been idle for long, and has to answer first.
    void endpoint.confirm(socket).then((answers) => {
      if (!answers) socket.destroy();
      // In a turn of its own, so that what a caller's callback throws is his.
      const hand = socket.isCurrent ? callback : null;
      process.nextTick(() => (hand === null ? this.#another(connection, callback) : hand(null, connection)));
    });
  }

  #checkGivenBack(callback: GetCallback, connection: mysql.PoolConnection): void {
    const { connections, pause, again } = this.#side;
    if (!pause.on && connections.socketOf(connection)?.isCurrent === true) return callback(null, connection);
    connection.release();
    again(callback);
  }

  #another(connection: mysql.PoolConnection, callback: GetCallback): void {
    connection.release();
    this.#side.get(callback);
  }
}
