import type { PoolConnection } from 'mysql2';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { createConnection, createPool, createPoolCluster, type PoolOptions } from '../../src/mysql2/index.js';
import { heard, requestOf, told } from '../context-support.js';
import { configOf, end, onServers, settled, startServers } from './support.js';

let lab: Lab;
const a = requestOf('A');
const b = requestOf('B');

const written = async (): Promise<string> => {
  const rows = await lab.hosts[0]!.database.query<{ who: string }>('select who from c order by who');
  return rows.map(({ who }) => who).join();
};

const address = (): PoolOptions => {
  const { database } = lab.hosts[0]!;
  return { ...lab.connection, host: database.address, port: database.port };
};
const KINDS: [string, () => PoolOptions][] = [
  ['a name', () => configOf(lab)],
  ['an address', address],
];

onServers('the async context with mysql2', () => {
  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    await lab.hosts[0]!.database.query('create table c (who varchar(20)) engine=InnoDB');
  }, 60_000);
  beforeEach(async () => {
    await lab.hosts[0]!.database.query('delete from c');
  });
  afterAll(async () => {
    await lab?.close();
  });

  it.each(KINDS)(
    'of a callback is its caller’s, also on connections made and given back in another one: %s',
    async (_, config) => {
      const pool = createPool({ ...config(), connectionLimit: 2 });
      const events = heard(pool, ['connection', 'acquire', 'enqueue', 'release']);
      await a(async () => {
        await pool.promise().transaction(async () => {
          const lease = await pool.promise().getConnection();
          const waits = [
            b(() => told((done) => pool.getConnection((_error, connection) => (connection.release(), done())))),
            b(() => told((done) => pool.query('select 1', done))),
            b(() => told((done) => pool.query('select nonsense', [], done))),
            b(() => told((done) => pool.execute('select 1', done))),
            b(() => told((done) => pool.execute('select nonsense', [], done))),
            b(() => told((done) => pool.query('select 1').once('end', done))),
          ];
          lease.release();
          // What has no callback is told by the socket, which is nobody's.
          expect(await Promise.all(waits)).toEqual(['B', 'B', 'B', 'B', 'B', 'B']);
          const { connection } = await pool.promise().getConnection();
          const lent = connection as unknown as PoolConnection;
          expect(await b(() => told((done) => lent.query('select 1', done)))).toBe('B');
          expect(await b(() => told((done) => lent.execute('select ?', [1], done)))).toBe('B');
          expect(await b(() => told((done) => lent.execute('select nonsense', done)))).toBe('B');
          expect(await b(() => told((done) => lent.ping(done)))).toBe('B');
          expect(await b(() => told((done) => lent.prepare('select 1', done)))).toBe('B');
          expect(await b(() => told((done) => lent.beginTransaction(done)))).toBe('B');
          expect(await b(() => told((done) => lent.rollback(done)))).toBe('B');
          lent.release();
        });
      });
      expect(await b(() => told((done) => pool.end(done)))).toBe('B');
      expect([...events.values()].map((seen) => [...seen])).toEqual(Array(4).fill([undefined]));
    },
  );

  it.each(KINDS)('of a callback that a listener of the pool’s gives is the listener’s: %s', async (_, config) => {
    const pool = createPool({ ...config(), connectionLimit: 1 });
    await new Promise((resolve) => pool.query('select 1', resolve));
    const heardIn = told((done) =>
      pool.once('acquire', (connection) => b(() => connection.query('select nonsense', done))),
    );
    await new Promise((resolve) => a(() => pool.query('select 1', resolve)));
    expect(await heardIn).toBe('B');
    await end(pool);
  });

  it.each(KINDS)('makes a call from another request’s callback no part of a transaction: %s', async (_, config) => {
    const pool = createPool({ ...config(), connectionLimit: 3 });
    const promised = pool.promise();
    let own: Promise<unknown> | undefined;
    const insert = (who: string): Promise<unknown> =>
      promised.transaction(async (tx) => await tx.query('insert into c values (?)', [who]));
    const work = a(() =>
      promised.transaction(async (tx) => {
        await tx.query(`insert into c values ('A')`);
        (await promised.getConnection()).release();
        await new Promise<void>((resolve) => b(() => pool.query('select 1', () => resolve(void (own = insert('B'))))));
        await own;
        throw new Error('A rolls back');
      }),
    );
    expect([(await settled(work)).error?.message, await written()]).toEqual(['A rolls back', 'B']);
    const inside = promised.transaction(async () => {
      await new Promise((resolve) => pool.query('select 1', () => resolve(insert('A too'))));
      throw new Error('A rolls back');
    });
    expect([(await settled(inside)).error?.message, await written()]).toEqual(['A rolls back', 'B']);
    await end(pool);
  });

  it('is the caller’s in a cluster', async () => {
    const cluster = createPoolCluster();
    cluster.add('good', { ...configOf(lab), connectionLimit: 1 });
    await a(async () => {
      const lease = await new Promise<{ release(): void }>((resolve) => {
        cluster.getConnection('good', (_error, connection) => resolve(connection));
      });
      const waits = [
        b(() => told((done) => cluster.getConnection('good', (_error, connection) => (connection.release(), done())))),
        b(() => told((done) => cluster.of('good').query('select 1', done))),
        b(() => told((done) => cluster.of('good').execute('select 1', done))),
      ];
      lease.release();
      expect(await Promise.all(waits)).toEqual(['B', 'B', 'B']);
    });
    await new Promise((resolve) => cluster.end(resolve));
  });

  it.each(KINDS)('is the caller’s on a single connection, and nobody’s for its events: %s', async (_, config) => {
    const connection = a(() => createConnection(config()));
    const events = heard(connection, ['connect', 'end']);
    expect(await b(() => told((done) => connection.connect(done)))).toBe('B');
    expect(await b(() => told((done) => connection.query('select 1', done)))).toBe('B');
    expect(await told((done) => connection.query('select 1').once('end', done))).toBeUndefined();
    expect(await b(() => told((done) => connection.end(done)))).toBe('B');
    expect(events.get('connect')).toEqual(new Set([undefined]));
  });
});
