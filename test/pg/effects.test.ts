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
}, 60_000);
afterAll(async () => {
  await client?.end();
  if (lab !== undefined) await admin(`select pg_read_file('PG_VERSION')`);
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
