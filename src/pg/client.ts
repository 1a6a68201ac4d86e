import pg from 'pg';
import {
  type FollowingConfig,
  readFailoverOptions,
  type ReadFailoverOptions,
  type Route,
  routeOf,
} from '../failover/options.js';
import { noteStatement } from '../outcome/outcome.js';
import type { Connection } from '../sockets/connection.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { copyOf, streamFactory, whereOf } from './config.js';
import { activeStatement, isWaiting, onServerError, streamOf } from './internals.js';
import { PgProber } from './prober.js';
import { refusalOf } from './server-errors.js';

export interface ClientConfig extends pg.ClientConfig, FollowingConfig {}

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
    const route = routeOf(given ?? {}, whereOf(given).host);
    const failover = readFailoverOptions(given?.failover);
    super(route === null ? given : withStream(given ?? {}, route));
    this.endpoint = route?.endpoint ?? null;
    const socket = streamOf(this);
    if (route === null || !(socket instanceof TrackedSocket)) return;
    this.on('error', () => {});
    followHandshake(this, socket);
    this.#socket = socket;
    // A pool's client is the pool's to look after.
    if (given?.stream !== undefined) return;
    socket.carry(new HeldConnection(this, failover));
    const unregister = route.endpoint.register(new PgProber(this.port, given ?? {}, failover.probeTimeoutMillis));
    this.once('end', () => {
      unregister();
      if (route.owned) route.endpoint.close();
    });
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
  readonly silenceMillis: number;

  constructor(client: pg.Client, { drainMillis, silenceMillis }: ReadFailoverOptions) {
    this.#client = client;
    this.drainMillis = drainMillis;
    this.silenceMillis = silenceMillis;
  }

  isLeased(): boolean {
    return true;
  }

  isWaiting(): boolean {
    return isWaiting(this.#client);
  }

  retire(): void {}

  goodbye(): void {
    void this.#client.end();
  }

  async ping(): Promise<void> {
    await this.#client.query('');
  }
}
