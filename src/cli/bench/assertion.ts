import { nearest } from '../../options.js';
import { type Fault, faultsNamed } from '../failover/fault.js';
import { type Client, clientsNamed } from './clients.js';
import type { Row } from './matrix.js';
import { type Metric, metricNamed, METRICS } from './metrics.js';
import { median } from './statistics.js';

/** A condition that figures must meet, as `ours:silent.firstSuccessMs<1500`. */
export interface Assertion {
  readonly text: string;
  readonly clients: readonly string[];
  readonly faults: readonly Fault[];
  readonly metric: Metric;
  /** Of the median; otherwise every run must meet it. */
  readonly ofMedian: boolean;
  readonly operator: Operator;
  readonly limit: number;
  /** The limit is so many times the bare limit. */
  readonly isRatio: boolean;
}

type Operator = '<' | '<=' | '>' | '>=' | '=';

const MEETS: Readonly<Record<Operator, (value: number, limit: number) => boolean>> = {
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
  '=': (value, limit) => value === limit,
};

const FORM =
  /^(?<client>[^:]+):(?<fault>[\w-]+)\.(?<metric>\w+)(?<median>\.median)?\s*(?<operator><=|>=|<|>|=)\s*(?<limit>\d+(\.\d+)?)(?<ratio>x?)$/;

/**
 * CLIENT:FAULT.METRIC[.median] OPERATOR NUMBER[x].
 * @param among the clients that will be measured or were named
 * @throws with the nearest name of what it does not know
 */
export function parseAssertion(text: string, among: readonly Client[]): Assertion {
  const parts = FORM.exec(text.trim())?.groups;
  if (parts === undefined) {
    throw new Error(`expected CLIENT:FAULT.METRIC<NUMBER as in 'ours:silent.firstSuccessMs<1500', got '${text}'`);
  }
  const metric = metricNamed(parts['metric']!);
  if (metric === undefined) {
    const names = METRICS.map(({ name }) => name);
    throw new Error(`no metric '${parts['metric']}'; did you mean '${nearest(parts['metric']!, names)}'?`);
  }
  const isRatio = parts['ratio'] === 'x';
  if (isRatio && !metric.isDuration) throw new Error(`${metric.name} is no duration, so it has no ratio: '${text}'`);
  const clients = clientsNamed(parts['client']!, among).map(({ label }) => label);
  if (clients.length === 0) throw new Error(`'${text}': no such client is measured`);
  return {
    text,
    clients,
    faults: faultsNamed(parts['fault']!),
    metric,
    ofMedian: parts['median'] !== undefined,
    operator: parts['operator'] as Operator,
    limit: Number(parts['limit']),
    isRatio,
  };
}

/** What an assertion found wrong. */
export interface Failure {
  readonly assertion: Assertion;
  /** Null where nothing was measured that it could hold for. */
  readonly row: Row | null;
  readonly said: string;
}

/** The rows that do not meet it; one without a row where there is none to meet it. */
export function check(assertion: Assertion, rows: readonly Row[]): Failure[] {
  const own = rows.filter(({ client, fault, runs }) => {
    return assertion.clients.includes(client) && assertion.faults.includes(fault) && runs.length > 0;
  });
  if (own.length === 0) return [{ assertion, row: null, said: 'nothing of it was measured' }];
  return own.flatMap((row) => {
    const said = complaint(assertion, row);
    return said === null ? [] : [{ assertion, row, said }];
  });
}

function complaint({ metric, ofMedian, operator, limit, isRatio }: Assertion, row: Row): string | null {
  const values = row.runs.map((run) => metric.of(run));
  const bare = row.runs.map((_, i) => row.bareMillis[i] ?? NaN);
  const limits = isRatio ? bare.map((millis) => millis * limit) : values.map(() => limit);
  const meets = MEETS[operator];
  if (ofMedian) {
    const [value, bound] = [median(values), isRatio ? median(bare) * limit : limit];
    return meets(value, bound) ? null : `median ${show(value)}, not ${operator} ${show(bound)}`;
  }
  const failed = values.findIndex((value, i) => !meets(value, limits[i]!));
  if (failed < 0) return null;
  return `${show(values[failed]!)} in run ${failed + 1} of ${values.length}, not ${operator} ${show(limits[failed]!)}`;
}

function show(value: number): string {
  return value === Infinity ? 'never' : String(Math.round(value * 10) / 10);
}
