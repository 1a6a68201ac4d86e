import { execFile } from 'node:child_process';
import { chmod, chown, cp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EipPoolError } from '../errors.js';
import type { Database, DatabaseContext, DatabaseFactory, LabConnection } from './database.js';
import { Guardian } from './guardian.js';
import { listen } from './loopback.js';
import { type Binaries, findBinaries, type RunAs, runAs } from './postgres-binaries.js';

/** For `startLab({ databases: 'embedded-postgres' })`. */
export interface PostgresOptions {
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** PEM texts; TLS is on when they are given. */
  readonly ssl?: { readonly key: string; readonly cert: string } | undefined;
}

/** The application's user on every embedded server; no superuser. */
export const POSTGRES_CONNECTION: LabConnection = { user: 'app', password: 'app-secret', database: 'app' };

const ADDRESS = '127.0.0.1';
const START_MILLIS = 20_000;
const POLL_MILLIS = 10;

interface Installation {
  readonly binaries: Binaries;
  readonly as: RunAs;
  readonly template: string;
}

/** Starts PostgreSQL servers that come with npm; the first one prepares the data that each gets a copy of. */
export function embeddedPostgres(options: PostgresOptions = {}): DatabaseFactory {
  let installation: Promise<Installation> | undefined;
  return async (context) => {
    installation ??= install(context.folder);
    const { binaries, as, template } = await installation;
    const data = path.join(context.folder, `data-${context.index}`);
    await cp(template, data, { recursive: true });
    const flags = await flagsOf(options, data);
    await handOver(data, as);
    return await EmbeddedPostgres.start({ binaries, as, data, flags, context });
  };
}

async function install(folder: string): Promise<Installation> {
  const as = await runAs();
  if (as.uid !== undefined && as.gid !== undefined) await chown(folder, as.uid, as.gid);
  const binaries = await findBinaries(folder, as);
  const template = path.join(folder, 'template');
  const { user, password, database } = POSTGRES_CONNECTION;
  const secret = path.join(folder, 'secret');
  await writeFile(secret, `${password}-of-the-superuser\n`);
  await handOver(secret, as);
  const initdb = [
    '-D',
    template,
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    '--pwfile',
    secret,
    '-E',
    'UTF8',
    '--no-sync',
    '--locale=C',
  ];
  await run(binaries.initdb, initdb, as, folder);
  const roles = `CREATE ROLE ${user} LOGIN PASSWORD '${password}';\n\nCREATE DATABASE ${database} OWNER ${user};\n`;
  await run(binaries.postgres, ['--single', '-D', template, '-F', 'postgres'], as, folder, roles);
  return { binaries, as, template };
}

async function run(file: string, args: string[], as: RunAs, cwd: string, input = ''): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = execFile(file, args, { ...as, cwd }, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      reject(
        new EipPoolError('LAB_UNAVAILABLE', `${path.basename(file)} failed: ${stderr.trim() || error.message}`, {
          cause: error,
        }),
      );
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** PostgreSQL takes only data that it owns, and a key that nobody else may read. */
async function handOver(file: string, { uid, gid }: RunAs): Promise<void> {
  if (uid === undefined || gid === undefined) return;
  await run('chown', ['-R', `${uid}:${gid}`, file], {}, path.dirname(file));
}

async function flagsOf({ settings, ssl }: PostgresOptions, data: string): Promise<string[]> {
  const all: Record<string, string> = {
    listen_addresses: ADDRESS,
    unix_socket_directories: '',
    fsync: 'off',
    ...settings,
  };
  await chmod(data, 0o700);
  if (ssl !== undefined) {
    const [key, cert] = [path.join(data, 'lab.key'), path.join(data, 'lab.crt')];
    await writeFile(key, ssl.key, { mode: 0o600 });
    await writeFile(cert, ssl.cert);
    Object.assign(all, { ssl: 'on', ssl_key_file: key, ssl_cert_file: cert });
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

interface Start {
  readonly binaries: Binaries;
  readonly as: RunAs;
  readonly data: string;
  readonly flags: readonly string[];
  readonly context: DatabaseContext;
}

class EmbeddedPostgres implements Database {
  readonly kind: string = 'embedded-postgres';
  readonly address: string = ADDRESS;
  readonly port: number;
  readonly #start: Start;
  #guardian: Guardian;
  #closed = false;

  private constructor(start: Start, port: number, guardian: Guardian) {
    this.#start = start;
    this.port = port;
    this.#guardian = guardian;
  }

  static async start(start: Start): Promise<EmbeddedPostgres> {
    const port = await freePort();
    return new EmbeddedPostgres(start, port, await launch(start, port));
  }

  async kill(): Promise<void> {
    this.#guardian.signal('SIGKILL');
    await this.#guardian.leave();
  }

  async suspend(): Promise<void> {
    this.#guardian.signal('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.#guardian.signal('SIGCONT');
  }

  async restart(): Promise<void> {
    this.#guardian = await launch(this.#start, this.port);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#guardian.close();
  }
}

async function launch({ binaries, as, data, flags, context }: Start, port: number): Promise<Guardian> {
  const command = [binaries.postgres, '-D', data, '-p', String(port), ...flags];
  const guardian = await Guardian.start(command, context.folder, as);
  await takesConnections(data, guardian);
  return guardian;
}

/** The last line of postmaster.pid says `ready` once the server takes connections. */
async function takesConnections(data: string, guardian: Guardian): Promise<void> {
  const until = performance.now() + START_MILLIS;
  while (performance.now() < until) {
    const lines = (await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === guardian.pid && lines[7]?.trim() === 'ready') return;
    if (!isAlive(guardian.pid)) break;
    await sleep(POLL_MILLIS);
  }
  await guardian.close();
  throw new EipPoolError('LAB_UNAVAILABLE', `PostgreSQL did not start: ${guardian.log.trim()}`);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, ADDRESS, 0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
