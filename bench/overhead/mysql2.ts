import mysql, { type Pool, type PoolOptions } from 'mysql2';
import { createPool } from '../../src/mysql2/index.js';
import type { Side } from './compare.js';
import { type Driver, fillPool, type Kind } from './driver.js';
import type { Server } from './lab-process.js';

type Told = (error: Error | null) => void;

export const mysql2Driver: Driver = {
  databases: 'mariadb',
  work(server, connectionLimit) {
    const pools = (work: (pool: Pool, told: Told) => void): [Side, Side] => [
      side(() => makePool(server, 'ours', { connectionLimit }), work),
      side(() => makePool(server, 'stock', { connectionLimit }), work),
    ];
    return [
      { what: 'mysql2: pool.query', waits: true, sides: pools((pool, told) => pool.query('select ? as n', [1], told)) },
      {
        what: 'mysql2: pool.execute',
        waits: true,
        sides: pools((pool, told) => pool.execute('select ? as n', [1], told)),
      },
    ];
  },
  async fill(server, kind, connections) {
    await fill(makePool(server, kind, { connectionLimit: connections }), connections);
  },
};

async function fill(pool: Pool, connections: number): Promise<void> {
  await fillPool(
    connections,
    () => pool.promise().getConnection(),
    (connection) => connection.release(),
  );
}

function makePool({ name, address, port, connection, dnsServers }: Server, kind: Kind, own: PoolOptions): Pool {
  const common = { port, ...connection, ...own };
  return kind === 'ours'
    ? createPool({ ...common, host: name, follow: { servers: dnsServers } })
    : mysql.createPool({ ...common, host: address });
}

/** The callback pool: what the promise pool costs on top is mysql2's. */
function side(make: () => Pool, work: (pool: Pool, told: Told) => void): Side {
  const settled = (begin: (told: Told) => void): Promise<void> =>
    new Promise((resolve, reject) => begin((error) => (error === null ? resolve() : reject(error))));
  return {
    async open(connections) {
      const pool = make();
      await fill(pool, connections);
      return {
        run: () => settled((told) => work(pool, told)),
        close: () => settled((told) => pool.end((error) => told(error ?? null))),
      };
    },
  };
}
