import { isEipPoolError, type ErrorCode } from '../errors.js';
import { MYSQL_NEVER_SENT, mysqlErrorOf, mysqlOutcome } from './mysql.js';
import { isSingleStatement } from './statement.js';

/**
 * What is known of work that failed with an error.
 * - `not-sent`: nothing of it was written to a server.
 * - `rejected`: the server refused it as a whole; it had no effect.
 * - `unknown`: it may have been done, in whole or in part.
 */
export type Outcome = 'not-sent' | 'rejected' | 'unknown';

/**
 * What an error says of the work that failed with it, or `undefined` where the server itself answered the statement
 * with an ordinary error: then its SQLSTATE says what happened, and no connection was cut off. MySQL's read-only errors
 * (1290, 1792, 1836) are `unknown`: only the server's role could tell what they mean.
 *
 * `statement` is needed only where the error did not come from a pool or client of this library, which know it.
 */
export function outcomeOf(error: unknown, statement?: string): Outcome | undefined {
  const known = outcomes.get(error as object);
  if (known !== undefined) return known;
  if (isEipPoolError(error)) return ours[error.code];
  const { code, message, severity, syscall } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof severity === 'string' && typeof code === 'string') {
    return ofServer(code, severity, statement ?? statements.get(error as object));
  }
  const mysqlError = mysqlErrorOf(error);
  if (mysqlError !== null) return mysqlOutcome(mysqlError);
  if (code === 'HANDSHAKE_SSL_ERROR') return 'not-sent';
  if (typeof message === 'string' && neverSent.some((start) => message.startsWith(start))) return 'not-sent';
  // The connect call and the look-up come before anything that could be sent.
  if (syscall === 'connect' || syscall === 'getaddrinfo' || /^query(A|Aaaa|Cname)/.test(String(syscall))) {
    return 'not-sent';
  }
  return 'unknown';
}

const STATEMENTS: unique symbol = Symbol.for('eip-pool.statements') as never;

/** For adapters: the statement that a server's error answered. */
export function noteStatement(error: object, statement: string): void {
  statements.set(error, statement);
}

const OUTCOMES: unique symbol = Symbol.for('eip-pool.outcomes') as never;

/** For adapters that know more than the error says: of the work that failed with exactly this error. */
export function noteOutcome(error: unknown, outcome: Outcome): void {
  if (typeof error === 'object' && error !== null) outcomes.set(error, outcome);
}

/** One for all loaded copies of this library. */
const shared = globalThis as { [STATEMENTS]?: WeakMap<object, string>; [OUTCOMES]?: WeakMap<object, Outcome> };
const statements: WeakMap<object, string> = (shared[STATEMENTS] ??= new WeakMap());
const outcomes: WeakMap<object, Outcome> = (shared[OUTCOMES] ??= new WeakMap());

/**
 * Our own errors. Those that end a connection attempt, or a wait for one, come before anything was sent; those that
 * cut a connection say nothing of what was on it.
 */
const ours: Readonly<Record<ErrorCode, Outcome>> = {
  INVALID_OPTION: 'not-sent',
  PUBLIC_ADDRESS: 'not-sent',
  ANSWER_TOO_OLD: 'not-sent',
  DEADLINE_EXCEEDED: 'not-sent',
  CONNECT_TIMEOUT: 'not-sent',
  LOOKUP_TIMEOUT: 'not-sent',
  NO_ADDRESS: 'not-sent',
  POOL_ENDED: 'not-sent',
  TOO_MANY_WAITING: 'not-sent',
  READ_ONLY_SERVER: 'not-sent',
  FAILING_FAST: 'not-sent',
  PAUSE_ENDED: 'not-sent',
  TRANSACTION_OVER: 'not-sent',
  TRANSACTION_NESTED: 'not-sent',
  TRANSACTION_FAILED: 'rejected',
  TRANSACTION_LEFT: 'unknown',
  COMMIT_UNKNOWN: 'unknown',
  LAB_UNAVAILABLE: 'not-sent',
  PEER_MISSING: 'not-sent',
  API_UNAUTHORIZED: 'not-sent',
  API_CREDENTIALS: 'not-sent',
  API_THROTTLED: 'not-sent',
  API_UNAVAILABLE: 'not-sent',
  API_REJECTED: 'not-sent',
  DRY_RUN: 'not-sent',
  ALLOCATION_NOT_FOUND: 'not-sent',
  ADDRESS_NOT_FOUND: 'not-sent',
  INSTANCE_NOT_FOUND: 'not-sent',
  INTERFACE_NOT_FOUND: 'not-sent',
  ASSOCIATION_NOT_FOUND: 'not-sent',
  INSTANCE_STATE: 'not-sent',
  ADDRESS_LIMIT: 'not-sent',
  ALREADY_ASSOCIATED: 'not-sent',
  ADDRESS_IN_USE: 'not-sent',
  NOT_SETTLED: 'not-sent',
  ADDRESS_LEFT: 'unknown',
  ADDRESS_DEAD: 'unknown',
  ENDPOINT_CLOSED: 'unknown',
};

/**
 * Messages with which pg 8 and pg-pool 3 refuse work before they write any of it. Sources: pg/lib/client.js
 * (`query`), pg-pool/index.js (`connect`, `newClient`).
 */
const neverSent: readonly string[] = [
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'timeout exceeded when trying to connect',
  'Connection terminated due to connection timeout',
  'Passing a function as the first parameter to pool.query is not supported',
  ...MYSQL_NEVER_SENT,
];

/** The server is leaving, and does not say what became of the statement. PostgreSQL manual, appendix A, class 57. */
const LEAVING: ReadonlySet<string> = new Set(['57P01', '57P02', '57P05']);
/** The server does not take sessions, so it took no statement either. */
const REFUSES_SESSIONS: ReadonlySet<string> = new Set(['57P03', '53300']);
/** A read-only server: nothing of one statement was done, unless it can commit a part of itself. */
const READ_ONLY = '25006';

function ofServer(code: string, severity: string, statement: string | undefined): Outcome | undefined {
  if (REFUSES_SESSIONS.has(code)) return 'not-sent';
  // Wrong password or user, unknown database: only a log-in ends the session with these.
  if (severity === 'FATAL' && (code.startsWith('28') || code.startsWith('3D'))) return 'not-sent';
  if (code === READ_ONLY) return statement !== undefined && isSingleStatement(statement) ? 'rejected' : 'unknown';
  // Classes 08 (connection exception) and FATAL or PANIC end the session in the middle of whatever it did.
  if (LEAVING.has(code) || code.startsWith('08') || severity === 'FATAL' || severity === 'PANIC') return 'unknown';
  return undefined;
}
