import { median, quantile } from '../bench/statistics.js';
import type { ClientRecord, FaultRecord, LatencyHistogram, Recording, RunRecord } from '../bench/recording.js';

/** One figure over all runs. Infinity stands for "never", NaN for "there was none". */
export interface Spread {
  readonly median: number;
  readonly worst: number;
  /** The middle half of the runs lies between these two. */
  readonly low: number;
  readonly high: number;
}

export const LEVELS = ['good', 'slow', 'broken'] as const;
/** See {@link levelOf}. */
export type Level = (typeof LEVELS)[number];

/** How one client came through one fault. Times are milliseconds after t = 0. */
export interface ClientFacts {
  readonly client: string;
  readonly level: Level;
  /** Until it worked on the new server; where the name does not move, its longest wait. */
  readonly down: Spread;
  /** The first success of each run; Infinity where there was none. */
  readonly firstSuccesses: readonly number[];
  readonly firstSuccess: Spread;
  /** Of the medians; NaN where there is no bare limit. */
  readonly ratio: number;
  readonly lastOnOld: Spread;
  readonly onOld: Spread;
  readonly longestWait: Spread;
  readonly errors: Spread;
  readonly hung: Spread;
  readonly lost: Spread;
  readonly doubled: Spread;
  /** Errors of all runs together, by outcome. */
  readonly outcomes: readonly (readonly [outcome: string, errors: number])[];
  /** Percentiles: the median of the runs. Maximum: the largest of all. */
  readonly latency: RunRecord['latency'];
  /** The drawn run whose first success is in the middle; null where none is drawn. */
  readonly drawn: RunRecord | null;
}

export interface FaultFacts {
  readonly fault: string;
  readonly description: string;
  /** The name comes to point to another server. Else all that counts is whether the client goes on. */
  readonly moves: boolean;
  readonly bare: Spread;
  readonly clients: readonly ClientFacts[];
}

/** Later than the bare limit by more than this is slow; so is failing more operations than are due in it. */
export const SLOW_MILLIS: number = 1_000;

export function factsOf({ faults, settings }: Recording): FaultFacts[] {
  return faults.map((record) => {
    const bare = spread(record.bareMillis);
    const moves = hasMove(record);
    const clients = record.clients.map((client) => clientFacts(client, moves, bare, settings.ratePerSecond));
    return { fault: record.fault, description: record.description, moves, bare, clients };
  });
}

function hasMove({ bareMillis, clients }: FaultRecord): boolean {
  return bareMillis.length > 0 || clients.some(({ runs }) => runs.some(({ summary }) => summary.firstSuccess !== null));
}

function clientFacts({ client, runs }: ClientRecord, moves: boolean, bare: Spread, rate: number): ClientFacts {
  const over = (figure: (run: RunRecord) => number): Spread => spread(runs.map(figure));
  const firstSuccesses = runs.map(({ summary }) => summary.firstSuccess ?? Infinity);
  const firstSuccess = spread(firstSuccesses);
  const longestWait = over(({ summary }) => summary.longestWait);
  const figures = {
    down: moves ? firstSuccess : longestWait,
    errors: over(({ summary }) => summary.errors),
    hung: over(({ summary }) => summary.hung),
    lost: over(({ lostWrites }) => lostWrites),
    doubled: over(({ doubledWrites }) => doubledWrites),
  };
  const ratio = firstSuccess.median / bare.median;
  return {
    ...figures,
    client,
    level: levelOf(figures, bare, rate),
    firstSuccesses,
    firstSuccess,
    ratio,
    lastOnOld: over(({ summary }) => summary.lastOnOld ?? 0),
    onOld: over(({ summary }) => summary.onOld),
    longestWait,
    outcomes: outcomesOf(runs),
    latency: {
      before: latencyOf(runs.map(({ latency }) => latency.before)),
      during: latencyOf(runs.map(({ latency }) => latency.during)),
      after: latencyOf(runs.map(({ latency }) => latency.after)),
    },
    drawn: drawnOf(runs),
  };
}

/**
 * Broken: in some run it never came back, or operations hung, or writes were lost or doubled.
 * Slow: back more than a second after the bare limit, or more errors than operations are due in a second; medians.
 */
function levelOf(
  { down, errors, hung, lost, doubled }: Pick<ClientFacts, 'down' | 'errors' | 'hung' | 'lost' | 'doubled'>,
  bare: Spread,
  ratePerSecond: number,
): Level {
  if (down.worst === Infinity || hung.worst > 0 || lost.worst > 0 || doubled.worst > 0) return 'broken';
  const late = down.median - (Number.isFinite(bare.median) ? bare.median : 0);
  const failedMillis = (errors.median / ratePerSecond) * 1_000;
  return late > SLOW_MILLIS || failedMillis > SLOW_MILLIS ? 'slow' : 'good';
}

function spread(values: readonly number[]): Spread {
  return {
    median: median(values),
    worst: values.length === 0 ? NaN : values.reduce((a, b) => Math.max(a, b)),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
  };
}

function latencyOf(histograms: readonly LatencyHistogram[]): LatencyHistogram {
  const filled = histograms.filter(({ count }) => count > 0);
  const middle = (figure: 'p50' | 'p90' | 'p99' | 'p999'): number => median(filled.map((one) => one[figure]));
  return {
    count: filled.reduce((sum, { count }) => sum + count, 0),
    p50: middle('p50'),
    p90: middle('p90'),
    p99: middle('p99'),
    p999: middle('p999'),
    max: spread(filled.map(({ max }) => max)).worst,
  };
}

function outcomesOf(runs: readonly RunRecord[]): [string, number][] {
  const totals = new Map<string, number>();
  for (const { outcomes } of runs) {
    for (const [outcome, errors] of Object.entries(outcomes)) {
      if (errors > 0) totals.set(outcome, (totals.get(outcome) ?? 0) + errors);
    }
  }
  return [...totals];
}

function drawnOf(runs: readonly RunRecord[]): RunRecord | null {
  const first = ({ summary }: RunRecord): number => summary.firstSuccess ?? Number.MAX_VALUE;
  const drawn = runs.filter(({ timeline }) => timeline.length > 0).toSorted((a, b) => first(a) - first(b));
  return drawn[Math.floor((drawn.length - 1) / 2)] ?? null;
}
