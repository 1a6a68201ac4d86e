import { tracingChannel } from 'node:diagnostics_channel';
import mysql2 from 'mysql2';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import * as internals from '../../src/mysql2/internals.js';
import { end, lease as leaseOf, onServers, onServersWith, settled, startServers } from './support.js';

/** Each test says what breaks if a private member of mysql2 goes or changes its meaning. */
let lab: Lab;
let pool: mysql2.Pool;
const driver = mysql2 as unknown as internals.Driver;
const configOf = (): mysql2.PoolOptions => ({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection });
const lease = (): Promise<mysql2.PoolConnection> => leaseOf(pool as never);

onServers('the private members of mysql2', () => {
  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    pool = mysql2.createPool({ ...configOf(), connectionLimit: 2 });
  }, 60_000);
  afterAll(async () => {
    await end(pool as never);
    await lab?.close();
  });

  it('_allConnections and _freeConnections: or idle connections to the old server would be handed out', async () => {
    const connection = await lease();
    expect(internals.newestConnection(pool)).toBe(connection);
    expect([internals.isMember(pool, connection), internals.isFree(pool, connection)]).toEqual([true, false]);
    connection.release();
    expect([internals.hasFree(pool), internals.isFree(pool, connection)]).toEqual([true, true]);
    internals.takeOut(pool, connection);
    expect(internals.counts(pool)).toEqual({ total: 0, idle: 0 });
    internals.putBack(pool, [connection]);
    expect(internals.counts(pool).total).toBe(1);
    connection.destroy();
  });

  it('_pool: or the release of a connection that mysql2 removed would put it back', async () => {
    const connection = await lease();
    expect(internals.isRemoved(connection)).toBe(false);
    connection.destroy();
    expect(internals.isRemoved(connection)).toBe(true);
  });

  it('_connectionQueue: or callers would not be served after a failover, nor fail at their deadline', async () => {
    const other = mysql2.createPool({ ...configOf(), connectionLimit: 1 });
    const queue: internals.GetCallback[] = [];
    internals.installQueue(other, queue);
    const held = await leaseOf(other as never);
    const served: unknown[] = [];
    const callback = (error: unknown, connection: mysql2.PoolConnection): void => {
      served.push(error);
      connection?.release();
    };
    other.getConnection(callback);
    expect([queue, internals.hasRoom(other)]).toEqual([[callback], false]);
    held.release();
    await expect.poll(() => served).toEqual([null]);
    expect(internals.hasRoom(other)).toBe(true);
    await end(other as never);
    expect(internals.hasRoom(other)).toBe(false);
  });

  it('_closed: or a pool that was ended would go on making connections', async () => {
    const other = mysql2.createPool({ host: lab.hosts[0]!.address, port: lab.port });
    expect(internals.isClosed(other)).toBe(false);
    await end(other as never);
    expect(internals.isClosed(other)).toBe(true);
  });

  it('_command and its timeout: or a statement that timed out would keep its place for ever', async () => {
    const connection = await lease();
    expect(internals.isBusy(connection)).toBe(false);
    const query = settled(connection.promise().query({ sql: 'select sleep(2)', timeout: 300 }));
    expect([internals.isBusy(connection), internals.hasTimedOut(connection)]).toEqual([true, false]);
    await query;
    expect(internals.hasTimedOut(connection)).toBe(true);
    internals.silence(connection);
    connection.on('error', () => {});
    (connection as unknown as { stream: { destroy(error: Error): void } }).stream.destroy(new Error('x'));
    await expect.poll(() => internals.isRemoved(connection)).toBe(true);
  });

  it('the commands’ onResult: or a stream would never hear that its connection ended', async () => {
    const connection = await lease();
    const stream = connection.query('select sleep(30)').stream();
    const failed = new Promise((resolve) => stream.once('error', resolve));
    const queued = connection.query('select 1');
    const ended = new Promise((resolve) => queued.once('error', resolve));
    const error = new Error('cut');
    internals.onFailure(connection, { failed: () => {}, failing: () => {} });
    connection.on('error', () => {});
    internals.breakOff(connection, error);
    expect([await failed, await ended]).toEqual([error, error]);
  });

  it('Connection.prototype.end and _closing: or an idle connection would leave without a goodbye, or be missed', async () => {
    const connection = await lease();
    internals.takeOut(pool, connection);
    const ended = new Promise((resolve) => connection.once('end', resolve));
    expect(internals.hasSaidGoodbye(connection)).toBe(false);
    internals.quit(driver, connection);
    await ended;
    expect(internals.hasSaidGoodbye(connection)).toBe(true);
  });

  it('config.connectionConfig, which is copied for each connection: or one pool’s log-ins would time out', async () => {
    const settings: internals.ConnectionSettings[] = [];
    const other = mysql2.createPool({
      stream: ({ config }: { config: internals.ConnectionSettings }) => {
        settings.push(config);
        config.connectTimeout = 0;
        return { on: () => {}, destroy: () => {} };
      },
    } as never);
    other.getConnection(() => {});
    expect(settings).toHaveLength(1);
    expect(internals.settingsOf(other).connectionConfig.connectTimeout).toBe(10_000);
  });

  it.each([false, true])(
    'addCommand, the commands’ emit and _notifyError, compressed: %s: or nobody would hear of what failed',
    async (compress) => {
      const other = mysql2.createPool({ ...configOf(), compress });
      const connection = await leaseOf(other as never);
      const seen: unknown[] = [];
      const heard: unknown[] = [];
      internals.onFailure(connection, {
        failed: ({ sql, query }, told, error) => {
          seen.push(sql ?? query, typeof told);
          told?.(error);
        },
        failing: ({ sql, query }, error) => heard.push(sql ?? query, error.code),
      });
      const statements = connection.promise();
      await statements.query('select 1');
      await statements.execute('select 1');
      await statements.ping();
      expect(seen).toEqual([]);
      const failing = [statements.query('oops'), statements.execute('oops'), statements.query('select 2')];
      expect(await Promise.all(failing.map(async (each) => (await settled(each)).error?.code))).toEqual([
        'ER_PARSE_ERROR',
        'ER_PARSE_ERROR',
        undefined,
      ]);
      expect(seen.splice(0)).toEqual(['oops', 'function', 'oops', 'function']);
      expect(heard).toEqual([]);
      await new Promise((resolve) => connection.query('wrong').once('error', resolve));
      expect([heard.splice(0), seen]).toEqual([['wrong', 'ER_PARSE_ERROR'], []]);
      const streamed = connection.query({ sql: 'select sleep(5)', timeout: 100 }).on('error', () => {});
      await new Promise((resolve) => streamed.once('error', resolve));
      expect([heard, seen.splice(0)]).toEqual([
        ['select sleep(5)', 'PROTOCOL_SEQUENCE_TIMEOUT'],
        ['select sleep(5)', 'undefined'],
      ]);
      const lost = [statements.query('select 3'), statements.query('select 4')].map(settled);
      connection.on('error', () => {});
      internals.breakOff(connection, new Error('lost'));
      await Promise.all(lost);
      expect(seen).toEqual(['select 3', 'function', 'select 4', 'function']);
      await end(other as never);
    },
  );

  onServersWith('COM_RESET_CONNECTION', '_handleSuccessfulRelease:', () => {
    it('or a pause would not hear of a connection that comes back once it was reset', async () => {
      const other = mysql2.createPool({ ...configOf(), connectionLimit: 1, resetOnRelease: true });
      const returned: boolean[] = [];
      const connection = await leaseOf(other as never);
      const leave = internals.onReturned(other, () => returned.push(internals.hasFree(other)));
      connection.release();
      expect(returned).toEqual([]);
      await expect.poll(() => returned).toEqual([true]);
      leave();
      (await leaseOf(other as never)).release();
      await expect.poll(() => internals.hasFree(other)).toBe(true);
      expect(returned).toEqual([true]);
      await end(other as never);
    });
  });

  it('Connection.createQuery: or pool.query would read its arguments in another way than mysql2', async () => {
    const named = mysql2.createPool({ host: lab.hosts[0]!.address, namedPlaceholders: true });
    const given: [sql: unknown, values: unknown][] = [
      ['select ? as n', [1]],
      [{ sql: 'select ?', values: [1], timeout: 5 }, undefined],
      [{ sql: 'select :n', namedPlaceholders: false, rowsAsArray: true }, { n: 1 }],
    ];
    const read = (query: object): unknown => ({ ...query, onResult: null, _unpipeStream: null });
    for (const [sql, values] of given) {
      const stock = named.query(sql as string, values as unknown[], () => {});
      expect(read(internals.createQuery(driver, named, sql, values, () => {}))).toEqual(read(stock));
    }
    await end(named as never);
  });

  it('_connectionQueue, once more: or a busy pool’s callers would pass by its limits, its events and its tracing', async () => {
    const callback = (): void => {};
    const queues = (options: mysql2.PoolOptions): boolean => {
      const other = mysql2.createPool({ host: lab.hosts[0]!.address, ...options });
      const queue: internals.GetCallback[] = [];
      internals.installQueue(other, queue);
      const queued = internals.queueLast(other, callback);
      expect(queue).toEqual(queued ? [callback] : []);
      return queued;
    };
    expect([{}, { queueLimit: 1 }, { waitForConnections: false }].map(queues)).toEqual([true, false, false]);
    const ended = mysql2.createPool({ host: lab.hosts[0]!.address });
    await end(ended as never);
    expect(internals.queueLast(ended, callback)).toBe(false);
    const traced = (): void => {};
    const channel = tracingChannel('mysql2:pool:connect').asyncEnd;
    channel.subscribe(traced);
    expect(queues({})).toBe(false);
    channel.unsubscribe(traced);
  });

  it('_freeConnections and _released: or a free connection would be lent in another way than mysql2’s', async () => {
    const other = mysql2.createPool({ ...configOf(), connectionLimit: 2 });
    const [first, second] = [await leaseOf(other as never), await leaseOf(other as never)];
    first.release();
    second.release();
    const callback = (): void => {};
    const told: unknown[] = [];
    other.on('acquire', (connection) => told.push(connection));
    const ours = new Promise<mysql2.PoolConnection>((resolve) => {
      expect(internals.lendFree(other, (_, connection) => resolve(connection), callback)).toBe(true);
    });
    expect(told).toEqual([second]);
    const theirs = leaseOf(other as never);
    expect(await ours).toBe(second);
    expect(await theirs).toBe(first);
    expect(internals.lendFree(other, () => {}, callback)).toBe(false);
    second.release();
    expect(internals.isFree(other, second)).toBe(true);
    first.release();
    const traced = (): void => {};
    const channel = tracingChannel('mysql2:pool:connect').asyncEnd;
    channel.subscribe(traced);
    expect(internals.lendFree(other, () => {}, callback)).toBe(false);
    channel.unsubscribe(traced);
    await end(other as never);
    expect(internals.lendFree(other, () => {}, callback)).toBe(false);
  });

  it('release and lastActiveTime: or the lease of a statement would end in another way than mysql2’s', async () => {
    const other = mysql2.createPool({ ...configOf(), connectionLimit: 1 });
    const connection = await leaseOf(other as never);
    const isPlain = (): boolean => internals.isPlainLease(other, connection, driver.PoolConnection.prototype.release);
    const told: unknown[] = [];
    other.on('release', (released) => told.push(released));
    const before = Date.now();
    expect(isPlain()).toBe(true);
    internals.setFree(other, connection);
    expect([told, internals.isFree(other, connection), isPlain()]).toEqual([[connection], true, false]);
    expect((connection as unknown as { lastActiveTime: number }).lastActiveTime).toBeGreaterThanOrEqual(before);
    await leaseOf(other as never);
    await new Promise<void>((resolve) => {
      internals.lendNext(() => resolve(), connection);
      expect(isPlain()).toBe(false);
    });
    expect([isPlain(), told.length]).toEqual([true, 1]);
    connection.release = () => {};
    expect(isPlain()).toBe(false);
    delete (connection as { release?: unknown }).release;
    connection.query({ sql: 'select sleep(1)', timeout: 1 }, () => {});
    await expect.poll(isPlain).toBe(false);
    connection.destroy();
    expect(isPlain()).toBe(false);
    await end(other as never);
  });

  it('stream: or a transaction that is broken off would leave its statement running', async () => {
    const connection = await lease();
    expect(internals.isEnded(connection)).toBe(false);
    const sleeping = settled(connection.promise().query('select sleep(30)'));
    const error = new Error('enough');
    connection.on('error', () => {});
    internals.breakOff(connection, error);
    expect((await sleeping).error).toBe(error);
    expect([internals.isEnded(connection), internals.isRemoved(connection)]).toEqual([true, true]);
  });

  it('_nodes: or the pools of a cluster would not follow', () => {
    const cluster = mysql2.createPoolCluster();
    cluster.add('a', { host: '127.0.0.1' });
    expect(Object.keys(internals.nodesOf(cluster))).toEqual(['a']);
    expect(internals.nodesOf(cluster)['a']!.pool).toBeInstanceOf(driver.Pool);
  });
});
