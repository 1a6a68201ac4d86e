import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2';
import type { createPool as CreatePool } from '../../src/mysql2/promise.js';
import { FAILOVER, FOLLOW, SLOW_SECONDS, type OpenWork, type Target, type Work } from './work.js';

const READ = 'select @@port as port';
const SLOW_READ = `${READ}, sleep(${SLOW_SECONDS})`;
const WRITE = 'insert into ledger values (?, ?, uuid())';
const SLOW_WRITE = `insert into ledger select ?, ?, uuid() from (select sleep(${SLOW_SECONDS})) as slowly`;

type Pool = ReturnType<typeof CreatePool>;

class Mysql2Work implements Work {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get addresses(): readonly string[] {
    return this.#pool.pool.endpoint?.current?.addresses ?? [];
  }

  onMove(listener: (addresses: readonly string[]) => void): void {
    this.#pool.pool.endpoint?.on('move', ({ to }) => listener(to));
  }

  async read(slow: boolean): Promise<number> {
    const [rows] = await this.#pool.query<RowDataPacket[]>(slow ? SLOW_READ : READ);
    return (rows as { port: number }[])[0]!.port;
  }

  async write(id: number, slow: boolean): Promise<null> {
    await this.#pool.query(slow ? SLOW_WRITE : WRITE, [id, 0]);
    return null;
  }

  async lease(id: number): Promise<null> {
    const connection = await this.#pool.getConnection();
    try {
      await connection.beginTransaction();
      await connection.query(WRITE, [id, 0]);
      await connection.query(WRITE, [id, 1]);
      await connection.commit();
      connection.release();
      return null;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async transaction(id: number): Promise<null> {
    return await this.#pool.transaction(
      async (tx) => {
        await tx.query(WRITE, [id, 0]);
        await tx.query(WRITE, [id, 1]);
        return null;
      },
      { marker: 'marker' },
    );
  }

  async call(id: number): Promise<null> {
    await this.#pool.query('call append_halves(?)', [id]);
    return null;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

export const open: OpenWork = async (target: Target) => {
  const { library, name, port, dnsServers, user, password, database } = target;
  const module = join(library, 'mysql2', 'promise.js');
  const { createPool } = (await import(module)) as { readonly createPool: typeof CreatePool };
  return new Mysql2Work(
    createPool({
      ...{ host: name, port, user, password, database, connectionLimit: 10 },
      follow: { ...FOLLOW, servers: dnsServers },
      failover: { ...FAILOVER, role: 'writable', replay: 'reads' },
    }),
  );
};
