import path from 'node:path';
import type { PoolConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/mysql2/index.js';
import { MYSQL_EFFECTS } from '../../src/outcome/effects.js';
import { onlyReads } from '../../src/outcome/reads.js';
import {
  ASKS_THE_SESSION,
  type Engine,
  ENGINES,
  FOLDER,
  MYSQL_BACKUP_PASSES,
  ON_MYSQL,
  PASSES,
  PASSES_ON_MYSQL,
  REFUSED,
  REMOTE,
  SOURCE_ONLY,
  ON_MARIADB,
} from './effects.js';
import { end, lease, makePool, onServersWith, onServersWithPlugin, settled, startServers } from './support.js';

async function inReadOnly(connection: PoolConnection, sql: string): ReturnType<typeof settled> {
  await connection.query('start transaction read only');
  try {
    return await settled(connection.query(sql));
  } finally {
    await connection.query('rollback');
  }
}

onServersWith('sequence', 'in a READ ONLY transaction of MariaDB', () => {
  let lab: Lab;
  let pool: Pool;
  let connection: PoolConnection;

  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    await lab.hosts[0]!.database.query('create sequence effects_s');
    await lab.hosts[0]!.database.query('create table effects_auto (n int auto_increment primary key)');
    pool = makePool(lab);
    connection = (await lease(pool)).promise();
  }, 60_000);
  afterAll(async () => {
    connection.release();
    await end(pool);
    await lab.close();
  });

  it.each([...PASSES, ...ON_MARIADB])('%s passes, so it is never run again', async (_, sql) => {
    expect((await inReadOnly(connection, sql)).error).toBeUndefined();
    expect(onlyReads(sql, 'mysql')).toBe(false);
  });

  it.each(REFUSED)('%s is refused', async (_, sql) => {
    expect((await inReadOnly(connection, sql)).error?.code).toBe('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION');
    expect(onlyReads(sql, 'mysql')).toBe(false);
  });

  it.each(ASKS_THE_SESSION)('after %j another session answers otherwise to %j', async (prepared, sql) => {
    const [one, other] = [(await lease(pool)).promise(), (await lease(pool)).promise()];
    const answer = async (on: PoolConnection): Promise<unknown> => (await on.query(sql))[0];
    // Where the session remembers its last statement, that is this one.
    await other.query('select 1');
    await one.query(prepared);
    expect(await answer(other)).not.toEqual(await answer(one));
    expect(onlyReads(sql, 'mysql')).toBe(false);
    for (const each of [one, other]) each.destroy();
  });

  it('a lock and a variable outlive it: they belong to the session', async () => {
    await inReadOnly(connection, "select get_lock('eip_pool_2', 0), @eip_pool_2 := 7");
    const [rows] = await connection.query(
      "select is_used_lock('eip_pool_2') = connection_id() as held, @eip_pool_2 as v",
    );
    expect(rows).toEqual([{ held: 1, v: 7 }]);
  });

  it.each([
    'select 1',
    'select @@port',
    'show databases',
    '(select 1)',
    'with a as (select 1) select * from a',
    'values (1)',
  ])('what only reads passes too: %s', async (sql) => {
    expect((await inReadOnly(connection, sql)).error).toBeUndefined();
    expect(onlyReads(sql, 'mysql')).toBe(true);
  });
});

for (const engine of ENGINES) {
  const suite = `in a READ ONLY transaction of MariaDB with ${engine.library}`;
  onServersWithPlugin(engine.library, engine.package, suite, () => provesEngine(engine));
}

function provesEngine({ library, prepared, passes }: Engine): void {
  let lab: Lab;
  let pool: Pool;
  let connection: PoolConnection;
  /** A statement for this lab. */
  let meant: (sql: string) => string;

  beforeAll(async () => {
    lab = await startServers({ mariadb: { settings: { 'plugin-load-add': library } } });
    const [near, far] = lab.hosts as [Lab['hosts'][0], Lab['hosts'][0]];
    for (const table of ['far', 'copied']) await far.database.query(`create table ${table} (n int primary key)`);
    const { user, password, database } = lab.connection!;
    const remote = Object.entries({ host: far.database.address, port: far.database.port, user, password, database });
    const folder = path.join(lab.snapshot().folder!, near.id);
    meant = (sql) =>
      sql.replaceAll(FOLDER, folder).replaceAll(REMOTE, remote.map(([name, value]) => `${name} "${value}"`).join(', '));
    for (const sql of prepared) await near.database.query(meant(sql));
    pool = makePool(lab);
    connection = (await lease(pool)).promise();
  }, 60_000);
  afterAll(async () => {
    connection.release();
    await end(pool);
    await lab.close();
  });

  it.each(passes)('%s passes, so it is never run again: %s', async (_, template, witness) => {
    const sql = meant(template);
    expect(onlyReads(sql, 'mysql')).toBe(false);
    const seen = async (): Promise<unknown> =>
      witness === null ? null : (await lab.hosts[0]!.database.query<{ v: unknown }>(meant(witness)))[0]!.v;
    const before = await seen();
    expect((await inReadOnly(connection, sql)).error).toBeUndefined();
    if (witness !== null) await expect.poll(seen).not.toEqual(before);
  });
}

describe('the list for MariaDB and MySQL', () => {
  const called = (sql: string): string[] => sql.match(/\w+(?=\()|(?:next|previous) value for/g) ?? [];
  const proved = [
    ...[...PASSES, ...ON_MARIADB, ...REFUSED, ...ENGINES.flatMap(({ passes }) => passes)].map(([, sql]) => sql),
    ...[...ON_MYSQL, ...MYSQL_BACKUP_PASSES].map(([sql]) => sql),
    ...PASSES_ON_MYSQL,
  ].flatMap(called);

  it('has no entry without a proof, but for those that stand on their source alone', () => {
    const unproved = MYSQL_EFFECTS.filter((entry) => {
      const pattern = new RegExp(`^${entry.replace('*', String.raw`\w*`)}$`);
      return !proved.some((name) => pattern.test(name));
    });
    expect(unproved.toSorted()).toEqual(Object.keys(SOURCE_ONLY).toSorted());
  });

  it.each(Object.keys(SOURCE_ONLY))('%s is never run again', (entry) => {
    expect(onlyReads(`select ${entry.replace('*', 'x')}('a')`, 'mysql')).toBe(false);
  });
});
