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

type ResultCallback = (error: NodeJS.ErrnoException | null, ...rest: unknown[]) => void;

interface Query extends NodeJS.EventEmitter {
  onResult?: ResultCallback;
}

/** What of mysql2's pool is overridden, in the shape in which it is overridden. */
interface Base {
  getConnection(callback: GetCallback): void;
  releaseConnection(connection: mysql.PoolConnection): void;
  query(sql: unknown, values?: unknown, callback?: unknown): Query;
  execute(sql: unknown, values?: unknown, callback?: unknown): void;
  end(callback?: (error?: Error | null) => void): void;
}

export function makePoolClass(driver: Driver): PoolConstructor {
  const Stock = driver.Pool as unknown as new (options: object) => Base;

  class Pool extends Stock {
    readonly #keeper: Keeper | null = null;
    readonly #route: Route | null;
    readonly #unregister: () => void = () => {};
    /** Told the connection that the statement which is just being given to mysql2 will run on. */
    #onLease: ((connection: mysql.PoolConnection) => void) | null = null;

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
      if (this.#keeper === null) return super.getConnection(callback);
      const onLease = this.#onLease;
      this.#onLease = null;
      if (onLease === null) return this.#keeper.get(callback);
      this.#keeper.get((error, connection) => {
        if (error == null) onLease(connection);
        callback(error, connection);
      });
    }

    override releaseConnection(connection: mysql.PoolConnection): void {
      if (this.#keeper === null) super.releaseConnection(connection);
      else this.#keeper.release(connection);
    }

    override query(sql: unknown, values?: unknown, callback?: unknown): Query {
      const abandon = this.#abandonAfterTimeout(sql);
      const query = super.query(sql, values, callback);
      if (abandon === null) return query;
      const { onResult } = query;
      if (onResult === undefined) query.prependOnceListener('error', abandon);
      else query.onResult = (error, ...rest) => afterwards(abandon, onResult, error, rest);
      return query;
    }

    override execute(sql: unknown, values?: unknown, callback?: unknown): void {
      const abandon = this.#abandonAfterTimeout(sql);
      if (abandon === null) return super.execute(sql, values, callback);
      const told = (typeof values === 'function' ? values : callback) as ResultCallback;
      const wrapped: ResultCallback = (error, ...rest) => afterwards(abandon, told, error, rest);
      super.execute(sql, typeof values === 'function' ? [] : values, wrapped);
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

    /** mysql2 gives a statement's place back when the server replies; after a time-out it may never. */
    #abandonAfterTimeout(sql: unknown): ((error: Error) => void) | null {
      const keeper = this.#keeper;
      const timeout = typeof sql === 'object' && sql !== null && 'timeout' in sql && Boolean(sql.timeout);
      if (keeper === null || !timeout) return null;
      let lease: mysql.PoolConnection | null = null;
      this.#onLease = (connection) => (lease = connection);
      return (error) => {
        if (lease !== null && 'code' in error && error.code === TIMED_OUT) keeper.abandon(lease, error);
      };
    }
  }
  return Pool as unknown as PoolConstructor;
}

const TIMED_OUT = 'PROTOCOL_SEQUENCE_TIMEOUT';

function afterwards(
  abandon: (error: Error) => void,
  told: ResultCallback,
  error: NodeJS.ErrnoException | null,
  rest: unknown[],
): void {
  if (error != null) abandon(error);
  told(error, ...rest);
}
