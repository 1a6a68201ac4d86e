import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReplayEvent } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { parseOnly } from '../../src/pg/internals.js';
import { fill, makePool, portOf, resetLab, settled, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
let replays: ReplayEvent[];

beforeAll(async () => {
  lab = await startServers();
  for (const { database } of lab.hosts) {
    await database.query(`
      create extension tablefunc;
      create function own(n int) returns int language plpgsql volatile as $$ begin return n + 1; end $$`);
  }
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  // A server goes on with what nobody waits for any more.
  await lab.hosts[0]!.database.query(`select pg_terminate_backend(pid) from (${SLEEPING}) as sleeping`);
  await expect.poll(asleep).toBe(0);
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function make(extra: PoolConfig = {}): void {
  pool = makePool(lab, { ...extra, follow: { intervalMillis: 100 }, failover: { drainMillis: 0 } });
  replays = [];
  pool.endpoint!.on('replay', (event) => void replays.push(event));
}

const SLEEPING = "select pid from pg_stat_activity where wait_event = 'PgSleep'";
const asleep = async (): Promise<number> => (await lab.hosts[0]!.database.query(SLEEPING)).length;

/** The work is under way when its server is left. */
async function leave<T>(work: () => Promise<T>): Promise<{ value?: T; error?: Error }> {
  await fill(pool, 2);
  const result = settled(work());
  await expect.poll(asleep).toBe(1);
  await lab.move(lab.hosts[1]!);
  return await result;
}

const VALUES = `12345678901234567::int8 as big, 1.10::numeric as num, true as yes, '{1,2}'::int[] as list,
  '2026-01-02'::date as day, '{"a":1}'::jsonb as j, 'x'::bytea as b, 1.5::float8 as f, null as nothing, 'text' as t`;
/** It takes the first server long, the second one no time. */
const sleep = (): string => `pg_sleep(case inet_server_port() when ${portOf(lab, 0)} then 30 else 0 end)`;
const slow = (): string => `select ${VALUES} from (select ${sleep()}) as slept`;

/** As libraries for tagged templates make their statements. */
class Sql {
  readonly parts: readonly string[];
  readonly given: readonly unknown[];

  constructor(parts: readonly string[], given: readonly unknown[]) {
    this.parts = parts;
    this.given = given;
  }

  get text(): string {
    return this.parts.reduce((text, part, index) => `${text}$${index}${part}`);
  }

  get values(): unknown[] {
    return [...this.given];
  }
}

type Config = pg.QueryConfig | pg.QueryArrayConfig;
const binary = { binary: true } as PoolConfig;

describe('a read that is run again has the values of a first run', () => {
  it.each<[string, PoolConfig, (text: string) => object | string]>([
    ['as text', {}, (text) => text],
    ['as text, where others are binary', binary, (text) => text],
    ['with values', binary, (text) => ({ text: `${text} where $1 = 1`, values: [1] })],
    ['with no values', binary, (text) => ({ text, values: [] })],
    ['by its name', binary, (text) => ({ text, name: 'slow' })],
    ['in the extended protocol', binary, (text) => ({ text, queryMode: 'extended' })],
    ['binary by itself', {}, (text) => ({ text: `${text} where $1 = 1`, values: [1], binary: true })],
    ['as arrays', binary, (text) => ({ text, rowMode: 'array' })],
    ['in portions', {}, (text) => ({ text, rows: 1 })],
  ])('%s', async (_, options, queryOf) => {
    make(options);
    const query = (): Config => queryOf(slow()) as Config;
    const { value } = await leave(() => pool.query(query()));
    expect(replays).toHaveLength(1);
    const expected = await pool.query(query());
    expect(value!.rows).toEqual(expected.rows);
    expect(value!.fields).toEqual(expected.fields);
  });

  it('with a statement whose parts are accessors of its class', async () => {
    make();
    const sql = new Sql(['select ', `::int as n from (select ${sleep()}) as slept where `, '::int = 8'], [7, 8]);
    const told: unknown[] = [];
    const { value } = await leave(
      () =>
        new Promise((resolve) => {
          pool.query(sql as unknown as string, (error: Error | null, result: pg.QueryResult) => {
            told.push(error);
            resolve(result?.rows);
          });
        }),
    );
    expect([value, replays.length, told.length]).toEqual([[{ n: 7 }], 1, 1]);
  });

  it('with a function of the application’s', async () => {
    make();
    const { value } = await leave(() => pool.query(`select own(1) from (select ${sleep()}) as slept`));
    expect([value?.rows, replays.length]).toEqual([[{ own: 2 }], 1]);
  });
});

describe('a read is not run again', () => {
  it.each([
    [
      'that an extension’s volatile function serves',
      (pause: string) => `select count(*) from normal_rand(1, 0, 1), ${pause}`,
    ],
    ['that asks for its own session', (pause: string) => `select pg_backend_pid(), ${pause}`],
    [
      'whose quotes hide a call',
      (pause: string) => `select $a$ $A$ ' $a$, pg_advisory_lock(4711), ${pause}, 1 as one --'`,
    ],
  ])('%s', async (_, sqlOf) => {
    make();
    expect((await leave(() => pool.query(sqlOf(sleep())))).error).toMatchObject({ code: 'ADDRESS_LEFT' });
    expect(replays).toEqual([]);
    const locks = "select from pg_locks where locktype = 'advisory'";
    expect(await lab.hosts[1]!.database.query(locks)).toEqual([]);
  });
});

describe('what the server parses', () => {
  it('is not run, and is refused where it is more than one statement', async () => {
    make({ max: 1 });
    const client = await pool.connect();
    await parseOnly(client, 'select pg_advisory_lock(1)');
    await expect(parseOnly(client, 'select 1; select pg_advisory_lock(1)')).rejects.toMatchObject({ code: '42601' });
    expect((await client.query("select from pg_locks where locktype = 'advisory'")).rowCount).toBe(0);
    client.release();
  });
});
