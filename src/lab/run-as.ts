import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EipPoolError } from '../errors.js';

const run = promisify(execFile);

/** Who runs a database server: none of them runs as root. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/** Ourselves; for root, the first of these users that exists. */
export async function chooseUser(names: readonly string[]): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  for (const name of names) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // no such user: the next
    }
  }
  throw new EipPoolError(
    'LAB_UNAVAILABLE',
    `a database server does not run as root, and there is no user ${names.join(' or ')} to run it as; ` +
      `add one with: useradd --system ${names[0] ?? ''}`,
  );
}
