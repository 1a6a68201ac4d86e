import type { Outcome } from '../../outcome/outcome.js';
import type { Summary } from '../failover/operation.js';

/** What `bench failover --json` writes and `report` reads. Durations are milliseconds, moments are from the change. */
export interface Recording {
  readonly version: 1;
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly os: string; readonly node: string };
  /** Package → version, of everything that was measured. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Settings;
  readonly faults: readonly FaultRecord[];
}

export interface Settings {
  readonly runs: number;
  readonly ratePerSecond: number;
  readonly beforeMillis: number;
  readonly watchedMillis: number;
  readonly graceMillis: number;
}

export interface FaultRecord {
  readonly fault: string;
  /** One line for people: what happens to the server and to the name. */
  readonly description: string;
  /** The bare limit of each run; empty where there is none. */
  readonly bareMillis: readonly number[];
  readonly clients: readonly ClientRecord[];
}

export interface ClientRecord {
  readonly client: string;
  readonly runs: readonly RunRecord[];
}

export interface RunRecord {
  readonly summary: Summary;
  /** Read from both servers afterwards: acknowledged and there on neither; there more than once. */
  readonly lostWrites: number;
  readonly doubledWrites: number;
  readonly outcomes: Readonly<Partial<Record<Outcome | 'other', number>>>;
  readonly latency: {
    readonly before: LatencyHistogram;
    readonly during: LatencyHistogram;
    readonly after: LatencyHistogram;
  };
  /** In time order, without gaps; empty for runs that are not drawn. */
  readonly timeline: readonly TimelineBin[];
}

/** From when each successful operation was due to its end. */
export interface LatencyHistogram {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Operations by when they were due. */
export interface TimelineBin {
  readonly at: number;
  readonly millis: number;
  readonly onOld: number;
  readonly onNew: number;
  readonly errors: number;
  readonly hung: number;
}
