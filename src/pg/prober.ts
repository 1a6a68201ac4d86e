import type { Socket } from 'node:net';
import type pg from 'pg';
import type { Prober, Reply } from '../sockets/connection.js';
import { copyOf } from './config.js';
import type { Driver } from './internals.js';
import { refusalOf } from './server-errors.js';

/** A standby, or a server whose new transactions are read-only. */
export const ROLE = "select pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only";

/** Logs in to one address with the options of a pool or a client. */
export class PgProber implements Prober {
  readonly port: number;
  readonly timeoutMillis: number;
  readonly #driver: Driver;
  readonly #config: pg.ClientConfig;

  constructor(driver: Driver, port: number, config: pg.ClientConfig, timeoutMillis: number) {
    this.#driver = driver;
    this.port = port;
    this.timeoutMillis = timeoutMillis;
    this.#config = config;
  }

  async login(socket: Socket): Promise<Reply> {
    const client = new this.#driver.Client(Object.assign(copyOf(this.#config), { stream: () => socket }));
    client.on('error', () => {});
    try {
      await client.connect();
      // A proxy may log in by itself, and answer an empty statement too.
      const { rows } = await client.query<{ read_only: boolean }>(ROLE);
      return rows[0]?.read_only === true ? 'read-only' : 'usable';
    } catch (error) {
      const { code, severity } = error as { code?: unknown; severity?: unknown };
      const refusal = refusalOf(error);
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'refusing';
      if (refusal.kind === 'not-ready' && refusal.condition === 'starting') return 'starting';
      // Any word of the server is a sign of life.
      if (typeof severity === 'string') return 'usable';
      throw error;
    }
  }
}
