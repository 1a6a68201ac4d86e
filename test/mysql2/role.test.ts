import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions } from '../../src/mysql2/index.js';
import {
  countsOf,
  end,
  fill,
  lease,
  makePool,
  next,
  onServers,
  portOf,
  resetLab,
  serverOf,
  settled,
  startServers,
} from './support.js';

let lab: Lab;
let pool: Pool;
let pools: Pool[] = [];

const make = (failover: PoolOptions['failover'] = { role: 'writable' }, extra: PoolOptions = {}): Pool => {
  pool = makePool(lab, { failover, ...extra });
  pools.push(pool);
  return pool;
};
const setReadOnly = async (index: number, on: boolean): Promise<void> => {
  await lab.hosts[index]!.database.query(`set global read_only = ${Number(on)}`);
};
const insert = (n: number): Promise<unknown> => pool.promise().query('insert into role_t values (?)', [n]);
const written = async (index: number): Promise<number[]> => {
  const rows = await lab.hosts[index]!.database.query<{ n: number }>('select n from role_t order by n');
  return rows.map(({ n }) => n);
};

onServers('a read-only server of MySQL’s protocol', () => {
  beforeAll(async () => {
    lab = await startServers();
    for (const { database } of lab.hosts) await database.query('create table role_t (n int)');
  }, 60_000);
  beforeEach(async () => {
    for (const { database } of lab.hosts) await database.query('truncate role_t');
    await resetLab(lab);
  });
  afterEach(async () => {
    await Promise.all(pools.splice(0).map(end));
    await setReadOnly(0, false);
    await setReadOnly(1, false);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('passes its refusal on at once with role any, and its connections stay', async () => {
    make({});
    await fill(pool, 1);
    await setReadOnly(0, true);
    const { error } = await settled(insert(1));
    expect([error?.code, outcomeOf(error)]).toEqual(['ER_OPTION_PREVENTS_STATEMENT', 'rejected']);
    expect(await serverOf(pool)).toBe(portOf(lab, 0));
  });

  it('is waited for when it was demoted in place, and what it refused is run again when it takes writes', async () => {
    make();
    await fill(pool, 3);
    const replays: ReplayEvent[] = [];
    pool.endpoint!.on('replay', (event) => replays.push(event));
    await setReadOnly(0, true);
    const suspected = next(pool.endpoint!, 'suspect');
    const inserting = [insert(1), pool.promise().execute('insert into role_t values (?)', [2])];
    await suspected;
    await expect.poll(() => countsOf(pool).idle).toBe(0);
    expect(await written(0)).toEqual([]);
    await setReadOnly(0, false);
    await Promise.all(inserting);
    expect(await written(0)).toEqual([1, 2]);
    expect(replays.map(({ outcome, why, statement }) => [outcome, why, statement])).toEqual(
      Array(replays.length).fill(['rejected', 'rejected', 'insert']),
    );
    expect(replays.length).toBeGreaterThan(0);
  });

  it('is left for the server to which the name moves meanwhile', async () => {
    make();
    await fill(pool, 2);
    await setReadOnly(0, true);
    const suspected = next(pool.endpoint!, 'suspect');
    const inserting = insert(1);
    await suspected;
    await lab.move(lab.hosts[1]!);
    await inserting;
    expect([await written(0), await written(1)]).toEqual([[], [1]]);
  });

  it('keeps what is leased there with its caller, and nobody gets it after him', async () => {
    make(undefined, { connectionLimit: 2 });
    const held = await lease(pool);
    await setReadOnly(0, true);
    const { error } = await settled(held.promise().query('insert into role_t values (1)'));
    expect(outcomeOf(error)).toBe('rejected');
    const waiting = insert(2);
    expect(await serverOf(held)).toBe(portOf(lab, 0));
    held.release();
    await setReadOnly(0, false);
    await waiting;
    expect(await written(0)).toEqual([2]);
  });

  it('fails a pool that never had a connection, unless it is to wait at the start', async () => {
    await setReadOnly(0, true);
    make();
    const { error } = await settled(insert(1));
    expect([error?.code, outcomeOf(error)]).toEqual(['READ_ONLY_SERVER', 'not-sent']);
    make({ role: 'writable', waitAtStart: true });
    const suspected = next(pool.endpoint!, 'suspect');
    const inserting = insert(2);
    await suspected;
    await setReadOnly(0, false);
    await inserting;
    expect(await written(0)).toEqual([2]);
  });

  it('ends the wait at the deadline with its role as the cause', async () => {
    make({ role: 'writable', deadlineMillis: 500 });
    await fill(pool, 1);
    await setReadOnly(0, true);
    const { error } = await settled(insert(1));
    expect(error?.code).toBe('DEADLINE_EXCEEDED');
    expect(error?.message).toContain('is read-only');
  });

  it('is of no use to a user with SUPER either, who could write to it', async () => {
    const { database } = lab.hosts[0]!;
    await database.query("grant all on *.* to 'chief'@'%' identified by 'secret'");
    await setReadOnly(0, true);
    make({ role: 'writable' }, { user: 'chief', password: 'secret' });
    expect((await settled(insert(1))).error?.code).toBe('READ_ONLY_SERVER');
    expect(await written(0)).toEqual([]);
  });

  it('costs one question for each new connection, and none for a statement', async () => {
    const { database } = lab.hosts[0]!;
    const selects = async (): Promise<number> => {
      const [row] = await database.query<{ Value: string }>("show global status like 'Com_select'");
      return Number(row!.Value);
    };
    make(undefined, { connectionLimit: 1 });
    const before = await selects();
    for (let i = 0; i < 20; i++) await pool.promise().query('select 1');
    expect((await selects()) - before).toBe(21);
  });
});
