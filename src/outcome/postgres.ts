import type { Answer, Outcome } from './outcome.js';
import { isSingleStatement } from './statement.js';

/**
 * PostgreSQL's half of the table. Sources: PostgreSQL manual, appendix A (SQLSTATEs) and 54.8 (fields of an error).
 * test/pg/outcome.test.ts provokes each row on a real server.
 */
export interface PostgresError {
  readonly code: string;
  /** In the language of the server's messages. */
  readonly severity: string;
  /** What raised it in the server; a proxy's own errors have none. */
  readonly routine: string | undefined;
}

/** Null where the error is none that a server of PostgreSQL's protocol sent. */
export function postgresErrorOf(error: unknown): PostgresError | null {
  const { code, severity, routine } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof code !== 'string' || typeof severity !== 'string') return null;
  return { code, severity, routine: typeof routine === 'string' ? routine : undefined };
}

/** The server is leaving, and does not say what became of the statement. Class 57. */
const LEAVING: ReadonlySet<string> = new Set(['57P01', '57P02', '57P05']);
/** The server does not take sessions. */
const REFUSES_SESSIONS: ReadonlySet<string> = new Set(['57P03', '53300']);
/** A read-only server: nothing of one statement was done, unless it can commit a part of itself. */
const READ_ONLY = '25006';

/**
 * Only FATAL and PANIC end a session. Any other error is the answer to a statement whose session goes on, and its
 * SQLSTATE may be whatever a function chose to raise: no code of it says that a server is leaving, or takes no sessions.
 */
export function postgresOutcome(
  error: PostgresError,
  answer: Answer | null,
  statement: string | undefined = answer?.statement,
): Outcome | undefined {
  const { code, severity } = error;
  if (code === READ_ONLY) return isRefusal(error) && isSingle(statement) ? 'rejected' : 'unknown';
  if (severity === 'FATAL' || severity === 'PANIC') {
    // Too many sessions, a server that starts, a wrong password or user, an unknown database: a login ends with these.
    const ofLogin = REFUSES_SESSIONS.has(code) || code.startsWith('28') || code.startsWith('3D');
    return ofLogin && answer === null ? 'not-sent' : 'unknown';
  }
  const speaksOfSession = LEAVING.has(code) || code.startsWith('08');
  // Older poolers tell of the connection behind them with a mere ERROR.
  if (severity === 'ERROR') return speaksOfSession && error.routine === undefined ? 'unknown' : undefined;
  // In a language other than English, nobody knows whether the session goes on.
  return speaksOfSession || REFUSES_SESSIONS.has(code) ? 'unknown' : undefined;
}

/** Did the server itself refuse, rather than a function that raised its code? */
function isRefusal({ routine }: PostgresError): boolean {
  return routine === undefined || routine.startsWith('PreventCommand');
}

function isSingle(statement: string | undefined): boolean {
  return statement !== undefined && isSingleStatement(statement);
}
