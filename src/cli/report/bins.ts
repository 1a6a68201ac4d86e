import type { RunRecord, TimelineBin } from '../bench/recording.js';

/**
 * What became of operations, from the bottom of a strip to its top. `before`: on the old server while that was right.
 * `waited`: due while the new server had not yet done anything, and done by it later.
 */
export const STATES = ['new', 'waited', 'before', 'old', 'error', 'hung'] as const;
export type State = (typeof STATES)[number];

/** A piece of time and the share of its operations that each state has; together 1. */
export interface Column {
  readonly from: number;
  readonly to: number;
  readonly shares: Readonly<Record<State, number>>;
}

/**
 * Neighbours together, until about `most` are left; those without an operation are left out. No column stands on both
 * sides of the change.
 */
export function columnsOf({ timeline, summary }: RunRecord, most: number): Column[] {
  const [before, after] = [timeline.filter((bin) => bin.at < 0), timeline.filter((bin) => bin.at >= 0)];
  const each = Math.ceil(timeline.length / most);
  const first = summary.firstSuccess ?? Infinity;
  return [...groups(before, each), ...groups(after, each)].flatMap((bins) => column(bins, first));
}

function groups(bins: readonly TimelineBin[], each: number): (readonly TimelineBin[])[] {
  return Array.from({ length: Math.ceil(bins.length / each) }, (_, i) => bins.slice(i * each, (i + 1) * each));
}

function column(bins: readonly TimelineBin[], firstSuccess: number): Column[] {
  const sum = (figure: (bin: TimelineBin) => number): number => bins.reduce((total, bin) => total + figure(bin), 0);
  const [first, last] = [bins[0]!, bins.at(-1)!];
  const total = sum((bin) => bin.onOld + bin.onNew + bin.errors + bin.hung);
  if (total === 0) return [];
  const old = sum((bin) => bin.onOld) / total;
  const waited = sum((bin) => (bin.at + bin.millis / 2 < firstSuccess ? bin.onNew : 0)) / total;
  const isRight = first.at < 0;
  const shares = {
    new: sum((bin) => bin.onNew) / total - waited,
    waited,
    before: isRight ? old : 0,
    old: isRight ? 0 : old,
    error: sum((bin) => bin.errors) / total,
    hung: sum((bin) => bin.hung) / total,
  };
  return [{ from: first.at, to: last.at + last.millis, shares }];
}
