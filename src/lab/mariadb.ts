import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseContext } from './database.js';
import { CONNECTION } from './embedded-postgres.js';
import type { MariaDbInstallation } from './mariadb-binaries.js';
import type { Watchdog } from './process-tree.js';
import { LISTEN_ADDRESS, ServerProcess } from './server-process.js';

const run = promisify(execFile);

/** How the lab's MariaDB (or MySQL 5.6) servers run. */
export interface MariaDbOptions {
  /**
   * Server options over the lab's own, without dashes: `{ 'max-connections': '5' }`.
   * @defaultValue none
   */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /**
   * Makes the servers offer TLS: a private key and a certificate, both PEM.
   * @defaultValue unset: no TLS
   */
  readonly ssl?: { readonly key: string; readonly cert: string } | undefined;
}

const ADMIN: string = 'lab';

/** Nothing of it outlives the lab, so nothing of it must survive a power cut. */
const SETTINGS: Readonly<Record<string, string>> = {
  'bind-address': LISTEN_ADDRESS,
  'innodb-flush-log-at-trx-commit': '0',
  'innodb-buffer-pool-size': '16M',
  'performance-schema': 'OFF',
  'character-set-server': 'utf8mb4',
};

export class MariaDb extends ServerProcess {
  override readonly kind: string = 'mariadb';
  readonly #installation: MariaDbInstallation;
  readonly #options: MariaDbOptions;
  readonly #watchdog: Watchdog;
  readonly #adminPassword: string = randomBytes(18).toString('hex');
  readonly #data: string;

  private constructor(
    installation: MariaDbInstallation,
    options: MariaDbOptions,
    context: DatabaseContext,
    watchdog: Watchdog,
  ) {
    super(context);
    this.#installation = installation;
    this.#options = options;
    this.#watchdog = watchdog;
    this.#data = join(context.folder, 'data');
  }

  /** A copy of the template, with the user and database `app`. */
  static async start(
    installation: MariaDbInstallation,
    options: MariaDbOptions,
    context: DatabaseContext,
    watchdog: Watchdog,
  ): Promise<MariaDb> {
    const server = new MariaDb(installation, options, context, watchdog);
    await server.#initialise();
    await server.startOnFreePort();
    return server;
  }

  override async query<Row>(sql: string): Promise<Row[]> {
    const { createConnection } = (await import('mysql2/promise')).default;
    const connection = await createConnection({
      host: this.address,
      port: this.port,
      user: ADMIN,
      password: this.#adminPassword,
      database: CONNECTION.database,
    });
    connection.on('error', () => undefined); // the query, or the next one, reports it
    try {
      return (await connection.query(sql))[0] as Row[];
    } finally {
      await connection.end();
    }
  }

  async #initialise(): Promise<void> {
    const { folder } = this.context;
    const { template, runAs } = this.#installation;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await cp(template, this.#data, { recursive: true });
    const { ssl } = this.#options;
    if (ssl !== undefined) {
      await writeFile(join(folder, 'server.key'), ssl.key, { mode: 0o600 });
      await writeFile(join(folder, 'server.crt'), ssl.cert, { mode: 0o600 });
    }
    const { user, password, database } = CONNECTION;
    // Run at each start; one statement a line.
    const sql = [
      `CREATE DATABASE IF NOT EXISTS ${database};`,
      `GRANT ALL ON ${database}.* TO '${user}'@'%' IDENTIFIED BY '${password}';`,
      `GRANT ALL ON *.* TO '${ADMIN}'@'127.0.0.1' IDENTIFIED BY '${this.#adminPassword}' WITH GRANT OPTION;`,
    ];
    await writeFile(join(folder, 'init.sql'), `${sql.join('\n')}\n`, { mode: 0o600 });
    if (runAs.uid !== undefined) await run('chown', ['-R', `${runAs.uid}:${runAs.gid ?? runAs.uid}`, folder]);
  }

  protected override saysReady(line: string): boolean {
    return line.includes('ready for connections');
  }

  /** MariaDB finds out by itself that its last run was killed. */
  protected override async tidy(): Promise<void> {}

  protected override spawnServer(): ChildProcess {
    const { server, flags, environment, runAs } = this.#installation;
    const { folder } = this.context;
    const { ssl } = this.#options;
    const tls = { 'ssl-cert': join(folder, 'server.crt'), 'ssl-key': join(folder, 'server.key') };
    const settings = { ...SETTINGS, ...(ssl === undefined ? {} : tls), ...this.#options.settings };
    const paths = {
      datadir: this.#data,
      tmpdir: folder,
      socket: join(folder, 'socket'),
      'pid-file': join(folder, 'pid'),
      'init-file': join(folder, 'init.sql'),
    };
    const named = Object.entries({ ...paths, ...settings }).map(([name, value]) => `--${name}=${value}`);
    const args = ['--no-defaults', ...flags, ...named, `--port=${this.port}`, '--skip-name-resolve', '--skip-log-bin'];
    const child = spawn(server, args, {
      ...runAs,
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#watchdog.guard(child);
    child.on('error', (error) => this.context.log(`${server}: ${error.message}`));
    return child;
  }
}
