/** Where the load finds its servers, and which build of the library it uses. */
export interface Target {
  /** A folder with `index.js`, `pg/index.js`, `mysql2/promise.js`. */
  readonly library: string;
  readonly name: string;
  readonly port: number;
  readonly dnsServers: readonly string[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What a driver's pool does for the load. Each resolves to the port of the server that did it, or null if it cannot tell. */
export interface Work {
  read(slow: boolean): Promise<number>;
  write(id: number, slow: boolean): Promise<number | null>;
  /** By hand, on a lease. */
  lease(id: number): Promise<number | null>;
  /** By the pool's own `transaction`. */
  transaction(id: number): Promise<number | null>;
  call(id: number): Promise<number | null>;
  readonly addresses: readonly string[];
  onMove(listener: (addresses: readonly string[]) => void): void;
  end(): Promise<void>;
}

/** A module of a driver exports this as `open`. */
export type OpenWork = (target: Target) => Promise<Work>;

/** So long that a fault meets some of it in the middle. */
export const SLOW_SECONDS = 0.05;

/** Shorter than the defaults, so that a thousand failovers take less than an hour. */
export const FOLLOW = { intervalMillis: 250, returnAfterMillis: 1_000, quarantineMillis: 5_000 } as const;
export const FAILOVER = { drainMillis: 500, deadlineMillis: 10_000 } as const;
/** A caller's deadline, and what it takes to judge the server that he then got silent (design: sockets 3). */
export const LIMIT_MILLIS: number = FAILOVER.deadlineMillis + 4_000;
