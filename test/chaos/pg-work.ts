import { join } from 'node:path';
import type pg from 'pg';
import type { Pool as PoolClass } from '../../src/pg/index.js';
import type { Endpoint } from '../../src/index.js';
import {
  calledBack,
  type Caller,
  FAILOVER,
  FOLLOW,
  IDLE_MILLIS,
  type OpenWork,
  type Pace,
  type Password,
  RolledBack,
  SECONDS,
  type Target,
  type Work,
} from './work.js';

/** By a pooler it is the one that its server stands behind. */
const PORT = 'here() as port';
const WRITE = `insert into ledger values ($1, $2) returning ${PORT}`;

/** A client, a pool and the handle of a transaction alike. */
interface Queryable {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
}

class PgWork implements Work {
  readonly #pool: PoolClass;

  constructor(pool: PoolClass) {
    this.#pool = pool;
  }

  get endpoint(): Endpoint {
    return this.#pool.endpoint!;
  }

  async read(pace: Pace): Promise<number> {
    return await portOf(this.#pool, readOf(pace));
  }

  async readCalledBack(caller: Caller): Promise<number> {
    return (await this.#calledBack(caller, readOf('quick'))).rows[0]!.port;
  }

  async write(caller: Caller, pace: Pace): Promise<number> {
    return await portOf(this.#pool, writeOf(pace), [caller.id, 0]);
  }

  async writeCalledBack(caller: Caller): Promise<number> {
    return (await this.#calledBack(caller, WRITE, [caller.id, 0])).rows[0]!.port;
  }

  async lease(caller: Caller): Promise<number> {
    const client = await calledBack<pg.PoolClient>(caller, (told) => {
      this.#pool.connect((error, lease) => told(error, lease!));
    });
    try {
      await client.query('begin');
      await portOf(client, WRITE, [caller.id, 0]);
      const port = await portOf(client, WRITE, [caller.id, 1]);
      await client.query('commit');
      client.release();
      return port;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async transaction({ id }: Caller): Promise<number> {
    return await this.#pool.transaction(
      async (tx) => {
        await portOf(tx, WRITE, [id, 0]);
        return await portOf(tx, WRITE, [id, 1]);
      },
      { marker: 'marker' },
    );
  }

  async nested({ id }: Caller): Promise<number> {
    return await this.#pool.transaction(async (tx) => {
      await portOf(tx, WRITE, [id, 0]);
      return await this.#pool.transaction(async (inner) => await portOf(inner, WRITE, [id, 1]));
    });
  }

  async unrelated(caller: Caller): Promise<number> {
    const { begun } = await calledBack<{ readonly begun: Promise<number> | null }>(caller, (told) => {
      this.#pool.query(readOf('quick'), (error: Error | null | undefined) => {
        told(error, { begun: error == null ? this.transaction(caller) : null });
      });
    });
    return (await begun)!;
  }

  async rollback({ id }: Caller): Promise<never> {
    return await this.#pool.transaction(async (tx) => {
      await portOf(tx, WRITE, [id, 0]);
      // Connections are made and given back on its behalf while it is open; they are everybody's. It does not wait for them,
      // since a pool that is full of transactions that do would wait for itself.
      for (const pace of ['quick', 'slow'] as const) this.read(pace).catch(() => {});
      await portOf(tx, WRITE, [id, 1]);
      throw new RolledBack('as it was meant to be');
    });
  }

  async call({ id }: Caller): Promise<null> {
    await this.#pool.query('call append_halves($1)', [id]);
    return null;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  async #calledBack(caller: Caller, text: string, values: unknown[] = []): Promise<pg.QueryResult<{ port: number }>> {
    return await calledBack(caller, (told) => this.#pool.query(text, values, told));
  }
}

export function readOf(pace: Pace): string {
  return pace === 'quick' ? `select ${PORT}` : `select ${PORT}, pg_sleep(${SECONDS[pace]})`;
}

export function writeOf(pace: Pace): string {
  if (pace === 'quick') return WRITE;
  return `insert into ledger select $1, $2 from pg_sleep(${SECONDS[pace]}) returning ${PORT}`;
}

export async function portOf(on: Queryable, text: string, values?: unknown[]): Promise<number> {
  const { rows } = await on.query<{ port: number }>(text, values);
  return rows[0]!.port;
}

export const open: OpenWork = async (target: Target, password: Password) => {
  const { library, name, port, dnsServers, user, database, ca, deadlineMillis } = target;
  const { Pool } = (await import(join(library, 'pg', 'index.js'))) as { readonly Pool: typeof PoolClass };
  return new PgWork(
    new Pool({
      ...{ host: name, port, user, password, database, max: 10, idleTimeoutMillis: IDLE_MILLIS },
      ssl: ca === null ? false : { ca },
      follow: { ...FOLLOW, servers: dnsServers },
      failover: { ...FAILOVER, deadlineMillis, role: 'writable', replay: 'reads' },
    }),
  );
};
