import type { Socket } from 'node:net';
import type pg from 'pg';
import { inCallersContext, inNobodysContext } from '../async-context.js';
import { EipPoolError } from '../errors.js';
import {
  type Defaults,
  failoverOf,
  type FollowingConfig,
  NO_DEFAULTS,
  type ReadFailoverOptions,
  type Route,
  routeOf,
} from '../failover/options.js';
import { unhooked } from '../failover/driver-module.js';
import { viewOf } from '../options.js';
import type { Connection } from '../sockets/connection.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { meantBy, streamFactory } from './config.js';
import { followHandshake } from './handshake.js';
import { activeStatement, type Driver, isPooledIdle, isWaiting, processIdOf, streamOf, topOf } from './internals.js';
import { PgProber } from './prober.js';
import { bindQueries } from './query-callbacks.js';

export interface ClientConfig extends pg.ClientConfig, FollowingConfig {}

/**
 * `pg.Client` on a socket that follows its name. A single client cannot be connected a second time: when the name
 * leaves its address, it may finish its work for `drainMillis`, then it ends with an error event, which nobody has to
 * listen to.
 */
export interface Client extends pg.Client {
  /** Null where the host is an address or the path of a Unix socket: then this is exactly `pg.Client`. */
  readonly endpoint: Endpoint | null;
}

/** @throws `INVALID_OPTION` that names the option */
export type ClientClass = new (config?: string | ClientConfig) => Client;

/** The same for another copy of pg: for a library that brings its own. */
export function createClientClass(driver: Driver): ClientClass {
  return makeClientClass(unhooked(driver), NO_DEFAULTS);
}

// A class that depends on which copy of the driver it extends.
// oxlint-disable-next-line max-lines-per-function
export function makeClientClass(driver: Driver, defaults: Defaults): ClientClass {
  class Client extends driver.Client {
    readonly endpoint: Endpoint | null;
    #socket: TrackedSocket | null = null;

    constructor(config?: string | ClientConfig) {
      const given: ClientConfig = typeof config === 'string' ? { connectionString: config } : (config ?? {});
      const meant = meantBy(driver, given);
      const route = routeOf(meant.config, meant.host, defaults);
      const failover = failoverOf(given, meant.host, defaults);
      super(route === null ? (config === undefined ? config : meant.config) : withStream(meant.config, route));
      this.endpoint = route?.endpoint ?? null;
      const socket = streamOf(this);
      if (route === null || !(socket instanceof TrackedSocket)) return;
      followHandshake(this, socket);
      this.#socket = socket;
      socket.carry(new HeldConnection(this, route.endpoint, failover));
      // The pool whose options these are knows how to log in.
      if (meant.config.stream !== undefined) return;
      const prober = new PgProber(driver, this.port, given, failover.probeTimeoutMillis);
      const unregister = route.endpoint.register(prober);
      this.once('end', () => {
        unregister();
        if (route.owned) route.endpoint.close();
      });
    }

    /**
     * Where nobody listens, an error would end the process. A listener that does nothing would do as well, but pg-pool
     * adds and removes its own with every query, which costs more where there is another one.
     */
    override emit(event: string | symbol, ...args: unknown[]): boolean;
    override emit(event: string | symbol): boolean {
      if (event === 'error' && this.endpoint !== null && this.listenerCount('error') === 0) return false;
      // 'drain' comes with every query, and has no arguments.
      return arguments.length === 1 ? super.emit(event) : (Reflect.apply(super.emit, this, arguments) as boolean);
    }

    override connect(): Promise<this>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<this> | void {
      const told = inCallersContext(callback);
      // What comes on its socket is nobody's, whoever made it.
      return inNobodysContext(() => (told === undefined ? (super.connect() as Promise<this>) : super.connect(told)));
    }

    /** pg waits for the server to hang up, which one that is gone never does; then the socket is closed from here. */
    override end(): Promise<void>;
    override end(callback: (error: Error) => void): void;
    override end(callback?: (error: Error) => void): Promise<void> | void {
      // Work in pipeline mode is finished first, and what is cut off in any other mode ends at once.
      if (activeStatement(this) === undefined && this.#socket?.state.kind !== 'new') this.#socket?.expectEnd();
      return callback === undefined ? super.end() : super.end(inCallersContext(callback));
    }
  }
  bindQueries(Client.prototype);
  return Client;
}

function withStream(config: ClientConfig, { endpoint }: Route): ClientConfig {
  if (config.stream !== undefined) return config;
  return viewOf(config, { stream: streamFactory(endpoint) });
}

/** A client outside of our pools is in its caller's hands, unless a pool of another kind holds it idle. */
class HeldConnection implements Connection {
  readonly #client: pg.Client;
  readonly #endpoint: Endpoint;
  readonly drainMillis: number;
  readonly silenceMillis: number;

  constructor(client: pg.Client, endpoint: Endpoint, { drainMillis, silenceMillis }: ReadFailoverOptions) {
    this.#client = client;
    this.#endpoint = endpoint;
    this.drainMillis = drainMillis;
    this.silenceMillis = silenceMillis;
  }

  isLeased(): boolean {
    return !isPooledIdle(this.#client);
  }

  get sessionId(): number | null {
    return processIdOf(this.#client);
  }

  get top(): Socket | null {
    return topOf(this.#client);
  }

  isWaiting(): boolean {
    return isWaiting(this.#client);
  }

  /** The only word that makes such a pool give up an idle client is an error of it. */
  retire(): void {
    if (this.isLeased()) return;
    const message = `the connection was closed: ${this.#endpoint.name} left its address`;
    const error = new EipPoolError('ADDRESS_LEFT', message);
    try {
      this.#client.emit('error', error);
    } catch {
      // Nobody listens to the pool's errors, which would have ended the process.
      this.#endpoint.warn({ code: 'UNHANDLED_POOL_ERROR', message, error });
    }
  }

  goodbye(): void {
    void this.#client.end();
  }

  async ping(): Promise<void> {
    await this.#client.query('');
  }
}
