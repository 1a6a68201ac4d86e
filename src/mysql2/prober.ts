import type { Socket } from 'node:net';
import type * as mysql from 'mysql2';
import type { Prober, Reply } from '../sockets/connection.js';
import type { Driver } from './internals.js';
import { askRole } from './role.js';
import { isServerError, refusalOf } from './server-errors.js';

/**
 * Logs in to one address with the pool's own options: a bare TCP connect would count as an interrupted log-in, and a
 * hundred of those in a row block the client's host.
 */
export class Mysql2Prober implements Prober {
  readonly port: number;
  readonly timeoutMillis: number;
  readonly #driver: Driver;
  readonly #options: mysql.ConnectionOptions;

  constructor(driver: Driver, port: number, options: mysql.ConnectionOptions, timeoutMillis: number) {
    this.port = port;
    this.timeoutMillis = timeoutMillis;
    this.#driver = driver;
    this.#options = options;
  }

  async login(socket: Socket): Promise<Reply> {
    const connection = this.#driver.createConnection({ ...this.#options, stream: () => socket.connect(this.port) });
    connection.on('error', () => {});
    try {
      await connected(connection);
      return (await isReadOnly(connection)) ? 'read-only' : 'usable';
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refusing';
      // Any word of the server is a sign of life.
      if (isServerError(error)) return refusalOf(error).kind === 'not-ready' ? 'refusing' : 'usable';
      throw error;
    } finally {
      connection.end(() => {});
      socket.end();
    }
  }
}

function connected(connection: mysql.Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** A proxy may log in by itself and answer a ping too, so this is a statement. */
function isReadOnly(connection: mysql.Connection): Promise<boolean> {
  return new Promise((resolve, reject) => {
    askRole(connection, (error, readOnly) => (error === null ? resolve(readOnly) : reject(error)));
  });
}
