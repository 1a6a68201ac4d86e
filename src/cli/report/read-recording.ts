import { UsageError } from '../args.js';
import type { Recording } from '../bench/recording.js';
import { messageOf } from '../../errors.js';

/** The file is not what `bench failover --json` writes; the message names the field. */
export class RecordingError extends UsageError {
  override readonly name: string = 'RecordingError';
  override readonly code: string = 'INVALID_RECORDING';
}

/**
 * The recording that a file holds. Fields that are not known are let pass: a later version of the bench may write more.
 * @throws RecordingError
 */
export function readRecording(text: string): Recording {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RecordingError(`not JSON: ${messageOf(error)}`);
  }
  // Before all else: the form of another version is another one.
  object({ version })(value, '');
  return recording(value, '') as Recording;
}

/** The value, made ready to be used; or an error that names where it stands. */
type Reader = (value: unknown, path: string) => unknown;

function wrong(path: string, expected: string, value: unknown): RecordingError {
  const got = value === undefined ? 'nothing' : JSON.stringify(value);
  const short = got.length > 60 ? `${got.slice(0, 60)}…` : got;
  return new RecordingError(`${path === '' ? 'the document' : path}: expected ${expected}, got ${short}`);
}

function object(fields: Readonly<Record<string, Reader>>): Reader {
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value);
    const read = Object.entries(fields).map(([name, reader]) => [
      name,
      reader(Object.hasOwn(value, name) ? value[name] : undefined, path === '' ? name : `${path}.${name}`),
    ]);
    return Object.fromEntries(read) as unknown;
  };
}

function record(reader: Reader): Reader {
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value);
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, reader(one, `${path}[${JSON.stringify(name)}]`)]),
    ) as unknown;
  };
}

function list(reader: Reader, atLeast: number): Reader {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'a list', value);
    if (value.length < atLeast) throw wrong(path, 'at least one entry', value);
    return value.map((one, i) => reader(one, `${path}[${i}]`));
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const text: Reader = (value, path) => {
  if (typeof value !== 'string') throw wrong(path, 'a string', value);
  return value;
};

const date: Reader = (value, path) => {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) throw wrong(path, 'an ISO 8601 date', value);
  return value;
};

const version: Reader = (value, path) => {
  if (value !== 1) throw wrong(path, '1, the only version that this eip-pool reads', value);
  return value;
};

function number(min: number, expected: string): Reader {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < min) throw wrong(path, expected, value);
    return value;
  };
}

/** JSON writes null for what is no finite number; here it becomes what it was. */
function orNull(reader: Reader, instead: number | null): Reader {
  return (value, path) => (value === null ? instead : reader(value, path));
}

/** What an older or simpler recording may lack. */
function optional(reader: Reader): Reader {
  return (value, path) => (value === undefined ? undefined : reader(value, path));
}

const count: Reader = number(0, 'a number of at least 0');
const above: Reader = number(Number.MIN_VALUE, 'a number above 0');
const millis: Reader = number(0, 'milliseconds, at least 0');
const moment: Reader = number(-Infinity, 'milliseconds after the change');
const momentOrNull: Reader = orNull(number(-Infinity, 'milliseconds after the change, or null'), null);

const histogram: Reader = object({
  count,
  p50: orNull(millis, NaN),
  p90: orNull(millis, NaN),
  p99: orNull(millis, NaN),
  p999: orNull(millis, NaN),
  max: orNull(millis, NaN),
});

const summary: Reader = object({
  firstSuccess: momentOrNull,
  lastOnOld: momentOrNull,
  onOld: count,
  backOnOld: count,
  errors: count,
  lastError: momentOrNull,
  hung: count,
  longestWait: millis,
  operations: count,
});

const kind: Reader = object({
  operations: count,
  errors: count,
  hung: count,
  firstSuccess: momentOrNull,
  longestWait: millis,
});

const run: Reader = object({
  summary,
  lostWrites: count,
  doubledWrites: count,
  outcomes: record(count),
  latency: object({ before: histogram, during: histogram, after: histogram }),
  timeline: list(object({ at: moment, millis: above, onOld: count, onNew: count, errors: count, hung: count }), 0),
  detectedMillis: optional(orNull(moment, Infinity)),
  unavailableMillis: optional(millis),
  reads: optional(kind),
  writes: optional(kind),
  crashes: optional(count),
});

const recording: Reader = object({
  version,
  startedAt: date,
  machine: object({ cpus: above, cpu: text, os: text, node: text }),
  versions: record(text),
  settings: object({
    runs: above,
    ratePerSecond: above,
    beforeMillis: millis,
    watchedMillis: above,
    graceMillis: millis,
    settleMillis: optional(millis),
    parallel: optional(above),
  }),
  faults: list(
    object({
      fault: text,
      description: text,
      bareMillis: list(orNull(millis, Infinity), 0),
      bareMysqlMillis: optional(list(orNull(millis, Infinity), 0)),
      ratePerSecond: optional(above),
      clients: list(object({ client: text, database: optional(text), runs: list(run, 1) }), 1),
    }),
    1,
  ),
  skipped: optional(list(object({ client: text, reason: text }), 0)),
});
