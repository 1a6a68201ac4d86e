import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Lab, LabHost } from '../../lab/index.js';

const HELD = 'held';
const POLL_MILLIS = 5;
const DEADLINE_MILLIS = 10_000;

/**
 * Restarts a PostgreSQL server into archive recovery, where it waits for a file to go: until then it answers each log-in
 * with 57P03. Resolves when it does; what it resolves to lets the server get ready.
 */
export async function holdInRecovery(lab: Lab, host: LabHost): Promise<() => Promise<void>> {
  const { folder } = lab.snapshot();
  if (folder === undefined) throw new Error('the lab has no servers');
  const data = join(folder, host.id, 'data');
  const held = join(data, HELD);
  // The server runs it in its data folder, and takes a failure for the end of the archive.
  await host.database.query(`alter system set restore_command = 'while [ -e ${HELD} ]; do sleep 0.02; done; false'`);
  // Otherwise it would take read-only sessions for a moment in between.
  await host.database.query('alter system set hot_standby = off');
  await writeFile(held, '');
  await writeFile(join(data, 'recovery.signal'), '', { mode: 0o644 });
  const restarted = host.database.restart();
  await Promise.race([restarted, answersStarting(host)]);
  return async () => {
    await rm(held, { force: true });
    await restarted;
  };
}

async function answersStarting(host: LabHost): Promise<void> {
  const until = performance.now() + DEADLINE_MILLIS;
  for (;;) {
    const error: unknown = await host.database.query('select 1').catch((cause: unknown) => cause);
    if ((error as { code?: unknown }).code === '57P03') return;
    if (performance.now() > until) throw new Error(`${host.id} does not get into recovery`, { cause: error });
    await setTimeout(POLL_MILLIS);
  }
}
