import { isEipPoolError, type ErrorCode } from '../errors.js';
import { MYSQL_NEVER_SENT, mysqlErrorOf, mysqlOutcome } from './mysql.js';
import { postgresErrorOf, postgresOutcome } from './postgres.js';

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
  const known = shared.outcomes.get(error as object);
  if (known !== undefined) return known;
  if (isEipPoolError(error)) return ours[error.code];
  const answer = shared.answers.get(error as object) ?? null;
  const postgres = postgresErrorOf(error);
  if (postgres !== null) return postgresOutcome(postgres, answer, statement);
  const mysql = mysqlErrorOf(error);
  if (mysql !== null) return mysqlOutcome(mysql, answer);
  return isNeverSent(error) ? 'not-sent' : 'unknown';
}

/** That an error was a server's answer to a statement, as the adapter saw it. */
export interface Answer {
  /** Undefined where the adapter does not know its text. */
  readonly statement: string | undefined;
  /** The server was asked for its role then, and is read-only. */
  readonly byReadOnlyServer: boolean;
}

/**
 * What is known of exactly this error, beyond what it says: one for all loaded copies of this library. An outcome is
 * written once, by whoever owns the session; an answer is only a fact for the table.
 */
interface Known {
  readonly outcomes: WeakMap<object, Outcome>;
  readonly answers: WeakMap<object, Answer>;
}

const KNOWN: unique symbol = Symbol.for('eip-pool.known-of-errors') as never;
const shared: Known = ((globalThis as { [KNOWN]?: Known })[KNOWN] ??= {
  outcomes: new WeakMap(),
  answers: new WeakMap(),
});

/** For adapters: a server answered a statement with this error. */
export function noteAnswer(error: object, statement: string | undefined, byReadOnlyServer: boolean = false): void {
  shared.answers.set(error, { statement, byReadOnlyServer });
}

/** For whoever owns the session, or failed to make one, that ended with this error. The first word counts. */
export function noteOutcome(error: unknown, outcome: Outcome): void {
  if (typeof error !== 'object' || error === null || shared.outcomes.has(error)) return;
  shared.outcomes.set(error, outcome);
}

/** For a transaction: what one of its statements failed with tells of the whole, once that has ended with it. */
export function noteTransactionOutcome(error: object, outcome: Outcome): void {
  shared.outcomes.set(error, outcome);
}

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
  CONNECTION_LOST: 'unknown',
  ENDPOINT_CLOSED: 'unknown',
};

/** Whether it tells of what comes before anything that could be sent: a lookup, the connect call, the driver's own no. */
function isNeverSent(error: unknown): boolean {
  const { code, message, syscall } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (syscall === 'connect' || syscall === 'getaddrinfo' || /^query(A|Aaaa|Cname)/.test(String(syscall))) return true;
  if (code === 'HANDSHAKE_SSL_ERROR') return true;
  return typeof message === 'string' && NEVER_SENT.some((start) => message.startsWith(start));
}

/**
 * Messages with which pg 8 and pg-pool 3 refuse work before they write any of it. Sources: pg/lib/client.js
 * (`query`), pg/lib/query.js (`submit`), pg-pool/index.js (`connect`, `newClient`).
 */
const NEVER_SENT: readonly string[] = [
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Client was passed a null or undefined query',
  'A query must have either text or a name',
  'Query values must be an array',
  'Prepared statements must be unique',
  'Cannot use a pool after calling end on the pool',
  'timeout exceeded when trying to connect',
  'Connection terminated due to connection timeout',
  'Passing a function as the first parameter to pool.query is not supported',
  ...MYSQL_NEVER_SENT,
];
