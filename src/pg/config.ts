import pg from 'pg';
import type { FollowingStream } from '../failover/options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';

/** Host and port as pg finds them: in the connection string, the config, PGHOST and PGPORT or pg's defaults. */
export function whereOf(config: string | pg.ClientConfig | undefined): {
  readonly host: string;
  readonly port: number;
} {
  return new pg.Client(config);
}

/** A copy in which pg finds everything: pg-pool hides the password from enumeration. */
export function copyOf<T extends pg.ClientConfig>(config: T): T {
  const copy = { ...config };
  if (config.password !== undefined) {
    Object.defineProperty(copy, 'password', { value: config.password, configurable: true, writable: true });
  }
  return copy;
}

/** What pg calls for each connection; it carries its endpoint along wherever the options are copied to. */
export function streamFactory(endpoint: Endpoint, persist: (cause: unknown) => boolean): FollowingStream {
  const make = (): TrackedSocket => endpoint.socket({ persist });
  return Object.assign(make, { endpoint });
}
