import type * as mysql from 'mysql2';
import type { Address } from '../endpoint/address.js';
import type { Prober, Reply } from '../sockets/connection.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { Driver } from './internals.js';
import { ping } from './pooled-connection.js';
import { isServerError, refusalOf } from './server-errors.js';

/**
 * Logs in to one address with the pool's own options: a bare TCP connect would count as an interrupted log-in, and a
 * hundred of those in a row block the client's host.
 */
export class Mysql2Prober implements Prober {
  readonly #driver: Driver;
  readonly #endpoint: Endpoint;
  readonly #options: mysql.ConnectionOptions;

  constructor(driver: Driver, endpoint: Endpoint, options: mysql.ConnectionOptions) {
    this.#driver = driver;
    this.#endpoint = endpoint;
    this.#options = options;
  }

  async login(address: Address, signal: AbortSignal): Promise<Reply> {
    const socket = this.#endpoint.probe(address);
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    const stream = ({ config }: { readonly config: { readonly port: number } }): unknown => socket.connect(config.port);
    const connection = this.#driver.createConnection({ ...this.#options, stream });
    connection.on('error', () => {});
    try {
      await connected(connection);
      await ping(connection);
      return 'usable';
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
