import type pg from 'pg';
import { type FollowingConfig, type FollowingStream, inheritedEndpoint } from '../failover/options.js';
import { Endpoint } from '../sockets/endpoint.js';
import type { SocketPlan } from '../sockets/socket-host.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { Driver } from './internals.js';

/** A copy in which pg finds everything: pg-pool hides the password from enumeration. */
export function copyOf<T extends pg.ClientConfig>(config: T): T {
  const copy = { ...config };
  if (config.password !== undefined) {
    Object.defineProperty(copy, 'password', { value: config.password, configurable: true, writable: true });
  }
  return copy;
}

export type ClientConstructor = new (config?: string | pg.ClientConfig) => pg.ClientBase;

export function withClient<T extends pg.PoolConfig>(config: T, client: ClientConstructor): T {
  return Object.assign(copyOf(config), { Client: client });
}

/** A config with the host that it means. */
export interface Meant<T> {
  readonly config: T;
  readonly host: string;
  readonly port: number;
}

/**
 * Host and port as pg finds them: in the connection string, the config, PGHOST and PGPORT or pg's defaults. A shared
 * endpoint brings its name; a stream that was copied from a pool of another name goes.
 */
export function meantBy<T extends pg.ClientConfig & FollowingConfig>(driver: Driver, given: T): Meant<T> {
  const { endpoint, connectionString } = given;
  let config = given;
  if (endpoint instanceof Endpoint && !given.host && connectionString === undefined) {
    config = Object.assign(copyOf(given), { host: endpoint.name });
  }
  const { host, port } = new driver.Client(Object.assign(copyOf(config), { stream: undefined }));
  const stream = config.stream as Partial<FollowingStream> | undefined;
  if (stream?.endpoint !== undefined && inheritedEndpoint(config, host) === null) {
    config = Object.assign(copyOf(config), { stream: undefined });
  }
  return { config, host, port };
}

const ONCE: SocketPlan = { persist: () => false };

/** What pg calls for each connection; it carries its endpoint along wherever the options are copied to. */
export function streamFactory(endpoint: Endpoint): FollowingStream {
  const make = (): TrackedSocket => endpoint.socket(ONCE);
  return Object.assign(make, { endpoint });
}
