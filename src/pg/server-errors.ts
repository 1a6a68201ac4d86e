import type { Condition } from '../endpoint/adopt.js';
import { noteOutcome } from '../outcome/outcome.js';
import { networkRefusal, NOT_REACHED, type Refusal } from '../failover/refusal.js';

/** PostgreSQL manual, appendix A: cannot_connect_now, too_many_connections, admin_shutdown, crash_shutdown. */
const NOT_READY: Readonly<Record<string, Condition>> = {
  '57P03': 'starting',
  // It answers, so it lives; only no session is free.
  '53300': 'usable',
  '57P01': 'refusing',
  '57P02': 'refusing',
};

export function refusalOf(error: unknown): Refusal {
  const common = networkRefusal(error);
  if (common !== null) return common;
  const { code, message, severity } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof code === 'string') {
    // A mere ERROR is the answer to a statement, such as one of the hook for new connections.
    const condition = severity === 'ERROR' ? undefined : NOT_READY[code];
    return condition === undefined ? { kind: 'refused' } : { kind: 'not-ready', condition };
  }
  return message === TERMINATED_AT_LOGIN ? NOT_REACHED : { kind: 'refused' };
}

/** What pg says of a connection that ended in the middle of its log-in. */
const TERMINATED_AT_LOGIN = 'Connection terminated unexpectedly';

/** The same, for what is asked of a connection before its caller gets it. Nothing of the caller's was sent. */
export function terminatedAtLogin(cause: unknown): Error {
  const error = new Error(TERMINATED_AT_LOGIN, { cause });
  noteOutcome(error, 'not-sent');
  return error;
}
