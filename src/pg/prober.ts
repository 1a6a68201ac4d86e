import pg from 'pg';
import type { Address } from '../endpoint/address.js';
import type { Prober, Reply } from '../sockets/connection.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { copyOf } from './client.js';
import { refusalOf } from './server-errors.js';

/** Logs in to one address with the pool's own options. */
export class PgProber implements Prober {
  readonly #endpoint: Endpoint;
  readonly #config: pg.ClientConfig;

  constructor(endpoint: Endpoint, config: pg.ClientConfig) {
    this.#endpoint = endpoint;
    this.#config = config;
  }

  async login(address: Address, signal: AbortSignal): Promise<Reply> {
    const socket = this.#endpoint.probe(address);
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    const client = new pg.Client(Object.assign(copyOf(this.#config), { stream: () => socket }));
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('');
      return 'usable';
    } catch (error) {
      const { code, severity } = error as { code?: unknown; severity?: unknown };
      const refusal = refusalOf(error);
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refusing';
      if (refusal.kind === 'not-ready' && refusal.condition === 'starting') return 'starting';
      // Any word of the server is a sign of life.
      if (typeof severity === 'string') return 'usable';
      throw error;
    } finally {
      socket.destroy();
    }
  }
}
