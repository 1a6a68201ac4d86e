import { createRequire } from 'node:module';
import stock from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { createClientClass, createPoolClass, type Driver } from '../../src/pg/index.js';
import { configOf, fill, kill, next, portOf, resetLab, serverOf, startServers } from './support.js';

/** pg-promise brings a pg of its own. */
const other = createRequire(createRequire(import.meta.url).resolve('pg-promise'))('pg') as Driver;
let lab: Lab;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
afterAll(async () => {
  await lab?.close();
});

it('a pool and a client of another copy of pg follow the name, and are of its classes', async () => {
  expect(other.Pool).not.toBe(stock.Pool);
  const pool = new (createPoolClass(other))(configOf(lab));
  expect(pool).toBeInstanceOf(other.Pool);
  expect(pool).not.toBeInstanceOf(stock.Pool);
  const client = await pool.connect();
  expect(client).toBeInstanceOf(other.Client);
  client.release();
  const seen = new Promise((resolve) => pool.endpoint!.once('move', resolve));
  await lab.move(lab.hosts[1]!);
  await seen;
  expect(await serverOf(pool)).toBe(portOf(lab, 1));
  expect(await pool.transaction(async (tx) => (await tx.query('select 1 as one')).rows[0].one)).toBe(1);
  await pool.end();
  const single = new (createClientClass(other))(configOf(lab));
  await single.connect();
  expect(single).toBeInstanceOf(other.Client);
  expect(await serverOf(single)).toBe(portOf(lab, 1));
  await single.end();
});

it('what is run again tells its result, also in a copy that keeps the first callback in the query', async () => {
  await resetLab(lab);
  const pool = new (createPoolClass(other))(configOf(lab));
  await fill(pool, 2);
  const result = pool.query({ text: 'select 7 as seven from pg_sleep(0.5)', idempotent: true });
  const sleeping = "select from pg_stat_activity where wait_event = 'PgSleep'";
  await expect.poll(async () => (await lab.hosts[0]!.database.query(sleeping)).length).toBe(1);
  const replay = next(pool.endpoint!, 'replay');
  await kill(lab, pool);
  await lab.move(lab.hosts[1]!);
  await replay;
  expect((await result).rows).toEqual([{ seven: 7 }]);
  await pool.end();
});
