import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { WAITED } from '../../src/pg/driver-words.js';
import * as internals from '../../src/pg/internals.js';
import { settled, startServers } from './support.js';

/** Each test says what breaks if a private member of the driver goes or changes its meaning. */
let lab: Lab;
let pool: pg.Pool;

beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
  pool = new pg.Pool({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection, max: 2 });
}, 60_000);
afterAll(async () => {
  await pool?.end();
  await lab?.close();
});

describe('the private members of pg-pool', () => {
  it('_clients and _idle: or idle connections to the old server would be handed out', async () => {
    const client = await pool.connect();
    expect(internals.newestClient(pool)).toBe(client);
    expect([internals.isMember(pool, client), internals.isIdle(pool, client)]).toEqual([true, false]);
    client.release();
    expect(internals.isIdle(pool, client)).toBe(true);
    internals.takeOut(pool, client);
    expect([pool.totalCount, pool.idleCount, client.listenerCount('error')]).toEqual([0, 0, 0]);
    internals.closeClient(pool, client);
    await new Promise((resolve) => pool.once('remove', resolve));
  });

  it('_expired: or a leased connection would return to the pool after its address was left', async () => {
    const client = await pool.connect();
    internals.expire(pool, client);
    const removed = new Promise((resolve) => pool.once('remove', resolve));
    client.release();
    await removed;
    expect(pool.totalCount).toBe(0);
  });

  it('_poolUseCount and _queryable: or what pg-pool closes at a release would be handed out again', async () => {
    const given = { ...pool.options, password: lab.connection!.password, max: 1, maxUses: 2 };
    const other = new pg.Pool(given);
    const kept: boolean[] = [];
    for (let use = 0; use < 2; use++) {
      const client = await other.connect();
      kept.push(internals.isKept(other, client));
      client.release();
    }
    expect([...kept, other.totalCount]).toEqual([true, false, 0]);
    const ended = await other.connect();
    void ended.end();
    expect(internals.isKept(other, ended)).toBe(false);
    ended.release();
    await other.end();
  });

  it('_idle: or a client that is given back by us would be another one than pg-pool gives back', async () => {
    const given = { ...pool.options, password: lab.connection!.password, max: 1, idleTimeoutMillis: 0 };
    const states = [false, true].map(async (ours) => {
      const other = new pg.Pool(given);
      const told: unknown[] = [];
      other.on('release', (error, client) => told.push(error, client === clients[0]));
      const clients = [await other.connect()];
      const [client] = clients;
      if (ours) internals.keepIdle(other, client!, () => {}, undefined);
      else client!.release();
      const { totalCount, idleCount } = other;
      const { _poolUseCount } = client as unknown as { _poolUseCount: number };
      const state = { totalCount, idleCount, _poolUseCount, listeners: client!.listenerCount('error'), told };
      const again = await other.connect();
      again.release();
      await other.end();
      return { ...state, again: again === client };
    });
    const [stock, ours] = await Promise.all(states);
    expect(ours).toEqual(stock);
  });

  it('_pendingQueue and _pulseQueue: or callers would not be served after a failover, or by end()', async () => {
    const other = new pg.Pool({ ...pool.options, max: 2, password: lab.connection!.password });
    const queue = internals.installQueue(other);
    const held = await Promise.all([other.connect(), other.connect()]);
    const waiting = other.connect();
    expect([queue.length, other.waitingCount]).toEqual([1, 1]);
    const item = queue.latest!;
    expect(queue.remove(item)).toBe(true);
    expect(other.waitingCount).toBe(0);
    queue.queueAgain(item);
    internals.takeOut(other, held[0]);
    internals.pulse(other);
    (await waiting).release();
    internals.closeClient(other, held[0]);
    held[1].release();
    await other.end();
  });

  it('_pendingQueue again: or a caller whose time is over would be served after it was told so', async () => {
    const options = { ...pool.options, max: 1, password: lab.connection!.password };
    const other = new pg.Pool(options);
    const queue = internals.installQueue(other);
    const held = await other.connect();
    other.options.connectionTimeoutMillis = 50;
    const outcomes = await Promise.all([settled(other.connect()), settled(other.connect())]);
    expect(outcomes.map(({ error }) => error?.message)).toEqual(outcomes.map(() => WAITED));
    expect(queue.length).toBe(0);
    held.release();
    await other.end();
  });

  it('_clients again: or end() would not wait for leases that drain', async () => {
    const other = new pg.Pool({ ...pool.options, password: lab.connection!.password });
    const client = await other.connect();
    internals.takeOut(other, client);
    internals.putBack(other, [client]);
    const ended = other.end();
    expect(other.ended).toBe(false);
    client.release();
    await ended;
  });

  it('newClient: or nobody would wait through a failover', async () => {
    const other = new pg.Pool({ ...pool.options, password: lab.connection!.password });
    const made = await new Promise<pg.PoolClient | undefined>((resolve) => {
      internals.makeClient(internals.stockOf(pg), other, {
        callback: (_error, client, release) => {
          release();
          resolve(client);
        },
      });
    });
    expect(made).toBeInstanceOf(pg.Client);
    await other.end();
  });
});

describe('the private members of pg', () => {
  it('connection and its stream: or no socket could be told apart', () => {
    const stream = {};
    const client = new pg.Client({ stream: (() => stream) as never });
    expect(internals.streamOf(client)).toBe(stream);
  });

  it('_activeQuery and the errorMessage event: or a read-only refusal could not be called rejected', async () => {
    const client = await pool.connect();
    const seen: (string | undefined)[] = [];
    const late = new pg.Client({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection });
    internals.onServerError(late, () => seen.push(internals.activeStatement(late)));
    await late.connect();
    await settled(late.query('select 1 / 0'));
    expect(seen).toEqual(['select 1 / 0']);
    await late.end();
    client.release();
  });

  it('the parameterStatus event: or a server that was demoted would be taken for a writable one', async () => {
    const late = new pg.Client({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection });
    const seen = new Map<string, string>();
    internals.onParameter(late, (name, value) => void seen.set(name, value));
    await late.connect();
    expect([seen.get('in_hot_standby'), seen.get('default_transaction_read_only')]).toEqual(['off', 'off']);
    await late.query('set default_transaction_read_only = on');
    expect(seen.get('default_transaction_read_only')).toBe('on');
    await late.end();
  });

  it('the readyForQuery event: or nobody would know whether a transaction is still open', async () => {
    const client = await pool.connect();
    const seen: string[] = [];
    const stop = internals.onReady(client, (status) => seen.push(status));
    for (const sql of ['begin', 'select 1', 'select 1 / 0', 'rollback']) await settled(client.query(sql));
    stop();
    await client.query('select 1');
    expect(seen).toEqual(['T', 'T', 'E', 'I']);
    client.release();
  });

  it('_release and _remove: or nobody would know what was given back, and how', async () => {
    const calls: unknown[] = [];
    class Listening extends (pg.Pool as unknown as new (config: pg.PoolConfig) => internals.Overridable) {
      override _release(...args: Parameters<internals.PoolPrivate['_release']>): void {
        calls.push(['release', args[0], typeof args[1], args[2]]);
        super._release(...args);
      }

      override _remove(client: pg.PoolClient, callback?: () => void): void {
        calls.push(['remove', client]);
        super._remove(client, callback);
      }
    }
    const other = new Listening({ ...pool.options, password: lab.connection!.password }) as unknown as pg.Pool;
    const client = await other.connect();
    client.release();
    const again = await other.connect();
    const error = new Error('broken');
    again.release(error);
    expect(calls).toEqual([
      ['release', client, 'function', undefined],
      ['release', client, 'function', error],
      ['remove', client],
    ]);
    await other.end();
  });

  it('the end of a connection: or a pool would go on counting on it', async () => {
    const late = new pg.Client({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection });
    const seen: string[] = [];
    await late.connect();
    late.once('end', () => seen.push('end'));
    const ended = new Promise<void>((resolve) => {
      internals.onEnd(late, () => {
        seen.push('onEnd');
        resolve();
      });
    });
    await Promise.all([late.end(), ended]);
    expect(seen).toEqual(['end', 'onEnd']);
  });

  it('_acquireClient: or a connection to the old server could be handed out', async () => {
    const other = new pg.Pool({ ...pool.options, password: lab.connection!.password });
    const stock = internals.stockOf(pg);
    const client = await other.connect();
    const handed = await new Promise<unknown>((resolve) => {
      const item = { callback: (_error: unknown, got: unknown) => resolve(got) };
      internals.handOver(stock, other, client, item, () => {}, false);
    });
    expect(handed).toBe(client);
    client.release();
    await other.end();
  });
});
