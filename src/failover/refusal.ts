import type { Address } from '../endpoint/address.js';
import type { Condition } from '../endpoint/adopt.js';
import { EipPoolError, isEipPoolError } from '../errors.js';

/** What a failed log-in says of the server. */
export type Refusal =
  /** No server, or one that does not take sessions now: worth waiting for. */
  | { readonly kind: 'not-ready'; readonly condition: Condition }
  /** The server, or TLS, refused this client: no wait will help. */
  | { readonly kind: 'refused' };

export const NOT_REACHED: Refusal = { kind: 'not-ready', condition: 'refusing' };

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
const PASSING: ReadonlySet<string> = new Set([
  'ADDRESS_LEFT',
  'ADDRESS_DEAD',
  'CONNECTION_LOST',
  'CONNECT_TIMEOUT',
  'READ_ONLY_SERVER',
]);

/** What `role: 'writable'` says of a server that has logged a client in. */
export function readOnlyError(name: string, address: Address | null): EipPoolError {
  return new EipPoolError(
    'READ_ONLY_SERVER',
    `the server behind ${name} at ${address ?? 'an unknown address'} is read-only, and failover.role is 'writable': ` +
      'it is waited for once the pool has had a connection, or with failover.waitAtStart',
  );
}

/** What the network or this library says of it; null where only the driver's adapter can tell. */
export function networkRefusal(error: unknown): Refusal | null {
  if (isEipPoolError(error)) return PASSING.has(error.code) ? NOT_REACHED : { kind: 'refused' };
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && NETWORK.has(code) ? NOT_REACHED : null;
}
