import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POSTGRES_EFFECTS } from '../../src/outcome/effects.js';
import { onlyReads } from '../../src/outcome/reads.js';
import type { Lab, LabHost } from '../../src/lab/index.js';
import { postgres } from '../chaos/dialect.js';
import { clientTo, Replication, REPLICATION_SETTINGS } from '../chaos/replication.js';
import {
  ASKS_THE_SESSION,
  BY_THEMSELVES,
  HARMLESS,
  NOT_FOR_CLIENTS,
  OF_THE_SESSION,
  ON_A_STANDBY,
  PASSES,
  REFUSED,
  STAYS,
  UP_TO_14,
  UP_TO_15,
  WITH_FAILOVER_SLOTS,
} from './effects.js';
import { POSTGRES_14, postgres14 } from './postgres-14.js';
import { makeStandby, startServers } from './support.js';

let lab: Lab;
let admin: (sql: string) => Promise<Record<string, unknown>[]>;
let client: pg.Client;
const file = path.join(os.tmpdir(), `eip-pool-effects-${process.pid}`);

beforeAll(async () => {
  const settings = { wal_level: 'logical', shared_preload_libraries: 'pg_stat_statements,pg_prewarm' };
  lab = await startServers({ hosts: 1, postgres: { settings } });
  const { database } = lab.hosts[0]!;
  admin = (sql) => database.query(sql);
  client = await superuser(lab);
  for (const { name } of await admin(EXTENSIONS))
    await client.query(`create extension if not exists "${String(name)}" cascade`);
  await client.query(PREPARED);
  const { host, port, user, password, database: dbname } = client;
  const dsn = Object.entries({ host, port, user, password, dbname }).map(([name, value]) => `${name}=${value}`);
  await client.query('select set_config($1, $2, false)', ['app.dsn', dsn.join(' ')]);
  await client.query(`
    create server remote foreign data wrapper postgres_fdw options (host '${host}', port '${port}', dbname '${dbname}');
    create user mapping for app server remote options (user '${user}', password '${String(password)}');
    create foreign table far (n int) server remote options (table_name 't0')`);
  await client.query('select from far limit 1');
}, 60_000);
afterAll(async () => {
  await client?.end();
  await lab?.close();
});

async function superuser(of: Lab): Promise<pg.Client> {
  const { database } = of.hosts[0]!;
  // A server that has become a standby knows already.
  await database.query('alter role app superuser').catch(() => {});
  const made = new pg.Client({ host: database.address, port: database.port, ...of.connection });
  await made.connect();
  return made;
}

async function readOnly(sql: string, on: pg.Client = client): Promise<unknown> {
  await on.query('begin read only');
  try {
    const { rows } = await on.query<{ v: unknown }>(sql);
    await on.query('commit');
    return rows[0]?.v;
  } catch (error) {
    await on.query('rollback');
    throw error;
  }
}

/** READ ONLY lets it pass, and something is different afterwards. */
async function proveThatItStays(sql: string, witness: string, on: pg.Client = client): Promise<void> {
  const seen = async (): Promise<unknown> => (await on.query<{ v: unknown }>(witness)).rows[0]?.v;
  const before = await seen();
  await readOnly(sql, on);
  await expect.poll(seen).not.toEqual(before);
  expect(onlyReads(sql, 'postgres')).toBe(false);
}

/** All that come with the server, but for languages. */
const EXTENSIONS = "select name from pg_available_extensions where name !~ 'pl(python|perl|tcl)' order by name";

const PREPARED = `
  create table t0 (n int, a int[]);
  create index brin on t0 using brin (n) with (pages_per_range = 1);
  create index gin on t0 using gin (a);
  insert into t0 select n, array[n] from generate_series(1, 1000) as n;
  analyze t0;
  create table t (n int);
  create sequence q;
  create table x (a int, b text);
  insert into x values (1, '<a/>');
  create view lateral_t as select pg_advisory_lock(8)::text as a, '1' as b`;

describe('READ ONLY lets pass, with an effect that stays,', () => {
  it.each(STAYS)('%s', async (sql, witness) => await proveThatItStays(sql, witness));

  it.each(PASSES)('%s', async (sql) => {
    await readOnly(sql);
    expect(onlyReads(sql, 'postgres')).toBe(false);
  });

  it.each(OF_THE_SESSION)('or of this session alone, %s', async (sql) => {
    await expect(readOnly(sql)).rejects.toMatchObject({ code: '55000' });
    const other = await superuser(lab);
    await other.query("select nextval('q')");
    expect(await readOnly(sql, other)).toBe('1');
    await other.query("select setval('q', 1, false)");
    await other.end();
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
    const sql = "select pg_notify('news', 'x') as v";
    await readOnly(sql);
    expect(await heard).toMatchObject({ channel: 'news', payload: 'x' });
    expect(onlyReads(sql, 'postgres')).toBe(false);
  });

  it.each(['pg_terminate_backend', 'pg_cancel_backend'])('%s', async (name) => {
    const victim = await superuser(lab);
    victim.on('error', () => {});
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

describe('another session answers otherwise, or not at all,', () => {
  it.each(ASKS_THE_SESSION)('after %j to %j', async (prepared, sql) => {
    const [one, other] = [await superuser(lab), await superuser(lab)];
    const answer = async (on: pg.Client): Promise<unknown> =>
      await on.query<Record<string, unknown>>(sql).then(
        ({ rows }) => rows.map((row) => Object.values(row)),
        ({ message }: Error) => message,
      );
    await one.query(prepared);
    expect(await answer(other)).not.toEqual(await answer(one));
    expect(onlyReads(sql, 'postgres')).toBe(false);
    await Promise.all([one.end(), other.end()]);
  });
});

describe('READ ONLY refuses by itself, so that no list need name it,', () => {
  it.each(REFUSED)('%s', async (sql) => {
    await expect(readOnly(sql)).rejects.toMatchObject({ code: '25006' });
  });
});

describe('the list', () => {
  const called = (sql: string): string[] => sql.match(/\w+(?=\()/g) ?? [];
  const proved = [
    ...[...STAYS, ...ON_A_STANDBY, WITH_FAILOVER_SLOTS, ...UP_TO_15, ...UP_TO_14].map(([sql]) => sql),
    ...PASSES,
    ...OF_THE_SESSION,
  ];

  it('has no entry without a proof', () => {
    const names = [...proved.flatMap(called), ...BY_THEMSELVES];
    const unproved = POSTGRES_EFFECTS.filter((entry) => {
      const pattern = new RegExp(`^${entry.replace('*', String.raw`\w*`)}$`);
      return !names.some((name) => pattern.test(name));
    });
    expect(unproved).toEqual([]);
  });

  /** A server of a newer version fails here with the names of what it has added: prove each, and put it on its list. */
  it('has every volatile function that the server knows, unless it is refused or harmless', async () => {
    const rows = await admin(`
      select distinct proname as name from pg_proc
      where provolatile = 'v' and prokind = 'f' and not 'internal'::regtype = any(proargtypes::oid[])
        and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)`);
    expect(rows.length).toBeGreaterThan(250);
    const refused = new Set(REFUSED.flatMap(called));
    const unknown = rows
      .map(({ name }) => name as string)
      .filter((name) => onlyReads(`select ${name}()`, 'postgres'))
      .filter((name) => !HARMLESS.has(name) && !refused.has(name) && !NOT_FOR_CLIENTS.test(name));
    expect(unknown).toEqual([]);
  });

  it('names nothing harmless', () => {
    expect([...HARMLESS].filter((name) => !onlyReads(`select ${name}()`, 'postgres'))).toEqual([]);
  });
});

describe('a standby, which is read-only throughout, lets pass', () => {
  it('what drives its recovery', async () => {
    const standby = await startServers({ hosts: 1 });
    try {
      const { database, id } = standby.hosts[0]!;
      await database.query('alter role app superuser');
      await makeStandby(standby, id);
      await database.restart();
      const on = await superuser(standby);
      for (const [sql, witness] of ON_A_STANDBY) await proveThatItStays(sql, witness, on);
      await on.end();
    } finally {
      await standby.close();
    }
  }, 30_000);
});

describe('the standby of a primary with slots for fail-overs lets pass', () => {
  it('the copying of those slots', async () => {
    const settings = { ...REPLICATION_SETTINGS, wal_level: 'logical' };
    const servers = await startServers({ postgres: { settings } });
    try {
      await new Replication(servers, postgres).prepare();
      const [{ database: primary }, standby] = servers.hosts as [LabHost, LabHost];
      const on = clientTo(standby);
      await on.connect();
      await primary.query("select pg_create_physical_replication_slot('of_the_standby', true)");
      await primary.query("select pg_create_logical_replication_slot('kept', 'test_decoding', false, false, true)");
      const { rows } = await on.query<{ info: string }>("select current_setting('primary_conninfo') as info");
      for (const setting of [
        `primary_conninfo = '${rows[0]!.info} dbname=app'`,
        "primary_slot_name = 'of_the_standby'",
        'hot_standby_feedback = on',
      ])
        await on.query(`alter system set ${setting}`);
      await on.query('select pg_reload_conf()');
      const [sql, witness] = WITH_FAILOVER_SLOTS;
      expect((await on.query(witness)).rows).toEqual([{ v: 0 }]);
      // Until the standby has reported back, and the slot has moved on, there is nothing that could be kept.
      await expect
        .poll(async () => {
          await primary.query('select pg_log_standby_snapshot()');
          await primary.query("select count(*) from pg_logical_slot_get_changes('kept', null, null)");
          await readOnly(sql, on);
          return (await on.query(witness)).rows;
        })
        .toEqual([{ v: 1 }]);
      expect(onlyReads(sql, 'postgres')).toBe(false);
      await on.end();
    } finally {
      await servers.close();
    }
  }, 60_000);
});

const OLD_SERVER = '/usr/lib/postgresql/15';

describe.skipIf(!existsSync(OLD_SERVER))(`PostgreSQL 15 (skipped without ${OLD_SERVER}) lets pass`, () => {
  it('large objects, and the files of its administrators', async () => {
    const old = await startServers({ hosts: 1, postgres: { binaries: OLD_SERVER } });
    try {
      const on = await superuser(old);
      await on.query('create extension adminpack');
      for (const [sql, witness] of UP_TO_15) await proveThatItStays(sql, witness, on);
      await on.end();
    } finally {
      await old.close();
    }
  }, 30_000);
});

const old = await postgres14();

describe.skipIf(old === null)(`PostgreSQL 14 (skipped where npm has no ${POSTGRES_14}) lets pass`, () => {
  it('a backup under its older names', async () => {
    const servers = await startServers({ hosts: 1, postgres: { binaries: old! } });
    try {
      const on = await superuser(servers);
      for (const [sql, witness] of UP_TO_14) await proveThatItStays(sql, witness, on);
      await on.end();
    } finally {
      await servers.close();
    }
  }, 30_000);
});
