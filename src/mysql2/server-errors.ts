import { networkRefusal, NOT_REACHED, type Refusal } from '../failover/refusal.js';

/**
 * MySQL manual, server error reference: ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_TOO_MANY_USER_CONNECTIONS,
 * ER_SERVER_OFFLINE_MODE. A server that starts does not listen yet.
 */
const NOT_READY: ReadonlySet<unknown> = new Set([1040, 1053, 1203, 3032]);

/** mysql2 gives every error of a TLS handshake this code, also the network's. */
const TLS_FAILED = 'HANDSHAKE_SSL_ERROR';
/** What Node says of a connection that ended in the middle of a TLS handshake. */
const TLS_CUT_OFF = 'Client network socket disconnected before secure TLS connection was established';

export function refusalOf(error: unknown): Refusal {
  const common = networkRefusal(error);
  if (common !== null) return common;
  const { code, errno, syscall, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (code === 'PROTOCOL_CONNECTION_LOST' || NOT_READY.has(errno)) return NOT_REACHED;
  const cutOff = syscall === 'read' || syscall === 'write' || String(message).startsWith(TLS_CUT_OFF);
  return code === TLS_FAILED && cutOff ? NOT_REACHED : { kind: 'refused' };
}

/** Did the server itself say so? */
export function isServerError(error: unknown): boolean {
  const { errno, sqlState } = (error ?? {}) as Readonly<Record<string, unknown>>;
  return typeof errno === 'number' && typeof sqlState === 'string';
}
