import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { outcomeOf, type ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions, QueryOptions } from '../../src/mysql2/index.js';
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
  settled,
  startServers,
} from './support.js';

let lab: Lab;
let pool: Pool;
let replays: ReplayEvent[];

const make = (extra: PoolOptions = {}): void => {
  pool = makePool(lab, extra);
  replays = [];
  pool.endpoint!.on('replay', (event) => replays.push(event));
};

/** What the old server is asked takes it long, the new one answers at once. */
const SLOW = 'select sleep(if(@@port = ?, 30, 0)) as slept, @@port as port';
const oldPort = (): number => portOf(lab, 0);
const newPort = (): number => portOf(lab, 1);

/** Breaks the connection of the work when it is on its way; the name moves. */
async function failOver(work: Promise<unknown>, count: number = 1): Promise<{ value?: unknown; error?: unknown }> {
  const result = settled(work);
  await expect.poll(() => running(0)).toBe(count);
  lab.hosts[0]!.kill();
  await lab.move(lab.hosts[1]!);
  return await result;
}

async function running(index: number): Promise<number> {
  const rows = await lab.hosts[index]!.database.query(
    "select 1 from information_schema.processlist where user = 'app' and command in ('Query', 'Execute')",
  );
  return rows.length;
}

onServers('a statement of a pool whose connection is lost', () => {
  beforeAll(async () => {
    lab = await startServers();
    for (const { database } of lab.hosts) {
      await database.query('create table replay_t (n int)');
      await database.query('create function writes() returns int begin insert into replay_t values (1); return 1; end');
    }
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
    for (const { database } of lab.hosts) {
      for (const { id } of await database.query<{ id: number }>(
        "select id from information_schema.processlist where user = 'app'",
      )) {
        await database.query(`kill ${id}`).catch(() => {});
      }
      await database.query('truncate replay_t');
    }
    await expect.poll(() => running(0)).toBe(0);
  });
  afterEach(async () => {
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  it('that reads is repeated where the name has moved, once, and an event tells', async () => {
    make();
    await fill(pool, 2);
    const { value } = await failOver(pool.promise().query(SLOW, [oldPort()]));
    expect((value as unknown[])[0]).toEqual([{ slept: 0, port: newPort() }]);
    expect(replays).toEqual([
      { outcome: 'unknown', why: 'reads', statement: 'select', error: expect.objectContaining({ fatal: true }) },
    ]);
  });

  it('that reads is answered before those who came since', async () => {
    make({ connectionLimit: 1 });
    await fill(pool, 1);
    const served: string[] = [];
    const run = (who: string, sql: string): Promise<void> =>
      pool
        .promise()
        .query(sql, [oldPort()])
        .then(() => void served.push(who));
    const read = run('read', SLOW);
    const others = Array.from({ length: 4 }, () => run('other', 'select ?'));
    await failOver(read);
    await Promise.all(others);
    // One of them had a connection made for it as soon as there was room.
    expect(served.indexOf('read')).toBeLessThanOrEqual(1);
  });

  it('that reads takes nobody’s place: all who wait are answered, and nobody twice', async () => {
    make({ connectionLimit: 2 });
    await fill(pool, 2);
    const ask = (n: number): Promise<unknown> => settled(pool.promise().query(SLOW, [oldPort()])).then(() => n);
    const work = Promise.all(Array.from({ length: 12 }, (_, n) => ask(n)));
    await expect.poll(() => running(0)).toBe(2);
    // By the time at which they may be run again, others have taken all places.
    const down = next(pool.endpoint!, 'down');
    lab.hosts[0]!.kill();
    await down;
    await lab.move(lab.hosts[1]!);
    expect(await work).toHaveLength(12);
    expect(replays).toHaveLength(2);
    expect(countsOf(pool)).toMatchObject({ waiting: 0 });
  });

  it('that reads is repeated where its server fell silent and was judged dead', async () => {
    make({ failover: { silenceMillis: 250, probeTimeoutMillis: 250, drainMillis: 60_000 } });
    await fill(pool, 1);
    const result = settled(pool.promise().query(SLOW, [oldPort()]));
    await expect.poll(() => running(0)).toBe(1);
    lab.hosts[0]!.stall();
    await next(pool.endpoint!, 'down');
    await lab.move(lab.hosts[1]!);
    expect(((await result).value as unknown[])[0]).toEqual([{ slept: 0, port: newPort() }]);
  });

  it('that was prepared is prepared again, with its values', async () => {
    make();
    await fill(pool, 1);
    const before = await prepared();
    const { value } = await failOver(pool.promise().execute(`${SLOW}, ? as given`, [oldPort(), 'x']));
    expect((value as unknown[])[0]).toEqual([{ slept: 0, port: newPort(), given: 'x' }]);
    expect((await prepared()) - before).toBe(1);
  });

  it('that was still being prepared is repeated too, and its caller is told once', async () => {
    make();
    await fill(pool, 1);
    lab.hosts[0]!.stall();
    const told: unknown[] = [];
    pool.execute('select @@port as port', (error, rows) => told.push(error ?? rows));
    await expect.poll(() => countsOf(pool).idle).toBe(0);
    lab.hosts[0]!.kill();
    await lab.move(lab.hosts[1]!);
    await expect.poll(() => told).toEqual([[{ port: newPort() }]]);
    await pool.promise().query('select 1');
    expect(told).toHaveLength(1);
  });

  async function prepared(): Promise<number> {
    const [row] = await lab.hosts[1]!.database.query<{ Value: string }>("show global status like 'Com_stmt_prepare'");
    return Number(row!.Value);
  }

  it.each<[string, QueryOptions, unknown]>([
    ['rows as arrays', { sql: SLOW, rowsAsArray: true }, () => [0, newPort()]],
    ['nested tables', { sql: SLOW, nestTables: '_' }, () => ({ _slept: 0, _port: newPort() })],
    ['type casts', { sql: SLOW, typeCast: () => 'cast' }, () => ({ slept: 'cast', port: 'cast' })],
    [
      'named placeholders',
      { sql: SLOW.replace('?', ':port'), namedPlaceholders: true },
      () => ({ slept: 0, port: newPort() }),
    ],
  ])('keeps what came with it: %s', async (_, options, expected) => {
    make();
    await fill(pool, 1);
    const values = 'namedPlaceholders' in options ? { port: oldPort() } : [oldPort()];
    const { value } = await failOver(pool.promise().query(options, values));
    expect((value as unknown[][])[0]).toEqual([(expected as () => unknown)()]);
  });

  it('that writes is not repeated, unless its caller says that it may be', async () => {
    make();
    await fill(pool, 2);
    const sql = 'insert into replay_t select sleep(if(@@port = ?, 30, 0))';
    const { error } = await failOver(pool.promise().query(sql, [oldPort()]));
    expect(outcomeOf(error)).toBe('unknown');
    expect(await lab.hosts[1]!.database.query('select * from replay_t')).toEqual([]);
    await end(pool);

    await resetLab(lab);
    make();
    await fill(pool, 2);
    await failOver(pool.promise().query({ sql, values: [oldPort()], idempotent: true }), 2);
    expect(await lab.hosts[1]!.database.query('select * from replay_t')).toEqual([{ n: 0 }]);
    expect(replays.map(({ why }) => why)).toEqual(['idempotent']);
  });

  it('that reads by a function which writes is refused by the server when it is repeated: the first error is told', async () => {
    make();
    await fill(pool, 1);
    const { error } = await failOver(pool.promise().query(`${SLOW} from dual where writes() = 1`, [oldPort()]));
    expect(outcomeOf(error)).toBe('unknown');
    expect(replays).toHaveLength(1);
    expect(await lab.hosts[1]!.database.query('select * from replay_t')).toEqual([]);
  });

  it('is not repeated on the same live server: someone killed it there', async () => {
    make();
    await fill(pool, 2);
    const result = settled(pool.promise().query(SLOW, [oldPort()]));
    await expect.poll(() => running(0)).toBe(1);
    const [{ id }] = (await lab.hosts[0]!.database.query<{ id: number }>(
      "select id from information_schema.processlist where user = 'app' and command = 'Query'",
    )) as [{ id: number }];
    await lab.hosts[0]!.database.query(`kill ${id}`);
    expect(outcomeOf((await result).error)).toBe('unknown');
    expect(replays).toEqual([]);
  });

  it.each([
    ['select @@last_insert_id, sleep(if(@@port = ?, 30, 0))'],
    ['select connection_id(), sleep(if(@@port = ?, 30, 0))'],
    ["select 1 --\x01 ' \n , get_lock('a', 0), sleep(if(@@port = ?, 30, 0)) -- '"],
  ])('is not repeated where another session would answer otherwise, or do more: %j', async (sql) => {
    make();
    await fill(pool, 1);
    expect(outcomeOf((await failOver(pool.promise().query(sql, [oldPort()]))).error)).toBe('unknown');
    expect(replays).toEqual([]);
  });

  it('is not repeated with replay none', async () => {
    make({ failover: { replay: 'none' } });
    await fill(pool, 1);
    expect((await failOver(pool.promise().query(SLOW, [oldPort()]))).error).toBeDefined();
    expect(replays).toEqual([]);
  });

  it('is not repeated after its own time-out, which tells nothing of the server', async () => {
    make();
    await fill(pool, 1);
    const { error } = await settled(pool.promise().query({ sql: SLOW, values: [oldPort()], timeout: 100 }));
    await lab.move(lab.hosts[1]!);
    expect([error?.code, replays]).toEqual(['PROTOCOL_SEQUENCE_TIMEOUT', []]);
    await expect.poll(() => countsOf(pool).total).toBe(0);
  });

  it('is not repeated on a lease, which is its caller’s, nor as a stream', async () => {
    make();
    await fill(pool, 2);
    const held = await lease(pool);
    const stream = pool.query(SLOW, [oldPort()]).stream();
    stream.resume();
    const streamed = next<Error>(stream, 'error');
    const { error } = await failOver(held.promise().query(SLOW, [oldPort()]), 2);
    held.release();
    expect([outcomeOf(error), outcomeOf(await streamed)]).toEqual(['unknown', 'unknown']);
    expect(replays).toEqual([]);
  });
});
