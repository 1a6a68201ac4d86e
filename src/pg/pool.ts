import pg from 'pg';
import { EipPoolError, isEipPoolError, messageOf } from '../errors.js';
import { type FollowingConfig, type ReadFailoverOptions, readFailoverOptions, routeOf } from '../failover/options.js';
import { Trouble } from '../failover/trouble.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { Client, copyOf, hostOf, streamFactory } from './client.js';
import {
  makeClient,
  newestClient,
  type PendingItem,
  pulse,
  putBack,
  queueFirst,
  streamOf,
  unqueue,
  waiting,
} from './internals.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';
import { PgProber } from './prober.js';
import { refusalOf } from './server-errors.js';

export interface PoolConfig extends pg.PoolConfig, FollowingConfig {}

type ClientConstructor = new (config?: string | pg.ClientConfig) => pg.ClientBase;
type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** One attempt to make a connection for a caller. */
interface Making {
  readonly item: PendingItem;
  socket: TrackedSocket | null;
}

/**
 * `pg.Pool` that follows the name of its host. Everything of pg.Pool works as there; beyond it, the pool hands out only
 * connections to where the name points, and its callers wait through a failover.
 */
export class Pool extends pg.Pool {
  readonly #endpoint: Endpoint | null;
  readonly #failover: ReadFailoverOptions;
  readonly #waits: Waits<PendingItem> | null;
  readonly #trouble: Trouble = new Trouble();
  readonly #side: PoolSide;
  readonly #making: Set<Making> = new Set();
  /** Leased on an address that was left: not counted, but `end()` waits for them. */
  readonly #draining: Set<pg.PoolClient> = new Set();
  /** Connections on which the next statement can run, leased or idle. */
  readonly #usable: Set<pg.PoolClient> = new Set();
  /** Every connection that is not closed, whoever has it. */
  readonly #alive: Map<pg.PoolClient, TrackedSocket> = new Map();
  readonly #release: () => void;
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  #pulsing = false;

  /** @throws `INVALID_OPTION` that names the option */
  constructor(config?: PoolConfig, client?: ClientConstructor) {
    const given: PoolConfig = config ?? {};
    const route = routeOf(given, hostOf(given));
    const failover = readFailoverOptions(given.failover);
    if (route === null) {
      super(client === undefined ? given : withClient(given, client));
    } else {
      super(withClient(given, given.Client ?? client ?? Client));
    }
    this.#endpoint = route?.endpoint ?? null;
    this.#failover = failover;
    this.#side = {
      pool: this,
      drainMillis: failover.drainMillis,
      drained: (leased) => this.#drain(leased),
      madeRoom: () => this.#pulseSoon(),
    };
    this.#waits = null;
    this.#release = () => {};
    if (route === null) return;
    const { endpoint, owned } = route;
    this.options.stream = streamFactory(endpoint, (cause) => this.#persistsAfter(cause)) as unknown as NonNullable<
      pg.PoolConfig['stream']
    >;
    const deadlineMillis = this.options.connectionTimeoutMillis || failover.deadlineMillis;
    this.#waits = new Waits(endpoint.clock, deadlineMillis, (item, waited) => this.#expire(item, waited));
    const unregister = endpoint.register(new PgProber(endpoint, this.options));
    this.#release = () => {
      this.#waits?.endAll();
      for (const socket of this.#alive.values()) socket.expectEnd();
      unregister();
      if (owned) endpoint.close();
    };
  }

  /** What the pool follows; null where the host is an address or the path of a Unix socket: then this is pg.Pool. */
  get endpoint(): Endpoint | null {
    return this.#endpoint;
  }

  /** Connections that are finishing their work on an address that the name has left; not in `totalCount`. */
  get drainingCount(): number {
    return this.#draining.size;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const endpoint = this.#endpoint;
    // This is every query's path: two readings of the clock, and the driver.
    if (endpoint === null || !(this.#usable.size === 0 || endpoint.slept)) {
      return callback === undefined ? super.connect() : super.connect(callback);
    }
    const connect = (own: ConnectCallback): void =>
      endpoint.slept ? this.#connectAfterSleep(endpoint, own) : this.#connectBounded(own);
    return callback === undefined ? this.#promised(connect) : connect(callback);
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    if (this.#endpoint === null || this.ending) return callback === undefined ? super.end() : super.end(callback);
    putBack(this, this.#draining);
    const waiters = unqueue(this);
    const ended = new Promise<void>((resolve) => super.end(() => resolve())).then(() => this.#release());
    for (const item of waiters) this.#answer(item, endedError());
    // A connection that is being made is awaited, as pg does; in a failover there is nothing to wait for.
    if (this.#strained) for (const { socket } of [...this.#making]) socket?.destroy(endedError());
    if (callback === undefined) return ended;
    void ended.then(() => callback());
  }

  /** Where nobody listens, an error of an idle connection would end the process; here it is a warning. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'error' && this.#endpoint !== null && this.listenerCount('error') === 0) {
      const [error] = args;
      const message = `an idle connection failed: ${messageOf(error)}`;
      this.#endpoint.warn({ code: 'UNHANDLED_POOL_ERROR', message, error });
      return false;
    }
    if (event === 'release' && this.#draining.size > 0) this.#draining.delete(args[1] as pg.PoolClient);
    return super.emit(event, ...(args as [Error, pg.PoolClient]));
  }

  /** pg-pool calls this for a caller for whom there is room. */
  protected newClient(item: PendingItem): void {
    const waits = this.#waits;
    if (waits === null) return makeClient(this, item);
    const wait = waits.begin(item);
    const making: Making = { item, socket: null };
    makeClient(this, {
      callback: (error, client, release) => {
        this.#making.delete(making);
        if (client !== undefined) this.#hand(making, client, release);
        else this.#failed(making, error);
      },
      get timedOut(): boolean {
        return item.timedOut === true || wait.answered;
      },
    });
    const client = newestClient(this);
    const socket = client === undefined ? null : streamOf(client);
    if (client === undefined || !(socket instanceof TrackedSocket)) return;
    making.socket = socket;
    this.#making.add(making);
    client.on('error', () => {});
    this.#alive.set(client, socket);
    client.once('end', () => {
      this.#alive.delete(client);
      this.#making.delete(making);
      this.#lose(client);
    });
    socket.carry(new PooledConnection(this.#side, client));
  }

  /** Design, endpoint rule 1: at the hand-out the address is compared once more, since hooks take their time. */
  #hand({ item, socket }: Making, client: pg.PoolClient, release: (error?: Error | boolean) => void): void {
    if (socket !== null && !this.#isCurrent(socket)) {
      release(true);
      this.#again(item);
      return;
    }
    this.#everConnected = true;
    this.#usable.add(client);
    this.#waits?.end(item);
    this.#relax();
    item.callback(undefined, client, release);
  }

  #isCurrent({ state, destroyed }: TrackedSocket): boolean {
    if (destroyed || (state.kind !== 'handshake' && state.kind !== 'open')) return false;
    return this.#endpoint?.has(state.address) === true;
  }

  #failed({ item, socket }: Making, error: Error | undefined): void {
    const failures = new Map(socket?.failures);
    if (socket?.dialledAddress != null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const left = isEipPoolError(error) && error.code === 'ADDRESS_LEFT';
    const again = left ? this.#open : refusalOf(error).kind === 'not-ready' && this.#persists();
    if (again) this.#again(item);
    else this.#answer(item, error ?? new Error('the connection failed'));
  }

  /** There is no usable server for this caller yet; he stays the first in the queue. */
  #again(item: PendingItem): void {
    if (!this.#open) return this.#answer(item, endedError());
    queueFirst(this, item);
    this.#strain();
    this.#pulseSoon();
  }

  #persistsAfter(cause: unknown): boolean {
    if (!this.#persists()) return false;
    this.#trouble.note(new Map(), cause);
    this.#strain();
    return true;
  }

  #strain(): void {
    this.#strained = true;
    // A pool that has connections is merely busy: its callers wait as its driver has them wait.
    if (this.#usable.size === 0) this.#boundWaiters();
  }

  #drain(client: pg.PoolClient): void {
    // One whose hooks still run was never handed out, so nobody will release it.
    if (!this.#usable.has(client)) return;
    this.#draining.add(client);
    this.#lose(client);
  }

  /** The next statement cannot run on it. Without any other, whoever waits now waits for a server, not for his turn. */
  #lose(client: pg.PoolClient): void {
    if (this.#usable.delete(client) && this.#usable.size === 0) this.#boundWaiters();
  }

  /** A pool that has never had a connection fails as pg's does; one that has, waits. */
  #persists(): boolean {
    return (this.#everConnected || this.#failover.waitAtStart) && this.#open;
  }

  get #open(): boolean {
    return !this.ending && this.#endpoint?.state !== 'closed';
  }

  #relax(): void {
    this.#strained = false;
    this.#trouble.clear();
    // From here on they wait as in any busy pool.
    for (const item of waiting(this)) this.#waits?.end(item);
  }

  #boundWaiters(): void {
    for (const item of waiting(this)) this.#waits?.begin(item);
  }

  #expire(item: PendingItem, waitedMillis: number): void {
    const making = [...this.#making].find((other) => other.item === item);
    unqueue(this, item);
    if (making?.socket != null) this.#trouble.note(making.socket.failures, making.socket.lastError);
    const opening = making === undefined || !this.options.connectionTimeoutMillis ? WAITED : TERMINATED;
    this.#answer(item, this.#deadlineError(opening, waitedMillis));
    this.#strain();
    making?.socket?.destroy();
  }

  #deadlineError(opening: string, waitedMillis: number): EipPoolError {
    const { totalCount: total, idleCount: idle, waitingCount: waits } = this;
    const counts = { total, active: total - idle, idle, waiting: waits };
    return this.#trouble.deadlineError(opening, this.#endpoint?.name ?? '', waitedMillis, counts);
  }

  #answer(item: PendingItem, error: Error): void {
    this.#waits?.end(item);
    item.callback(error, undefined, () => {});
  }

  /** While there is no server, the driver's own time-out says what the pool has met. */
  #explained(callback: ConnectCallback): ConnectCallback {
    return (error, client, done) => {
      const timedOut = error?.message === WAITED && this.#usable.size === 0;
      const millis = this.options.connectionTimeoutMillis ?? 0;
      callback(timedOut ? this.#deadlineError(WAITED, millis) : error, client, done);
    };
  }

  #connectBounded(callback: ConnectCallback): void {
    super.connect(this.#explained(callback));
    this.#boundWaiters();
  }

  #connectAfterSleep(endpoint: Endpoint, callback: ConnectCallback): void {
    void endpoint.wake().then(() => super.connect(callback));
  }

  /** pg-pool's connect in its other shape. */
  #promised(connect: (callback: ConnectCallback) => void): Promise<pg.PoolClient> {
    const Chosen = (this.options.Promise ?? Promise) as PromiseConstructor;
    return new Chosen<pg.PoolClient>((resolve, reject) => {
      connect((error, client) => (client === undefined ? reject(error) : resolve(client)));
    });
  }

  #pulseSoon(): void {
    if (this.#pulsing) return;
    this.#pulsing = true;
    process.nextTick(() => {
      this.#pulsing = false;
      pulse(this);
    });
  }
}

const WAITED = 'timeout exceeded when trying to connect';
const TERMINATED = 'Connection terminated due to connection timeout';

function endedError(): EipPoolError {
  return new EipPoolError(
    'POOL_ENDED',
    'Cannot use a pool after calling end on the pool: it was ended while this caller waited',
  );
}

function withClient(config: PoolConfig, client: ClientConstructor): PoolConfig {
  return Object.assign(copyOf(config), { Client: client });
}
