import type * as mysql from 'mysql2';
import { type ReadFailoverOptions, readFailoverOptions, type Route, routeOf } from '../failover/options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { hostOf } from './connection.js';
import { type Driver, type GetCallback, settingsOf } from './internals.js';
import { Keeper } from './keeper.js';
import { type PoolOptions, splitOptions } from './options.js';
import { Mysql2Prober } from './prober.js';
import { streamFactory } from './stream.js';

/**
 * mysql2's pool that follows the name of its host. Everything of mysql2's works as there; beyond it, the pool hands out
 * only connections to where the name points, and its callers wait through a failover.
 */
export interface Pool extends mysql.Pool {
  /** What the pool follows; null where the host is an address or a socket's path: then this is mysql2's pool. */
  readonly endpoint: Endpoint | null;
  /** Connections that are finishing their work on an address that the name has left; not in `connectionLimit`. */
  readonly drainingCount: number;
}

/** @throws `INVALID_OPTION` that names the option */
export type PoolConstructor = new (options: string | PoolOptions) => Pool;

/** What of mysql2's pool is overridden, in the shape in which it is overridden. */
interface Base {
  getConnection(callback: GetCallback): void;
  releaseConnection(connection: mysql.PoolConnection): void;
  end(callback?: (error?: Error | null) => void): void;
}

export function makePoolClass(driver: Driver): PoolConstructor {
  const Stock = driver.Pool as unknown as new (options: object) => Base;

  class Pool extends Stock {
    readonly #keeper: Keeper | null = null;
    readonly #route: Route | null;
    readonly #unregister: () => void = () => {};

    constructor(given: string | PoolOptions) {
      const { ours, theirs } = splitOptions<mysql.PoolOptions>(given);
      const failover = readFailoverOptions(ours.failover);
      // mysql2 exports no way to read a pool's options but to make a pool.
      const seed = driver.createPool({ ...theirs });
      seed.end();
      const config = settingsOf(seed);
      const route = routeOf({ ...ours, stream: config.connectionConfig.stream }, hostOf(config.connectionConfig));
      super({ config });
      this.#route = route;
      if (route === null) return;
      this.#keeper = this.#keep(route, failover);
      const { port } = config.connectionConfig;
      const prober = new Mysql2Prober(driver, port, theirs, failover.probeTimeoutMillis);
      this.#unregister = route.endpoint.register(prober);
    }

    get endpoint(): Endpoint | null {
      return this.#route?.endpoint ?? null;
    }

    get drainingCount(): number {
      return this.#keeper?.drainingCount ?? 0;
    }

    override getConnection(callback: GetCallback): void {
      if (this.#keeper === null) super.getConnection(callback);
      else this.#keeper.get(callback);
    }

    override releaseConnection(connection: mysql.PoolConnection): void {
      if (this.#keeper === null) super.releaseConnection(connection);
      else this.#keeper.release(connection);
    }

    override end(callback?: (error?: Error | null) => void): void {
      const keeper = this.#keeper;
      if (keeper === null) return super.end(callback);
      keeper.prepareEnd();
      super.end((error) => {
        this.#unregister();
        keeper.finishEnd();
        // A connection that broke while it was being ended has ended.
        void error;
        callback?.();
      });
    }

    #keep(route: Route, failover: ReadFailoverOptions): Keeper {
      const pool = this as unknown as mysql.Pool;
      const keeper = new Keeper({
        driver,
        pool,
        route,
        failover,
        get: (callback) => super.getConnection(callback),
        release: (connection) => super.releaseConnection(connection),
      });
      settingsOf(pool).connectionConfig.stream = streamFactory(route.endpoint, {
        persist: (cause) => keeper.persistsAfter(cause),
        made: (socket) => keeper.made(socket),
        unbounded: true,
      });
      return keeper;
    }
  }
  return Pool as unknown as PoolConstructor;
}
