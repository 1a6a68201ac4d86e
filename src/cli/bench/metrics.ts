import type { Outcome } from '../../outcome/outcome.js';
import type { Measured } from './measure.js';

/** One figure of a run. */
export interface Metric {
  readonly name: string;
  /** Durations have a ratio to the bare limit. */
  readonly isDuration: boolean;
  /** `Infinity` for what never happened and should have. */
  of(run: Measured): number;
}

const never = (value: number | null): number => value ?? Infinity;
const outcome = (which: Outcome | 'other') => (run: Measured) => run.outcomes[which] ?? 0;
const duration = (name: string, of: Metric['of']): Metric => ({ name, isDuration: true, of });
const count = (name: string, of: Metric['of']): Metric => ({ name, isDuration: false, of });

export const METRICS: readonly Metric[] = [
  duration('firstSuccessMs', ({ summary }) => never(summary.firstSuccess)),
  duration('detectedMs', ({ detectedMillis }) => never(detectedMillis)),
  duration('lastOnOldMs', ({ summary }) => summary.lastOnOld ?? 0),
  duration('unavailableMs', ({ unavailableMillis }) => unavailableMillis),
  duration('longestWaitMs', ({ summary }) => summary.longestWait),
  duration('lastErrorMs', ({ summary }) => summary.lastError ?? 0),
  count('onOld', ({ summary }) => summary.onOld),
  count('backOnOld', ({ summary }) => summary.backOnOld),
  count('errors', ({ summary }) => summary.errors),
  count('readErrors', ({ reads }) => reads.errors),
  count('writeErrors', ({ writes }) => writes.errors),
  count('notSent', outcome('not-sent')),
  count('rejected', outcome('rejected')),
  count('unknown', outcome('unknown')),
  count('otherErrors', outcome('other')),
  count('hung', ({ summary }) => summary.hung),
  count('lostWrites', ({ lostWrites }) => lostWrites),
  count('doubledWrites', ({ doubledWrites }) => doubledWrites),
  count('crashes', ({ crashes }) => crashes),
];

export function metricNamed(name: string): Metric | undefined {
  return METRICS.find((metric) => metric.name === name);
}
