import { once } from 'node:events';
import type { Socket } from 'node:net';
import mysql2 from 'mysql2';
import promise2, { type Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { follow } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import mysql, * as named from '../../src/mysql2/index.js';
import promise from '../../src/mysql2/promise.js';
import { asInstance, withHiddenPassword } from '../unusual-options.js';
import {
  configOf,
  countsOf,
  end,
  lease,
  moved,
  onServers,
  onServersWith,
  portOf,
  resetLab,
  serverOf,
  settled,
  startServers,
} from './support.js';

/** What an application that looks for leaks does. */
function wrap<K extends string>(
  owner: { [key in K]: (...args: never[]) => unknown },
  method: K,
  told: () => void,
): void {
  const stock = owner[method];
  owner[method] = (...args) => {
    told();
    return stock.apply(owner, args);
  };
}

describe('the exports of eip-pool/mysql2', () => {
  it('are those of mysql2, with what connects replaced', () => {
    const makers = ['createPool', 'createPoolCluster', 'createConnection'];
    const replaced = ['Pool', 'PoolCluster', 'connect', ...makers, ...makers.map((name) => `${name}Promise`)];
    const [stock, own] = [mysql2, mysql].map((module) => module as unknown as Record<string, unknown>);
    for (const key of Object.keys(Object.getOwnPropertyDescriptors(mysql2))) {
      expect(own![key] === stock![key], key).toBe(!replaced.includes(key));
    }
    expect((named as unknown as typeof mysql2).escape).toBe(mysql2.escape);
    expect(promise.escape).toBe(promise2.escape);
    expect(promise.createPool).not.toBe(promise2.createPool);
    const { createPoolPromise } = mysql as unknown as Pick<typeof promise, never> & {
      readonly createPoolPromise: typeof promise.createPool;
    };
    expect(createPoolPromise({ host: 'db.example.com' }).pool).toMatchObject({ endpoint: { name: 'db.example.com' } });
  });

  it('an address or a socket’s path is exactly mysql2', async () => {
    const pools = [mysql.createPool({ host: '127.0.0.1' }), mysql.createPool({ socketPath: '/nowhere/mysql.sock' })];
    expect(pools.map((pool) => pool.endpoint)).toEqual([null, null]);
    expect(pools.every((pool) => pool instanceof (mysql2 as unknown as { Pool: new () => unknown }).Pool)).toBe(true);
    await Promise.all(pools.map(end));
  });

  it('names a wrong option, and mysql2 prints none of ours', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => mysql.createPool({ host: 'a.b', failover: { drainMilis: 1 } as never })).toThrow(
      /did you mean failover.drainMillis/,
    );
    expect(() => mysql.createPool({ host: '127.0.0.1', follow: {} })).toThrow(/option host/);
    await end(mysql.createPool({ host: 'a.b', follow: {}, failover: {} }));
    mysql.createPoolCluster().add('a', { host: 'a.b', follow: {}, failover: {} });
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });

  it('reads the host of a URI', async () => {
    const pool = mysql.createPool('mysql://user:secret@db.example.com:3307/app?connectionLimit=3');
    expect(pool.endpoint?.name).toBe('db.example.com');
    expect(pool.config).toMatchObject({ connectionLimit: 3, connectionConfig: { port: 3307, user: 'user' } });
    await end(pool);
  });
});

let lab: Lab;
const ends: (() => Promise<unknown>)[] = [];

onServers('what mysql2 does, on a pool that follows', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(ends.splice(0).map((each) => each()));
    await resetLab(lab);
  });
  afterAll(async () => {
    await lab?.close();
  });

  const callbackPool = (extra: named.PoolOptions = {}): named.Pool => {
    const pool = mysql.createPool(configOf(lab, extra));
    ends.push(() => end(pool));
    return pool;
  };

  it('callbacks, placeholders, named placeholders and format', async () => {
    const pool = callbackPool({ namedPlaceholders: true });
    const rows = await new Promise((resolve, reject) => {
      pool.query('select :a + :b as sum', { a: 1, b: 2 }, (error, result) => (error ? reject(error) : resolve(result)));
    });
    expect(rows).toEqual([{ sum: 3 }]);
    expect((await pool.promise().execute('select :a as a', { a: 1 }))[0]).toEqual([{ a: 1 }]);
    expect(pool.format('select ?', [1])).toBe('select 1');
    expect(pool.escape("it's")).toBe("'it\\'s'");
  });

  it('query and execute read their arguments, and tell what fails, as mysql2 does, and give the connection back', async () => {
    const own = callbackPool();
    const { follow: _, ...theirs } = configOf(lab);
    const stock = mysql2.createPool({ ...theirs, host: lab.hosts[0]!.address });
    ends.push(() => end(stock as named.Pool));
    const throwing = (): never => {
      throw new Error('mine');
    };
    const calls: ['query' | 'execute', ...unknown[]][] = [
      ['query', 'select 1 as n'],
      ['query', 'select ? as n', [1]],
      ['query', { sql: 'select ? as n', rowsAsArray: true }, [1]],
      ['query', { sql: 'select ? as n', values: [1], nestTables: true }],
      ['query', 'oops'],
      ['query', { sql: 'select 1 as n', typeCast: throwing }],
      ['query', 'select ? as n', [{ toSqlString: throwing }]],
      ['query', { sql: 'select sleep(1)', timeout: 50 }],
      ['query', {}],
      ['execute', 'select 1 as n'],
      ['execute', 'select ? as n', [1]],
      ['execute', { sql: 'select ? as n', rowsAsArray: true }, [1]],
      ['execute', { sql: 'select ? as n', values: [1] }],
      ['execute', 'oops'],
      ['execute', 'select ? as n', [undefined]],
      ['execute', 'select ? as n', { n: 1 }],
      ['execute', 'select ? as n', [throwing]],
      ['execute', { sql: 'select sleep(1)', timeout: 50 }],
    ];
    const told = async (pool: mysql2.Pool, [method, ...args]: (typeof calls)[number]): Promise<unknown> =>
      await new Promise((resolve) => {
        const callback = (error: NodeJS.ErrnoException | null, rows: unknown): void =>
          resolve([error?.code, error?.message, rows ?? null]);
        (pool[method] as (...given: unknown[]) => unknown).call(pool, ...args, callback);
      });
    for (const call of calls) expect(await told(own, call), String(call)).toEqual(await told(stock, call));
    await expect.poll(() => countsOf(own).idle - countsOf(own).total).toBe(0);
    const ended = callbackPool();
    await end(ended);
    expect(await told(ended, ['query', 'select 1'])).toEqual([undefined, 'Pool is closed.', null]);
    expect(await told(ended, ['execute', 'select 1'])).toEqual([undefined, 'Pool is closed.', null]);
  });

  it.each([
    [
      'a connection',
      (pool: named.Pool, told: () => void) => pool.on('connection', (made) => wrap(made, 'release', told)),
    ],
    ['the pool', (pool: named.Pool, told: () => void) => wrap(pool, 'releaseConnection', told)],
  ])('an application’s own way of giving back, on %s, sees the lease of each statement end', async (_, patch) => {
    const pool = callbackPool({ connectionLimit: 1 });
    const told = vi.fn();
    patch(pool, told);
    await Promise.all([1, 2, 3].map((n) => pool.promise().query('select ?', [n])));
    await pool.promise().execute('select 4');
    expect(told).toHaveBeenCalledTimes(4);
  });

  it('a class that extends the pool lends and takes back the connection of each statement', async () => {
    const told = vi.fn();
    class Watched extends named.Pool {
      override getConnection(callback: Parameters<mysql2.Pool['getConnection']>[0]): void {
        told();
        super.getConnection(callback);
      }
      override releaseConnection(connection: mysql2.PoolConnection): void {
        told();
        super.releaseConnection(connection);
      }
    }
    const pool = new Watched(configOf(lab, { connectionLimit: 1 }));
    ends.push(() => end(pool));
    await Promise.all([1, 2, 3].map((n) => pool.promise().query('select ?', [n])));
    await pool.promise().execute('select 4');
    expect(told).toHaveBeenCalledTimes(8);
  });

  it('statements that the driver refuses when their turn comes fail in a turn of their own, and stop nobody', async () => {
    const pool = callbackPool({ connectionLimit: 1 });
    await pool.promise().query('select 1');
    const refused = (value: unknown): Promise<unknown> =>
      settled(pool.promise().execute('select ?', [value as string]));
    const running = pool.promise().query('select 2 as n');
    const queued = Array.from({ length: 2_000 }, () => refused(undefined));
    const last = pool.promise().query('select 3 as n');
    expect((await running)[0]).toEqual([{ n: 2 }]);
    for (const result of await Promise.all(queued)) {
      expect(result).toMatchObject({ error: { message: expect.stringContaining('undefined') as string } });
    }
    expect((await last)[0]).toEqual([{ n: 3 }]);
    expect(countsOf(pool)).toMatchObject({ total: 1, idle: 1, waiting: 0 });
  });

  it('execute keeps its prepared statements on each connection', async () => {
    const pool = callbackPool({ connectionLimit: 1 });
    const prepared = async (): Promise<number> => {
      const [rows] = await pool.promise().query("show session status like 'Com_stmt_prepare'");
      return Number((rows as { Value: string }[])[0]!.Value);
    };
    for (let i = 0; i < 3; i++) expect((await pool.promise().execute('select ? as i', [i]))[0]).toEqual([{ i }]);
    expect(await prepared()).toBe(1);
  });

  it('query().stream() and event-style queries', async () => {
    const pool = callbackPool();
    const rows: unknown[] = [];
    for await (const row of pool.query('select 1 as n union select 2').stream()) rows.push(row);
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
    const seen = await new Promise((resolve) => pool.query('select 3 as n').on('result', resolve));
    expect(seen).toEqual({ n: 3 });
    await expect.poll(() => countsOf(pool).idle).toBe(countsOf(pool).total);
  });

  it('events, limits and messages', async () => {
    const pool = callbackPool({ connectionLimit: 1, queueLimit: 1 });
    const events: string[] = [];
    for (const event of ['connection', 'acquire', 'enqueue', 'release']) pool.on(event, () => events.push(event));
    const held = await lease(pool);
    const queued = lease(pool);
    expect((await settled(lease(pool))).error?.message).toBe('Queue limit reached.');
    held.release();
    (await queued).release();
    (await lease(pool)).release();
    expect(events).toEqual(['connection', 'acquire', 'enqueue', 'release', 'acquire', 'release']);
    const patient = callbackPool({ connectionLimit: 1 });
    let enqueued = 0;
    patient.on('enqueue', () => enqueued++);
    const answers = await Promise.all(Array.from({ length: 5 }, () => patient.promise().query('select 1 as n')));
    expect([answers.length, enqueued]).toEqual([5, 4]);
    const impatient = callbackPool({ connectionLimit: 1, waitForConnections: false });
    const one = await lease(impatient);
    expect((await settled(lease(impatient))).error?.message).toBe('No connections available.');
    one.release();
  });

  onServersWith('COM_RESET_CONNECTION', 'resetOnRelease', () => {
    it('resets a session on its release, and survives one that the server ends', async () => {
      const pool = callbackPool({ connectionLimit: 1, resetOnRelease: true });
      const held = await lease(pool);
      await held.promise().query('set @mine = 1');
      held.release();
      await expect.poll(() => countsOf(pool).idle).toBe(1);
      expect((await pool.promise().query('select @mine as mine'))[0]).toEqual([{ mine: null }]);
      const [rows] = await pool.promise().query('select connection_id() as id');
      await lab.hosts[0]!.database.query(`kill ${(rows as { id: number }[])[0]!.id}`);
      await expect.poll(() => countsOf(pool).total).toBe(0);
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
    });
  });

  it('promise pools: query, execute, transactions, and a move', async () => {
    const pool = promise.createPool(configOf(lab));
    ends.push(() => pool.end());
    expect(pool).toBeInstanceOf((promise2 as unknown as { PromisePool: new () => unknown }).PromisePool);
    const connection = await pool.getConnection();
    await connection.beginTransaction();
    expect((await connection.execute('select ? as x', ['y']))[0]).toEqual([{ x: 'y' }]);
    await connection.rollback();
    connection.release();
    const seen = moved(pool.pool);
    await lab.move(lab.hosts[1]!);
    await seen;
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
  });

  it.each([
    ['an instance of a class', asInstance],
    ['an object that hides its password', withHiddenPassword],
  ])('takes for its options %s', async (_, unusual) => {
    const { connectionLimit: _limit, ...one } = configOf(lab);
    const [pool, cluster] = [promise.createPool(unusual(configOf(lab))), promise.createPoolCluster()];
    cluster.add('named', unusual(configOf(lab)));
    ends.push(
      () => pool.end(),
      () => cluster.end(),
    );
    const connection = await promise.createConnection(unusual(one));
    const node = await cluster.getConnection('named');
    const servers = [await serverOf(pool), await serverOf(connection), await serverOf(node)];
    expect(servers).toEqual([portOf(lab, 0), portOf(lab, 0), portOf(lab, 0)]);
    node.release();
    await connection.end();
  });

  it('clusters follow the name in each of their pools', async () => {
    const [callback, promised] = [mysql.createPoolCluster(), promise.createPoolCluster()];
    const config = configOf(lab, { follow: { intervalMillis: 100 } });
    for (const cluster of [callback, promised]) {
      cluster.add('named', config);
      cluster.add('fixed', { ...config, host: lab.hosts[0]!.address, follow: undefined });
    }
    const portBy = async (group: string): Promise<number[]> => {
      const one = await new Promise<mysql2.PoolConnection>((resolve, reject) => {
        callback.getConnection(group, (error, got) => (error === null ? resolve(got) : reject(error)));
      });
      const other = await promised.getConnection(group);
      const ports = [await serverOf(one), await serverOf(other)];
      one.release();
      other.release();
      return ports;
    };
    expect(await portBy('named')).toEqual([portOf(lab, 0), portOf(lab, 0)]);
    await lab.move(lab.hosts[1]!);
    await expect.poll(() => portBy('named')).toEqual([portOf(lab, 1), portOf(lab, 1)]);
    expect(await portBy('fixed')).toEqual([portOf(lab, 0), portOf(lab, 0)]);
    await promised.end();
    await new Promise<void>((resolve) => callback.end(() => resolve()));
  });

  it('one connection whose caller ends it is no reason to ask the name; one that the server ends is', async () => {
    const endpoint = follow(lab.name, { servers: lab.servers });
    ends.push(async () => endpoint.close());
    const suspects: unknown[] = [];
    endpoint.on('suspect', ({ cause }) => suspects.push(cause));
    const { connectionLimit: _, follow: _f, host: _h, ...options } = configOf(lab);
    const connections = [1, 2].map(() => promise.createConnection({ ...options, endpoint }));
    const [ended, killed] = (await Promise.all(connections)) as [Connection, Connection];
    const closed = (connection: Connection): Promise<unknown> =>
      once((connection as unknown as { connection: { stream: Socket } }).connection.stream, 'close');
    const left = closed(ended);
    await ended.end();
    await left;
    expect(suspects).toEqual([]);
    killed.on('error', () => {});
    const dies = closed(killed);
    await lab.hosts[0]!.database.query(`kill ${killed.threadId}`);
    await dies;
    expect(suspects).toHaveLength(1);
  });

  it('one connection connects where the name points, and ends after drainMillis when the name leaves', async () => {
    const { connectionLimit: _, ...options } = configOf(lab, { follow: { intervalMillis: 100 } });
    const connection = await promise.createConnection({ ...options, failover: { drainMillis: 50 } });
    expect(await serverOf(connection)).toBe(portOf(lab, 0));
    const ended = new Promise<Error & { code: string }>((resolve) => connection.once('error', resolve));
    await lab.move(lab.hosts[1]!);
    expect((await ended).code).toBe('ADDRESS_LEFT');
    const wrong = promise.createConnection({ ...options, password: 'wrong' });
    expect((await settled(wrong)).error?.code).toBe('ER_ACCESS_DENIED_ERROR');
  });
});
