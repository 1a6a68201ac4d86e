import pg from 'pg';
import {
  type FollowingConfig,
  type FollowingStream,
  readFailoverOptions,
  type Route,
  routeOf,
} from '../failover/options.js';
import { noteStatement } from '../outcome/outcome.js';
import type { Connection } from '../sockets/connection.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { activeStatement, onServerError, streamOf } from './internals.js';
import { refusalOf } from './server-errors.js';

export interface ClientConfig extends pg.ClientConfig, FollowingConfig {}

/** The host as pg finds it: in the connection string, the config, PGHOST or pg's defaults. */
export function hostOf(config: string | pg.ClientConfig | undefined): string {
  return new pg.Client(config).host;
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

/**
 * `pg.Client` on a socket that follows its name. A single client cannot be connected a second time: when the name
 * leaves its address, it may finish its work for `drainMillis`, then it ends with an error event, which nobody has to
 * listen to.
 */
export class Client extends pg.Client {
  /** Null where the host is an address or the path of a Unix socket: then this is exactly `pg.Client`. */
  readonly endpoint: Endpoint | null;
  #socket: TrackedSocket | null = null;

  /** @throws `INVALID_OPTION` that names the option */
  constructor(config?: string | ClientConfig) {
    const given: ClientConfig | undefined = typeof config === 'string' ? { connectionString: config } : config;
    const route = routeOf(given ?? {}, hostOf(given));
    const failover = readFailoverOptions(given?.failover);
    super(route === null ? given : withStream(given ?? {}, route));
    this.endpoint = route?.endpoint ?? null;
    const socket = streamOf(this);
    if (route === null || !(socket instanceof TrackedSocket)) return;
    this.on('error', () => {});
    followHandshake(this, socket);
    socket.carry(new HeldConnection(this, failover.drainMillis));
    this.#socket = socket;
    if (route.owned) this.once('end', () => route.endpoint.close());
  }

  /** pg waits for the server to hang up, which one that is gone never does; then the socket is closed from here. */
  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | void {
    // Work in pipeline mode is finished first, and what is cut off in any other mode ends at once.
    if (activeStatement(this) === undefined && this.#socket?.state.kind !== 'new') this.#socket?.expectEnd();
    return callback === undefined ? super.end() : super.end(callback);
  }
}

function withStream(config: ClientConfig, { endpoint }: Route): ClientConfig {
  // A pool's stream knows when to persist; it stays.
  if (config.stream !== undefined) return config;
  const copy = copyOf(config);
  copy.stream = streamFactory(endpoint, () => false) as unknown as NonNullable<pg.ClientConfig['stream']>;
  return copy;
}

/** Tells the socket how its log-in ended, and the outcome table which statement an error was the answer to. */
function followHandshake(client: pg.Client, socket: TrackedSocket): void {
  socket.expectHandshake();
  client.once('connect', () => socket.settle('usable'));
  onServerError(client, (error) => {
    const statement = activeStatement(client);
    if (statement !== undefined) noteStatement(error, statement);
    if (socket.state.kind !== 'handshake') return;
    const refusal = refusalOf(error);
    if (refusal.kind === 'not-ready') socket.settle('unusable', refusal.condition, error);
    else socket.settle('answered');
  });
}

/** A client outside of any pool is in its caller's hands for as long as it lives. */
class HeldConnection implements Connection {
  readonly #client: pg.Client;
  readonly drainMillis: number;

  constructor(client: pg.Client, drainMillis: number) {
    this.#client = client;
    this.drainMillis = drainMillis;
  }

  isLeased(): boolean {
    return true;
  }

  retire(): void {}

  goodbye(): void {
    void this.#client.end();
  }

  async ping(): Promise<void> {
    await this.#client.query('');
  }
}
