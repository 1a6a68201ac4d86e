import { join } from 'node:path';
import type { PoolConnection, RowDataPacket } from 'mysql2';
import type { createPool as CreatePool } from '../../src/mysql2/promise.js';
import type { Endpoint } from '../../src/index.js';
import {
  calledBack,
  type Caller,
  FAILOVER,
  FOLLOW,
  IDLE_MILLIS,
  type OpenWork,
  type Pace,
  RolledBack,
  SECONDS,
  type Target,
  type Work,
} from './work.js';

const READ = 'select @@port as port';
const WRITE = 'insert into ledger values (?, ?, uuid())';

type Pool = ReturnType<typeof CreatePool>;
type Rows = { readonly port: number }[];

class Mysql2Work implements Work {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get endpoint(): Endpoint {
    return this.#pool.pool.endpoint!;
  }

  async read(pace: Pace): Promise<number> {
    const [rows] = await this.#pool.query<RowDataPacket[]>(
      pace === 'quick' ? READ : `${READ}, sleep(${SECONDS[pace]}) as slept`,
    );
    return (rows as Rows)[0]!.port;
  }

  async readCalledBack(caller: Caller): Promise<number> {
    const rows = await calledBack<Rows>(caller, (told) => {
      this.#pool.pool.query(READ, (error: Error | null, found: unknown) => told(error, found as Rows));
    });
    return rows[0]!.port;
  }

  async write({ id }: Caller, pace: Pace): Promise<null> {
    const slowly = `insert into ledger select ?, ?, uuid() from (select sleep(${pace === 'quick' ? 0 : SECONDS[pace]})) as slowly`;
    await this.#pool.query(pace === 'quick' ? WRITE : slowly, [id, 0]);
    return null;
  }

  async writeCalledBack(caller: Caller): Promise<null> {
    await calledBack(caller, (told) => {
      this.#pool.pool.execute(WRITE, [caller.id, 0], (error: Error | null, done: unknown) => told(error, done));
    });
    return null;
  }

  async lease(caller: Caller): Promise<null> {
    const { id } = caller;
    const core = await calledBack<PoolConnection>(caller, (told) => {
      this.#pool.pool.getConnection((error, connection) => told(error, connection));
    });
    const connection = core.promise();
    try {
      await connection.beginTransaction();
      await connection.query(WRITE, [id, 0]);
      await connection.query(WRITE, [id, 1]);
      await connection.commit();
      core.release();
      return null;
    } catch (error) {
      core.destroy();
      throw error;
    }
  }

  async transaction({ id }: Caller): Promise<null> {
    return await this.#pool.transaction(
      async (tx) => {
        await tx.query(WRITE, [id, 0]);
        await tx.query(WRITE, [id, 1]);
        return null;
      },
      { marker: 'marker' },
    );
  }

  async nested({ id }: Caller): Promise<null> {
    return await this.#pool.transaction(async (tx) => {
      await tx.query(WRITE, [id, 0]);
      await this.#pool.transaction(async (inner) => await inner.query(WRITE, [id, 1]));
      return null;
    });
  }

  async unrelated(caller: Caller): Promise<null> {
    const { begun } = await calledBack<{ readonly begun: Promise<null> | null }>(caller, (told) => {
      this.#pool.pool.query(READ, (error: Error | null | undefined) => {
        told(error, { begun: error == null ? this.transaction(caller) : null });
      });
    });
    return (await begun)!;
  }

  async rollback({ id }: Caller): Promise<never> {
    return await this.#pool.transaction(async (tx) => {
      await tx.query(WRITE, [id, 0]);
      // Connections are made and given back on its behalf while it is open; they are everybody's. It does not wait for them,
      // since a pool that is full of transactions that do would wait for itself.
      for (const pace of ['quick', 'slow'] as const) this.read(pace).catch(() => {});
      await tx.query(WRITE, [id, 1]);
      throw new RolledBack('as it was meant to be');
    });
  }

  async call({ id }: Caller): Promise<null> {
    await this.#pool.query('call append_halves(?)', [id]);
    return null;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/** mysql2 takes a password as it is, so the one that the target has. */
export const open: OpenWork = async (target: Target) => {
  const { library, name, port, dnsServers, user, password, database, ca, deadlineMillis } = target;
  const module = join(library, 'mysql2', 'promise.js');
  const { createPool } = (await import(module)) as { readonly createPool: typeof CreatePool };
  return new Mysql2Work(
    createPool({
      ...{ host: name, port, user, password, database },
      ...(ca === null ? {} : { ssl: { ca, verifyIdentity: true } }),
      // More than the servers take when they are full.
      ...{ connectionLimit: 14, maxIdle: 2, idleTimeout: IDLE_MILLIS },
      follow: { ...FOLLOW, servers: dnsServers },
      failover: { ...FAILOVER, deadlineMillis, role: 'writable', replay: 'reads' },
    }),
  );
};
