import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onlyReads } from '../../src/outcome/reads.js';
import type { Lab } from '../../src/lab/index.js';
import { startServers } from './support.js';

/** Each call is let pass by READ ONLY, and something is different afterwards: this is why it is in the list. */
let lab: Lab;
let admin: (sql: string) => Promise<Record<string, unknown>[]>;
let client: pg.Client;
const file = path.join(os.tmpdir(), `eip-pool-effects-${process.pid}`);

beforeAll(async () => {
  lab = await startServers({ hosts: 1, postgres: { settings: { wal_level: 'logical' } } });
  const { database } = lab.hosts[0]!;
  admin = (sql) => database.query(sql);
  await admin('alter role app superuser');
  client = new pg.Client({ host: database.address, port: database.port, ...lab.connection });
  await client.connect();
  for (const name of ['dblink', 'tablefunc', 'xml2', 'pg_surgery', 'pg_visibility']) {
    await client.query(`create extension ${name}`);
  }
  await client.query(PREPARED);
  const { host, port, user, password, database: dbname } = client;
  const dsn = Object.entries({ host, port, user, password, dbname }).map(([name, value]) => `${name}=${value}`);
  await client.query('select set_config($1, $2, false)', ['app.dsn', dsn.join(' ')]);
}, 60_000);
afterAll(async () => {
  await client?.end();
  await lab?.close();
});

async function readOnly(sql: string): Promise<unknown> {
  await client.query('begin read only');
  try {
    const { rows } = await client.query<{ v: unknown }>(sql);
    await client.query('commit');
    return rows[0]?.v;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

const PREPARED = `
  create table t0 (n int, a int[]);
  create index brin on t0 using brin (n) with (pages_per_range = 1);
  create index gin on t0 using gin (a);
  insert into t0 select n, array[n] from generate_series(1, 1000) as n;
  create table x (a int, b text);
  insert into x values (1, '<a/>');
  create view lateral_t as select pg_advisory_lock(8)::text as a, '1' as b`;

/** What tells that something has happened. */
const lsn = 'select pg_current_wal_insert_lsn()::text as v';
const locks = "select count(*)::int as v from pg_locks where locktype = 'advisory'";
const slots = 'select count(*)::int as v from pg_replication_slots';
const nextId = 'select pg_snapshot_xmax(pg_current_snapshot())::text as v';

describe('READ ONLY lets pass, with an effect that stays,', () => {
  it.each([
    ["select pg_logical_emit_message(false, 'a', 'b') as v", lsn],
    ["select pg_create_physical_replication_slot('one', true) as v", slots],
    ["select pg_copy_physical_replication_slot('one', 'two') as v", slots],
    ["select pg_drop_replication_slot('two') as v", slots],
    ["select pg_create_restore_point('here') as v", lsn],
    ['select pg_switch_wal() as v', lsn],
    ['select pg_advisory_lock(1) as v', locks],
    ['select pg_try_advisory_lock(2) as v', locks],
    ['select pg_advisory_unlock_all() as v', locks],
    ["select set_config('app.setting', '7', false) as v", "select current_setting('app.setting', true) as v"],
    ['select txid_current() as v', nextId],
    ['select pg_current_xact_id() as v', nextId],
    ["select query_to_xml('select pg_advisory_lock(3)', true, true, '') as v", locks],
    ["select ts_stat('select to_tsvector(pg_advisory_lock(4)::text)') as v", locks],
    ['select pg_stat_reset_shared(null) as v', 'select stats_reset::text as v from pg_stat_bgwriter'],
    ["select pg_replication_origin_create('o') as v", 'select count(*)::int as v from pg_replication_origin'],
    ["select dblink_connect('c', current_setting('app.dsn')) as v", 'select dblink_get_connections() as v'],
    ["select 1 as v from crosstab('select pg_advisory_lock(5)::text, $$1$$, $$1$$') as c(a text, b text)", locks],
    ["select 1 as v from connectby('lateral_t', 'a', 'b', '1', 0) as c(a text, b text, l int)", locks],
    [
      "select 1 as v from xpath_table('a', 'b', 'x', '/a', 'pg_advisory_lock(6) is not null') as c(a int, b text)",
      locks,
    ],
    ["select ts_rewrite('a', 'select to_tsquery($$a$$), to_tsquery($$b$$ || pg_advisory_lock(7)::text)') as v", locks],
    ["select brin_summarize_new_values('brin') as v", lsn],
    ["select gin_clean_pending_list('gin') as v", lsn],
    ["select heap_force_freeze('t0', array['(0,1)'::tid]) as v", lsn],
    ["select pg_truncate_visibility_map('t0') as v", lsn],
    ["select pg_backup_start('one', true) as v", lsn],
    ['select pg_backup_stop() as v', lsn],
    [
      'select pg_reload_conf() as v',
      // The server notes when it read its files last.
      'select pg_conf_load_time()::text as v',
    ],
  ])('%s', async (sql, witness) => {
    const seen = async (): Promise<unknown> => (await client.query<{ v: unknown }>(witness)).rows[0]?.v;
    const before = await seen();
    await readOnly(sql);
    await expect.poll(seen).not.toEqual(before);
    expect(onlyReads(sql, 'postgres')).toBe(false);
  });

  it('lo_export', async () => {
    const { rows } = await client.query<{ id: string }>("select lo_from_bytea(0, 'x')::text as id");
    const sql = `select lo_export(${rows[0]!.id}, '${file}') as v`;
    await readOnly(sql);
    expect(existsSync(file)).toBe(true);
    expect(onlyReads(sql, 'postgres')).toBe(false);
    await admin(`copy (select 1) to program 'rm ${file}'`);
  });

  it('pg_notify', async () => {
    await client.query('listen news');
    const heard = new Promise((resolve) => client.once('notification', resolve));
    await readOnly("select pg_notify('news', 'x') as v");
    expect(await heard).toMatchObject({ channel: 'news', payload: 'x' });
  });

  it.each(['pg_terminate_backend', 'pg_cancel_backend'])('%s', async (name) => {
    const victim = new pg.Client({
      host: lab.hosts[0]!.database.address,
      port: lab.hosts[0]!.database.port,
      ...lab.connection,
    });
    victim.on('error', () => {});
    await victim.connect();
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    const sleeping = victim.query('select pg_sleep(30)').catch((error: unknown) => error);
    const asleep = `select count(*)::int as v from pg_stat_activity where pid = ${rows[0]!.pid} and wait_event = 'PgSleep'`;
    await expect.poll(async () => (await admin(asleep))[0]).toEqual({ v: 1 });
    const sql = `select ${name}(${rows[0]!.pid}) as v`;
    await readOnly(sql);
    expect(await sleeping).toMatchObject({ code: /cancel/.test(name) ? '57014' : '57P01' });
    expect(onlyReads(sql, 'postgres')).toBe(false);
    await victim.end().catch(() => {});
  });
});

describe('READ ONLY refuses by itself, so that no list need name it,', () => {
  it.each([
    'select nextval($$q$$) as v',
    'select setval($$q$$, 1) as v',
    'select * from t for update',
    'with a as (insert into t values (1) returning n) select * from a',
    'select n into u from t',
  ])('%s', async (sql) => {
    await client.query('create table if not exists t (n int); create sequence if not exists q');
    await expect(readOnly(sql)).rejects.toMatchObject({ code: '25006' });
  });
});
