import type { Endpoint } from '../../src/index.js';

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
  /** What the servers' certificate is trusted by; null where they have none. */
  readonly ca: string | null;
  /** How long a caller waits for a connection while there is no server. */
  readonly deadlineMillis: number;
}

/** Who waits for a piece of work. */
export interface Caller {
  /** Unique; its rows in the ledger carry it. */
  readonly id: number;
  /** To be called with each answer that a callback gets; whoever awaits a promise is answered once in any case. */
  answered(): void;
}

export type Pace = 'quick' | 'slow' | 'long';

/** Tells which password the pool is to log in with; throws where there is none to be had. */
export type Password = () => Promise<string>;

/** What a driver's pool does for the load. Each resolves to the port of the server that did it, or null if it cannot tell. */
export interface Work {
  read(pace: Pace): Promise<number>;
  /** Through a callback. */
  readCalledBack(caller: Caller): Promise<number>;
  write(caller: Caller, pace: Pace): Promise<number | null>;
  writeCalledBack(caller: Caller): Promise<number | null>;
  /** By hand, on a lease that a callback gets. */
  lease(caller: Caller): Promise<number | null>;
  /** By the pool's own `transaction`, as all of these. */
  transaction(caller: Caller): Promise<number | null>;
  /** The second row in a transaction inside the first one. */
  nested(caller: Caller): Promise<number | null>;
  /** One that is begun in the callback of a read, and belongs to nobody else. */
  unrelated(caller: Caller): Promise<number | null>;
  /** Writes, reads by the pool meanwhile, and throws. */
  rollback(caller: Caller): Promise<never>;
  call(caller: Caller): Promise<number | null>;
  readonly endpoint: Endpoint;
  end(): Promise<void>;
}

/** A module of a driver exports this as `open`. */
export type OpenWork = (target: Target, password: Password) => Promise<Work>;

type Told<T> = (error: Error | null | undefined, value: T) => void;

/** A call with a callback, as a promise; each call of the callback is an answer. */
export async function calledBack<T>(caller: Caller, call: (told: Told<T>) => void): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    call((error, value) => {
      caller.answered();
      if (error == null) resolve(value);
      else reject(error);
    });
  });
}

/** What a transaction of the load throws to be rolled back. */
export class RolledBack extends Error {}

/** Slow: so long that a fault meets some of it in the middle. Long: longer than a server may be silent unasked. */
export const SECONDS: Readonly<Record<Exclude<Pace, 'quick'>, number>> = { slow: 0.05, long: 6 };

/** Shorter than the defaults, so that a thousand failovers take less than an hour. */
export const FOLLOW = { intervalMillis: 250, returnAfterMillis: 1_000, quarantineMillis: 5_000 } as const;
export const FAILOVER = { drainMillis: 500 } as const;
/** What it takes to judge a server that a caller waits for (design: sockets 3). */
const JUDGED_MILLIS = 4_000;

/** No promise may take longer: so often a caller waits for a connection to its deadline, and then for a server that is silent. */
export function limitMillis(waits: number, deadlineMillis: number): number {
  return waits * deadlineMillis + JUDGED_MILLIS;
}
/** A connection that was idle for so long is closed, so that a crowd has to log in anew. */
export const IDLE_MILLIS = 400;
