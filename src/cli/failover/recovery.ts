import type { Progress } from './client-process.js';
import type { Change } from './operation.js';

/**
 * Whether a client has been well on the new server for so long, and not before `notBefore`: no error, nothing overdue,
 * nothing on the old server. Without ports nobody can tell, so it never is.
 */
export function hasRecovered(
  ticks: readonly Progress[],
  change: Change,
  settleMillis: number,
  notBefore: number = change.at,
): boolean {
  const last = ticks.at(-1)?.at ?? 0;
  const from = last - settleMillis;
  if (from < Math.max(change.at, notBefore)) return false;
  const recent = ticks.filter(({ at }) => at > from);
  const isWell = recent.every(
    ({ errors, overdue, onServer }) => errors === 0 && overdue === 0 && (onServer[change.oldServer] ?? 0) === 0,
  );
  return isWell && recent.some(({ onServer }) => (onServer[change.newServer] ?? 0) > 0);
}
