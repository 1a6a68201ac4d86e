import type { Answer, Outcome } from './outcome.js';

/**
 * MySQL's half of the table. Sources: MySQL manual, server error reference; MariaDB knowledge base, error codes;
 * mysql2/lib (the messages). test/mysql2/outcome.test.ts and test/containers/mysql-outcome.test.ts provoke each row on a
 * real server.
 */
export interface MysqlError {
  readonly errno: number;
  readonly sqlState: string;
  /** The statement, as mysql2 notes it. */
  readonly sql: unknown;
}

/** Null where the error is none that a server of MySQL's protocol sent. */
export function mysqlErrorOf(error: unknown): MysqlError | null {
  const { errno, sqlState, sql } = (error ?? {}) as Readonly<Record<string, unknown>>;
  return typeof errno === 'number' && typeof sqlState === 'string' ? { errno, sqlState, sql } : null;
}

/**
 * ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE. A demoted server sends them,
 * but 1290 also comes from `--secure-file-priv` and other options, 1792 from the caller's own transaction, 1836 from
 * MySQL's DDL under forced recovery too, and a CALL gets each of them with its first half committed. An adapter that has
 * asked the server's role notes what it found ({@link Answer.byReadOnlyServer}).
 */
const MAYBE_READ_ONLY: ReadonlySet<number> = new Set([1290, 1792, 1836]);

/** A refusal that only the server's role explains. */
export function isMaybeReadOnly(error: unknown): boolean {
  return MAYBE_READ_ONLY.has(mysqlErrorOf(error)?.errno ?? 0);
}

/**
 * ER_CONNECTION_KILLED (MariaDB), ER_CLIENT_INTERACTION_TIMEOUT (MySQL from 8.0.24 on; others end an idle session without
 * a word): the server ends the session. ER_SERVER_SHUTDOWN (1053) is of class 08.
 */
const LEAVING: ReadonlySet<number> = new Set([1927, 4031]);

/** ER_SIGNAL_WARN, ER_SIGNAL_NOT_FOUND, ER_SIGNAL_EXCEPTION: what a procedure or function raised, with any SQLSTATE. */
const SIGNALS: ReadonlySet<number> = new Set([1642, 1643, 1644]);

/**
 * With which a login ends: too many connections (1040, 1203), access denied (1044, 1045, 1698), unknown database (1049),
 * host blocked or not allowed (1129, 1130), an authentication that the client lacks (1251), password expired (1862),
 * offline mode (3032), account locked (3118, MariaDB 4151).
 */
const OF_LOGIN: ReadonlySet<number> = new Set([
  1040, 1044, 1045, 1049, 1129, 1130, 1203, 1251, 1698, 1862, 3032, 3118, 4151,
]);

export function mysqlOutcome({ errno, sqlState, sql }: MysqlError, answer: Answer | null): Outcome | undefined {
  // A login has no statement; nor has, for mysql2, the execution of one that was prepared by itself.
  if (sql === undefined && answer === null && OF_LOGIN.has(errno)) return 'not-sent';
  if (answer?.byReadOnlyServer === true && MAYBE_READ_ONLY.has(errno)) return 'rejected';
  if (MAYBE_READ_ONLY.has(errno) || LEAVING.has(errno)) return 'unknown';
  // Class 08 is the server's word for a connection that broke, or of which it could not read what was sent (1047, 1153).
  return sqlState.startsWith('08') && !SIGNALS.has(errno) ? 'unknown' : undefined;
}

/** What mysql2 says before it has written anything of the work. */
export const MYSQL_NEVER_SENT: readonly string[] = [
  'Pool is closed.',
  'No connections available.',
  'Queue limit reached.',
  'Pool does Not exist.',
  'Pool does Not have online node.',
  "Can't add new command when connection is in closed state",
  'Server does not support secure connection',
  'Bind parameters must',
];
