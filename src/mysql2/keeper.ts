import type * as mysql from 'mysql2';
import type { Address } from '../endpoint/address.js';
import { isEipPoolError } from '../errors.js';
import { Admission } from '../failover/admission.js';
import { type Making, Makings } from '../failover/makings.js';
import type { ReadFailoverOptions, Route } from '../failover/options.js';
import { Pause } from '../failover/pause.js';
import { readOnlyError } from '../failover/refusal.js';
import { Trouble } from '../failover/trouble.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { Connections } from './connections.js';
import { closedError, TIMED_OUT, timeoutError } from './driver-words.js';
import { HandOut } from './hand-out.js';
import { followHandshake } from './handshake.js';
import {
  type Driver,
  type GetCallback,
  hasFree,
  hasTimedOut,
  isBusy,
  isClosed,
  isFull,
  isRemoved,
  newestConnection,
  pulse,
  quit,
  settingsOf,
  takeOut,
  waitingCount,
} from './internals.js';
import { askRole } from './role.js';
import { isServerError, refusalOf } from './server-errors.js';
import { Statements } from './statements.js';
import { type Waiter, Waiters } from './waiters.js';

type OneMaking = Making<mysql.PoolConnection, Waiter>;

export interface KeeperOptions {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly route: Route;
  readonly failover: ReadFailoverOptions;
  /** mysql2's own `getConnection` and `releaseConnection` of this pool. */
  readonly get: (callback: GetCallback) => void;
  readonly release: (connection: mysql.PoolConnection) => void;
}

/**
 * What a pool of mysql2's lacks when its name moves: it hands out only connections to where the name points, and its
 * callers wait through a failover, each until his own deadline.
 */
export class Keeper {
  readonly statements: Statements<mysql.PoolConnection>;
  readonly #options: KeeperOptions;
  readonly #endpoint: Endpoint;
  readonly #pool: mysql.Pool;
  readonly #connections: Connections;
  readonly #handOut: HandOut;
  readonly #waiters: Waiters;
  readonly #waits: Waits<Waiter>;
  readonly #makings: Makings<mysql.PoolConnection, Waiter> = new Makings();
  readonly #trouble: Trouble = new Trouble();
  readonly #admission: Admission;
  readonly #pause: Pause = new Pause(() => (this.#ended ? 0 : this.#connections.leases(this.#makings.size)));
  readonly #connectTimeout: number;
  #newSocket: TrackedSocket | null = null;
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  #pulsing = false;
  #ended = false;

  constructor(options: KeeperOptions) {
    const { driver, pool, route, failover } = options;
    const { endpoint } = route;
    this.#options = options;
    this.#endpoint = endpoint;
    this.#pool = pool;
    this.#connectTimeout = settingsOf(pool).connectionConfig.connectTimeout;
    this.#connections = new Connections({
      driver,
      pool,
      endpoint,
      failover,
      noneUsable: () => this.#boundWaiters(),
      madeRoom: () => this.#pulseSoon(),
    });
    this.#handOut = new HandOut({
      pool,
      endpoint,
      connections: this.#connections,
      pause: this.#pause,
      stock: options.get,
      get: (callback) => this.get(callback),
      again: (callback) => this.#again(this.#waiters.makeFirst(callback)),
    });
    this.#waiters = new Waiters(pool, (waiter, error, connection) => this.#serve(waiter, undefined, error, connection));
    this.#waits = new Waits(endpoint.clock, failover.deadlineMillis, (waiter, waited) => this.#expire(waiter, waited));
    this.#admission = new Admission(endpoint.clock, endpoint.name, failover, () => this.#scout());
    this.statements = new Statements({
      readOnly: (connection, error) => this.#demoted(connection, error),
      release: (connection) => this.release(connection),
    });
  }

  get drainingCount(): number {
    return this.#connections.drainingCount;
  }

  /** For the pool's stream: the socket of the connection that mysql2 is just making. */
  made(socket: TrackedSocket): void {
    this.#newSocket = socket;
  }

  /** For the pool's stream: does an attempt that failed with this go on? */
  persistsAfter(cause: unknown): boolean {
    if (!this.#persists()) return false;
    this.#trouble.note(new Map(), cause);
    this.#strain();
    return true;
  }

  /** `pool.getConnection`. */
  get(callback: GetCallback): void {
    // This is every query's path: one reading of the clock, some looks, and the driver.
    if (this.#endpoint.slept) void this.#endpoint.wake().then(() => this.get(callback));
    else if (hasFree(this.#pool) && !this.#pause.on) this.#handOut.free(callback);
    else if (this.#isMerelyBusy && this.#waiters.of(callback) === undefined) this.#handOut.inTurn(callback);
    else this.#wait(callback);
  }

  /** Is his turn all that a caller has to wait for? */
  get #isMerelyBusy(): boolean {
    const calm = this.#connections.anyUsable && !this.#strained && !this.#pause.on;
    return calm && !this.#admission.limited && isFull(this.#pool);
  }

  /** `pool.releaseConnection`. */
  release(connection: mysql.PoolConnection): void {
    if (this.statements.holds(connection)) return;
    const socket = this.#connections.socketOf(connection);
    if (socket === undefined || isRemoved(connection)) {
      // mysql2 only ends its half of the stream, which a host that is gone never answers.
      if (!isBusy(connection)) socket?.expectEnd();
      this.#pulseSoon();
    } else if (hasTimedOut(connection)) {
      this.#connections.abandon(connection, socket);
    } else if (this.#connections.mustPart(connection, socket)) {
      this.#connections.part(connection, socket);
    } else {
      this.#options.release(connection);
      if (this.#strained && this.#makings.size > 0) process.nextTick(() => this.#relieve());
    }
    this.#pause.released();
  }

  pause(): Promise<void> {
    const paused = this.#pause.begin();
    this.#waiters.holdAll();
    this.#boundWaiters();
    return paused;
  }

  resume(): void {
    if (!this.#pause.on) return;
    this.#pause.end();
    for (const waiter of this.#waiters.letGo()) this.#waiters.queue(waiter);
    if (!this.#strained) this.#unbindWaiters();
    this.#pulseSoon();
  }

  /** Before mysql2's `end()`; resolves what it does not. */
  prepareEnd(): void {
    this.#ended = true;
    for (const waiter of this.#waiters.letGo()) this.#waiters.queue(waiter);
    this.#connections.putBackDraining();
    if (!this.#strained) return;
    // A connection that is being made is awaited, as mysql2 does; in a failover there is nothing to wait for.
    for (const { connection, caller, socket } of this.#makings.drop()) {
      takeOut(this.#pool, connection);
      this.#answer(caller, closedError());
      socket.destroy();
    }
  }

  /** After it: every goodbye is on its way. */
  finishEnd(): void {
    this.#waits.endAll();
    this.#admission.up();
    this.#connections.expectEnd();
    this.#pause.released();
    if (this.#options.route.owned) this.#endpoint.close();
  }

  /** Attempts fail, and a connection became free: a caller for whom one was to be made takes it. */
  #relieve(): void {
    if (!hasFree(this.#pool) || waitingCount(this.#pool) > 0) return;
    const making = this.#makings.relieve();
    if (making === undefined) return;
    takeOut(this.#pool, making.connection);
    this.#again(making.caller);
    making.socket.destroy();
  }

  /** There is no connection for him at once. */
  #wait(callback: GetCallback): void {
    const known = this.#waiters.of(callback);
    const refusal =
      known === undefined && this.#admission.limited
        ? this.#admission.refusal(this.#waiters.place(this.#pause.on))
        : null;
    if (refusal !== null) return process.nextTick(() => callback(refusal, undefined as never));
    const waiter = known ?? this.#waiters.make(callback);
    if (this.#pause.on) this.#hold(waiter);
    else this.#enter(waiter, known === undefined);
  }

  /** Nobody waits, since everybody fails at once; somebody has to find out when there is a server again. */
  #scout(): void {
    if (!this.#open || this.#makings.size > 0 || this.#waiters.count > 0 || this.#pause.on) return;
    const scout = this.#waiters.make((_, connection) => connection?.release(), true);
    this.#enter(scout, true);
  }

  #enter(waiter: Waiter, isNew: boolean): void {
    let making: OneMaking | undefined;
    this.#newSocket = null;
    const before = waitingCount(this.#pool);
    waiter.token = (error, connection) => this.#serve(waiter, making, error, connection);
    this.#options.get(waiter.token);
    const socket = this.#newSocket as TrackedSocket | null;
    const connection = socket === null ? undefined : newestConnection(this.#pool);
    if (socket !== null && connection !== undefined) making = this.#adopt(waiter, connection, socket);
    else if (waitingCount(this.#pool) > before) this.#waiters.queued(waiter, isNew);
    if (!this.#connections.anyUsable) this.#boundWaiters();
  }

  #adopt(waiter: Waiter, connection: mysql.PoolConnection, socket: TrackedSocket): OneMaking {
    if (waiter.scout) socket.unref();
    else this.#waits.begin(waiter, this.#persists() ? undefined : this.#connectTimeout || undefined);
    followHandshake(connection, socket, this.#endpoint);
    this.#connections.add(connection, socket);
    return this.#makings.add(connection, waiter, socket);
  }

  #hold(waiter: Waiter): void {
    this.#waiters.hold(waiter);
    this.#waits.begin(waiter);
  }

  /** mysql2 has something for a caller who was in its queue, or whose connection was being made. */
  #serve(
    waiter: Waiter,
    making: OneMaking | undefined,
    error: NodeJS.ErrnoException | null,
    connection: mysql.PoolConnection,
  ): void {
    if (making?.relieved === true) return;
    if (error != null) this.#failed(making?.caller ?? waiter, making, error);
    else if (making === undefined) this.#hand(waiter, connection);
    else this.#loggedIn(making);
  }

  #loggedIn(making: OneMaking): void {
    const { connection, socket } = making;
    this.statements.watch(connection, socket);
    if (this.#options.failover.role !== 'writable') return this.#arrived(making);
    // One round trip for each new connection, and only where a server that takes no writes is of no use.
    askRole(connection, (error, readOnly) => {
      if (making.relieved) return;
      if (!readOnly && (error === null || isServerError(error))) return this.#arrived(making);
      const cause = error ?? readOnlyError(this.#endpoint.name, socket.dialledAddress);
      if (readOnly) socket.settle('unusable', 'read-only', cause);
      takeOut(this.#pool, connection);
      quit(this.#options.driver, connection);
      this.#failed(making.caller, making, cause);
    });
  }

  #arrived(making: OneMaking): void {
    if (making.socket.isCurrent) this.#made(making);
    else this.#makings.end(making);
    this.#hand(making.caller, making.connection);
  }

  #hand(waiter: Waiter, connection: mysql.PoolConnection): void {
    if (this.#connections.socketOf(connection)?.isCurrent !== true) {
      connection.release();
      return this.#again(waiter);
    }
    if (!waiter.answered && !this.#pause.on) return this.#answer(waiter, null, connection);
    connection.release();
    if (!waiter.answered) this.#hold(waiter);
  }

  #failed(waiter: Waiter, making: OneMaking | undefined, error: NodeJS.ErrnoException): void {
    if (making === undefined) return this.#answer(waiter, error);
    this.#makings.end(making);
    const { socket } = making;
    const failures = new Map<Address, unknown>(socket.failures);
    if (socket.dialledAddress !== null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    // Whatever it failed with, the server has said its last word on this connection.
    if (!socket.destroyed) socket.expectEnd();
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const left = isEipPoolError(error) && error.code === 'ADDRESS_LEFT';
    if (left ? this.#open : refusalOf(error).kind === 'not-ready' && this.#persists()) this.#again(waiter);
    else this.#answer(waiter, error);
  }

  /** There is no usable server for this caller yet; he keeps his turn in the queue. */
  #again(waiter: Waiter): void {
    if (waiter.answered) return this.#pulseSoon();
    if (!this.#open) return this.#answer(waiter, closedError());
    if (this.#pause.on) return this.#hold(waiter);
    this.#waiters.queue(waiter);
    this.#strain();
    this.#pulseSoon();
  }

  #answer(waiter: Waiter, error: Error | null, connection?: mysql.PoolConnection): void {
    this.#waits.end(waiter);
    if (waiter.answered) return;
    waiter.answered = true;
    waiter.answer(error, connection as mysql.PoolConnection);
  }

  #demoted(connection: mysql.PoolConnection, cause: Error): void {
    if (this.#options.failover.role !== 'writable') return;
    this.#trouble.note(new Map(), cause);
    this.#connections.demoted(connection, cause);
    this.#strain();
  }

  #strain(): void {
    this.#strained = true;
    // A pool that has connections is merely busy: its callers wait as its driver has them wait.
    if (this.#connections.anyUsable) return;
    this.#admission.down(this.#trouble.cause);
    this.#boundWaiters();
  }

  /** There is a new connection: whoever waits for one waits as in any busy pool. */
  #made(making: OneMaking): void {
    this.#makings.arrive(making);
    this.#everConnected = true;
    this.#connections.made(making.connection, making.socket);
    this.#strained = false;
    this.#trouble.clear();
    this.#admission.up();
    // A pause is not over with it.
    if (!this.#pause.on) this.#unbindWaiters();
  }

  /** A pool that has never had a connection fails as mysql2's does; one that has, waits. */
  #persists(): boolean {
    return (this.#everConnected || this.#options.failover.waitAtStart) && this.#open;
  }

  get #open(): boolean {
    return !this.#ended && !isClosed(this.#pool) && this.#endpoint.state !== 'closed';
  }

  #boundWaiters(): void {
    for (const waiter of this.#waiters.all()) if (!waiter.scout) this.#waits.begin(waiter);
  }

  #unbindWaiters(): void {
    if (!this.#waits.any) return;
    for (const waiter of this.#waiters.all()) this.#waits.end(waiter);
  }

  #expire(waiter: Waiter, waitedMillis: number): void {
    this.#waiters.remove(waiter);
    if (this.#pause.on) this.#trouble.note(new Map(), new Error('the pool is paused, and was not resumed'));
    const making = this.#makings.of(waiter)?.socket;
    if (making !== undefined) this.#trouble.noteUnfinished(making);
    const error = this.#persists()
      ? this.#trouble.deadlineError(TIMED_OUT, this.#endpoint.name, waitedMillis, this.#waiters.counts())
      : timeoutError();
    this.#answer(waiter, error);
    this.#strain();
    // One that is logging in goes on, and is the pool's when it is done; until then nobody needs the process for it.
    if (making?.state.kind === 'handshake') making.unref();
    else making?.destroy(error);
  }

  #pulseSoon(): void {
    if (this.#pulsing) return;
    this.#pulsing = true;
    process.nextTick(() => {
      this.#pulsing = false;
      this.#pause.released();
      pulse(this.#pool, (token) => this.get(token));
    });
  }
}
