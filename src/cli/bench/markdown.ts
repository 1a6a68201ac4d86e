import { specOf } from '../failover/fault.js';
import type { Row } from './matrix.js';
import type { Measured } from './measure.js';
import { type Metric, metricNamed } from './metrics.js';
import { median } from './statistics.js';

const DURATIONS: readonly (readonly [title: string, metric: string])[] = [
  ['first success', 'firstSuccessMs'],
  ['noticed', 'detectedMs'],
  ['last on the old server', 'lastOnOldMs'],
  ['longest gap', 'unavailableMs'],
  ['longest wait', 'longestWaitMs'],
];
const COUNTS: readonly (readonly [title: string, metrics: readonly string[]])[] = [
  ['on the old server / back on it', ['onOld', 'backOnOld']],
  ['errors: reads / writes', ['readErrors', 'writeErrors']],
  ['not sent / rejected / unknown / other', ['notSent', 'rejected', 'unknown', 'otherErrors']],
  ['hung', ['hung']],
  ['lost / doubled writes', ['lostWrites', 'doubledWrites']],
  ['crashes', ['crashes']],
];
const HEAD: readonly string[] = ['fault', 'client', ...[...DURATIONS, ...COUNTS].map(([title]) => title)];

export const LEGEND: string =
  'Durations: median (best–worst) in ms, and as a multiple of the bare limit. Errors by what is known of their work; lost and doubled writes by reading both servers afterwards.';

/** A line for each fault and client; before the first of a fault the bare limit. */
export function table(rows: readonly Row[]): string {
  const line = (columns: readonly string[]): string => `| ${columns.join(' | ')} |`;
  const lines = rows.flatMap((row, i) => {
    const before = rows[i - 1];
    const isFirst = before === undefined || before.title !== row.title || before.kind !== row.kind;
    return isFirst ? [line(bareCells(row)), line(cells(row))] : [line(cells(row))];
  });
  return [line(HEAD), line(HEAD.map(() => '---')), ...lines].join('\n');
}

/** What the faults of the table are. */
export function glossary(rows: readonly Row[]): string {
  const faults = [...new Set(rows.map(({ fault }) => fault))];
  return faults.map((fault) => `- ${fault}: ${specOf(fault).description}`).join('\n');
}

function bareCells({ title, kind, bareMillis }: Row): string[] {
  const name = kind === 'mariadb' ? 'bare limit, MySQL' : 'bare limit';
  return [title, name, bareMillis.length === 0 ? '' : spread(bareMillis), ...HEAD.slice(3).map(() => '')];
}

export function cells({ title, client, runs, bareMillis }: Row): string[] {
  const bare = median(bareMillis);
  return [
    title,
    client,
    ...DURATIONS.map(([, name]) => duration(valuesOf(name, runs), bare)),
    ...COUNTS.map(([, names]) => names.map((name) => spread(valuesOf(name, runs))).join(' / ')),
  ];
}

function valuesOf(name: string, runs: readonly Measured[]): number[] {
  const metric: Metric = metricNamed(name)!;
  return runs.map((run) => metric.of(run));
}

function duration(values: readonly number[], bareMillis: number): string {
  const ratio = median(values) / bareMillis;
  return Number.isFinite(ratio) && ratio > 0 ? `${spread(values)} ${ratio.toFixed(1)}×` : spread(values);
}

/** `median (best–worst)`, or one number where all are equal. */
function spread(values: readonly number[]): string {
  if (values.length === 0) return '';
  const show = (value: number): string => (value === Infinity ? 'never' : value.toFixed(0));
  const [middle, best, worst] = [median(values), Math.min(...values), Math.max(...values)].map(show);
  return best === worst ? middle! : `${middle} (${best}–${worst})`;
}
