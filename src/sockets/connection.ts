import type { Address } from '../endpoint/address.js';

/**
 * The register: what only an adapter can do for the sockets. `sockets/` knows no driver; an adapter gives each socket
 * the connection that lives on it, and each endpoint its way to log in.
 */
export interface Connection {
  /** Is a caller holding it? Work that he runs on it is not new work. */
  isLeased(): boolean;
  /** Its address was left: never lease it again. An idle one leaves the pool now, a leased one at its release. */
  retire(): void;
  /** Says goodbye in the driver's way on an idle connection. The socket is destroyed soon after, whatever happens. */
  goodbye(): void;
  /** One round trip on an idle connection; rejects if the connection fails. The caller bounds it. */
  ping(): Promise<void>;
  /** How long a lease may finish on an address that was left, in milliseconds. */
  readonly drainMillis: number;
}

/** What a server said to a fresh log-in. */
export type Reply = 'usable' | 'starting' | 'read-only' | 'refusing';

/** An adapter's way to find out whether a server lives at all, and what it is. */
export interface Prober {
  /**
   * Logs in to this address with a socket of {@link import('./endpoint.js').Endpoint.probe}, asks one question and
   * leaves. Any reply of a server, an error too, is life: it resolves. It rejects when nothing answered.
   */
  login(address: Address, signal: AbortSignal): Promise<Reply>;
}
