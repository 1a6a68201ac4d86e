import { join } from 'node:path';
import type pg from 'pg';
import type { Pool as PoolClass } from '../../src/pg/index.js';
import { FAILOVER, FOLLOW, SLOW_SECONDS, type OpenWork, type Target, type Work } from './work.js';

const READ = 'select inet_server_port() as port';
const SLOW_READ = `${READ}, pg_sleep(${SLOW_SECONDS})`;
const WRITE = 'insert into ledger values ($1, $2) returning inet_server_port() as port';
const SLOW_WRITE = `insert into ledger select $1, $2 from pg_sleep(${SLOW_SECONDS}) returning inet_server_port() as port`;

/** A client, a pool and the handle of a transaction alike. */
interface Queryable {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
}

class PgWork implements Work {
  readonly #pool: PoolClass;

  constructor(pool: PoolClass) {
    this.#pool = pool;
  }

  get addresses(): readonly string[] {
    return this.#pool.endpoint?.current?.addresses ?? [];
  }

  onMove(listener: (addresses: readonly string[]) => void): void {
    this.#pool.endpoint?.on('move', ({ to }) => listener(to));
  }

  async read(slow: boolean): Promise<number> {
    return await this.#port(this.#pool, slow ? SLOW_READ : READ);
  }

  async write(id: number, slow: boolean): Promise<number> {
    return await this.#port(this.#pool, slow ? SLOW_WRITE : WRITE, [id, 0]);
  }

  async lease(id: number): Promise<number> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      await this.#port(client, WRITE, [id, 0]);
      const port = await this.#port(client, WRITE, [id, 1]);
      await client.query('commit');
      client.release();
      return port;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async transaction(id: number): Promise<number> {
    return await this.#pool.transaction(
      async (tx) => {
        await this.#port(tx, WRITE, [id, 0]);
        return await this.#port(tx, WRITE, [id, 1]);
      },
      { marker: 'marker' },
    );
  }

  async call(id: number): Promise<null> {
    await this.#pool.query('call append_halves($1)', [id]);
    return null;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  async #port(on: Queryable, text: string, values?: unknown[]): Promise<number> {
    const { rows } = await on.query<{ port: number }>(text, values);
    return rows[0]!.port;
  }
}

export const open: OpenWork = async (target: Target) => {
  const { library, name, port, dnsServers, user, password, database } = target;
  const { Pool } = (await import(join(library, 'pg', 'index.js'))) as { readonly Pool: typeof PoolClass };
  return new PgWork(
    new Pool({
      ...{ host: name, port, user, password, database, max: 10 },
      follow: { ...FOLLOW, servers: dnsServers },
      failover: { ...FAILOVER, role: 'writable', replay: 'reads' },
    }),
  );
};
