import os from 'node:os';
import { specOf } from '../failover/fault.js';
import { BEFORE_MILLIS, GRACE_MILLIS, type Matrix, type Measurement, type Row, SETTLE_MILLIS } from './matrix.js';
import type { FaultRecord, Recording } from './recording.js';

export function machine(): Recording['machine'] {
  const [cpu] = os.cpus();
  return {
    cpus: os.cpus().length,
    cpu: cpu?.model.trim() ?? 'unknown',
    os: `${os.type()} ${os.release()}`,
    node: process.version,
  };
}

/** What `--json` writes. */
export function record(
  matrix: Matrix,
  { rows, skipped, versions }: Measurement,
  about: { readonly startedAt: Date; readonly realNetwork: boolean },
): Recording {
  const titles = [...new Set(rows.map(({ title }) => title))];
  const faults = titles.map((title) =>
    faultRecord(
      matrix,
      rows.filter((row) => row.title === title),
    ),
  );
  return {
    version: 1,
    startedAt: about.startedAt.toISOString(),
    machine: machine(),
    versions,
    settings: {
      runs: matrix.runs,
      ratePerSecond: matrix.rates[0]!,
      beforeMillis: BEFORE_MILLIS,
      watchedMillis: Math.max(...matrix.faults.map((fault) => matrix.watchMillis ?? specOf(fault).watchMillis)),
      graceMillis: GRACE_MILLIS,
      settleMillis: SETTLE_MILLIS,
      parallel: matrix.parallel,
      realNetwork: about.realNetwork,
    },
    faults,
    skipped,
  };
}

function faultRecord({ watchMillis }: Matrix, rows: readonly Row[]): FaultRecord {
  const [{ title, fault, rate }] = rows as readonly [Row];
  const bareOf = (kind: Row['kind']): readonly number[] => rows.find((row) => row.kind === kind)?.bareMillis ?? [];
  return {
    fault: title,
    description: specOf(fault).description,
    bareMillis: bareOf('embedded-postgres'),
    bareMysqlMillis: bareOf('mariadb'),
    ratePerSecond: rate,
    watchedMillis: watchMillis ?? specOf(fault).watchMillis,
    clients: rows.map(({ client, kind, runs }) => ({
      client,
      database: kind === 'mariadb' ? 'mysql' : 'postgres',
      runs,
    })),
  };
}

/** Hundredths of a millisecond are more than any of it is worth. */
export function toJson(recording: Recording): string {
  const round = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value;
  return JSON.stringify(recording, round);
}
