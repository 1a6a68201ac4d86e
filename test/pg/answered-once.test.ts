import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { Pool, type PoolConfig } from '../../src/pg/index.js';
import { makePool, resetLab, settled, startServers } from './support.js';

const CALLERS = 60;

let lab: Lab;
let pool: Pool;

beforeAll(async () => {
  lab = await startServers({ hosts: 1 });
  const { database } = lab.hosts[0]!;
  await database.query('create table written (id int); grant all on written to app');
  await database.query("create role few login password 'few' connection limit 3; grant all on written to few");
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  await lab.hosts[0]!.database.query('truncate written');
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

interface Caller {
  readonly told: (Error | undefined)[];
}

/** Each caller writes its number with a callback, which may be called more than once. */
async function write(count: number): Promise<Caller[]> {
  const callers = Array.from({ length: count }, (): Caller => ({ told: [] }));
  await Promise.all(
    callers.map(
      async ({ told }, id) =>
        await new Promise<void>((resolve) => {
          pool.query('insert into written values ($1)', [id], (error) => {
            told.push(error ?? undefined);
            resolve();
          });
        }),
    ),
  );
  return callers;
}

async function rows(): Promise<Map<number, number>> {
  const found = await lab.hosts[0]!.database.query<{ id: number; n: number }>(
    'select id, count(*)::int as n from written group by id',
  );
  return new Map(found.map(({ id, n }) => [id, n]));
}

async function expectTruth(callers: readonly Caller[]): Promise<void> {
  const written = await rows();
  for (const [id, { told }] of callers.entries()) {
    expect(told, `caller ${id}`).toHaveLength(1);
    const [error] = told;
    const expected = error === undefined ? 1 : outcomeOf(error) === 'not-sent' ? 0 : undefined;
    if (expected !== undefined) expect(written.get(id) ?? 0, `caller ${id}: ${error?.message}`).toBe(expected);
  }
  expect([...written.values()].filter((n) => n > 1)).toEqual([]);
}

describe('a caller is answered once, and a statement runs once', () => {
  const full: readonly PoolConfig[] = [{}, { connectionTimeoutMillis: 3_000 }, { failover: { role: 'writable' } }];
  it.each(full)('on a server that has no free session for half of the pool: %j', async (extra) => {
    pool = makePool(lab, { user: 'few', password: 'few', max: 8, ...extra });
    (await pool.connect()).release();
    for (let round = 0; round < 3; round++) {
      await lab.hosts[0]!.database.query('truncate written');
      await expectTruth(await write(CALLERS));
      expect(pool.waitingCount).toBe(0);
    }
  });

  it('where the password function fails now and then', async () => {
    let asked = 0;
    const password = async (): Promise<string> => {
      if (++asked % 3 === 2) throw new Error('the token service is down');
      return lab.connection!.password;
    };
    pool = makePool(lab, { password, max: 20, failover: { deadlineMillis: 10_000 } });
    (await pool.connect()).release();
    const callers = await write(CALLERS);
    await expectTruth(callers);
    expect(callers.some(({ told }) => told[0]?.message === 'the token service is down')).toBe(true);
  });

  it('and a login that failed here, before the server was asked, keeps no place that another could have', async () => {
    const password = async (): Promise<string> => {
      throw new Error('the token service is down');
    };
    pool = makePool(lab, { password });
    expect((await settled(pool.connect())).error?.message).toBe('the token service is down');
    // A socket that was destroyed is closed two turns later at the latest.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(pool.endpoint!.snapshot().sockets).toMatchObject({ open: 0, connecting: 0, leaving: 0 });
  });

  it('and a failed login leaves no lease that nobody has', async () => {
    let asked = 0;
    const password = async (): Promise<string> => {
      if (++asked === 2) throw new Error('the token service is down');
      return lab.connection!.password;
    };
    pool = makePool(lab, { password, max: 5 });
    const results = await Promise.all(Array.from({ length: 5 }, () => settled(pool.connect())));
    expect(results.filter(({ error }) => error !== undefined)).toHaveLength(1);
    for (const { value } of results) value?.release();
    expect([pool.totalCount, pool.idleCount]).toEqual([4, 4]);
  });
});

describe('a caller whose connectionTimeoutMillis is over', () => {
  let mute: Server;

  beforeEach(async () => {
    mute = createServer((socket) => socket.resume().on('error', () => {}));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    mute.close();
  });

  it('is told so once, whether it waited for a connection or for its turn', async () => {
    const { port } = mute.address() as AddressInfo;
    pool = new Pool({ host: 'localhost', port, user: 'u', connectionTimeoutMillis: 100, max: 1 });
    const told = [0, 0, 0, 0];
    await Promise.all(
      told.map(
        async (_, n) =>
          await new Promise<void>((resolve) => {
            pool.connect(() => {
              told[n]!++;
              resolve();
            });
          }),
      ),
    );
    // Whatever else would answer has had its moment when the pool has none of them left.
    await expect.poll(() => pool.totalCount, { timeout: 15_000 }).toBe(0);
    expect(told).toEqual([1, 1, 1, 1]);
  });

  it('does not let a connection into the pool that nobody examined', async () => {
    const host = lab.hosts[0]!;
    pool = makePool(lab, { max: 1, connectionTimeoutMillis: 1_500, failover: { role: 'writable', replay: 'none' } });
    const held = await pool.connect();
    await host.database.query('alter system set default_transaction_read_only = on');
    await host.database.query('select pg_reload_conf()');
    host.slow(700);
    try {
      const late = settled(pool.connect());
      held.release(true);
      expect((await late).error).toBeDefined();
      host.slow(0);
      expect((await settled(pool.connect())).error?.code).toBe('DEADLINE_EXCEEDED');
      await host.database.query('alter system reset default_transaction_read_only');
      await host.database.query('select pg_reload_conf()');
      await expect
        .poll(async () => (await settled(pool.query('insert into written values (1)'))).error, { timeout: 15_000 })
        .toBeUndefined();
    } finally {
      host.slow(0);
      await host.database.query('alter system reset default_transaction_read_only');
      await host.database.query('select pg_reload_conf()');
    }
  });
});
