import type { Socket } from 'node:net';
import type { SessionList } from './sessions.js';
import type { Uptime } from './uptime.js';

/**
 * The register: what only an adapter can do for the sockets. `sockets/` knows no driver; an adapter gives each socket
 * the connection that lives on it, and each endpoint its way to ask a server.
 */
export interface Connection {
  /** Is a caller holding it? Work that runs on it is not new work. */
  isLeased(): boolean;
  /** Was a statement sent, is its reply not complete, and would this side read it? A login is not asked about. */
  isWaiting(): boolean;
  /** Never lease it again. An idle one leaves the pool now, a leased one at its release. */
  retire(): void;
  /** Says goodbye in the driver's way on an idle connection. The socket is destroyed soon after, whatever happens. */
  goodbye(): void;
  /** Has it been said, by whomever, so that it is the server who closes? Not there where goodbye closes the socket. */
  hasSaidGoodbye?(): boolean;
  /**
   * One round trip on an idle connection; rejects if the connection fails. The caller bounds it. Undefined where nobody knows
   * how to ask: then nothing is learned from it, neither life nor death.
   */
  readonly ping?: (() => Promise<void>) | undefined;
  /**
   * What its driver reads and writes, where that may be TLS on top of the socket: of an end of ours it hears there, and once,
   * as of one that the network makes. Null, or not there, where it is the socket.
   */
  readonly top?: Socket | null;
  /** The number that the server gave its session; null, or not there, where it gives none. */
  readonly sessionId?: number | null;
  /** How long a lease may finish on an address that was left, in milliseconds. */
  readonly drainMillis: number;
  /**
   * What `drainMillis` is called where it is set, for the error that ends it.
   * @defaultValue 'failover.drainMillis'
   */
  readonly drainOption?: string;
  /** How long a statement may wait on a silent address before the server is asked whether it lives, in milliseconds. */
  readonly silenceMillis: number;
}

/** What a server said to a fresh login. */
export type Reply = 'usable' | 'starting' | 'read-only' | 'refusing';

/**
 * An adapter's way to ask a service. Whether that lives is read off the socket alone: a login may fail, or take long, for
 * reasons that are not the server's.
 */
export interface Prober {
  readonly port: number;
  /** For how long a server may be silent to a question, in milliseconds. */
  readonly timeoutMillis: number;
  /**
   * Has this socket dial, by its `connect(port)`, and puts a question that a server answers before it knows who asks. What
   * it returns settles when the socket may be closed, null if it may be at any time.
   */
  ask(socket: Socket): Promise<unknown> | null;
  /** The same at an address that the name has left: nothing secret is sent. */
  askLeft(socket: Socket): Promise<unknown> | null;
  /** Logs in with this socket, asks what the server is, and leaves. What it rejects with says nothing of the server. */
  login(socket: Socket): Promise<Reply>;
  /**
   * Logs in, asks what these sessions of the server are doing, and leaves; not there where the server cannot tell. Rejects as
   * {@link login} does.
   */
  sessions?(socket: Socket, ids: readonly number[]): Promise<SessionList>;
  /**
   * Logs in, asks the server for how long it has run, and leaves. `'absent'`: it refuses, or is starting; null where it does
   * not say, or a pooler speaks for it, whose sessions may be older than the server's.
   */
  uptime?(socket: Socket): Promise<Uptime | 'absent' | null>;
}
