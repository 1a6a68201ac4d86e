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
  /** What was asked for and could not be measured. */
  readonly skipped?: readonly { readonly client: string; readonly reason: string }[];
}

export interface Settings {
  readonly runs: number;
  /** The first of several; each fault has its own then. */
  readonly ratePerSecond: number;
  readonly beforeMillis: number;
  /** The longest of all faults; a client that has been well on the new server for `settleMillis` is watched no longer. */
  readonly watchedMillis: number;
  readonly graceMillis: number;
  readonly settleMillis?: number;
  /** So many failovers took place at a time, each with servers of its own. */
  readonly parallel?: number;
  /** The hosts were in a network namespace, where packets of a silent one really get lost. */
  readonly realNetwork?: boolean;
}

export interface FaultRecord {
  /** With `@` and the rate where there were several. */
  readonly fault: string;
  /** One line for people: what happens to the server and to the name. */
  readonly description: string;
  /** The bare limit of each run; empty where there is none. */
  readonly bareMillis: readonly number[];
  /** The same for the clients of MySQL's protocol; absent where there were none. */
  readonly bareMysqlMillis?: readonly number[];
  readonly ratePerSecond?: number;
  readonly watchedMillis?: number;
  readonly clients: readonly ClientRecord[];
}

export interface ClientRecord {
  readonly client: string;
  /** The servers that it ran against; which bare limit is its own. */
  readonly database?: 'postgres' | 'mysql';
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
  /** The first that a caller could notice: an error, or a success on the new server. Null if there was neither. */
  readonly detectedMillis?: number | null;
  /** The longest time without any success, on whichever server. */
  readonly unavailableMillis?: number;
  readonly reads?: KindRecord;
  readonly writes?: KindRecord;
  /** Errors that nobody caught, each of which would have ended an application's process. */
  readonly crashes?: number;
}

/** Reads alone, or writes alone. */
export interface KindRecord {
  readonly operations: number;
  readonly errors: number;
  readonly hung: number;
  readonly firstSuccess: number | null;
  readonly longestWait: number;
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
