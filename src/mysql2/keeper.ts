import type * as mysql from 'mysql2';
import type { Address } from '../endpoint/address.js';
import { isEipPoolError } from '../errors.js';
import { type Making, Makings } from '../failover/makings.js';
import type { ReadFailoverOptions, Route } from '../failover/options.js';
import { Trouble } from '../failover/trouble.js';
import { Turns } from '../failover/turns.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { isQuiet } from '../sockets/watch.js';
import { followHandshake } from './handshake.js';
import {
  counts,
  type Driver,
  failStreaming,
  type GetCallback,
  hasFree,
  hasTimedOut,
  isClosed,
  isRemoved,
  newestConnection,
  newestWaiting,
  pulse,
  putBack,
  queueAt,
  quit,
  isBusy,
  settingsOf,
  silence,
  takeOut,
  unqueue,
  waiting,
} from './internals.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';
import { askRole } from './role.js';
import { isServerError, refusalOf } from './server-errors.js';
import { Statements } from './statements.js';

/** One caller for whom there was no connection at once. */
interface Waiter {
  readonly answer: GetCallback;
  /** Stands for him in mysql2's queue. */
  token: GetCallback;
  answered: boolean;
}

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
  readonly #options: KeeperOptions;
  readonly #endpoint: Endpoint;
  readonly #pool: mysql.Pool;
  readonly #waits: Waits<Waiter>;
  readonly #trouble: Trouble = new Trouble();
  readonly #side: PoolSide;
  readonly #connectTimeout: number;
  readonly #waiters: WeakMap<GetCallback, Waiter> = new WeakMap();
  readonly #turns: Turns<Waiter> = new Turns();
  readonly #makings: Makings<mysql.PoolConnection, Waiter> = new Makings();
  readonly #statements: Statements;
  /** Leased on an address that was left: not counted, but still their callers'. */
  readonly #draining: Set<mysql.PoolConnection> = new Set();
  /** Connections on which the next statement can run, leased or idle. */
  readonly #usable: Set<mysql.PoolConnection> = new Set();
  /** Every connection that is not closed, whoever has it. */
  readonly #alive: Map<mysql.PoolConnection, TrackedSocket> = new Map();
  #newSocket: TrackedSocket | null = null;
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  #pulsing = false;
  #ended = false;

  constructor(options: KeeperOptions) {
    const { driver, pool, route, failover } = options;
    this.#options = options;
    this.#endpoint = route.endpoint;
    this.#pool = pool;
    this.#connectTimeout = settingsOf(pool).connectionConfig.connectTimeout;
    this.#waits = new Waits(route.endpoint.clock, failover.deadlineMillis, (waiter, waited) =>
      this.#expire(waiter, waited),
    );
    this.#side = {
      driver,
      pool,
      drainMillis: failover.drainMillis,
      silenceMillis: failover.silenceMillis,
      drained: (connection) => this.#drain(connection),
      madeRoom: () => this.#pulseSoon(),
    };
    this.#statements = new Statements({
      readOnly: (connection, error) => this.#demoted(connection, error),
      release: (connection) => this.release(connection),
    });
  }

  get drainingCount(): number {
    return this.#draining.size;
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
    // This is every query's path: two readings of the clock, a look at the socket, and the driver.
    if (this.#endpoint.slept) void this.#endpoint.wake().then(() => this.get(callback));
    else if (hasFree(this.#pool)) this.#options.get((error, connection) => this.#check(callback, error, connection));
    else this.#enter(callback);
  }

  /** `pool.releaseConnection`. */
  release(connection: mysql.PoolConnection): void {
    if (this.#statements.holds(connection)) return;
    const socket = this.#alive.get(connection);
    if (socket === undefined || isRemoved(connection)) {
      // mysql2 only ends its half of the stream, which a host that is gone never answers.
      if (!isBusy(connection)) socket?.expectEnd();
      this.#pulseSoon();
    } else if (hasTimedOut(connection)) {
      this.#abandon(connection, socket);
    } else if (this.#draining.has(connection) || !this.#isCurrent(socket)) {
      this.#part(connection, socket);
    } else {
      this.#options.release(connection);
      if (this.#strained && this.#makings.size > 0) process.nextTick(() => this.#relieve());
    }
  }

  /** The statement on it timed out: nobody waits for its reply, and nothing else can be run on it. */
  #abandon(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    silence(connection);
    takeOut(this.#pool, connection);
    socket.destroy(new Error('the connection still waited for a statement that had timed out'));
    this.#pulseSoon();
  }

  /** Attempts fail, and a connection became free: a caller for whom one was to be made takes it. */
  #relieve(): void {
    if (!hasFree(this.#pool) || counts(this.#pool).waiting > 0) return;
    const making = this.#makings.relieve();
    if (making === undefined) return;
    takeOut(this.#pool, making.connection);
    this.#again(making.caller);
    making.socket.destroy();
  }

  /** Before mysql2's `end()`; resolves what it does not. */
  prepareEnd(): void {
    this.#ended = true;
    putBack(this.#pool, this.#draining);
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
    for (const socket of this.#alive.values()) socket.expectEnd();
    if (this.#options.route.owned) this.#endpoint.close();
  }

  #waiter(answer: GetCallback): Waiter {
    const waiter: Waiter = { answer, token: () => {}, answered: false };
    this.#turns.note(waiter);
    return waiter;
  }

  /** Design, endpoint rule 1: the answer of the moment in which the caller gets the connection. */
  #check(callback: GetCallback, error: NodeJS.ErrnoException | null, connection: mysql.PoolConnection): void {
    if (error != null) return callback(error, connection);
    const socket = this.#alive.get(connection);
    if (!this.#isCurrent(socket)) return this.#another(connection, callback);
    if (!isQuiet(socket)) return callback(null, connection);
    // It has been idle for long, and has to answer first.
    void this.#endpoint.confirm(socket).then((answers) => {
      if (!answers) socket.destroy();
      // In a turn of its own, so that what a caller's callback throws is his.
      const hand = this.#isCurrent(socket) ? callback : null;
      process.nextTick(() => (hand === null ? this.#another(connection, callback) : hand(null, connection)));
    });
  }

  #another(connection: mysql.PoolConnection, callback: GetCallback): void {
    connection.release();
    this.#pool.getConnection(callback);
  }

  #enter(callback: GetCallback): void {
    const known = this.#waiters.get(callback);
    const waiter = known ?? this.#waiter(callback);
    let making: OneMaking | undefined;
    this.#newSocket = null;
    const before = counts(this.#pool).waiting;
    waiter.token = (error, connection) => this.#serve(waiter, making, error, connection);
    this.#options.get(waiter.token);
    const socket = this.#newSocket as TrackedSocket | null;
    const connection = newestConnection(this.#pool);
    if (socket !== null && connection !== undefined) making = this.#adopt(waiter, connection, socket);
    else if (counts(this.#pool).waiting > before) this.#enqueued(waiter, known !== undefined);
    if (this.#usable.size === 0) this.#boundWaiters();
  }

  #enqueued(waiter: Waiter, again: boolean): void {
    waiter.token = newestWaiting(this.#pool) ?? waiter.token;
    this.#waiters.set(waiter.token, waiter);
    if (!again) return;
    unqueue(this.#pool, waiter.token);
    this.#queueInTurn(waiter);
  }

  #queueInTurn(waiter: Waiter): void {
    const queue = waiting(this.#pool).map((token) => this.#waiters.get(token));
    queueAt(this.#pool, this.#turns.placeIn(queue, waiter), waiter.token);
  }

  #adopt(waiter: Waiter, connection: mysql.PoolConnection, socket: TrackedSocket): OneMaking {
    this.#waits.begin(waiter, this.#persists() ? undefined : this.#connectTimeout || undefined);
    this.#alive.set(connection, socket);
    followHandshake(connection, socket, this.#endpoint);
    connection.once('error', (error: Error) => failStreaming(connection, error));
    // For good: whatever is done with a connection that a failover has ended must not end the process.
    connection.on('error', () => this.#lose(connection));
    connection.once('end', () => this.#lose(connection));
    socket.once('close', () => this.#forget(connection));
    socket.carry(new PooledConnection(this.#side, connection));
    this.#statements.watch(connection);
    return this.#makings.add(connection, waiter, socket);
  }

  #forget(connection: mysql.PoolConnection): void {
    this.#alive.delete(connection);
    this.#draining.delete(connection);
    this.#lose(connection);
    if (isClosed(this.#pool)) return;
    takeOut(this.#pool, connection);
    this.#pulseSoon();
  }

  /** mysql2 has something for a caller who was in its queue, or whose connection was being made. */
  #serve(
    waiter: Waiter,
    making: OneMaking | undefined,
    error: NodeJS.ErrnoException | null,
    connection: mysql.PoolConnection,
  ): void {
    if (making?.relieved === true) return;
    if (error != null) return this.#failed(waiter, making, error);
    if (making !== undefined && this.#options.failover.role === 'writable') return this.#examine(making);
    this.#hand(waiter, making, connection);
  }

  #hand(waiter: Waiter, making: OneMaking | undefined, connection: mysql.PoolConnection): void {
    if (making !== undefined) this.#makings.end(making);
    const socket = this.#alive.get(connection);
    if (!this.#isCurrent(socket)) {
      connection.release();
      return this.#again(waiter);
    }
    socket.settle('usable');
    socket.ref();
    this.#everConnected = true;
    this.#usable.add(connection);
    this.#relax();
    if (waiter.answered) return connection.release();
    this.#answer(waiter, null, connection);
  }

  /** One round trip for each new connection, and only where a server that takes no writes is of no use. */
  #examine(making: OneMaking): void {
    const { caller, connection, socket } = making;
    askRole(connection, (error, readOnly) => {
      if (making.relieved) return;
      if (!readOnly && (error === null || isServerError(error))) return this.#hand(caller, making, connection);
      const cause = error ?? readOnlyError(this.#endpoint.name, socket.dialledAddress);
      if (readOnly) socket.settle('unusable', 'read-only', cause);
      takeOut(this.#pool, connection);
      quit(this.#options.driver, connection);
      this.#failed(caller, making, cause);
    });
  }

  /** What is leased there stays its caller's; nobody else gets it any more. */
  #demoted(connection: mysql.PoolConnection, cause: Error): void {
    const address = this.#alive.get(connection)?.dialledAddress;
    if (this.#options.failover.role !== 'writable' || address == null) return;
    this.#endpoint.report(address, 'read-only', cause);
    for (const [other, socket] of [...this.#alive]) {
      if (socket.state.kind !== 'open' || socket.state.address !== address) continue;
      const leased = socket.connection?.isLeased() === true;
      socket.leave();
      socket.connection?.retire();
      this.#lose(other);
      if (!leased) socket.farewell(readOnlyError(this.#endpoint.name, address));
    }
    this.#strain();
  }

  /** A connection without a socket is closed. */
  #isCurrent(socket: TrackedSocket | undefined): socket is TrackedSocket {
    if (socket === undefined || socket.destroyed) return false;
    const { state } = socket;
    return (state.kind === 'handshake' || state.kind === 'open') && this.#endpoint.has(state.address);
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
    waiter.token = (error, connection) => this.#serve(waiter, undefined, error, connection);
    this.#waiters.set(waiter.token, waiter);
    this.#queueInTurn(waiter);
    this.#strain();
    this.#pulseSoon();
  }

  #answer(waiter: Waiter, error: Error | null, connection?: mysql.PoolConnection): void {
    this.#waits.end(waiter);
    if (waiter.answered) return;
    waiter.answered = true;
    waiter.answer(error, connection as mysql.PoolConnection);
  }

  #strain(): void {
    this.#strained = true;
    // A pool that has connections is merely busy: its callers wait as its driver has them wait.
    if (this.#usable.size === 0) this.#boundWaiters();
  }

  #relax(): void {
    this.#strained = false;
    this.#trouble.clear();
    for (const waiter of this.#waiting()) this.#waits.end(waiter);
  }

  #drain(connection: mysql.PoolConnection): void {
    this.#draining.add(connection);
    this.#lose(connection);
  }

  /** The next statement cannot run on it. Without any other, whoever waits now waits for a server, not for his turn. */
  #lose(connection: mysql.PoolConnection): void {
    if (this.#usable.delete(connection) && this.#usable.size === 0) this.#boundWaiters();
  }

  /** A pool that has never had a connection fails as mysql2's does; one that has, waits. */
  #persists(): boolean {
    return (this.#everConnected || this.#options.failover.waitAtStart) && this.#open;
  }

  get #open(): boolean {
    return !this.#ended && !isClosed(this.#pool) && this.#endpoint.state !== 'closed';
  }

  /** Its lease is over and it must not be leased again. A statement that it still runs is not cut off. */
  #part(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    this.#draining.delete(connection);
    takeOut(this.#pool, connection);
    const busy = isBusy(connection);
    quit(this.#options.driver, connection);
    if (!busy) socket.expectEnd();
    this.#pulseSoon();
  }

  #waiting(): Waiter[] {
    return waiting(this.#pool).flatMap((token) => this.#waiters.get(token) ?? []);
  }

  #boundWaiters(): void {
    for (const waiter of this.#waiting()) this.#waits.begin(waiter);
  }

  #expire(waiter: Waiter, waitedMillis: number): void {
    unqueue(this.#pool, waiter.token);
    const making = this.#makings.of(waiter)?.socket;
    if (making !== undefined) this.#trouble.noteUnfinished(making);
    const { total, idle, waiting: others } = counts(this.#pool);
    const pool = { total, active: total - idle, idle, waiting: others };
    const error = this.#persists()
      ? this.#trouble.deadlineError(TIMED_OUT, this.#endpoint.name, waitedMillis, pool)
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
      pulse(this.#pool, (token) => this.get(token));
    });
  }
}

const TIMED_OUT = 'connect ETIMEDOUT';

/** What mysql2 says when `connectTimeout` ends. */
function timeoutError(): Error {
  return Object.assign(new Error(TIMED_OUT), { errorno: 'ETIMEDOUT', code: 'ETIMEDOUT', syscall: 'connect' });
}

function closedError(): Error {
  return new Error('Pool is closed.');
}
