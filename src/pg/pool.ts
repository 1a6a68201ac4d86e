import pg from 'pg';
import { EipPoolError, messageOf } from '../errors.js';
import { type FollowingConfig, type ReadFailoverOptions, readFailoverOptions, routeOf } from '../failover/options.js';
import { Trouble } from '../failover/trouble.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { isQuiet } from '../sockets/watch.js';
import { Client, followHandshake } from './client.js';
import { type ClientConstructor, meantBy, streamFactory, withClient } from './config.js';
import {
  closeClient,
  handOver,
  type HandOut,
  makeClient,
  newestClient,
  type PendingItem,
  pulse,
  putBack,
  streamOf,
  unqueue,
  waiting,
} from './internals.js';
import { type ConnectCallback, endedError, isLeft, TERMINATED, WAITED } from './driver-words.js';
import { Leases } from './leases.js';
import { type Making, Makings } from './makings.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';
import { PgProber } from './prober.js';
import { refusalOf } from './server-errors.js';
import { Turns } from './turns.js';

export interface PoolConfig extends pg.PoolConfig, FollowingConfig {}

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
  readonly #makings: Makings = new Makings();
  readonly #turns: Turns = new Turns();
  readonly #leases: Leases;
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
    const { config: meant, host, port } = meantBy(given);
    const route = routeOf(meant, host);
    const failover = readFailoverOptions(given.failover);
    if (route === null) {
      super(client === undefined ? meant : withClient(meant, client));
    } else {
      super(withClient(meant, given.Client ?? client ?? Client));
    }
    this.#endpoint = route?.endpoint ?? null;
    this.#failover = failover;
    this.#side = {
      pool: this,
      drainMillis: failover.drainMillis,
      silenceMillis: failover.silenceMillis,
      drained: (leased) => this.#drain(leased),
      madeRoom: () => this.#pulseSoon(),
    };
    this.#leases = new Leases({
      pool: this,
      isCurrent: (address) => route?.endpoint.has(address) === true,
      madeRoom: () => this.#pulseSoon(),
    });
    this.#waits = null;
    this.#release = () => {};
    if (route === null) return;
    const { endpoint, owned } = route;
    this.options.stream = streamFactory(endpoint) as unknown as NonNullable<pg.PoolConfig['stream']>;
    const deadlineMillis = this.options.connectionTimeoutMillis || failover.deadlineMillis;
    this.#waits = new Waits(endpoint.clock, deadlineMillis, (item, waited) => this.#expire(item, waited));
    const unregister = endpoint.register(new PgProber(port, this.options, failover.probeTimeoutMillis));
    const onMove = (): void => this.#leases.moved();
    endpoint.on('move', onMove);
    this.#release = () => {
      endpoint.off('move', onMove);
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
    return this.#leases.draining.size;
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
      endpoint.slept ? void endpoint.wake().then(() => super.connect(own)) : this.#connectBounded(own);
    return callback === undefined ? this.#promised(connect) : connect(callback);
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    if (this.#endpoint === null || this.ending) return callback === undefined ? super.end() : super.end(callback);
    putBack(this, this.#leases.draining);
    const waiters = unqueue(this);
    const Chosen = (this.options.Promise ?? Promise) as PromiseConstructor;
    const ended = new Chosen<void>((resolve) => {
      super.end(() => {
        this.#release();
        resolve();
      });
    });
    for (const item of waiters) this.#answer(item, endedError());
    // A connection that is being made is awaited, as pg does; in a failover there is nothing to wait for.
    if (this.#strained) this.#makings.destroyAll(endedError());
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
    if (event === 'release') this.#onRelease(args[1] as pg.PoolClient);
    return super.emit(event, ...(args as [Error, pg.PoolClient]));
  }

  #onRelease(client: pg.PoolClient): void {
    this.#leases.released(client);
    if (this.#strained && this.#makings.size > 0) process.nextTick(() => this.#relieve());
  }

  /** Attempts fail, and a connection became free: a caller for whom one was to be made takes it. */
  #relieve(): void {
    if (this.idleCount === 0 || this.waitingCount > 0) return;
    const making = this.#makings.relieve();
    if (making === undefined) return;
    this.#again(making.item);
    making.socket?.destroy();
  }

  /** pg-pool calls this to hand a client out. One that has been idle for long has to answer first. */
  protected _acquireClient(...[client, item, idleListener, isNew]: HandOut): void {
    const socket = isNew ? undefined : this.#alive.get(client);
    if (isNew) this.#made(client);
    else if (socket === undefined || !isQuiet(socket)) this.#waits?.end(item);
    else return this.#askFirst(socket, [client, item, idleListener, isNew]);
    handOver(this, client, item, idleListener, isNew);
  }

  #askFirst(socket: TrackedSocket, handOut: HandOut): void {
    void this.#answers(socket).then((answers) => {
      if (answers) this.#waits?.end(handOut[1]);
      // In a turn of its own, so that what a caller's callback throws is his.
      process.nextTick(() => (answers ? handOver(this, ...handOut) : this.#replace(socket, handOut)));
    });
  }

  async #answers(socket: TrackedSocket): Promise<boolean> {
    const answered = await this.#endpoint?.confirm(socket);
    // The name may have moved meanwhile.
    return answered === true && this.#isCurrent(socket);
  }

  #replace(socket: TrackedSocket, [client, item, idleListener]: HandOut): void {
    client.removeListener('error', idleListener);
    socket.leave();
    socket.destroy();
    this.#leases.released(client);
    closeClient(this, client);
    this.#again(item);
  }

  /** pg-pool calls this for a caller for whom there is room. */
  protected newClient(item: PendingItem): void {
    const waits = this.#waits;
    if (waits === null) return makeClient(this, item);
    waits.begin(item);
    this.#turns.note(item);
    let making: Making | undefined;
    try {
      makeClient(this, {
        callback: (error, made, release) => {
          if (made !== undefined) this.#hand(item, made, release);
          else if (making?.relieved !== true) this.#failed(item, making?.socket, error);
        },
        get timedOut(): boolean {
          return item.timedOut === true;
        },
      });
    } catch (error) {
      waits.end(item);
      throw error;
    }
    const client = newestClient(this);
    if (client !== undefined) making = this.#look(client, item);
  }

  /** From here on the pool knows what becomes of the client. */
  #look(client: pg.PoolClient, item: PendingItem): Making {
    const stream = streamOf(client);
    const socket = stream instanceof TrackedSocket ? stream : null;
    const making = this.#makings.add(client, item, socket);
    if (socket === null) return making;
    this.#alive.set(client, socket);
    client.once('connect', () => this.#waits?.end(item));
    client.once('end', () => this.#onEnd(client, socket));
    if (!(client instanceof Client)) {
      client.on('error', () => {});
      followHandshake(client, socket);
    }
    socket.follow({ persist: (cause) => this.#persistsAfter(cause) });
    socket.carry(new PooledConnection(this.#side, client));
    return making;
  }

  #onEnd(client: pg.PoolClient, { dialledAddress }: TrackedSocket): void {
    this.#alive.delete(client);
    this.#lose(client);
    if (this.#makings.end(client) === undefined) this.#leases.ended(client, dialledAddress);
  }

  /** It has logged in, and the hook for new connections is done. */
  #made(client: pg.PoolClient): void {
    const making = this.#makings.end(client);
    if (making === undefined) return;
    this.#waits?.end(making.item);
    if (making.socket !== null && !this.#isCurrent(making.socket)) return;
    this.#everConnected = true;
    this.#usable.add(client);
    this.#relax();
  }

  /** Design, endpoint rule 1: at the hand-out the address is compared once more, since hooks take their time. */
  #hand(item: PendingItem, client: pg.PoolClient, release: (error?: Error | boolean) => void): void {
    const socket = this.#alive.get(client);
    if (socket === undefined ? streamOf(client) instanceof TrackedSocket : !this.#isCurrent(socket)) {
      release(true);
      this.#again(item);
      return;
    }
    item.callback(undefined, client, release);
  }

  #isCurrent({ state, destroyed }: TrackedSocket): boolean {
    if (destroyed || (state.kind !== 'handshake' && state.kind !== 'open')) return false;
    return this.#endpoint?.has(state.address) === true;
  }

  #failed(item: PendingItem, socket: TrackedSocket | null | undefined, error: Error | undefined): void {
    const failures = new Map(socket?.failures);
    if (socket?.dialledAddress != null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const address = socket?.dialledAddress;
    const left = address != null && this.#endpoint?.has(address) === false;
    const again = left || isLeft(error) ? this.#open : refusalOf(error).kind === 'not-ready' && this.#persists();
    if (again) this.#again(item);
    else this.#answer(item, error ?? new Error('the connection failed'));
  }

  /** There is no usable server for this caller yet; he stays the first in the queue. */
  #again(item: PendingItem): void {
    if (!this.#open) return this.#answer(item, endedError());
    this.#turns.queueAgain(this, item);
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
    this.#leases.drain(client);
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
    const making = this.#makings.of(item);
    unqueue(this, item);
    // For pg-pool: what comes for him now belongs to the pool.
    item.timedOut = true;
    if (making?.socket != null) this.#trouble.noteUnfinished(making.socket);
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
