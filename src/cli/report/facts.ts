import { median, quantile } from '../bench/statistics.js';
import type { ClientRecord, LatencyHistogram, Recording, RunRecord } from '../bench/recording.js';

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
  /** The first success of each run; Infinity where there was none. */
  readonly firstSuccesses: readonly number[];
  readonly firstSuccess: Spread;
  /** Of the medians; NaN where there is no bare limit. */
  readonly ratio: number;
  readonly lastOnOld: Spread;
  readonly onOld: Spread;
  readonly longestWait: Spread;
  /** When a caller could first notice, and the longest time without any success; NaN where it was not recorded. */
  readonly noticed: Spread;
  readonly unavailable: Spread;
  readonly errors: Spread;
  /** The same of reads alone and of writes alone; NaN where they were not told apart. */
  readonly readErrors: Spread;
  readonly writeErrors: Spread;
  readonly hung: Spread;
  readonly lost: Spread;
  readonly doubled: Spread;
  /** Errors that nobody caught. */
  readonly crashes: Spread;
  /** Errors of all runs together, by outcome. */
  readonly outcomes: readonly (readonly [outcome: string, errors: number])[];
  /** Percentiles: the median of the runs. Maximum: the largest of all. */
  readonly latency: RunRecord['latency'];
  /** The drawn run whose first success is in the middle; null where none is drawn. */
  readonly drawn: RunRecord | null;
}

/** The bare limit against one kind of server. */
export interface Bare {
  readonly name: string;
  readonly limit: Spread;
}

export interface FaultFacts {
  readonly fault: string;
  readonly description: string;
  /** One for each kind of server that was measured; none where there is no bare limit. */
  readonly bares: readonly Bare[];
  readonly clients: readonly ClientFacts[];
}

/** Later than the bare limit by more than this is slow; so is failing more operations than are due in it. */
export const SLOW_MILLIS: number = 1_000;

export function factsOf({ faults, settings }: Recording): FaultFacts[] {
  return faults.map((record) => {
    const { fault, description, bareMillis, bareMysqlMillis = [], ratePerSecond = settings.ratePerSecond } = record;
    const bares = { postgres: spread(bareMillis), mysql: spread(bareMysqlMillis) };
    return {
      fault,
      description,
      bares: [
        { name: 'Bare limit', limit: bares.postgres },
        { name: 'Bare limit for MySQL', limit: bares.mysql },
      ].filter(({ limit }) => !Number.isNaN(limit.median)),
      clients: record.clients.map((client) => {
        const bare = client.database === 'mysql' ? bares.mysql : bares.postgres;
        return clientFacts(client, bare.median, ratePerSecond);
      }),
    };
  });
}

function clientFacts({ client, runs }: ClientRecord, bareMillis: number, rate: number): ClientFacts {
  const over = (figure: (run: RunRecord) => number): Spread => spread(runs.map(figure));
  const firstSuccesses = runs.map(({ summary }) => summary.firstSuccess ?? Infinity);
  const figures = {
    firstSuccess: spread(firstSuccesses),
    errors: over(({ summary }) => summary.errors),
    hung: over(({ summary }) => summary.hung),
    lost: over(({ lostWrites }) => lostWrites),
    doubled: over(({ doubledWrites }) => doubledWrites),
    crashes: over(({ crashes }) => crashes ?? 0),
  };
  return {
    ...figures,
    client,
    level: levelOf(figures, bareMillis, rate),
    firstSuccesses,
    ratio: figures.firstSuccess.median / bareMillis,
    lastOnOld: over(({ summary }) => summary.lastOnOld ?? 0),
    onOld: over(({ summary }) => summary.onOld),
    longestWait: over(({ summary }) => summary.longestWait),
    noticed: over(({ detectedMillis }) => (detectedMillis === undefined ? NaN : (detectedMillis ?? Infinity))),
    unavailable: over(({ unavailableMillis }) => unavailableMillis ?? NaN),
    readErrors: over(({ reads }) => reads?.errors ?? NaN),
    writeErrors: over(({ writes }) => writes?.errors ?? NaN),
    outcomes: outcomesOf(runs),
    latency: {
      before: latencyOf(runs.map(({ latency }) => latency.before)),
      during: latencyOf(runs.map(({ latency }) => latency.during)),
      after: latencyOf(runs.map(({ latency }) => latency.after)),
    },
    drawn: drawnOf(runs),
  };
}

/** What a client must not do in any run, and what it is slow by. */
type Judged = Pick<ClientFacts, 'firstSuccess' | 'errors' | 'hung' | 'lost' | 'doubled' | 'crashes'>;

/**
 * Broken: in some run it never came back, or operations hung, or writes were lost or doubled, or it crashed.
 * Slow: back more than a second after the bare limit, or more errors than operations are due in a second; medians.
 */
function levelOf(judged: Judged, bareMillis: number, ratePerSecond: number): Level {
  const { firstSuccess, errors, hung, lost, doubled, crashes } = judged;
  if (firstSuccess.worst === Infinity || [hung, lost, doubled, crashes].some(({ worst }) => worst > 0)) return 'broken';
  const late = firstSuccess.median - (Number.isFinite(bareMillis) ? bareMillis : 0);
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
