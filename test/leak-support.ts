import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../src/lab/index.js';

export const LEASES = 10_000;
/** Odd, so that the last one leaves the first host. */
export const MOVES = 5;
const MOVE_MILLIS = 2_000;
const WORKERS = 20;

/**
 * Moves the name every two seconds, each time to an address it never had, and spreads the leases over all of that and one
 * spell more. Resolves when the last lease is back, with how many there were.
 */
export async function leaseThroughMoves(
  lab: Lab,
  lease: () => Promise<void>,
  moved: () => Promise<unknown>,
): Promise<{ readonly leases: number; readonly moves: number }> {
  const totalMillis = (MOVES + 1) * MOVE_MILLIS;
  const startedAt = performance.now();
  let begun = 0;
  let leases = 0;
  const worker = async (): Promise<void> => {
    while (begun < LEASES) {
      const early = startedAt + (begun++ / LEASES) * totalMillis - performance.now();
      if (early > 0) await sleep(early);
      await lease();
      leases++;
    }
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, worker));
  let moves = 0;
  for (; moves < MOVES; moves++) {
    await sleep(startedAt + (moves + 1) * MOVE_MILLIS - performance.now());
    const seen = moved();
    await lab.move(lab.hosts[1 - (moves % 2)]!);
    await seen;
  }
  await workers;
  return { leases, moves };
}

/** How many sessions of the pools' account a PostgreSQL server has. */
export async function sessionsOf(lab: Lab, index: number): Promise<number> {
  const sql = `select pid from pg_stat_activity where usename = '${lab.connection!.user}'`;
  return (await lab.hosts[index]!.database.query(sql)).length;
}
