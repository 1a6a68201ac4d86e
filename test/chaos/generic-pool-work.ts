import { join } from 'node:path';
import pg from 'pg';
import type * as GenericPool from '../../src/generic-pool/index.js';
import type { Endpoint } from '../../src/index.js';
import { portOf, readOf, writeOf } from './pg-work.js';
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
  type Target,
  type Work,
} from './work.js';

type Pool = GenericPool.Pool<pg.Client>;

/** Clients of PostgreSQL in a pool of generic-pool's, which knows nothing of statements: all work is on leases. */
class GenericPoolWork implements Work {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get endpoint(): Endpoint {
    return this.#pool.endpoint!;
  }

  async read(pace: Pace): Promise<number> {
    return await this.#pool.use((client) => portOf(client, readOf(pace)));
  }

  async readCalledBack(caller: Caller): Promise<number> {
    return await calledBack<number>(caller, (told) => {
      this.read('quick').then(
        (port) => told(null, port),
        (error: Error) => told(error, 0),
      );
    });
  }

  async write({ id }: Caller, pace: Pace): Promise<number> {
    return await this.#pool.use((client) => portOf(client, writeOf(pace), [id, 0]));
  }

  async writeCalledBack(caller: Caller): Promise<number> {
    return await calledBack<number>(caller, (told) => {
      this.write(caller, 'quick').then(
        (port) => told(null, port),
        (error: Error) => told(error, 0),
      );
    });
  }

  async lease(caller: Caller): Promise<number> {
    return await this.transaction(caller);
  }

  async transaction({ id }: Caller): Promise<number> {
    const client = await this.#pool.acquire(id % PRIORITIES);
    try {
      await client.query('begin');
      await portOf(client, writeOf('quick'), [id, 0]);
      const port = await portOf(client, writeOf('quick'), [id, 1]);
      await client.query('commit');
      await this.#pool.release(client);
      return port;
    } catch (error) {
      await this.#pool.destroy(client);
      throw error;
    }
  }

  async nested(caller: Caller): Promise<number> {
    return await this.transaction(caller);
  }

  async unrelated(caller: Caller): Promise<number> {
    return await this.read('quick').then(() => this.transaction(caller));
  }

  async rollback({ id }: Caller): Promise<never> {
    const client = await this.#pool.acquire();
    try {
      await client.query('begin');
      await portOf(client, writeOf('quick'), [id, 0]);
      await client.query('rollback');
      await this.#pool.release(client);
    } catch (error) {
      await this.#pool.destroy(client);
      throw error;
    }
    throw new RolledBack('as it was meant to be');
  }

  async call({ id }: Caller): Promise<null> {
    await this.#pool.use((client) => client.query('call append_halves($1)', [id]));
    return null;
  }

  async end(): Promise<void> {
    await this.#pool.drain();
    await this.#pool.clear();
  }
}

const PRIORITIES = 3;

export const open: OpenWork = async (target: Target, password: Password) => {
  const { library, name, port, dnsServers, user, database, ca, deadlineMillis } = target;
  const ssl = ca === null ? false : { ca };
  const { createPool } = (await import(join(library, 'generic-pool', 'index.js'))) as typeof GenericPool;
  const factory: GenericPool.Factory<pg.Client> = {
    create: async ({ host, connect }) => {
      const client = new pg.Client({ user, password, database, host, port, ssl, stream: connect });
      client.on('error', () => {}); // who uses it gets it, or the next one
      await client.connect();
      return client;
    },
    destroy: (client) => client.end(),
    ping: (client) => client.query(''),
  };
  return new GenericPoolWork(
    createPool(factory, {
      ...{ host: name, port, max: 10, priorityRange: PRIORITIES },
      ...{ idleTimeoutMillis: IDLE_MILLIS, evictionRunIntervalMillis: IDLE_MILLIS / 2, numTestsPerEvictionRun: 10 },
      follow: { ...FOLLOW, servers: dnsServers },
      failover: { ...FAILOVER, deadlineMillis },
    }),
  );
};
