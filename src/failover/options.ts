import { isIP } from 'node:net';
import type { FollowOptions } from '../endpoint/options.js';
import { EipPoolError } from '../errors.js';
import { boolean, invalidOption, millis, readOptions } from '../options.js';
import { Endpoint } from '../sockets/endpoint.js';

/** How a pool behaves while its name moves. All durations are milliseconds. */
export interface FailoverOptions {
  /**
   * How long a connection in use may finish its work on an address that the name has left, while that address still
   * answers. `0` cuts it at once, even in the middle of a query.
   * @defaultValue 2_000
   */
  readonly drainMillis?: number | undefined;
  /**
   * How long a caller waits for a connection while there is no usable server; then he gets `DEADLINE_EXCEEDED` with the
   * last failure as its cause. The driver's own time-out for that wait, where it has one and it is set
   * (`connectionTimeoutMillis` of pg, `acquireTimeoutMillis` of generic-pool), takes its place. A pool that is merely
   * busy waits as its driver does.
   * @defaultValue 30_000
   */
  readonly deadlineMillis?: number | undefined;
  /**
   * Does a pool that has never had a connection wait for its server too? Otherwise it fails at once, as its driver
   * does, so that a wrong configuration does not look like a failover.
   * @defaultValue false
   */
  readonly waitAtStart?: boolean | undefined;
}

/** The keys beside the driver's own. */
export interface FollowingConfig {
  /** How the host's name is followed. Not together with `endpoint`. */
  readonly follow?: FollowOptions | undefined;
  readonly failover?: FailoverOptions | undefined;
  /** An endpoint to share with others; whoever made it closes it. Not together with `follow`. */
  readonly endpoint?: Endpoint | undefined;
}

export interface ReadFailoverOptions {
  readonly drainMillis: number;
  readonly deadlineMillis: number;
  readonly waitAtStart: boolean;
}

const LONGEST_TIMER = 2 ** 31 - 1;

export function readFailoverOptions(input: unknown): ReadFailoverOptions {
  return readOptions<ReadFailoverOptions>(
    {
      drainMillis: millis(2_000, 0, LONGEST_TIMER),
      deadlineMillis: millis(30_000, 1, LONGEST_TIMER),
      waitAtStart: boolean(false),
    },
    input,
    'failover',
  );
}

/** A `stream` of ours, which tells its endpoint; a config that was copied from a pool of ours carries it on. */
export interface FollowingStream {
  (...args: never): unknown;
  readonly endpoint: Endpoint;
}

/** The endpoint that a config asks for, and whether we made it; null where nothing is to be followed. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly owned: boolean;
}

/** @param host as the driver finds it: a name, an address, or what is no host at all */
export function routeOf(config: FollowingConfig & { readonly stream?: unknown }, host: string): Route | null {
  const { follow, endpoint, stream } = config;
  if (endpoint !== undefined && !(endpoint instanceof Endpoint)) {
    throw invalidOption('endpoint', 'what follow(name) returned', endpoint);
  }
  const inherited = (stream as Partial<FollowingStream> | null | undefined)?.endpoint;
  if (inherited !== undefined) return { endpoint: inherited, owned: false };
  if (stream != null) {
    if (follow === undefined && endpoint === undefined) return null;
    throw new EipPoolError(
      'INVALID_OPTION',
      'option stream: the sockets are made by the endpoint; leave it out, or leave out follow and endpoint',
    );
  }
  if (endpoint !== undefined) {
    if (follow === undefined) return { endpoint, owned: false };
    throw new EipPoolError(
      'INVALID_OPTION',
      'option follow: a shared endpoint has its own options; leave out follow or endpoint',
    );
  }
  if (isFixed(host)) {
    if (follow === undefined) return null;
    throw invalidOption('host', 'a DNS name, since follow is given', host);
  }
  return { endpoint: new Endpoint(host, follow), owned: true };
}

/** An address, or the path of a Unix socket: nothing that could move. */
function isFixed(host: string): boolean {
  return host === '' || host.startsWith('/') || isIP(host) !== 0;
}
