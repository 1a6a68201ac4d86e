import type pg from 'pg';
import { type FollowingConfig, type FollowingStream, inheritedEndpoint } from '../failover/options.js';
import { viewOf } from '../options.js';
import { Endpoint } from '../sockets/endpoint.js';
import type { SocketPlan } from '../sockets/socket-host.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import type { Driver } from './internals.js';

/**
 * pg-pool copies what the options themselves show, and their password; what an instance of a class inherits, accessors
 * above all, it would drop, though pg's clients read it.
 */
export function withInherited<T extends object>(config: T): T {
  const inherited: Record<string, unknown> = {};
  for (let at = parentOf(config); at !== null && parentOf(at) !== null; at = parentOf(at)) {
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' || Object.hasOwn(config, key)) continue;
      inherited[key] = config[key as keyof T];
    }
  }
  return Object.keys(inherited).length === 0 ? config : viewOf<T>(config, inherited);
}

function parentOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

export type ClientConstructor = new (config?: string | pg.ClientConfig) => pg.ClientBase;

export function withClient<T extends pg.PoolConfig>(config: T, client: ClientConstructor): T {
  return viewOf(config, { Client: client });
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
    config = viewOf(given, { host: endpoint.name });
  }
  const { host, port } = new driver.Client(viewOf(config, { stream: undefined }));
  const stream = config.stream as Partial<FollowingStream> | undefined;
  if (stream?.endpoint !== undefined && inheritedEndpoint(config, host) === null) {
    config = viewOf(config, { stream: undefined });
  }
  return { config, host, port };
}

const ONCE: SocketPlan = { persist: () => false };

/** What pg calls for each connection; it carries its endpoint along wherever the options are copied to. */
export function streamFactory(endpoint: Endpoint): FollowingStream {
  const make = (): TrackedSocket => endpoint.socket(ONCE);
  return Object.assign(make, { endpoint });
}
