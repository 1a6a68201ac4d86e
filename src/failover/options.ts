import { isIP } from 'node:net';
import type { FollowOptions } from '../endpoint/options.js';
import { EipPoolError } from '../errors.js';
import { boolean, invalidOption, millis, number, oneOf, readOptions } from '../options.js';
import type { ReplayOption } from '../outcome/replay.js';
import { Endpoint } from '../sockets/endpoint.js';
import { LOOK_MILLIS } from '../sockets/silence.js';

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
   * How long statements may wait for a server from which not one byte comes, until it is asked whether it lives, on a
   * connection of its own. Whatever comes back is life, a refusal too: the server is busy, and is left alone, whatever a
   * statement takes. Only silence to two questions is death, and what waits fails with `ADDRESS_DEAD`; what fails or takes
   * long on this side (a password, a certificate, a file descriptor) is neither. A connection that is silent while its
   * server answers is looked into as well, and fails with `CONNECTION_LOST` when it is lost. At least 250; `Infinity` never
   * asks.
   * @defaultValue 1_000
   */
  readonly silenceMillis?: number | undefined;
  /**
   * For how long nothing may be heard on such a connection until the question is put a second time. A server that takes
   * the connection, and has no other one that could be asked, has three times as long in all.
   * @defaultValue 1_000
   */
  readonly probeTimeoutMillis?: number | undefined;
  /**
   * Does a pool that has never had a connection wait for its server too? Otherwise it fails at once, as its driver
   * does, so that a wrong configuration does not look like a failover.
   * @defaultValue false
   */
  readonly waitAtStart?: boolean | undefined;
  /**
   * How many callers may wait for a connection, beyond those for whom there is room. Those who come then fail at once
   * with `TOO_MANY_WAITING`, in a failover too.
   * @defaultValue Infinity
   */
  readonly maxWaiting?: number | undefined;
  /**
   * Once there has been no usable server for so long, callers no longer wait: they fail at once with `FAILING_FAST` and
   * the last failure as its cause, until a connection could be made, which the pool goes on trying. `Infinity` is off.
   * @defaultValue Infinity
   */
  readonly failFastAfterMillis?: number | undefined;
  /**
   * What is run again, at most once, when a connection is lost under a statement that was run through the pool itself.
   * - `'none'`: nothing.
   * - `'unsent'`: what was not sent; with `role: 'writable'` also what a read-only server refused.
   * - `'reads'`: also one statement that only reads, if the server that ran it is gone.
   *
   * Never a statement of a transaction, on a lease, of a stream or of a cursor.
   * @defaultValue 'reads'
   */
  readonly replay?: ReplayOption | undefined;
  /**
   * Which server is usable: `'any'`, or only one that takes writes. Callers wait for it then as for a server that is
   * down, and connections to one that has become read-only are given up.
   * @defaultValue 'any'
   */
  readonly role?: Role | undefined;
}

export type Role = 'any' | 'writable';

/** The keys beside the driver's own. */
export interface FollowingConfig {
  /** How the host's name is followed. Not together with `endpoint`. */
  readonly follow?: FollowOptions | undefined;
  readonly failover?: FailoverOptions | undefined;
  /** An endpoint to share with others; whoever made it closes it. Not together with `follow`. */
  readonly endpoint?: Endpoint | undefined;
}

/**
 * What a config does not say itself, by the host that it means; `follow: false` leaves that host to the driver. Comes from
 * outside of the application, see `register/`.
 */
export type Defaults = (host: string) => {
  readonly follow?: FollowOptions | false | undefined;
  readonly failover?: FailoverOptions | undefined;
};

export const NO_DEFAULTS: Defaults = () => ({});

export interface ReadFailoverOptions {
  readonly drainMillis: number;
  readonly silenceMillis: number;
  readonly probeTimeoutMillis: number;
  readonly deadlineMillis: number;
  readonly waitAtStart: boolean;
  readonly maxWaiting: number;
  readonly failFastAfterMillis: number;
  readonly replay: ReplayOption;
  readonly role: Role;
}

const LONGEST_TIMER = 2 ** 31 - 1;

/** What a config says goes before what its host's defaults say. */
export function failoverOf({ failover }: Config, host: string, defaults: Defaults): ReadFailoverOptions {
  const byHost = defaults(host).failover;
  if (byHost === undefined) return readFailoverOptions(failover);
  return readFailoverOptions({ ...byHost, ...failover });
}

export function readFailoverOptions(input: unknown): ReadFailoverOptions {
  return readOptions<ReadFailoverOptions>(
    {
      drainMillis: millis(2_000, 0, LONGEST_TIMER),
      silenceMillis: number(1_000, LOOK_MILLIS, Infinity, 'milliseconds'),
      probeTimeoutMillis: millis(1_000, 10, LONGEST_TIMER),
      deadlineMillis: millis(30_000, 1, LONGEST_TIMER),
      waitAtStart: boolean(false),
      maxWaiting: number(Infinity, 0, Infinity),
      failFastAfterMillis: number(Infinity, 0, Infinity, 'milliseconds'),
      replay: oneOf('reads', ['none', 'unsent', 'reads']),
      role: oneOf('any', ['any', 'writable']),
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

function isOurs(stream: unknown): stream is FollowingStream {
  return (stream as Partial<FollowingStream> | null | undefined)?.endpoint !== undefined;
}

/**
 * The endpoint of a pool whose options were copied; null where there is none, or where the copy asks for another name or
 * endpoint: then the copied stream would lead to the wrong server.
 */
export function inheritedEndpoint({ endpoint, stream }: Config, host: string): Endpoint | null {
  if (!isOurs(stream)) return null;
  const inherited = stream.endpoint;
  if (endpoint !== undefined) return endpoint === inherited ? inherited : null;
  return bareName(host) === bareName(inherited.name) ? inherited : null;
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

type Config = FollowingConfig & { readonly stream?: unknown };

/** The endpoint that a config asks for, and whether we made it; null where nothing is to be followed. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly owned: boolean;
}

/** @param host as the driver finds it: a name, an address, or what is no host at all */
export function routeOf(config: Config, host: string, defaults: Defaults = NO_DEFAULTS): Route | null {
  const { follow, endpoint, stream } = config;
  if (endpoint !== undefined && !(endpoint instanceof Endpoint)) {
    throw invalidOption('endpoint', 'what follow(name) returned', endpoint);
  }
  const inherited = inheritedEndpoint(config, host);
  if (inherited !== null) return { endpoint: inherited, owned: false };
  if (stream != null && !isOurs(stream)) {
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
  const options = follow ?? defaults(host).follow;
  return options === false ? null : { endpoint: new Endpoint(host, options), owned: true };
}

/** An address, or the path of a Unix socket: nothing that could move. */
function isFixed(host: string): boolean {
  return host === '' || host.startsWith('/') || isIP(host) !== 0;
}
