import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions } from '../../src/mysql2/index.js';
import { end, fill, lease, makePool, onServers, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
let replays: ReplayEvent[];

const readFor = (seconds: number): string => `select sleep(${seconds}) as slept, @@port as port`;

const make = (extra: PoolOptions = {}): void => {
  pool = makePool(lab, extra);
  replays = [];
  pool.endpoint!.on('replay', (event) => replays.push(event));
};

async function running(): Promise<number[]> {
  const rows = await lab.hosts[0]!.database.query<{ id: number }>(
    "select id from information_schema.processlist where user = 'app' and command in ('Query', 'Execute')",
  );
  return rows.map(({ id }) => id);
}

/** So many reads, by promises and by callbacks, as text and prepared; resolves when the server works on all of them. */
async function readsInFlight(
  count: number,
  seconds: number = 1,
): Promise<Promise<{ value?: unknown; error?: Error }>[]> {
  const sql = readFor(seconds);
  const byCallback = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      pool.query(sql, (error, rows) => (error === null ? resolve(rows) : reject(error)));
    });
  const byPromise = async (): Promise<unknown> => (await pool.promise().execute(sql))[0];
  const reads = Array.from({ length: count }, (_, place) => settled(place % 2 === 0 ? byPromise() : byCallback()));
  await expect.poll(async () => (await running()).length).toBe(count);
  return reads;
}

/** One that has just been started, and is started again, can be told from one that was not by its sessions' numbers. */
async function serveSessions(count: number): Promise<void> {
  for (let served = 0; served < count; served++) await lab.hosts[0]!.database.query('do 0');
}

const answered = (count: number, index: number): unknown[] =>
  Array(count).fill({ value: [{ slept: 0, port: portOf(lab, index) }] });

onServers('reads in flight of a pool', () => {
  beforeAll(async () => {
    lab = await startServers();
    // A table that a server which is killed keeps: the lab's make nothing last.
    for (const { database } of lab.hosts) await database.query('create table restart_t (n int) engine = MyISAM');
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    await lab.hosts[0]!.database.query('truncate restart_t');
  });
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  const refusesForAWhile = async (): Promise<void> => {
    lab.hosts[0]!.kill();
    await expect.poll(() => pool.endpoint!.state).toBe('down');
    await lab.hosts[0]!.restore();
  };
  const restarts = (): Promise<void> => lab.hosts[0]!.database.restart();

  it.each([
    ['its address refuses for a while', 10, refusesForAWhile],
    ['it is killed and started at once', 10, restarts],
    ['it is killed and started at once, while connections are idle', 3, restarts],
  ])('are all answered where the name stays and the server goes: %s', async (_, count, befall) => {
    make();
    await serveSessions(60);
    await fill(pool);
    const reads = await readsInFlight(count);
    await befall();
    expect(await Promise.all(reads)).toEqual(answered(count, 0));
    expect(replays).toHaveLength(count);
  });

  it('wait no longer than their deadline to be run again, whoever else waits', async () => {
    make({ connectionLimit: 1, failover: { deadlineMillis: 1_000 } });
    const [read] = await readsInFlight(1);
    const others = Array.from({ length: 3 }, () => settled(pool.promise().query('select 1')));
    lab.hosts[0]!.kill();
    expect(outcomeOf((await read)!.error)).toBe('unknown');
    for (const { error } of await Promise.all(others)) expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('are not run again where they write, unless their caller vouches for them', async () => {
    make();
    const sql = 'insert into restart_t select sleep(1)';
    const [write, vouched] = [{ sql }, { sql, idempotent: true }].map((query) => settled(pool.promise().query(query)));
    await expect.poll(async () => (await running()).length).toBe(2);
    await restarts();
    expect(outcomeOf((await write)!.error)).toBe('unknown');
    expect((await vouched)!.error).toBeUndefined();
    expect(await lab.hosts[0]!.database.query('select n from restart_t')).toEqual([{ n: 0 }]);
    expect(replays).toMatchObject([{ why: 'idempotent' }]);
  });

  it.each([
    ['is refused by the first one', 0],
    ['has connections to the second one, so that nobody tries the first one again', 2],
  ])('are all answered where one of two addresses dies; the pool %s', async (_, onSecond) => {
    make();
    const [first, second] = lab.hosts as [Lab['hosts'][0], Lab['hosts'][0]];
    lab.dns.setAnswer({ a: [first.address, second.address] });
    await expect.poll(() => pool.endpoint!.current?.addresses.length ?? pool.endpoint!.start()).toBe(2);
    const held = await Promise.all(Array.from({ length: 4 }, () => lease(pool)));
    expect(new Set(await Promise.all(held.map(serverOf)))).toEqual(new Set([portOf(lab, 0)]));
    if (onSecond > 0) first.refuse();
    const others = await Promise.all(Array.from({ length: onSecond }, () => lease(pool)));
    for (const connection of held) connection.release();
    const reads = await readsInFlight(4);
    for (const connection of others) connection.release();
    first.kill();
    expect(await Promise.all(reads)).toEqual(answered(4, 1));
    expect(replays).toHaveLength(4);
  });

  it.each([
    ['all of them, so that every connection is new', 10],
    ['one of them, while others are idle', 1],
  ])('fail where somebody killed them on a server that stays: %s', async (_, count) => {
    make();
    await fill(pool);
    const reads = await readsInFlight(count, 30);
    for (const id of await running()) await lab.hosts[0]!.database.query(`kill ${id}`);
    for (const { error } of await Promise.all(reads)) expect(outcomeOf(error)).toBe('unknown');
    expect(replays).toEqual([]);
  });
});
