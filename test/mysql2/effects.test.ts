import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import { onlyReads } from '../../src/outcome/reads.js';
import type { Pool } from '../../src/mysql2/index.js';
import type { PoolConnection } from 'mysql2/promise';
import { end, lease, makePool, onServersWith, settled, startServers } from './support.js';

/** What READ ONLY lets pass on the server, so that only the list keeps it from being run again. */
const PASSES: readonly (readonly [entry: string, sql: string])[] = [
  ['get_lock', "select get_lock('eip_pool', 0)"],
  ['release_lock', "select release_lock('eip_pool')"],
  ['release_all_locks', 'select release_all_locks()'],
  ['last_insert_id', 'select last_insert_id(7)'],
  ['found_rows', 'select found_rows()'],
  ['row_count', 'select row_count()'],
  ['uuid_short', 'select uuid_short()'],
  ['lastval', 'select lastval(effects_s)'],
  ['previous value for', 'select previous value for effects_s'],
  ['a session variable', 'select @eip_pool := 7'],
  ['INTO a variable', 'select 7 into @eip_pool'],
];

/** What READ ONLY refuses by itself on this server; the list names it for servers that do not. */
const REFUSED: readonly (readonly [entry: string, sql: string])[] = [
  ['nextval', 'select nextval(effects_s)'],
  ['next value for', 'select next value for effects_s'],
  ['setval', 'select setval(effects_s, 100)'],
];

/** Functions of plug-ins that this server does not have. */
const ABSENT: readonly string[] = [
  'service_get_*',
  'service_release_*',
  'group_replication_*',
  'asynchronous_connection_failover_*',
  'keyring_key_*',
  'audit_log_*',
  'version_tokens_*',
  'mysql_firewall_*',
  'gen_dictionary_*',
  'sys_exec',
  'sys_eval',
  'sys_set',
];

onServersWith('sequence', 'in a READ ONLY transaction of MariaDB', () => {
  let lab: Lab;
  let pool: Pool;
  let connection: PoolConnection;

  const inReadOnly = async (sql: string): ReturnType<typeof settled> => {
    await connection.query('start transaction read only');
    try {
      return await settled(connection.query(sql));
    } finally {
      await connection.query('rollback');
    }
  };

  beforeAll(async () => {
    lab = await startServers({ hosts: 1 });
    await lab.hosts[0]!.database.query('create sequence effects_s');
    pool = makePool(lab);
    connection = (await lease(pool)).promise();
  }, 60_000);
  afterAll(async () => {
    connection.release();
    await end(pool);
    await lab.close();
  });

  it.each(PASSES)('%s passes, so it is never run again', async (_, sql) => {
    expect((await inReadOnly(sql)).error).toBeUndefined();
    expect(onlyReads(sql, 'mysql')).toBe(false);
  });

  it.each(REFUSED)('%s is refused', async (_, sql) => {
    expect((await inReadOnly(sql)).error?.code).toBe('ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION');
    expect(onlyReads(sql, 'mysql')).toBe(false);
  });

  it('a lock and a variable outlive it: they belong to the session', async () => {
    await inReadOnly("select get_lock('eip_pool_2', 0), @eip_pool_2 := 7");
    const [rows] = await connection.query(
      "select is_used_lock('eip_pool_2') = connection_id() as held, @eip_pool_2 as v",
    );
    expect(rows).toEqual([{ held: 1, v: 7 }]);
  });

  it.each(ABSENT)('%s: never run again, unproved since this server has no such function', (entry) => {
    expect(onlyReads(`select ${entry.replace('*', 'x')}('a')`, 'mysql')).toBe(false);
  });

  it.each([
    'select 1',
    'select @@port',
    'show tables',
    '(select 1)',
    'with a as (select 1) select * from a',
    'values (1)',
  ])('what only reads passes too: %s', async (sql) => {
    expect((await inReadOnly(sql)).error).toBeUndefined();
    expect(onlyReads(sql, 'mysql')).toBe(true);
  });
});
