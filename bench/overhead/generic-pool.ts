import genericPool, { type Pool } from 'generic-pool';
import pg from 'pg';
import { createPool } from '../../src/generic-pool/index.js';
import type { Side } from './compare.js';
import { type Driver, fillPool, type Kind } from './driver.js';
import type { Server } from './lab-process.js';

export const genericPoolDriver: Driver = {
  databases: 'embedded-postgres',
  work(server, max) {
    const clients = (kind: Kind): Side => side(() => makePool(server, kind, max), query);
    const nothings = (kind: Kind): Side => side(() => makePoolOfNothing(server, kind, max), lease);
    return [
      { what: 'generic-pool: query of pg', waits: true, sides: [clients('ours'), clients('stock')] },
      { what: 'generic-pool: acquire + release', waits: false, sides: [nothings('ours'), nothings('stock')] },
    ];
  },
  async fill(server, kind, connections) {
    await fill(makePool(server, kind, connections), connections);
  },
};

async function fill<T>(pool: Pool<T>, connections: number): Promise<void> {
  await fillPool(
    connections,
    () => pool.acquire(),
    (resource) => pool.release(resource),
  );
}

async function query(pool: Pool<pg.Client>): Promise<void> {
  const client = await pool.acquire();
  await client.query('select $1::int', [1]);
  await pool.release(client);
}

async function lease(pool: Pool<object>): Promise<void> {
  await pool.release(await pool.acquire());
}

function makePool({ name, address, port, connection, dnsServers }: Server, kind: Kind, max: number): Pool<pg.Client> {
  const connected = async (config: pg.ClientConfig): Promise<pg.Client> => {
    const client = new pg.Client({ port, ...connection, ...config });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const destroy = (client: pg.Client): Promise<void> => client.end();
  if (kind === 'stock') return genericPool.createPool({ create: () => connected({ host: address }), destroy }, { max });
  return createPool(
    { create: (target) => connected({ host: target.host, stream: () => target.connect() }), destroy },
    { host: name, port, max, follow: { servers: dnsServers } },
  );
}

/** Resources that are nothing, so that only the pool's own work is left. */
function makePoolOfNothing({ name, dnsServers }: Server, kind: Kind, max: number): Pool<object> {
  const factory = { create: async () => ({}), destroy: async () => {} };
  if (kind === 'stock') return genericPool.createPool(factory, { max });
  return createPool(factory, { host: name, max, follow: { servers: dnsServers } });
}

function side<T>(make: () => Pool<T>, work: (pool: Pool<T>) => Promise<void>): Side {
  return {
    async open(connections) {
      const pool = make();
      await fill(pool, connections);
      const close = async (): Promise<void> => {
        await pool.drain();
        await pool.clear();
      };
      return { run: () => work(pool), close };
    },
  };
}
