import type {
  ClientRecord,
  FaultRecord,
  LatencyHistogram,
  Recording,
  RunRecord,
  TimelineBin,
} from '../../src/cli/bench/recording.js';

/** How a made-up client comes through a made-up fault. */
export interface Course {
  /** When it works on the new server, in each run; null: never. */
  readonly firstSuccess: readonly (number | null)[];
  /** What its operations do until then. */
  readonly until: 'wait' | 'error' | 'hung' | 'old';
  readonly errors?: number;
  readonly lost?: number;
}

const WATCHED = 4_000;
const BEFORE = 1_000;
const RATE = 100;
const BIN = 50;

function histogram(scale: number, count: number): LatencyHistogram {
  return count === 0
    ? { count, p50: NaN, p90: NaN, p99: NaN, p999: NaN, max: NaN }
    : { count, p50: scale, p90: scale * 1.6, p99: scale * 3.2, p999: scale * 7, max: scale * 9 };
}

function timelineOf({ until, errors = 0 }: Course, first: number): TimelineBin[] {
  const due = (RATE * BIN) / 1_000;
  return Array.from({ length: (BEFORE + WATCHED) / BIN }, (_, i) => {
    const at = i * BIN - BEFORE;
    const failed = at >= 0 && at < BIN ? Math.min(errors, due) : 0;
    const bin = { at, millis: BIN, onOld: 0, onNew: 0, errors: failed, hung: 0 };
    if (at < 0) return { ...bin, onOld: due };
    if (at >= first || until === 'wait') return { ...bin, onNew: due - failed };
    if (until === 'old') return { ...bin, onOld: due - failed };
    return until === 'hung' ? { ...bin, hung: due - failed } : { ...bin, errors: due };
  });
}

function runOf(course: Course, firstSuccess: number | null): RunRecord {
  const first = firstSuccess ?? Infinity;
  const timeline = timelineOf(course, first);
  const sum = (figure: (bin: TimelineBin) => number): number =>
    timeline.reduce((total, bin) => total + (bin.at < 0 ? 0 : figure(bin)), 0);
  const onOld = sum((bin) => bin.onOld);
  const errors = sum((bin) => bin.errors);
  return {
    summary: {
      firstSuccess,
      lastOnOld: onOld > 0 ? Math.min(first, WATCHED) - 12 : null,
      onOld,
      backOnOld: 0,
      errors,
      lastError: errors > 0 ? Math.min(first, WATCHED) : null,
      hung: sum((bin) => bin.hung),
      longestWait: course.until === 'wait' ? first + 4 : 14,
      operations: ((BEFORE + WATCHED) * RATE) / 1_000,
    },
    lostWrites: course.lost ?? 0,
    doubledWrites: 0,
    outcomes: errors > 0 ? { unknown: Math.min(errors, 3), 'not-sent': Math.max(0, errors - 3) } : {},
    latency: {
      before: histogram(1.24, 100),
      during: histogram(firstSuccess === null ? 0 : Math.max(2, firstSuccess / 3), firstSuccess === null ? 0 : 40),
      after: histogram(1.31, firstSuccess === null ? 0 : 300),
    },
    timeline,
  };
}

export function client(label: string, course: Course): ClientRecord {
  return { client: label, runs: course.firstSuccess.map((first) => runOf(course, first)) };
}

export function fault(name: string, description: string, clients: readonly ClientRecord[]): FaultRecord {
  const runs = clients[0]!.runs.length;
  return { fault: name, description, bareMillis: Array.from({ length: runs }, (_, i) => 9 + ((i * 7) % 5)), clients };
}

export function recordingOf(faults: readonly FaultRecord[]): Recording {
  return {
    version: 1,
    startedAt: '2026-03-01T03:07:00.000Z',
    machine: { cpus: 2, cpu: 'Intel(R) Xeon(R) Processor @ 2.50GHz', os: 'Linux 6.1.0', node: 'v20.20.2' },
    versions: { 'eip-pool': '0.1.0', pg: '8.23.1', mysql2: '3.24.6', PostgreSQL: '18.4', MariaDB: '10.11.14' },
    settings: {
      runs: faults[0]!.clients[0]!.runs.length,
      ratePerSecond: RATE,
      beforeMillis: BEFORE,
      watchedMillis: WATCHED,
      graceMillis: 500,
    },
    faults,
  };
}

const FAULTS: readonly (readonly [name: string, description: string])[] = [
  ['kill', 'The old server is killed and the name moves at once'],
  ['kill-late', 'The old server is killed; the name moves 2 s later'],
  ['silent', 'The old host answers nothing any more, not even with a reset; the name moves at once'],
  ['silent-late', 'The old host answers nothing any more; the name moves 2 s later'],
  ['alive', 'The old server goes on, and the name moves away from it'],
  ['flicker', 'The name moves, and for 20 s the answer alternates between old and new'],
  ['demoted', 'The old server becomes read-only, and the name moves'],
  ['sigstop', 'The old server process is stopped (SIGSTOP): the kernel still accepts connections'],
  ['slow-start', 'The new server refuses log-ins with 57P03 for 2 s'],
  ['dns-drop', 'The DNS server answers nothing; the server goes on'],
  ['dns-servfail', 'The DNS server answers SERVFAIL'],
  ['dns-empty', 'The DNS server answers with no address'],
  ['public', 'The name answers with its public address'],
];
const CLIENTS: readonly string[] = [
  'eip-pool/pg',
  'eip-pool/mysql2',
  'eip-pool/generic-pool',
  'pg.Pool',
  'pg.Pool tuned',
  'postgres',
  'postgres-pool',
  'mysql2',
  'mariadb',
  'aws-advanced-nodejs-wrapper',
  'generic-pool',
];

const runsOf = (from: number, runs: number, spread: number): number[] =>
  Array.from({ length: runs }, (_, i) => Math.round(from + spread * (((i * 37) % 10) / 10) ** 2));

function course(name: string, label: string, runs: number): Course {
  const never = Array.from({ length: runs }, () => null);
  const ours = label.startsWith('eip-pool');
  if (name === 'alive' || name === 'flicker') {
    return { firstSuccess: ours ? runsOf(640, runs, 350) : never, until: 'old' };
  }
  if (name.startsWith('silent') || name === 'sigstop') {
    if (ours) return { firstSuccess: runsOf(420, runs, 630), until: 'wait', errors: 3 };
    if (label.includes('tuned')) return { firstSuccess: runsOf(2_010, runs, 90), until: 'error' };
    return { firstSuccess: never, until: 'hung' };
  }
  if (name === 'kill-late' && label === 'mysql2')
    return { firstSuccess: runsOf(900, runs, 800), until: 'error', lost: 2 };
  if (name === 'slow-start' && !ours) return { firstSuccess: runsOf(2_030, runs, 60), until: 'error' };
  return { firstSuccess: runsOf(18, runs, 40), until: 'wait', errors: 1 };
}

/** As large as a full matrix is. */
export function fullMatrix(runs: number = 10): Recording {
  const faults = FAULTS.map(([name, description]) => {
    const clients = CLIENTS.map((label) => client(label, course(name, label, runs)));
    return fault(name, description, clients);
  });
  return recordingOf(faults);
}
