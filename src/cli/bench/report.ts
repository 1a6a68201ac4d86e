import type { Fault } from '../failover/fault.js';
import type { Summary } from '../failover/operation.js';
import { median } from './statistics.js';

/** All runs of one client through one fault. */
export interface Row {
  readonly fault: Fault;
  readonly client: string;
  readonly runs: Summary[];
}

/** The bare limit of each run of a fault, in milliseconds. */
export interface BareRow {
  readonly fault: Fault;
  readonly millis: number[];
}

const HEAD: readonly string[] = [
  'fault',
  'client',
  'first success, ms',
  '× bare limit',
  'last on the old server, ms',
  'back on the old server',
  'errors',
  'last error, ms',
  'hung',
  'longest wait, ms',
];

/** Median and worst of the runs, a row for each client; first of all the bare limit. */
export function markdown(rows: readonly Row[], bare: readonly BareRow[], watchedMillis: number): string {
  const lines = bare.flatMap(({ fault, millis }) => [
    [fault, 'bare limit', pair(millis, watchedMillis), '1', ...HEAD.slice(4).map(() => '')],
    ...rows.filter((row) => row.fault === fault).map((row) => cells(row, median(millis), watchedMillis)),
  ]);
  const line = (columns: readonly string[]): string => `| ${columns.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...lines.map(line)].join('\n');
}

function cells({ fault, client, runs }: Row, bareMillis: number, watchedMillis: number): string[] {
  const of = (value: (summary: Summary) => number | null, missing: number): number[] =>
    runs.map((summary) => value(summary) ?? missing);
  const first = of(({ firstSuccess }) => firstSuccess, Infinity);
  const ratio = median(first) / bareMillis;
  return [
    fault,
    client,
    pair(first, watchedMillis),
    Number.isFinite(ratio) ? ratio.toFixed(1) : '',
    pair(
      of(({ lastOnOld }) => lastOnOld, 0),
      watchedMillis,
    ),
    pair(
      of(({ backOnOld }) => backOnOld, 0),
      watchedMillis,
    ),
    pair(
      of(({ errors }) => errors, 0),
      watchedMillis,
    ),
    pair(
      of(({ hung }) => hung, 0),
      watchedMillis,
    ),
    pair(
      of(({ longestWait }) => longestWait, 0),
      watchedMillis,
    ),
  ];
}

/** `median (worst)`; what did not happen while it was watched is `never`. */
function pair(values: readonly number[], watchedMillis: number): string {
  const show = (value: number): string => (value < watchedMillis * 100 ? value.toFixed(0) : 'never');
  const [middle, worst] = [show(median(values)), show(Math.max(...values))];
  return middle === worst ? middle : `${middle} (${worst})`;
}
