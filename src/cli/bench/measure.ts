import {
  type Change,
  errorsOf,
  isSuccess,
  longestWait,
  type Operation,
  type Success,
  summarise,
} from '../failover/operation.js';
import type { Course, TrialResult } from '../failover/trial.js';
import type { KindRecord, LatencyHistogram, RunRecord, TimelineBin } from './recording.js';
import { quantile } from './statistics.js';

/** A run with all its figures. */
export interface Measured extends RunRecord {
  readonly detectedMillis: number | null;
  readonly unavailableMillis: number;
  readonly reads: KindRecord;
  readonly writes: KindRecord;
  readonly crashes: number;
}

const BIN_MILLIS = 50;
/** How much of the time before the change is drawn. */
const DRAWN_MILLIS = 1_000;

export function measure({ change, startedAt, endedAt }: Omit<TrialResult, 'courses'>, course: Course): Measured {
  const { operations, lostWrites, doubledWrites, crashes } = course;
  const summary = summarise(operations, change);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of errorsOf(operations, change)) {
    if (outcome !== null) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return {
    summary,
    lostWrites,
    doubledWrites,
    outcomes,
    latency: latencies(operations, change, summary.firstSuccess),
    timeline: timeline(operations, change, Math.max(startedAt, change.begunAt - DRAWN_MILLIS), endedAt),
    detectedMillis: detected(operations, change),
    unavailableMillis: longestGap(operations, change, startedAt, endedAt),
    reads: ofKind('read', operations, change),
    writes: ofKind('write', operations, change),
    crashes: crashes.length,
  };
}

function ofKind(kind: Operation['kind'], operations: readonly Operation[], change: Change): KindRecord {
  const own = operations.filter((operation) => operation.kind === kind);
  const { firstSuccess, errors, hung } = summarise(own, change);
  return { operations: own.length, errors, hung, firstSuccess, longestWait: longestWait(own, change) };
}

/** The first that a caller can notice: an error since the change began, or a success on the new server. */
export function detected(operations: readonly Operation[], change: Change): number | null {
  const onNew = operations.filter((one) => isSuccess(one) && one.server === change.newServer);
  const signs = [...errorsOf(operations, change), ...onNew].map(({ endedAt }) => (endedAt ?? Infinity) - change.at);
  return signs.length === 0 ? null : Math.min(...signs);
}

/** The longest time without a success, on whichever server, of that which reaches past the beginning of the change. */
export function longestGap(
  operations: readonly Operation[],
  { begunAt }: Change,
  startedAt: number,
  endedAt: number,
): number {
  const ends = operations.filter(isSuccess).map((success) => success.endedAt);
  const moments = [startedAt, ...ends.filter((end) => end < endedAt), endedAt].toSorted((a, b) => a - b);
  const gaps = moments.map((moment, i) => (moment > begunAt ? moment - (moments[i - 1] ?? moment) : 0));
  return Math.max(0, ...gaps);
}

/** Before the change began, until the client was back, and from then on, each by when an operation was due. */
function latencies(
  operations: readonly Operation[],
  { at, begunAt }: Change,
  firstSuccess: number | null,
): RunRecord['latency'] {
  const back = firstSuccess === null ? Infinity : at + firstSuccess;
  const due = (from: number, to: number): Success[] =>
    operations.filter(isSuccess).filter(({ intendedAt }) => intendedAt >= from && intendedAt < to);
  return {
    before: histogram(due(-Infinity, begunAt)),
    during: histogram(due(begunAt, back)),
    after: histogram(due(back, Infinity)),
  };
}

/** Of nothing all is 0. */
function histogram(successes: readonly Success[]): LatencyHistogram {
  const millis = successes.map(({ intendedAt, endedAt }) => endedAt - intendedAt);
  const of = (share: number): number => (millis.length === 0 ? 0 : quantile(millis, share));
  return { count: millis.length, p50: of(0.5), p90: of(0.9), p99: of(0.99), p999: of(0.999), max: of(1) };
}

export function timeline(
  operations: readonly Operation[],
  change: Change,
  from: number,
  to: number,
): readonly TimelineBin[] {
  const bins = Array.from({ length: Math.max(0, Math.ceil((to - from) / BIN_MILLIS)) }, (_, i) => ({
    at: from - change.at + i * BIN_MILLIS,
    millis: BIN_MILLIS,
    onOld: 0,
    onNew: 0,
    errors: 0,
    hung: 0,
  }));
  for (const operation of operations) {
    const bin = bins[Math.floor((operation.intendedAt - from) / BIN_MILLIS)];
    if (bin === undefined) continue;
    if (operation.endedAt === null) bin.hung++;
    else if (operation.error !== null) bin.errors++;
    else if (operation.server === change.oldServer) bin.onOld++;
    else if (operation.server === change.newServer) bin.onNew++;
  }
  return bins;
}

/** The same runs; only the one whose first success is the median keeps its timeline. */
export function drawMedian(runs: readonly Measured[]): Measured[] {
  const when = ({ summary }: Measured): number => summary.firstSuccess ?? Infinity;
  const middle = runs.toSorted((a, b) => Math.sign(when(a) - when(b)) || 0)[Math.floor((runs.length - 1) / 2)];
  return runs.map((run) => (run === middle ? run : { ...run, timeline: [] }));
}
