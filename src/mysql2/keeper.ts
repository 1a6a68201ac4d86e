import type * as mysql from 'mysql2';
import { internally } from '../async-context.js';
import type { Address } from '../endpoint/address.js';
import { isEipPoolError } from '../errors.js';
import { Admission } from '../failover/admission.js';
import { AcquireDeadlines } from '../failover/acquire-deadlines.js';
import type { ReadFailoverOptions, Route } from '../failover/options.js';
import { Pause } from '../failover/pause.js';
import { type PendingConnection, PendingConnections } from '../failover/pending-connections.js';
import { readOnlyError } from '../failover/refusal.js';
import { Trouble } from '../failover/trouble.js';
import { noteOutcome } from '../outcome/outcome.js';
import type { Endpoint } from '../sockets/endpoint.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { Connections, socketOf } from './connections.js';
import { closedError, TIMED_OUT, timeoutError } from './driver-words.js';
import { HandOut } from './hand-out.js';
import { followHandshake } from './handshake.js';
import {
  bindCommands,
  type Caller,
  callbackOf,
  counts,
  type Driver,
  type GetCallback,
  hasFree,
  hasRoom,
  hasTimedOut,
  isBusy,
  isClosed,
  isFull,
  isPlainLease,
  isRemoved,
  type Leasing,
  lendNext,
  newestConnection,
  onReturned,
  quit,
  setFree,
  settingsOf,
  takesPlaces,
  takeOut,
  tell,
} from './internals.js';
import { askRole } from './role.js';
import { isServerError, refusalOf } from './server-errors.js';
import { Statements } from './statements.js';
import { type Waiter, Waiters } from './waiters.js';

type Pending = PendingConnection<mysql.PoolConnection, Waiter>;

export interface KeeperOptions {
  readonly driver: Driver;
  readonly pool: mysql.Pool;
  readonly route: Route;
  readonly failover: ReadFailoverOptions;
  /** Whether callers wait for a server; false in a cluster, whose next node is to be tried at once. */
  readonly waits: boolean;
  /** mysql2's own `getConnection` and `releaseConnection`, of this pool. */
  readonly get: (callback: GetCallback) => void;
  readonly release: (connection: mysql.PoolConnection) => void;
  /** This library's, in whose places an application may have put its own. */
  readonly own: Pick<mysql.Pool, 'getConnection' | 'releaseConnection'>;
  /** mysql2's own `release` of any connection. */
  readonly ownRelease: () => void;
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
  readonly #own: KeeperOptions['own'];
  readonly #ownRelease: () => void;
  readonly #handOut: HandOut;
  readonly #waiters: Waiters;
  /** Whatever makes {@link #isCalm} false says so here. */
  #calm = false;
  readonly #connections: Connections;
  readonly #deadlines: AcquireDeadlines<Waiter>;
  readonly #pending: PendingConnections<mysql.PoolConnection, Waiter> = new PendingConnections(
    ({ expecting }) => expecting,
  );
  readonly #trouble: Trouble = new Trouble();
  readonly #admission: Admission;
  readonly #pause: Pause = new Pause(() => (this.#ended ? 0 : this.#connections.leases(this.#pending.size)));
  readonly #leave: () => void;
  #leaveReturned: () => void = () => {};
  #newSocket: TrackedSocket | null = null;
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  /** Whoever waits, waits for a server or for a pause to end, and has a deadline. */
  #bounding = false;
  #pulsing = false;
  #ended = false;

  constructor(options: KeeperOptions) {
    const { pool, failover } = options;
    const { endpoint } = options.route;
    this.#options = options;
    this.#endpoint = endpoint;
    this.#pool = pool;
    this.#own = options.own;
    this.#ownRelease = options.ownRelease;
    this.#connections = this.#makeConnections(options);
    this.#handOut = new HandOut({
      pool,
      endpoint,
      pause: this.#pause,
      stock: options.get,
      get: (caller) => this.get(caller),
      again: (caller) => this.#again(this.#waiters.makeFirst(caller)),
    });
    this.#waiters = new Waiters(
      pool,
      (waiter, error, connection) => this.#serve(waiter, undefined, error, connection),
      (statement) => this.#handOut.checked(statement),
    );
    this.#leave = endpoint.neededWhile(() => this.#waiters.count > 0);
    const expire = (waiter: Waiter, waitedMillis: number): void => this.#expire(waiter, waitedMillis);
    this.#deadlines = new AcquireDeadlines(endpoint.clock, failover.deadlineMillis, expire);
    this.#admission = new Admission(endpoint.clock, endpoint.name, failover, () => this.#scout());
    this.statements = new Statements({
      clock: endpoint.clock,
      asking: () => (this.#calm = false),
      readOnly: (connection, error) => this.#demoted(connection, error),
      release: (connection) => this.release(connection),
    });
  }

  #makeConnections({ driver, pool, route, failover }: KeeperOptions): Connections {
    return new Connections({
      driver,
      pool,
      endpoint: route.endpoint,
      failover,
      draining: () => (this.#calm = false),
      noneUsable: () => this.#bound(),
      madeRoom: () => this.#pulseSoon(),
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
    if (!this.persists) return false;
    this.#trouble.note(new Map(), cause);
    this.#strain();
    return true;
  }

  /** `pool.getConnection`, also for a statement. */
  get(caller: Caller): void {
    // This is every query's path: some looks, and the driver.
    if (this.#waiters.isEntering) this.#getMeanwhile(caller);
    else if (hasFree(this.#pool) && !this.#pause.on) this.#handOut.free(caller);
    else if (this.#isMerelyBusy && this.#waiters.of(caller) === undefined) this.#handOut.inTurn(caller);
    else this.#wait(caller);
  }

  /** For a listener's own caller, while mysql2 is asked for another one. */
  #getMeanwhile(caller: Caller): void {
    this.#waiters.enter(null, () => this.get(caller));
  }

  /** Is his turn all that a caller has to wait for? */
  get #isMerelyBusy(): boolean {
    const calm = this.#connections.anyUsable && !this.#strained && !this.#bounding && !this.#pause.on;
    return calm && !this.#admission.limited && isFull(this.#pool);
  }

  /** Who comes within the call was served before, and lost its connection. */
  ahead<T>(call: () => T): T {
    return this.#waiters.ahead(call);
  }

  /** For a statement: `pool.getConnection`, which an application may have put in place. */
  lend(statement: Leasing): void {
    if (this.#pool.getConnection !== this.#own.getConnection) internally(askFor, this.#pool, callbackOf(statement));
    else if (this.#isCalm && hasFree(this.#pool)) this.#handOut.free(statement);
    else this.get(statement);
  }

  /**
   * Its lease is over: `connection.release()`, and no more than there is to it. Who waits for the connection, and is a
   * statement too, begins in this turn.
   */
  giveBack(connection: mysql.PoolConnection): void {
    if (!this.#isPlain(connection)) return connection.release();
    const next = this.#waiters.takeFirst();
    if (next === undefined) setFree(this.#pool, connection);
    else if (typeof next === 'function') lendNext(next, connection);
    else next.begin(connection);
  }

  /** Is a lease that ends nothing but a connection for the next one? */
  #isPlain(connection: mysql.PoolConnection): boolean {
    if (!this.#isCalm || socketOf(connection)?.isCurrent !== true) return false;
    // Nobody who waits gets it before the name was asked; whoever comes later is looked after then.
    if (this.#waiters.count > 0 && this.#endpoint.slept) return false;
    const isOwn = this.#pool.releaseConnection === this.#own.releaseConnection;
    return isOwn && isPlainLease(this.#pool, connection, this.#ownRelease);
  }

  /** Nothing is under way that a lease, or its end, could be a part of. */
  get #isCalm(): boolean {
    // Looked up only while it is not: every statement comes by, twice.
    return this.#calm || (this.#calm = !this.#isAstir());
  }

  #isAstir(): boolean {
    const isAsking = this.#waiters.isEntering || this.statements.isAsking;
    return isAsking || this.#pending.size > 0 || this.#pause.on || this.#connections.drainingCount > 0;
  }

  /** `pool.releaseConnection`. */
  release(connection: mysql.PoolConnection): void {
    if (this.statements.holds(connection)) return;
    const socket = socketOf(connection);
    if (socket === undefined || isRemoved(connection)) {
      // mysql2 only ends its half of the stream, which a host that is gone never answers.
      if (!isBusy(connection)) socket?.expectEnd();
      // Of a pool that has ended, it is mysql2's to say what it says.
      if (this.#ended) this.#options.release(connection);
      this.#pulseSoon();
    } else if (hasTimedOut(connection)) {
      this.#connections.abandon(connection, socket);
    } else if (this.#connections.mustPart(connection, socket)) {
      this.#connections.part(connection, socket);
    } else {
      if (this.#pending.size > 0) this.#exchange();
      this.#options.release(connection);
      if (this.#pending.size > 0) process.nextTick(() => this.#relieve());
    }
    this.#pause.released();
  }

  pause(): Promise<void> {
    this.#calm = false;
    if (!this.#pause.on) this.#leaveReturned = onReturned(this.#pool, () => this.#pause.released());
    const paused = this.#pause.begin();
    this.#waiters.held = true;
    this.#bound();
    return paused;
  }

  resume(): void {
    if (!this.#pause.on) return;
    this.#pause.end();
    this.#leaveReturned();
    this.#waiters.held = false;
    if (!this.#strained) this.#unbound();
    this.#pulseSoon();
  }

  /** Before mysql2's `end()`; resolves what it does not. */
  prepareEnd(): void {
    this.#ended = true;
    this.#waiters.held = false;
    this.#connections.putBackDraining();
    if (!this.#strained) return;
    // A connection that is being made is awaited, as mysql2 does; in a failover there is nothing to wait for.
    for (const pending of [...this.#pending]) {
      const caller = this.#abandon(pending, pending.settle());
      if (caller !== null) this.#answer(caller, closedError());
    }
  }

  /** After it: every goodbye is on its way. */
  finishEnd(): void {
    this.#deadlines.endAll();
    this.#admission.up();
    this.#connections.expectEnd();
    this.#pause.released();
    this.#leave();
    if (this.#options.route.owned) this.#endpoint.close();
  }

  /** Whoever waits longest gets what becomes free, also where attempts are made for it that its server refuses. */
  #exchange(): void {
    const waiting = this.#pending.exchange(this.#waiters);
    if (waiting !== null) this.#boundAttempt(waiting);
  }

  /** A connection became free: the first caller whose own cannot even be dialled yet takes it. */
  #relieve(): void {
    if (!hasFree(this.#pool) || this.#waiters.count > 0) return;
    const pending = this.#pending.stuck();
    if (pending === undefined) return;
    const caller = this.#abandon(pending, pending.relieve());
    if (caller !== null) this.#again(caller);
  }

  /** Nobody waits for it any more. */
  #abandon({ connection, socket }: Pending, caller: Waiter | null): Waiter | null {
    if (connection !== null) takeOut(this.#pool, connection);
    socket?.destroy();
    return caller;
  }

  /** There is no connection for the caller at once. */
  #wait(caller: Caller): void {
    const known = this.#waiters.of(caller);
    const refusal = known === undefined && this.#admission.limited ? this.#admission.refusal(this.#place()) : null;
    if (refusal !== null) return process.nextTick(() => tell(caller, refusal, undefined as never));
    const waiter = known ?? this.#waiters.make(caller);
    if (this.#pause.on) this.#hold(waiter);
    else if (isFull(this.#pool) && takesPlaces(this.#pool)) this.#queue(waiter);
    else this.#enter(waiter);
  }

  /** There is no room for a connection of its own: in an outage very many come so. */
  #queue(waiter: Waiter): void {
    this.#pool.emit('enqueue');
    this.#waiters.queueAgain(waiter);
    if (!this.#connections.anyUsable) this.#bound();
    this.#boundOne(waiter);
  }

  /** The place in the queue that one more caller would get; 0 if there is room for one more connection. */
  #place(): number {
    return isFull(this.#pool) || this.#pause.on ? this.#waiters.count + 1 : 0;
  }

  /** Nobody waits, since everybody fails at once; somebody has to find out when there is a server again. */
  #scout(): void {
    if (!this.#open || this.#pending.size > 0 || this.#waiters.count > 0 || this.#pause.on) return;
    this.#enter(this.#waiters.make((_, connection) => connection?.release(), true));
  }

  #enter(waiter: Waiter): void {
    let pending: Pending | undefined;
    this.#newSocket = null;
    const token: GetCallback = (error, connection) => this.#serve(waiter, pending, error, connection);
    this.#waiters.enter(waiter, () => this.#options.get(token));
    const socket = this.#newSocket as TrackedSocket | null;
    const connection = socket === null ? undefined : newestConnection(this.#pool);
    if (socket !== null && connection !== undefined) pending = this.#adopt(waiter, connection, socket);
    if (!this.#connections.anyUsable) this.#bound();
    if (pending === undefined) this.#boundOne(waiter);
  }

  #adopt(waiter: Waiter, connection: mysql.PoolConnection, socket: TrackedSocket): Pending {
    if (waiter.scout) socket.unref();
    else this.#boundAttempt(waiter);
    followHandshake(connection, socket, this.#endpoint);
    this.statements.watch(connection, socket);
    bindCommands(connection);
    this.#connections.add(connection, socket);
    const pending = this.#pending.add(waiter);
    this.#calm = false;
    pending.begin(connection, socket);
    return pending;
  }

  #boundAttempt(waiter: Waiter): void {
    const { connectTimeout } = settingsOf(this.#pool).connectionConfig;
    this.#deadlines.begin(waiter, this.persists ? undefined : connectTimeout || undefined);
  }

  #hold(waiter: Waiter): void {
    this.#waiters.queueAgain(waiter);
    this.#deadlines.begin(waiter);
  }

  /** mysql2 has something for a caller who was in its queue, or whose connection was being made. */
  #serve(
    waiter: Waiter,
    pending: Pending | undefined,
    error: NodeJS.ErrnoException | null,
    connection: mysql.PoolConnection,
  ): void {
    if (pending === undefined) return error == null ? this.#hand(waiter, connection) : this.#answer(waiter, error);
    if (pending.isSettled) return;
    if (error != null) this.#failed(pending, error);
    else this.#loggedIn(pending, connection, pending.socket!);
  }

  #loggedIn(pending: Pending, connection: mysql.PoolConnection, socket: TrackedSocket): void {
    if (this.#options.failover.role !== 'writable') return this.#arrived(pending, connection, socket);
    // One round trip for each new connection, and only where a server that takes no writes is of no use.
    askRole(connection, (error, readOnly) => {
      if (pending.isSettled) return;
      if (!readOnly && (error === null || isServerError(error))) return this.#arrived(pending, connection, socket);
      // To its caller, the question is a part of the login.
      if (error !== null) noteOutcome(error, 'not-sent');
      const cause = error ?? readOnlyError(this.#endpoint.name, socket.dialledAddress);
      if (readOnly) socket.settle('unusable', 'read-only', cause);
      takeOut(this.#pool, connection);
      quit(this.#options.driver, connection);
      this.#failed(pending, cause);
    });
  }

  #arrived(pending: Pending, connection: mysql.PoolConnection, socket: TrackedSocket): void {
    pending.arrive();
    if (socket.isCurrent) this.#made(connection, socket);
    this.#hand(pending.settle(), connection);
  }

  #hand(waiter: Waiter | null, connection: mysql.PoolConnection): void {
    if (this.#endpoint.slept) {
      const hand = (): void => process.nextTick(() => this.#hand(waiter, connection));
      return void this.#endpoint.wake().then(hand);
    }
    if (socketOf(connection)?.isCurrent !== true) {
      connection.release();
      if (waiter !== null) this.#again(waiter);
      return;
    }
    if (waiter !== null && !waiter.answered && !this.#pause.on) return this.#answer(waiter, null, connection);
    connection.release();
    if (waiter !== null && !waiter.answered) this.#hold(waiter);
  }

  #failed(pending: Pending, error: NodeJS.ErrnoException): void {
    const socket = pending.socket!;
    const caller = pending.settle();
    const failures = new Map<Address, unknown>(socket.failures);
    if (socket.dialledAddress !== null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    // Whatever it failed with, the server has said its last word on this connection.
    if (!socket.destroyed) socket.expectEnd();
    if (caller === null) return this.#pulseSoon();
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const left = isEipPoolError(error) && error.code === 'ADDRESS_LEFT';
    if (left ? this.#open : refusalOf(error).kind === 'not-ready' && this.persists) this.#again(caller);
    else this.#answer(caller, error);
  }

  /** There is no usable server for this caller yet; it keeps its turn in the queue. */
  #again(waiter: Waiter): void {
    if (waiter.answered) return this.#pulseSoon();
    if (!this.#open) return this.#answer(waiter, closedError());
    if (this.#pause.on) return this.#hold(waiter);
    this.#waiters.queueAgain(waiter);
    this.#boundOne(waiter);
    this.#strain();
    this.#pulseSoon();
  }

  #answer(waiter: Waiter, error: Error | null, connection?: mysql.PoolConnection): void {
    this.#deadlines.end(waiter);
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
    this.#bound();
  }

  /** There is a new connection: whoever waits for one waits as in any busy pool. */
  #made(connection: mysql.PoolConnection, socket: TrackedSocket): void {
    this.#everConnected = true;
    this.#connections.made(connection, socket);
    this.#strained = false;
    this.#trouble.clear();
    this.#admission.up();
    // A pause is not over with it.
    if (!this.#pause.on) this.#unbound();
  }

  /** A pool that has never had a connection fails as mysql2's does; one that has, waits. */
  get persists(): boolean {
    return this.#options.waits && (this.#everConnected || this.#options.failover.waitAtStart) && this.#open;
  }

  get #open(): boolean {
    return !this.#ended && !isClosed(this.#pool) && this.#endpoint.state !== 'closed';
  }

  /** Whoever waits, or comes now, waits for a server, or for a pause to end, until its deadline. */
  #bound(): void {
    if (this.#bounding) return;
    this.#bounding = true;
    for (const waiter of this.#waiters.all()) this.#boundOne(waiter);
  }

  #boundOne(waiter: Waiter): void {
    if (this.#bounding && waiter.expecting) this.#deadlines.begin(waiter);
  }

  /** From here on they wait as in any busy pool. */
  #unbound(): void {
    if (!this.#bounding && !this.#deadlines.any) return;
    this.#bounding = false;
    for (const waiter of this.#waiters.all()) this.#deadlines.end(waiter);
  }

  #expire(waiter: Waiter, waitedMillis: number): void {
    if (waiter.answered) return;
    // Whoever is in the queue is none of those for whom a connection is made.
    const pending = this.#waiters.remove(waiter) ? undefined : this.#pending.of(waiter);
    const socket = pending?.socket ?? undefined;
    if (socket !== undefined) this.#trouble.noteUnfinished(socket);
    const error = this.persists || this.#pause.on ? this.#deadlineError(waitedMillis) : timeoutError();
    this.#answer(waiter, error);
    this.#strain();
    const next = pending === undefined || this.#pause.on ? undefined : this.#waiters.next();
    if (next !== undefined) return pending?.takeOver(next);
    // One that is logging in goes on, and is the pool's when it is done; until then nobody needs the process for it.
    if (socket?.state.kind === 'handshake') socket.unref();
    else socket?.destroy(error);
  }

  #deadlineError(waitedMillis: number): Error {
    const { total, idle } = counts(this.#pool);
    const opening = this.#pending.size;
    const pool = { total, active: total - idle - opening, idle, waiting: this.#waiters.count, opening };
    const { name } = this.#endpoint;
    return this.#trouble.deadlineError({ said: TIMED_OUT, name, waitedMillis, paused: this.#pause.on, pool });
  }

  /** Serves those who wait, for as long as there is a connection for them, or room for one. */
  #pulse(): void {
    for (let left = this.#waiters.length; left > 0 && hasRoom(this.#pool); left--) {
      const next = this.#waiters.next();
      if (next !== undefined) this.get(this.#waiters.tokenOf(next));
    }
  }

  #pulseSoon(): void {
    if (this.#pulsing) return;
    this.#pulsing = true;
    process.nextTick(() => {
      this.#pulsing = false;
      this.#pause.released();
      this.#pulse();
    });
  }
}

function askFor(pool: mysql.Pool, callback: GetCallback): void {
  pool.getConnection(callback);
}
