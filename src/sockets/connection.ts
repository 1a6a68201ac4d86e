import type { Socket } from 'node:net';

/**
 * The register: what only an adapter can do for the sockets. `sockets/` knows no driver; an adapter gives each socket
 * the connection that lives on it, and each endpoint its way to log in.
 */
export interface Connection {
  /** Is a caller holding it? Work that he runs on it is not new work. */
  isLeased(): boolean;
  /** Was a statement sent, and is its reply not complete? A log-in is not asked about. */
  isWaiting(): boolean;
  /** Its address was left: never lease it again. An idle one leaves the pool now, a leased one at its release. */
  retire(): void;
  /** Says goodbye in the driver's way on an idle connection. The socket is destroyed soon after, whatever happens. */
  goodbye(): void;
  /** One round trip on an idle connection; rejects if the connection fails. The caller bounds it. */
  ping(): Promise<void>;
  /** How long a lease may finish on an address that was left, in milliseconds. */
  readonly drainMillis: number;
  /** How long a statement may wait on a silent address before the server is asked whether it lives, in milliseconds. */
  readonly silenceMillis: number;
}

/** What a server said to a fresh log-in. */
export type Reply = 'usable' | 'starting' | 'read-only' | 'refusing';

/** An adapter's way to find out whether a server lives at all, and what it is. */
export interface Prober {
  readonly port: number;
  /** For how long a log-in may hear nothing, in milliseconds. */
  readonly timeoutMillis: number;
  /**
   * Logs in with this socket, which dials one address at its driver's `connect`, asks one question and leaves. Any reply
   * of a server, an error too, is life: it resolves. It rejects when nothing answered.
   */
  login(socket: Socket): Promise<Reply>;
}
