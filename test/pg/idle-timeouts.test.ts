import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Pool, type PoolConfig } from '../../src/pg/index.js';
import { startServers } from './support.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
}, 60_000);
afterAll(async () => {
  await lab?.close();
});

function newPool(config: PoolConfig): Pool {
  return new Pool({ host: lab.name, port: lab.port, ...lab.connection, follow: { servers: lab.servers }, ...config });
}

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

it('closes a client that has been idle for idleTimeoutMillis since its last release, and none that is leased', async () => {
  const [pool, other] = [newPool({ idleTimeoutMillis: 100 }), newPool({ idleTimeoutMillis: 100 })];
  const leased = await pool.connect();
  leased.release();
  const again = await pool.connect();
  expect(again).toBe(leased);
  await other.query('select 1');
  await once(other, 'remove');
  expect((await again.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  again.release();
  await once(pool, 'remove');
  expect([pool.totalCount, other.totalCount]).toEqual([0, 0]);
  await Promise.all([pool.end(), other.end()]);
});

it('keeps the process for an idle client as pg does, and neither for a leased one nor after the end', async () => {
  const pool = newPool({ idleTimeoutMillis: 60_000 });
  const before = timers();
  const client = await pool.connect();
  client.release();
  const idle = timers();
  await pool.connect();
  const leased = timers();
  client.release();
  await pool.end();
  expect([idle - before, leased - before, timers() - before]).toEqual([1, 0, 0]);
});

it('obeys idleTimeoutMillis where it is changed later, and min', async () => {
  const pool = newPool({ idleTimeoutMillis: 60_000 });
  await pool.query('select 1');
  pool.options.idleTimeoutMillis = 50;
  await pool.query('select 1');
  await once(pool, 'remove');
  await pool.end();

  const min = newPool({ idleTimeoutMillis: 50, min: 1, max: 2 });
  const clients = await Promise.all([min.connect(), min.connect()]);
  for (const client of clients) client.release();
  await once(min, 'remove');
  expect(min.totalCount).toBe(1);
  await min.end();
});
