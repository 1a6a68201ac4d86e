import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { fill, makePool, portOf, resetLab, serverOf, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
let replays: ReplayEvent[] = [];
const readFor = (seconds: number): string => `select pg_sleep(${seconds}), inet_server_port() as port`;
const WRITE = 'insert into w select 1 from pg_sleep(1)';

beforeAll(async () => {
  lab = await startServers();
  for (const { database } of lab.hosts) await database.query('create table w (n int); grant all on w to app');
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  for (const { database } of lab.hosts) await database.query('truncate w');
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function make(extra: PoolConfig = {}): void {
  pool = makePool(lab, extra);
  replays = [];
  pool.endpoint!.on('replay', (event) => void replays.push(event));
}

/** The server processes of the pool's statements. */
async function running(): Promise<number[]> {
  const rows = await lab.hosts[0]!.database.query<{ pid: number }>(
    "select pid from pg_stat_activity where usename = 'app' and wait_event = 'PgSleep'",
  );
  return rows.map(({ pid }) => pid);
}

/** So many reads, by promises and by callbacks, plain and with values; resolves when the server works on all of them. */
async function readsInFlight(
  count: number,
  seconds: number = 1,
): Promise<Promise<{ value?: unknown; error?: Error }>[]> {
  const text = readFor(seconds);
  const byCallback = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      pool.query<{ port: number }>(text, (error, result) =>
        error == null ? resolve(result.rows[0]!.port) : reject(error),
      );
    });
  const byPromise = async (): Promise<unknown> =>
    (await pool.query<{ port: number }>(`${text}, $1::int`, [1])).rows[0]!.port;
  const reads = Array.from({ length: count }, (_, place) => settled(place % 2 === 0 ? byPromise() : byCallback()));
  await expect.poll(async () => (await running()).length).toBe(count);
  return reads;
}

async function shutDown(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  const file = path.join(lab.snapshot().folder!, 'host-0', 'data', 'postmaster.pid');
  process.kill(Number((await readFile(file, 'utf8')).split('\n')[0]), signal);
}

async function down(): Promise<void> {
  await expect.poll(() => pool.endpoint!.state).toBe('down');
}

describe('reads in flight when their server goes and the name stays', () => {
  const refusesForAWhile = async (): Promise<void> => {
    lab.hosts[0]!.kill();
    await down();
    await lab.hosts[0]!.restore();
  };
  const restarts = (): Promise<void> => lab.hosts[0]!.database.restart();
  const shutsDown = (signal: 'SIGINT' | 'SIGQUIT') => async (): Promise<void> => {
    await shutDown(signal);
    await down();
    await restarts();
  };
  const losesASession = async (): Promise<void> => void process.kill((await running())[0]!, 'SIGKILL');

  it.each([
    ['its address refuses for a while', 10, refusesForAWhile],
    ['it is killed and started at once', 10, restarts],
    ['it is killed and started at once, while connections are idle', 3, restarts],
    ['it is shut down fast and started', 10, shutsDown('SIGINT')],
    ['it is shut down immediately and started', 10, shutsDown('SIGQUIT')],
    ['one of its processes is killed, and it recovers', 10, losesASession],
    ['one of its processes is killed while connections are idle, and it recovers', 1, losesASession],
  ])('are all answered: %s', async (_, count, befall) => {
    make();
    await fill(pool);
    const reads = await readsInFlight(count);
    await befall();
    expect(await Promise.all(reads)).toEqual(Array(count).fill({ value: portOf(lab, 0) }));
    expect(replays).toHaveLength(count);
  });

  it('wait no longer than their deadline to be run again, whoever else waits', async () => {
    make({ max: 1, failover: { deadlineMillis: 1_000 } });
    const [read] = await readsInFlight(1);
    const others = Array.from({ length: 3 }, () => settled(pool.query('select 1')));
    lab.hosts[0]!.kill();
    expect(outcomeOf((await read)!.error)).toBe('unknown');
    for (const { error } of await Promise.all(others)) expect(error?.code).toBe('DEADLINE_EXCEEDED');
  });

  it('are not run again with replay unsent', async () => {
    make({ failover: { replay: 'unsent' } });
    const reads = await readsInFlight(2);
    await restarts();
    for (const { error } of await Promise.all(reads)) expect(outcomeOf(error)).toBe('unknown');
    expect(replays).toEqual([]);
  });

  it('leave alone what writes, unless its caller vouches for it', async () => {
    make();
    const [write, vouched] = [WRITE, { text: WRITE, idempotent: true }].map((query) =>
      settled(pool.query(query as string)),
    );
    await expect.poll(async () => (await running()).length).toBe(2);
    await restarts();
    expect(outcomeOf((await write)!.error)).toBe('unknown');
    expect((await vouched)!.value?.rowCount).toBe(1);
    expect(await lab.hosts[0]!.database.query('select n from w')).toEqual([{ n: 1 }]);
    expect(replays).toMatchObject([{ why: 'idempotent' }]);
  });
});

describe('reads in flight when one of two addresses dies', () => {
  it.each([
    ['is refused by the first one', 0],
    ['has connections to the second one, so that nobody tries the first one again', 2],
  ])('are all answered by the other one; the pool %s', async (_, onSecond) => {
    make();
    const [first, second] = lab.hosts as [Lab['hosts'][0], Lab['hosts'][0]];
    lab.dns.setAnswer({ a: [first.address, second.address] });
    await expect.poll(() => pool.endpoint!.current?.addresses.length ?? pool.endpoint!.start()).toBe(2);
    const held = await Promise.all(Array.from({ length: 4 }, () => pool.connect()));
    expect(new Set(await Promise.all(held.map(serverOf)))).toEqual(new Set([portOf(lab, 0)]));
    if (onSecond > 0) first.refuse();
    const others = await Promise.all(Array.from({ length: onSecond }, () => pool.connect()));
    for (const client of held) client.release();
    const reads = await readsInFlight(4);
    for (const client of others) client.release();
    first.kill();
    expect(await Promise.all(reads)).toEqual(Array(4).fill({ value: portOf(lab, 1) }));
    expect(replays).toHaveLength(4);
  });
});

describe('reads that a server ended which stays', () => {
  const end = async (pids: readonly number[]): Promise<void> =>
    void (await lab.hosts[0]!.database.query(
      `select pg_terminate_backend(pid) from unnest(array[${pids.join()}]) pid`,
    ));

  it.each([
    ['all of them, so that every connection is new', 10],
    ['one of them, while others are idle', 1],
  ])('fail with its word: %s', async (_, count) => {
    make();
    await fill(pool);
    const reads = await readsInFlight(count, 30);
    await end(await running());
    for (const { error } of await Promise.all(reads)) expect(error).toMatchObject({ code: '57P01' });
    expect(replays).toEqual([]);
  });

  it('fail where other connections lead to another address too', async () => {
    make();
    const [first, second] = lab.hosts as [Lab['hosts'][0], Lab['hosts'][0]];
    lab.dns.setAnswer({ a: [first.address, second.address] });
    await expect.poll(() => pool.endpoint!.current?.addresses.length ?? pool.endpoint!.start()).toBe(2);
    const client = await pool.connect();
    first.refuse();
    const other = await pool.connect();
    client.release();
    const [read] = await readsInFlight(1);
    other.release();
    await first.restore();
    await end(await running());
    expect((await read!).error).toMatchObject({ code: '57P01' });
    expect(replays).toEqual([]);
  });
});
