import type pg from 'pg';
import { Admission } from '../failover/admission.js';
import type { ReadFailoverOptions } from '../failover/options.js';
import type { Pause } from '../failover/pause.js';
import { Trouble } from '../failover/trouble.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { isQuiet } from '../sockets/watch.js';
import { type ConnectCallback, endedError, isLeft, TERMINATED, WAITED } from './driver-words.js';
import { Entrance } from './entrance.js';
import { followHandshake } from './handshake.js';
import {
  closeClient,
  handOver,
  type HandOut,
  makeClient,
  newestClient,
  onEnd,
  type PendingItem,
  type PoolPrivate,
  pulse,
  putBack,
  streamOf,
  unqueue,
  waiting,
} from './internals.js';
import { Leases } from './leases.js';
import { Making, Makings } from './makings.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';
import { Roles } from './roles.js';
import { refusalOf } from './server-errors.js';
import { Turns } from './turns.js';

export interface KeeperOptions {
  readonly pool: pg.Pool;
  readonly stock: PoolPrivate;
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  readonly pause: Pause;
  /** pg-pool's own `connect` of this pool. */
  readonly connect: (callback: ConnectCallback) => void;
}

type Release = (error?: Error | boolean) => void;

/**
 * What pg-pool lacks when its name moves: it hands out only connections to where the name points, and its callers wait
 * through a failover, each until his own deadline.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #pool: pg.Pool;
  readonly #endpoint: Endpoint;
  readonly #waits: Waits<PendingItem>;
  readonly #trouble: Trouble = new Trouble();
  readonly #admission: Admission;
  readonly #entrance: Entrance;
  readonly #roles: Roles | null;
  readonly #side: PoolSide;
  readonly #turns: Turns = new Turns();
  readonly #makings: Makings = new Makings(this.#turns);
  readonly #leases: Leases;
  /** Connections on which the next statement can run, leased or idle. */
  readonly #usable: Set<pg.PoolClient> = new Set();
  /** Every connection that is not closed, whoever has it. */
  readonly #alive: Map<pg.PoolClient, TrackedSocket> = new Map();
  readonly #onMove = (): void => this.#leases.moved();
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  #pulsing = false;

  constructor(options: KeeperOptions) {
    const { pool, endpoint, failover } = options;
    this.#options = options;
    this.#pool = pool;
    this.#endpoint = endpoint;
    const madeRoom = (): void => this.#pulseSoon();
    this.#side = { pool, failover, drained: (leased) => this.#drain(leased), madeRoom };
    this.#leases = new Leases({ pool, isCurrent: (address) => endpoint.has(address), madeRoom });
    const deadlineMillis = pool.options.connectionTimeoutMillis || failover.deadlineMillis;
    this.#waits = new Waits(endpoint.clock, deadlineMillis, (item, waited) => this.#expire(item, waited));
    this.#admission = new Admission(endpoint.clock, endpoint.name, failover, () => this.#entrance.scout());
    this.#roles = failover.role === 'any' ? null : new Roles({ pool, endpoint, lost: (client) => this.#lose(client) });
    this.#entrance = new Entrance({
      ...options,
      admission: this.#admission,
      isServed: () => this.#usable.size > 0,
      isMaking: () => this.#makings.size > 0,
      boundWaiters: () => this.boundWaiters(),
      deadlineError: (waitedMillis) => this.#deadlineError(WAITED, waitedMillis),
    });
    endpoint.on('move', this.#onMove);
  }

  get drainingCount(): number {
    return this.#leases.draining.size;
  }

  /** Connections in callers' hands, wherever they lead. */
  get leaseCount(): number {
    return this.#pool.totalCount - this.#pool.idleCount - this.#makings.size + this.drainingCount;
  }

  /** Is there nothing that a caller would have to be asked, or wait for, but his turn? */
  get isCalm(): boolean {
    return this.#usable.size > 0 && !this.#admission.limited && !this.#options.pause.on && !this.#endpoint.slept;
  }

  /** `pool.connect`, unless it {@link isCalm}. */
  get(callback: ConnectCallback): void {
    if (this.#endpoint.slept) void this.#endpoint.wake().then(() => this.#entrance.get(callback));
    else this.#entrance.get(callback);
  }

  /** May the caller have it at once? One that has been idle for long has to answer first. */
  serves(item: PendingItem, client: pg.PoolClient, isNew: boolean): boolean {
    if (isNew) {
      if (this.#roles === null) this.#made(client);
      return true;
    }
    const socket = this.#alive.get(client);
    if (socket !== undefined && (isQuiet(socket) || this.#roles?.doubts(client))) return false;
    this.#waits.end(item);
    return true;
  }

  /** Hands out one that may not be at once, if its server answers; else the caller gets another. */
  askFirst(handOut: HandOut): void {
    const socket = this.#alive.get(handOut.client)!;
    void this.#answers(socket, handOut.client).then((answers) => {
      if (answers) this.#waits.end(handOut.item);
      // In a turn of its own, so that what a caller's callback throws is his.
      process.nextTick(() => (answers ? this.#handOld(handOut) : this.#replace(socket, handOut)));
    });
  }

  /** pg-pool calls this for a caller for whom there is room. */
  make(item: PendingItem): void {
    this.#waits.begin(item);
    this.#turns.note(item);
    if (this.#options.pause.on) return this.#turns.queueAgain(this.#pool, item);
    const making = new Making(item);
    try {
      makeClient(this.#options.stock, this.#pool, {
        callback: (error, made, release) => {
          if (made !== undefined) this.#hand(making, made, release);
          else if (!making.relieved) this.#failed(making, error);
        },
        get timedOut(): boolean {
          return making.item.timedOut === true;
        },
      });
    } catch (error) {
      this.#waits.end(item);
      throw error;
    }
    const client = newestClient(this.#pool);
    if (client !== undefined) this.#look(client, making);
  }

  /** The pool was told to end: nobody waits any longer. The clients that drain are waited for. */
  prepareEnd(): PendingItem[] {
    putBack(this.#pool, this.#leases.draining);
    return unqueue(this.#pool);
  }

  /** `pool.end` was called. A connection that is being made is awaited, as pg does; in a failover there is no point. */
  ending(waiters: readonly PendingItem[]): void {
    for (const item of waiters) this.#answer(item, endedError());
    if (this.#strained) this.#makings.destroyAll(endedError());
  }

  ended(): void {
    this.#endpoint.off('move', this.#onMove);
    this.#waits.endAll();
    this.#admission.up();
    for (const socket of this.#alive.values()) socket.expectEnd();
  }

  /** A caller gave it back, and pg-pool has not dealt with it yet. */
  released(client: pg.PoolClient): void {
    this.#leases.released(client);
    if (this.#strained && this.#makings.size > 0) process.nextTick(() => this.#relieve());
  }

  resumed(): void {
    if (this.#usable.size > 0) this.#unboundWaiters();
    this.#pulseSoon();
  }

  /** Attempts fail, and a connection became free: a caller for whom one was to be made takes it. */
  #relieve(): void {
    if (this.#pool.idleCount === 0 || this.#pool.waitingCount > 0) return;
    const making = this.#makings.relieve();
    if (making === undefined) return;
    this.#again(making.item);
    making.socket?.destroy();
  }

  async #answers(socket: TrackedSocket, client: pg.PoolClient): Promise<boolean> {
    if (this.#roles?.doubts(client) === true) return (await this.#roles.confirm(client)) && socket.isCurrent;
    // The name may move meanwhile.
    return (await this.#endpoint.confirm(socket)) && socket.isCurrent;
  }

  #handOld({ client, item, idleListener, isNew }: HandOut): void {
    const { stock, pause } = this.#options;
    if (!pause.on) return handOver(stock, this.#pool, client, item, idleListener, isNew);
    const nobody: PendingItem = { callback: (_error, _client, release) => release() };
    handOver(stock, this.#pool, client, nobody, idleListener, isNew);
    this.#again(item);
  }

  #replace(socket: TrackedSocket, { client, item, idleListener }: HandOut): void {
    client.removeListener('error', idleListener);
    socket.leave();
    socket.destroy();
    this.#leases.released(client);
    closeClient(this.#pool, client);
    this.#again(item);
  }

  #look(client: pg.PoolClient, making: Making): void {
    this.#makings.add(client, making);
    const socket = streamOf(client);
    if (!(socket instanceof TrackedSocket)) return;
    making.socket = socket;
    this.#alive.set(client, socket);
    onEnd(client, () => this.#onEnd(client, socket));
    const handshake = followHandshake(client, socket);
    if (this.#roles === null) client.once('connect', () => this.#arrived(client));
    else {
      handshake.deferred = true;
      this.#roles.watch(client, () => [...this.#alive.keys()]);
    }
    if (client.listenerCount('error') === 0 && !('endpoint' in client)) client.on('error', () => {});
    socket.follow({ persist: (cause) => this.#persistsAfter(cause) });
    socket.carry(new PooledConnection(this.#side, client));
  }

  #arrived(client: pg.PoolClient): void {
    const making = this.#makings.arrive(client);
    if (making !== undefined) this.#waits.end(making.item);
  }

  #onEnd(client: pg.PoolClient, { dialledAddress }: TrackedSocket): void {
    this.#alive.delete(client);
    this.#roles?.forget(client);
    this.#lose(client);
    if (this.#makings.end(client) === undefined) this.#leases.ended(client, dialledAddress);
  }

  /** It has logged in, and the hook for new connections is done. */
  #made(client: pg.PoolClient): void {
    this.#arrived(client);
    const making = this.#makings.end(client);
    if (making === undefined || (making.socket !== null && !making.socket.isCurrent)) return;
    this.#everConnected = true;
    this.#usable.add(client);
    this.#relax();
  }

  /** Design, endpoint rule 1: at the hand-out the address is compared once more, since hooks take their time. */
  #hand(making: Making, client: pg.PoolClient, release: Release): void {
    const socket = this.#alive.get(client);
    if (socket === undefined ? streamOf(client) instanceof TrackedSocket : !socket.isCurrent) {
      release(true);
      this.#again(making.item);
    } else if (this.#roles !== null && socket !== undefined && !this.#usable.has(client)) {
      void this.#roles.examine(client, socket).then((refusal) => {
        process.nextTick(() => this.#examined(making, client, release, refusal));
      });
    } else if (this.#options.pause.on) {
      release();
      this.#again(making.item);
    } else making.item.callback(undefined, client, release);
  }

  #examined(making: Making, client: pg.PoolClient, release: Release, refusal: unknown): void {
    if (refusal === null) {
      this.#made(client);
      if (making.item.timedOut === true) return release();
      return this.#hand(making, client, release);
    }
    this.#makings.end(client);
    release(true);
    if (making.item.timedOut !== true) this.#failed(making, refusal as Error);
  }

  #failed({ item, socket }: Making, error: Error | undefined): void {
    const failures = new Map(socket?.failures);
    if (socket?.dialledAddress != null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const address = socket?.dialledAddress;
    const left = address != null && !this.#endpoint.has(address);
    const again = left || isLeft(error) ? this.#open : refusalOf(error).kind === 'not-ready' && this.#persists();
    if (again) this.#again(item, error);
    else this.#answer(item, error ?? new Error('the connection failed'));
  }

  /** There is no usable server for this caller yet; he stays the first in the queue. */
  #again(item: PendingItem, cause?: unknown): void {
    if (!this.#open) return this.#answer(item, endedError());
    this.#turns.queueAgain(this.#pool, item);
    this.#strain(cause);
    this.#pulseSoon();
  }

  #persistsAfter(cause: unknown): boolean {
    if (!this.#persists()) return false;
    this.#trouble.note(new Map(), cause);
    this.#strain(cause);
    return true;
  }

  #strain(cause?: unknown): void {
    this.#strained = true;
    // A pool that has connections is merely busy: its callers wait as its driver has them wait.
    if (this.#usable.size > 0) return;
    this.#admission.down(cause);
    this.boundWaiters();
  }

  #drain(client: pg.PoolClient): void {
    // One whose hooks still run was never handed out, so nobody will release it.
    if (!this.#usable.has(client)) return;
    this.#leases.drain(client);
    this.#lose(client);
  }

  /** The next statement cannot run on it. Without any other, whoever waits now waits for a server, not for his turn. */
  #lose(client: pg.PoolClient): void {
    if (this.#usable.delete(client) && this.#usable.size === 0) this.boundWaiters();
  }

  /** A pool that has never had a connection fails as pg's does; one that has, waits. */
  #persists(): boolean {
    return (this.#everConnected || this.#options.failover.waitAtStart) && this.#open;
  }

  get #open(): boolean {
    return !this.#pool.ending && this.#endpoint.state !== 'closed';
  }

  #relax(): void {
    this.#strained = false;
    this.#trouble.clear();
    this.#admission.up();
    if (!this.#options.pause.on) this.#unboundWaiters();
  }

  /** Whoever waits now waits for a server, or for a pause to end, until his deadline. */
  boundWaiters(): void {
    for (const item of waiting(this.#pool)) this.#waits.begin(item);
  }

  /** From here on they wait as in any busy pool. */
  #unboundWaiters(): void {
    for (const item of waiting(this.#pool)) this.#waits.end(item);
  }

  #expire(item: PendingItem, waitedMillis: number): void {
    const making = this.#makings.of(item);
    unqueue(this.#pool, item);
    // For pg-pool: what comes for him now belongs to the pool.
    item.timedOut = true;
    if (making?.socket != null) this.#trouble.noteUnfinished(making.socket);
    const opening = making === undefined || !this.#pool.options.connectionTimeoutMillis ? WAITED : TERMINATED;
    this.#answer(item, this.#deadlineError(opening, waitedMillis));
    this.#strain();
    making?.socket?.destroy();
  }

  #deadlineError(opening: string, waitedMillis: number): Error {
    const { totalCount: total, idleCount: idle, waitingCount: waits } = this.#pool;
    const said = this.#options.pause.on ? `${opening}: the pool is paused` : opening;
    const counts = { total, active: total - idle, idle, waiting: waits };
    return this.#trouble.deadlineError(said, this.#endpoint.name, waitedMillis, counts);
  }

  #answer(item: PendingItem, error: Error): void {
    this.#waits.end(item);
    item.callback(error, undefined, () => {});
  }

  #pulseSoon(): void {
    if (this.#pulsing) return;
    this.#pulsing = true;
    process.nextTick(() => {
      this.#pulsing = false;
      pulse(this.#pool);
    });
  }
}
