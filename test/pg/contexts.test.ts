import pg from 'pg';
import Cursor from 'pg-cursor';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { Client, Pool, type PoolConfig } from '../../src/pg/index.js';
import { heard, requestOf, told } from '../context-support.js';
import { configOf, settled, startServers } from './support.js';

let lab: Lab;
const a = requestOf('A');
const b = requestOf('B');

beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
  await lab.hosts[0]!.database.query('create table w (who text); grant all on w to app');
}, 60_000);
beforeEach(async () => {
  await lab.hosts[0]!.database.query('truncate w');
});
afterAll(async () => {
  await lab?.close();
});

const written = async (): Promise<string> => {
  const rows = await lab.hosts[0]!.database.query<{ who: string }>('select who from w order by who');
  return rows.map(({ who }) => who).join();
};

const address = (): PoolConfig => {
  const { database } = lab.hosts[0]!;
  return { ...lab.connection, host: database.address, port: database.port };
};

describe.each([
  ['a name', (): PoolConfig => configOf(lab)],
  ['an address', address],
  [
    'a name, with a client class of the application’s own,',
    () => ({ ...configOf(lab), Client: class extends pg.Client {} }),
  ],
])('a pool on %s', (_, config) => {
  const make = (extra: PoolConfig = {}): Pool => new Pool({ ...config(), max: 2, ...extra });

  it('calls back in the caller’s request, also on connections that are made and given back in another one', async () => {
    const pool = make();
    const events = heard(pool, ['connect', 'acquire', 'release', 'remove']);
    await a(async () => {
      await pool.transaction(async () => {
        const lease = await pool.connect();
        const waits = [
          b(() => told((done) => pool.connect((_error, _client, release) => (release(), done())))),
          b(() => told((done) => pool.query('select 1', done))),
          b(() => told((done) => pool.query('select $1::int', [1], done))),
          b(() => told((done) => pool.query('select 1 / 0', done))),
        ];
        lease.release();
        expect(await Promise.all(waits)).toEqual(['B', 'B', 'B', 'B']);
        const lent = await pool.connect();
        expect(await b(() => told((done) => lent.query('select 1', done)))).toBe('B');
        expect(await b(() => told((done) => lent.query('select 1 / 0', [], done)))).toBe('B');
        expect(await b(() => told((callback) => lent.query({ text: 'select 1', callback } as pg.QueryConfig)))).toBe(
          'B',
        );
        const query = b(() => lent.query(new pg.Query('select 1')));
        expect(await told((done) => query.once('end', done))).toBe('B');
        const own = (done: () => void): pg.Query => new pg.Query('select 1', done as never);
        expect(await b(() => told((done) => lent.query(own(done))))).toBe('B');
        const cursor = b(() => lent.query(new Cursor('select 1')));
        expect(await b(() => told((done) => cursor.read(1, done)))).toBe('B');
        expect(await b(() => told((done) => cursor.close(done)))).toBe('B');
        lent.release(true);
      });
    });
    expect(await b(() => told((done) => pool.end(done)))).toBe('B');
    expect([...events.values()].map((seen) => [...seen])).toEqual(Array(4).fill([undefined]));
  });

  it('makes a call from another request’s callback no part of a transaction that is open there', async () => {
    const pool = make({ max: 3 });
    let own: Promise<unknown> | undefined;
    const { error } = await settled(
      a(async () => {
        await pool.transaction(async (tx) => {
          await tx.query(`insert into w values ('A')`);
          const lease = await pool.connect();
          lease.release();
          const insert = (): Promise<unknown> =>
            pool.transaction(async (inner) => await inner.query(`insert into w values ('B')`));
          await new Promise<void>((resolve) =>
            b(() => pool.query('select 1', () => resolve((own = insert()) as never))),
          );
          throw new Error('A rolls back');
        });
      }),
    );
    await own;
    expect([error?.message, await written()]).toEqual(['A rolls back', 'B']);
    await pool.end();
  });

  it('makes a call from a callback of a transaction’s own function a part of it', async () => {
    const pool = make();
    const work = pool.transaction(async (tx) => {
      await tx.query(`insert into w values ('A')`);
      await new Promise((resolve) => {
        pool.query('select 1', () => {
          resolve(pool.transaction(async (inner) => await inner.query(`insert into w values ('A too')`)));
        });
      });
      throw new Error('A rolls back');
    });
    expect([(await settled(work)).error?.message, await written()]).toEqual(['A rolls back', '']);
    await pool.end();
  });
});

it('a client’s own callbacks come in its caller’s request, and what its server sends in nobody’s', async () => {
  const client = new Client(configOf(lab));
  const events = heard(client, ['connect', 'notification', 'end']);
  expect(await a(() => told((done) => client.connect(done)))).toBe('A');
  expect(await b(() => told((done) => client.query('listen l; notify l', done)))).toBe('B');
  expect(await b(() => told((done) => client.end(done)))).toBe('B');
  expect([...events.values()].map((seen) => [...seen])).toEqual(Array(3).fill([undefined]));
});
