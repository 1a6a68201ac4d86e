import { type Fault, specOf } from '../failover/fault.js';
import type { Summary } from '../failover/operation.js';

/** One client's failover, for the table at the end. */
export interface Result {
  readonly fault: Fault;
  readonly label: string;
  readonly summary: Summary;
}

const HEAD: readonly string[] = ['', 'client', 'first success', 'errors', 'hung', 'on the old server'];

/** `watchedMillis`: how long after the move the clients were watched. */
export function table(results: readonly Result[], watchedMillis: number): string {
  const rows = results.map(({ fault, label, summary }, i) => [
    results[i - 1]?.fault === fault ? '' : specOf(fault).description,
    label,
    summary.firstSuccess === null
      ? `not in ${watchedMillis / 1_000} s`
      : `${(summary.firstSuccess / 1_000).toFixed(2)} s`,
    String(summary.errors),
    String(summary.hung),
    onOld(summary),
  ]);
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map((cells) => cells[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(HEAD), '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...rows.map(line)].join('\n');
}

function onOld({ onOld: count, lastOnOld }: Summary): string {
  return lastOnOld === null ? '0' : `${count}, until ${(lastOnOld / 1_000).toFixed(2)} s`;
}
