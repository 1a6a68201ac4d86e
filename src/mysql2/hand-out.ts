import type * as mysql from 'mysql2';
import type { Pause } from '../failover/pause.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isQuiet } from '../sockets/watch.js';
import type { Connections } from './connections.js';
import type { GetCallback } from './internals.js';

export interface HandOutSide {
  readonly endpoint: Endpoint;
  readonly connections: Connections;
  readonly pause: Pause;
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

  /** Of one that was free. */
  check(callback: GetCallback, error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection): void {
    if (error != null) return callback(error, connection);
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

  /** Of one that somebody has just given back. */
  checkInTurn(callback: GetCallback, error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection): void {
    const { connections, pause, again } = this.#side;
    const isGood = error == null && !pause.on && connections.socketOf(connection)?.isCurrent === true;
    if (error != null || isGood) return callback(error, connection);
    connection.release();
    again(callback);
  }

  #another(connection: mysql.PoolConnection, callback: GetCallback): void {
    connection.release();
    this.#side.get(callback);
  }
}
