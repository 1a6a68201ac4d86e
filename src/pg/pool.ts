import type { AsyncResource } from 'node:async_hooks';
import type pg from 'pg';
import {
  beginInternal,
  callerNow,
  endInternal,
  externally,
  inCallersContext,
  inNobodysContext,
} from '../async-context.js';
import { named } from '../failover/driver-module.js';
import { messageOf } from '../errors.js';
import {
  type Defaults,
  failoverOf,
  type FollowingConfig,
  NO_DEFAULTS,
  type Route,
  routeOf,
} from '../failover/options.js';
import { HeldCallers } from '../failover/held-callers.js';
import { Pause } from '../failover/pause.js';
import { Transactions } from '../failover/transaction.js';
import type { TransactionOptions } from '../failover/transaction-options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { type ClientClass } from './client.js';
import { type ClientConstructor, meantBy, withInherited, streamFactory, withClient } from './config.js';
import { type ConnectCallback, endedError, type Release, WAITED } from './driver-words.js';
import { IdleTimeouts } from './idle-timeouts.js';
import {
  beginLease,
  type Driver,
  endIdleTimer,
  type IdleListener,
  installQueue,
  makeClient,
  newestClient,
  type Overridable,
  type PendingItem,
  type PendingQueue,
  pulse,
  stockOf,
} from './internals.js';
import { Keeper } from './keeper.js';
import { bindQueries, bindSubmittable } from './query-callbacks.js';
import { PgProber } from './prober.js';
import { type Done, type Given, Replayer } from './replayer.js';
import { PgTransactions, type Session, type Transaction } from './transaction.js';
import { type Begin, WaitingStatement } from './waiting-statement.js';

export interface PoolConfig extends pg.PoolConfig, FollowingConfig {}

/**
 * `pg.Pool` that follows the name of its host. Everything of pg.Pool works as there; beyond it, the pool hands out only
 * connections to where the name points, and its callers wait through a failover.
 */
export interface Pool extends pg.Pool {
  /** What the pool follows; null where the host is an address or the path of a Unix socket: then this is pg.Pool. */
  readonly endpoint: Endpoint | null;
  /** Connections that are finishing their work on an address that the name has left; not in `totalCount`. */
  readonly drainingCount: number;
  /**
   * Runs a function in a transaction: BEGIN, what it does with the handle, COMMIT. A call inside of another one's
   * function is a savepoint of that transaction.
   * @throws what the function threw, after ROLLBACK; `COMMIT_UNKNOWN`, `TRANSACTION_FAILED`, `TRANSACTION_LEFT`
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /**
   * For a planned switch: from now on nothing is handed out, and callers wait, each until his deadline. Resolves when no
   * connection is in a caller's hands.
   */
  pause(): Promise<void>;
  /** Ends {@link pause}; one that had not resolved rejects with `PAUSE_ENDED`. */
  resume(): void;
}

/** @throws `INVALID_OPTION` that names the option */
export type PoolClass = new (config?: PoolConfig, client?: ClientConstructor) => Pool;

// A class that depends on which copy of the driver it extends.
// oxlint-disable-next-line max-lines-per-function
export function makePoolClass(driver: Driver, Client: ClientClass, defaults: Defaults = NO_DEFAULTS): PoolClass {
  const Stock = driver.Pool as unknown as new (config: pg.PoolConfig) => Overridable;
  const stock = stockOf(driver);

  class Pool extends Stock {
    readonly #route: Route | null;
    readonly #keeper: Keeper | null = null;
    readonly #replayer: Replayer | null = null;
    readonly #unregister: () => void = () => {};
    readonly #pause: Pause;
    readonly #queue: PendingQueue;
    readonly #transactions: Transactions<Transaction, Session>;
    /** For pg-pool, which asks for a client in the turn in which a statement that has waited for one begins. */
    #given: { readonly client: pg.PoolClient; readonly release: Release } | null = null;
    /** For a pool that follows no name. */
    readonly #held: HeldCallers<PendingItem>;
    readonly #idle: IdleTimeouts | null = null;

    constructor(config?: PoolConfig, client?: ClientConstructor) {
      const given: PoolConfig = withInherited(config ?? {});
      const { config: meant, host, port } = meantBy(driver, given);
      const route = routeOf(meant, host, defaults);
      const failover = failoverOf(given, host, defaults);
      const chosen = route === null ? client : (given.Client ?? client ?? Client);
      super(chosen === undefined ? meant : withClient(meant, chosen));
      this.#route = route;
      this.#pause = new Pause(() => this.#keeper?.leaseCount ?? this.totalCount - this.idleCount);
      const pool = this as unknown as pg.Pool;
      const queue = installQueue(pool);
      this.#queue = queue;
      this.#held = new HeldCallers({
        said: WAITED,
        name: host,
        deadlineMillis: this.options.connectionTimeoutMillis || failover.deadlineMillis,
        counts: () => {
          const { totalCount: total, idleCount: idle, waitingCount: waiting } = this;
          return { total, active: total - idle, idle, waiting, opening: 0 };
        },
        expire: (item, error) => {
          queue.remove(item);
          if (item.timedOut === true) return;
          item.timedOut = true;
          item.callback(error, undefined, () => {});
        },
      });
      const { endpoint = null } = route ?? {};
      this.#transactions = new Transactions(new PgTransactions(pool, endpoint, failover.deadlineMillis));
      if (endpoint === null) return;
      this.#idle = new IdleTimeouts(pool);
      this.options.stream = streamFactory(endpoint) as unknown as NonNullable<pg.PoolConfig['stream']>;
      const connect = (callback: ConnectCallback): void => void super.connect(callback);
      this.#keeper = new Keeper({ pool, stock, queue, endpoint, failover, pause: this.#pause, connect });
      const query = (text: unknown, values: unknown, done: Done): void => void super.query(text, values, done);
      this.#replayer = new Replayer({ pool, endpoint, failover, query, ahead: (call) => queue.ahead(call) });
      const prober = new PgProber(driver, port, this.options, failover.probeTimeoutMillis);
      this.#unregister = endpoint.register(prober);
    }

    get endpoint(): Endpoint | null {
      return this.#route?.endpoint ?? null;
    }

    get drainingCount(): number {
      return this.#keeper?.drainingCount ?? 0;
    }

    /** This is every query's path: some looks, and the driver. */
    override connect(callback?: unknown): unknown {
      const keeper = this.#keeper;
      const told = inCallersContext(callback);
      if (this.#given !== null) return this.#give(told as ConnectCallback);
      if (keeper === null && this.#pause.on) return this.#hold(told);
      if (keeper === null || this.ending || keeper.isCalm) return super.connect(told);
      if (told !== undefined) return keeper.get(told as ConnectCallback);
      const Chosen = (this.options.Promise ?? Promise) as PromiseConstructor;
      return new Chosen<pg.PoolClient>((resolve, reject) => {
        keeper.get((error, client) => (client === undefined ? reject(error) : resolve(client)));
      }).catch(withApplicationsStack);
    }

    /** pg-pool's, except that an error is looked at before its caller gets it. */
    override query(text: unknown, values?: unknown, callback?: unknown): unknown {
      const replayer = this.#replayer;
      if (typeof text === 'function') return super.query(text, values, callback);
      if (typeof values === 'function') return this.query(text, undefined, values);
      if (typeof text === 'object' && text !== null) bindSubmittable(text);
      if (callback != null) {
        if (!this.#keeper?.isCalm && this.#takesPlaces) {
          return this.#wait({ text, values }, callback as Done, callerNow());
        }
        const told = inCallersContext(callback as Done);
        if (replayer === null) return this.#run(text, values, told);
        return this.#run(text, values, (error, answer) => {
          if (error == null) told(error, answer);
          else replayer.failed(error, text, values, told);
        });
      }
      if (replayer === null) return this.#run(text, values, undefined);
      const Chosen = (this.options.Promise ?? Promise) as PromiseConstructor;
      const result = new Chosen<unknown>((resolve, reject) => {
        if (!this.#keeper!.isCalm && this.#takesPlaces) {
          return this.#wait({ text, values }, settling(resolve, reject), null);
        }
        this.#run(text, values, (error, answer) => {
          if (error == null) resolve(answer);
          else replayer.failed(error, text, values, settling(resolve, reject));
        });
      });
      return result.catch(withApplicationsStack);
    }

    /** Unless an application has put a `connect` of its own in place, which then has to be asked. */
    get #takesPlaces(): boolean {
      return this.#keeper?.takesPlaces === true && this.connect === Pool.prototype.connect;
    }

    #wait(given: Given, told: Done, caller: AsyncResource | null): void {
      this.#keeper!.queue(new WaitingStatement(given, this.#begin, told, caller));
    }

    readonly #begin: Begin = ({ text, values }, client, release, done) => {
      this.#given = { client, release };
      this.#run(text, values, (error, answer) => {
        if (error == null) done(error, answer);
        else this.#replayer!.failed(error, text, values, done);
      });
      // Whoever has put a `connect` of its own in place meanwhile has made another one.
      if (this.#given !== null) this.#give((_error, _client, giveBack) => giveBack());
    };

    #give(callback: ConnectCallback): void {
      const { client, release } = this.#given!;
      this.#given = null;
      callback(undefined, client, release);
    }

    /** pg-pool's own `query`. */
    #run(text: unknown, values: unknown, done: Done | undefined): unknown {
      const before = beginInternal();
      try {
        return super.query(text, values, done);
      } finally {
        endInternal(before);
      }
    }

    transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T> {
      return this.#transactions.run(fn, options);
    }

    pause(): Promise<void> {
      const paused = this.#pause.begin();
      if (this.#keeper === null) this.#held.bound(this.#queue);
      else this.#keeper.bound();
      return paused;
    }

    #hold(callback: unknown): unknown {
      const result = super.connect(callback);
      const { latest } = this.#queue;
      if (latest !== undefined) this.#held.bound([latest]);
      return result;
    }

    resume(): void {
      if (!this.#pause.on) return;
      this.#pause.end();
      this.#held.unbind();
      if (this.#keeper === null) pulse(this as unknown as pg.Pool);
      else this.#keeper.resumed();
    }

    override end(given?: () => void): unknown {
      const keeper = this.#keeper;
      const callback = inCallersContext(given);
      if (this.ending) return super.end(callback);
      if (keeper === null) {
        // pg-pool serves nobody any more, and these wait for resume() only.
        const held = this.#pause.on ? this.#queue.clear() : [];
        this.#held.unbind();
        const result = super.end(callback);
        for (const item of held) item.callback(endedError(), undefined, () => {});
        return result;
      }
      const waiters = keeper.prepareEnd();
      const done = (): void => {
        this.#unregister();
        keeper.ended();
        if (this.#route?.owned === true) this.#route.endpoint.close();
      };
      const ended = super.end(callback === undefined ? undefined : () => (done(), callback()));
      // pg-pool's own promise, so that it settles in the turn in which pg-pool's would.
      if (callback === undefined) void (ended as Promise<void>).then(done);
      keeper.ending(waiters);
      return ended;
    }

    /**
     * Where nobody listens, an error of an idle connection would end the process; here it is a warning. Two events come
     * with every lease, and to gather what came with them into an array is dear.
     */
    override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
      if (this.listenerCount(event) > 0) {
        // It comes of whoever's lease or release it is, and is told to others.
        const tell = (): unknown => inNobodysContext(Reflect.apply, super.emit, this, arguments);
        return externally(tell) as boolean;
      }
      if (event !== 'error') return false;
      return this.#route === null ? super.emit(event, first, second) : this.#warnOf(this.#route.endpoint, first);
    }

    #warnOf(endpoint: Endpoint, error: unknown): boolean {
      endpoint.warn({
        code: 'UNHANDLED_POOL_ERROR',
        message: `an idle connection failed: ${messageOf(error)}`,
        error,
      });
      return false;
    }

    override _release(client: pg.PoolClient, idleListener: IdleListener, error?: Error | boolean): void {
      this.#keeper?.released(client);
      if (error) this.#replayer?.released(error, client);
      if (this.#pause.on) process.nextTick(() => this.#pause.released());
      if (!error && this.#idle?.keeps(client, idleListener, error) === true) return;
      super._release(client, idleListener, error);
    }

    override _remove(client: pg.PoolClient, callback?: () => void): void {
      endIdleTimer(client);
      super._remove(client, () => {
        callback?.();
        if (this.#pause.on) process.nextTick(() => this.#pause.released());
      });
    }

    override _acquireClient(
      client: pg.PoolClient,
      item: PendingItem,
      idleListener: IdleListener,
      isNew: boolean,
    ): void {
      const keeper = this.#keeper;
      if (keeper !== null && !keeper.serves(item, client, isNew)) {
        return keeper.askFirst({ client, item, idleListener, isNew });
      }
      // A new one is looked at by hooks of the application's.
      if (isNew) return super._acquireClient(client, item, idleListener, isNew);
      const before = beginInternal();
      try {
        beginLease(client);
        super._acquireClient(client, item, idleListener, isNew);
      } finally {
        endInternal(before);
      }
    }

    override _pulseQueue(): void {
      if (this.#pause.on && !this.ending) return;
      super._pulseQueue();
    }

    override newClient(item: PendingItem): void {
      if (this.#keeper === null && this.#pause.on) this.#queue.push(item);
      else inNobodysContext(() => this.#make(item));
    }

    #make(item: PendingItem): void {
      const pool = this as unknown as pg.Pool;
      if (this.#keeper === null) makeClient(stock, pool, item);
      else this.#keeper.make(item);
      const client = newestClient(pool);
      if (client !== undefined && !('endpoint' in client)) bindQueries(client);
    }
  }
  return named(Pool, driver.Pool) as unknown as PoolClass;
}

function settling(resolve: (answer: unknown) => void, reject: (error: Error) => void): Done {
  return (error, answer) => (error == null ? resolve(answer) : reject(error));
}

/** As pg-pool does: a stack that leads to the application that called, not to a socket. */
function withApplicationsStack(error: Error): never {
  Error.captureStackTrace(error);
  throw error;
}
