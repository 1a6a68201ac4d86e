import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Child } from '../../src/cli/failover/rpc.js';
import { findProgram } from '../server-program.js';
import type { Cluster } from './cluster.js';
import type { LoadMethods, Opened } from './load-process.js';
import type { Local } from './local.js';

const run = promisify(execFile);

export interface LocalScene {
  readonly child: Child<LoadMethods>;
  readonly cluster: Cluster;
  /** The process of the load. */
  readonly load: Pick<Opened, 'pid' | 'files'>;
}

/** With these nobody can log in any more, ask for an address, or be served: they end before the name moves. */
const BEFORE_MOVE: ReadonlySet<Local> = new Set(['wrong password', 'rotated certificate', 'no files', 'pooler full']);
/** With these logins fail for a reason that no pool waits for to pass. */
const REFUSING: ReadonlySet<Local> = new Set(['wrong password', 'rotated certificate', 'no files', 'no password']);

export function endsBeforeMove(local: Local): boolean {
  return BEFORE_MOVE.has(local);
}

export function refuses(local: Local): boolean {
  return REFUSING.has(local);
}

export async function begin(local: Local, { child, cluster, load }: LocalScene): Promise<void> {
  switch (local) {
    case 'full':
    case 'slow logins':
    case 'wrong password':
    case 'rotated certificate':
    case 'pooler full':
      return await cluster.tell(local, true);
    case 'slow password':
      return await child.call('password', { mode: 'slow' });
    case 'no password':
      return await child.call('password', { mode: 'none' });
    case 'no files':
      return await limitFiles(load.pid, `${load.files}`);
  }
}

export async function end(local: Local, { child, cluster, load }: LocalScene): Promise<void> {
  switch (local) {
    case 'full':
    case 'slow logins':
    case 'wrong password':
    case 'rotated certificate':
    case 'pooler full':
      return await cluster.tell(local, false);
    case 'slow password':
    case 'no password':
      return await child.call('password', { mode: 'right' });
    case 'no files':
      return await limitFiles(load.pid, await ownLimit());
  }
}

/** Why a local fault cannot be had here; null if it can. */
export async function missing(local: Local, driver: string): Promise<string | null> {
  if (local === 'rotated certificate' && driver === 'mysql2' && findProgram('mariadbd') === null)
    return 'rotated certificate: there is no mariadbd here, and MySQL 5.6 has no TLS that mysql2 takes';
  if (local !== 'no files') return null;
  return await run('prlimit', ['--version']).then(
    () => null,
    () => 'no files: there is no prlimit here, which is in util-linux',
  );
}

/** This process's, which that of the load had too. */
async function ownLimit(): Promise<string> {
  const { stdout } = await run('prlimit', ['--pid', `${process.pid}`, '--nofile', '--output=SOFT', '--noheadings']);
  return stdout.trim();
}

/** The soft limit of a process that runs. */
async function limitFiles(pid: number, limit: string): Promise<void> {
  await run('prlimit', ['--pid', `${pid}`, `--nofile=${limit}:`]);
}
