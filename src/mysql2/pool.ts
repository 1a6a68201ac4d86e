import type * as mysql from 'mysql2';
import type promise from 'mysql2/promise';
import { externally, inCallersContext, inNobodysContext } from '../async-context.js';
import { named } from '../failover/driver-module.js';
import { EipPoolError } from '../errors.js';
import {
  type Defaults,
  failoverOf,
  NO_DEFAULTS,
  type ReadFailoverOptions,
  readFailoverOptions,
  type Route,
  routeOf,
} from '../failover/options.js';
import { Transactions } from '../failover/transaction.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { hostOf } from './connection.js';
import { socketOf } from './connections.js';
import {
  type Driver,
  type GetCallback,
  readSettings,
  type ResultCallback,
  settingsOf,
  bindCommands,
  bindEvents,
  hasFree,
  isClosed,
} from './internals.js';
import { Keeper } from './keeper.js';
import { type PoolOptions, type QueryOptions, splitOptions } from './options.js';
import { Mysql2Prober } from './prober.js';
import { type PromisePool, withOurs } from './promise-pool.js';
import { Replayer } from './replayer.js';
import { run, type RunSide } from './run.js';
import { streamFactory } from './stream.js';
import { Mysql2Transactions, type Session, type Transaction } from './transaction.js';

/**
 * mysql2's pool that follows the name of its host. Everything of mysql2's works as there; beyond it, the pool hands out
 * only connections to where the name points, and its callers wait through a failover.
 */
export interface Pool extends mysql.Pool {
  /** What the pool follows; null where the host is an address or a socket's path: then this is mysql2's pool. */
  readonly endpoint: Endpoint | null;
  /** Connections that are finishing their work on an address that the name has left; not in `connectionLimit`. */
  readonly drainingCount: number;
  query: mysql.Pool['query'] & RunsAgain;
  execute: mysql.Pool['execute'] & RunsAgain;
  promise(promiseImpl?: PromiseConstructor): PromisePool;
  /**
   * Holds new work until {@link resume}; resolves when no connection is in a caller's hands. For a planned switch: pause,
   * fence the old server, move the name, resume. Who comes meanwhile waits, for `deadlineMillis` at the most.
   * @throws `INVALID_OPTION` for a pool that follows no name
   */
  pause(): Promise<void>;
  /** Ends {@link pause}; one that had not resolved rejects with `PAUSE_ENDED`. */
  resume(): void;
}

type Told<T> = (error: mysql.QueryError | null, result: T, fields: mysql.FieldPacket[]) => unknown;

/** `query` and `execute` with our own options of a statement. */
interface RunsAgain {
  <T extends mysql.QueryResult>(options: QueryOptions, callback: Told<T>): mysql.Query;
  <T extends mysql.QueryResult>(options: QueryOptions, values: mysql.QueryValues, callback: Told<T>): mysql.Query;
}

/** @throws `INVALID_OPTION` that names the option */
export type PoolConstructor = new (options: string | PoolOptions) => Pool;

/** A cluster's: its callers do not wait for its server, since the cluster has others. */
export type NodeConstructor = new (options: string | PoolOptions, place: 'node') => Pool;

type Listener = (...args: never[]) => void;

/** What of mysql2's pool is overridden, in the shape in which it is overridden. */
interface Base {
  emit(event: string | symbol, ...args: unknown[]): boolean;
  on(event: string | symbol, listener: Listener): this;
  addListener(event: string | symbol, listener: Listener): this;
  prependListener(event: string | symbol, listener: Listener): this;
  getConnection(callback: GetCallback): void;
  releaseConnection(connection: mysql.PoolConnection): void;
  query(sql: unknown, values?: unknown, callback?: unknown): mysql.Query;
  execute(sql: unknown, values?: unknown, callback?: unknown): void;
  promise(promiseImpl?: PromiseConstructor): promise.Pool;
  end(callback?: (error?: Error | null) => void): void;
}

function waitsInCluster(): EipPoolError {
  return new EipPoolError(
    'INVALID_OPTION',
    'option failover.waitAtStart: a node of a cluster does not wait for its server, since the next node is tried at once',
  );
}

// A class that depends on which copy of the driver it extends.
// oxlint-disable-next-line max-lines-per-function
export function makePoolClass(driver: Driver, defaults: Defaults = NO_DEFAULTS): PoolConstructor & NodeConstructor {
  const Stock = driver.Pool as unknown as new (options: object) => Base;

  class Pool extends Stock {
    readonly #keeper: Keeper | null = null;
    readonly #route: Route | null;
    readonly #unregister: () => void = () => {};
    readonly #runSide: RunSide | null = null;
    readonly #transactions: Transactions<Transaction, Session>;

    constructor(given: string | PoolOptions, place: 'alone' | 'node' = 'alone') {
      const { ours, theirs } = splitOptions<mysql.PoolOptions>(given);
      if (place === 'node' && readFailoverOptions(ours.failover).waitAtStart) throw waitsInCluster();
      const config = readSettings(driver, theirs);
      const host = hostOf(config.connectionConfig);
      const asked = failoverOf(ours, host, defaults);
      const failover = place === 'node' ? { ...asked, waitAtStart: false } : asked;
      const route = routeOf({ ...ours, stream: config.connectionConfig.stream }, host, defaults);
      super({ config });
      this.#route = route;
      this.#transactions = new Transactions(
        new Mysql2Transactions({
          get: (callback) => this.getConnection(callback),
          clock: route?.endpoint.clock ?? null,
          deadlineMillis: failover.deadlineMillis,
        }),
      );
      // Its connections are known by their event alone.
      if (route === null) {
        this.#tellEverybody();
        return;
      }
      this.#keeper = this.#keep(route, failover, place === 'alone');
      const replayer = this.#replay(route, failover, this.#keeper);
      this.#runSide = {
        driver,
        pool: this as unknown as mysql.Pool,
        keeper: this.#keeper,
        failed: (statement, error, told) => replayer.failed(statement, error, told),
      };
      const prober = new Mysql2Prober(driver, config.connectionConfig, failover.probeTimeoutMillis);
      this.#unregister = route.endpoint.register(prober);
    }

    get endpoint(): Endpoint | null {
      return this.#route?.endpoint ?? null;
    }

    get drainingCount(): number {
      return this.#keeper?.drainingCount ?? 0;
    }

    override getConnection(callback: GetCallback): void {
      const told = inCallersContext(callback);
      if (this.#keeper === null) this.#stock(told);
      else this.#keeper.get(told);
    }

    /** A new connection is everybody's, whoever's call it is made in. */
    #stock(callback: GetCallback): void {
      if (hasFree(this as unknown as mysql.Pool)) super.getConnection(callback);
      else inNobodysContext(() => super.getConnection(callback));
    }

    override on(event: string | symbol, listener: Listener): this {
      this.#tellEverybody();
      return super.on(event, listener);
    }

    override addListener(event: string | symbol, listener: Listener): this {
      this.#tellEverybody();
      return super.addListener(event, listener);
    }

    override prependListener(event: string | symbol, listener: Listener): this {
      this.#tellEverybody();
      return super.prependListener(event, listener);
    }

    /** Events come with every lease, of whoever it is, and are told to others: once there are any, since it costs a lease much. */
    #tellEverybody(): void {
      if (Object.hasOwn(this, 'emit')) return;
      const emit = (event: string | symbol, ...args: unknown[]): boolean => {
        if (event === 'connection' && this.#route === null) bindCommands(args[0] as mysql.PoolConnection);
        return externally(() => inNobodysContext(() => super.emit(event, ...args)));
      };
      Object.defineProperty(this, 'emit', { value: emit, writable: true, configurable: true });
    }

    override releaseConnection(connection: mysql.PoolConnection): void {
      if (this.#keeper === null) super.releaseConnection(connection);
      else this.#keeper.release(connection);
    }

    override query(sql: unknown, values?: unknown, callback?: unknown): mysql.Query {
      const side = this.#runSide;
      const told = (typeof values === 'function' ? values : callback) as ResultCallback;
      if (typeof told !== 'function') return bindEvents(super.query(sql, values, callback));
      if (side === null) return super.query(sql, values, callback);
      return run(side, { method: 'query', sql, values: typeof values === 'function' ? undefined : values }, told)!;
    }

    override execute(sql: unknown, values?: unknown, callback?: unknown): void {
      const side = this.#runSide;
      const told = (typeof values === 'function' ? values : callback) as ResultCallback;
      if (side === null || typeof told !== 'function') super.execute(sql, values, callback);
      else run(side, { method: 'execute', sql, values: typeof values === 'function' ? [] : values }, told);
    }

    override promise(promiseImpl?: PromiseConstructor): PromisePool {
      const transaction: PromisePool['transaction'] = (fn, options) => this.#transactions.run(fn, options);
      return withOurs(super.promise(promiseImpl), { pool: this, transaction });
    }

    async pause(): Promise<void> {
      await this.#kept().pause();
    }

    resume(): void {
      this.#kept().resume();
    }

    override end(given?: (error?: Error | null) => void): void {
      const keeper = this.#keeper;
      const callback = inCallersContext(given);
      // The first call ends it, when what it waits for has come.
      if (keeper === null || isClosed(this as unknown as mysql.Pool)) return super.end(callback);
      keeper.prepareEnd();
      super.end((error) => {
        this.#unregister();
        keeper.finishEnd();
        // A connection that broke while it was being ended has ended.
        void error;
        callback?.();
      });
    }

    #kept(): Keeper {
      if (this.#keeper !== null) return this.#keeper;
      throw new EipPoolError('INVALID_OPTION', 'pause and resume are for a pool whose host is a name that is followed');
    }

    #replay({ endpoint }: Route, failover: ReadFailoverOptions, keeper: Keeper): Replayer {
      return new Replayer({
        endpoint,
        failover,
        get: (callback) => keeper.ahead(() => this.getConnection(callback)),
        lostWith: (error) => keeper.statements.lostWith(error),
        socketOf,
        ownFormat: settingsOf(this as unknown as mysql.Pool).connectionConfig.queryFormat !== undefined,
        run: (given, told) => {
          const pool = this as unknown as mysql.Pool;
          const side: RunSide = { driver, pool, keeper, failed: (_, error) => told(error) };
          keeper.ahead(() => run(side, given, told));
        },
      });
    }

    #keep(route: Route, failover: ReadFailoverOptions, waits: boolean): Keeper {
      const pool = this as unknown as mysql.Pool;
      const keeper = new Keeper({
        driver,
        pool,
        route,
        failover,
        waits,
        get: (callback) => this.#stock(callback),
        release: (connection) => super.releaseConnection(connection),
        own: Pool.prototype,
        ownRelease: driver.PoolConnection.prototype.release,
      });
      settingsOf(pool).connectionConfig.stream = streamFactory(route.endpoint, {
        persist: (cause) => keeper.persistsAfter(cause),
        hurried: () => !keeper.persists,
        made: (socket) => keeper.made(socket),
        unbounded: true,
      });
      return keeper;
    }
  }
  return named(Pool, driver.Pool) as unknown as PoolConstructor & NodeConstructor;
}
