import type { Condition } from '../endpoint/adopt.js';
import { isEipPoolError } from '../errors.js';

/** What a failed log-in says of the server. */
export type Refusal =
  /** No server, or one that does not take sessions now: worth waiting for. */
  | { readonly kind: 'not-ready'; readonly condition: Condition }
  /** The server, or TLS, refused this client: no wait will help. */
  | { readonly kind: 'refused' };

/** PostgreSQL manual, appendix A: cannot_connect_now, too_many_connections, admin_shutdown, crash_shutdown. */
const NOT_READY: Readonly<Record<string, Condition>> = {
  '57P03': 'starting',
  '53300': 'refusing',
  '57P01': 'refusing',
  '57P02': 'refusing',
};

const NETWORK: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
]);

/** Ours that a later attempt may not meet. */
const PASSING: ReadonlySet<string> = new Set(['ADDRESS_LEFT', 'ADDRESS_DEAD', 'CONNECT_TIMEOUT']);

export function refusalOf(error: unknown): Refusal {
  const { code, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const notReady: Refusal = { kind: 'not-ready', condition: 'refusing' };
  if (isEipPoolError(error)) return PASSING.has(error.code) ? notReady : { kind: 'refused' };
  if (typeof code === 'string') {
    const condition = NOT_READY[code];
    if (condition !== undefined) return { kind: 'not-ready', condition };
    return NETWORK.has(code) ? notReady : { kind: 'refused' };
  }
  // What pg says of a connection that ended in the middle of its log-in.
  return message === 'Connection terminated unexpectedly' ? notReady : { kind: 'refused' };
}
