import type pg from 'pg';
import { internally } from '../async-context.js';
import { Admission } from '../failover/admission.js';
import type { ReadFailoverOptions } from '../failover/options.js';
import type { Pause } from '../failover/pause.js';
import { Trouble } from '../failover/trouble.js';
import { AcquireDeadlines } from '../failover/acquire-deadlines.js';
import { type PendingConnection, PendingConnections } from '../failover/pending-connections.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { TrackedSocket } from '../sockets/tracked-socket.js';
import { isQuiet } from '../sockets/watch.js';
import { type ConnectCallback, endedError, isLeft, type Release, TERMINATED, WAITED } from './driver-words.js';
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
  type PendingQueue,
  type PoolPrivate,
  pulse,
  putBack,
  streamOf,
  isExpired,
  isFull,
  isMember,
  keepSocket,
  socketOf,
} from './internals.js';
import { Leases } from './leases.js';
import { PooledConnection, type PoolSide } from './pooled-connection.js';
import { Roles } from './roles.js';
import { refusalOf } from './server-errors.js';

export interface KeeperOptions {
  readonly pool: pg.Pool;
  readonly stock: PoolPrivate;
  readonly endpoint: Endpoint;
  readonly failover: ReadFailoverOptions;
  readonly pause: Pause;
  readonly queue: PendingQueue;
  /** pg-pool's own `connect` of this pool. */
  readonly connect: (callback: ConnectCallback) => void;
}

type Pending = PendingConnection<pg.PoolClient, PendingItem>;

/** Stands for the caller in pg-pool's hands while its connection is made: who gets it may change until then. */
interface PendingAttempt extends PendingItem {
  readonly pending: Pending;
}

/**
 * What pg-pool lacks when its name moves: it hands out only connections to where the name points, and its callers wait
 * through a failover, each until his own deadline.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #pool: pg.Pool;
  readonly #endpoint: Endpoint;
  readonly #queue: PendingQueue;
  readonly #deadlines: AcquireDeadlines<PendingItem>;
  readonly #trouble: Trouble = new Trouble();
  readonly #admission: Admission;
  readonly #entrance: Entrance;
  readonly #roles: Roles | null;
  readonly #side: PoolSide;
  readonly #pending: PendingConnections<pg.PoolClient, PendingItem> = new PendingConnections(
    ({ timedOut }) => timedOut !== true,
  );
  readonly #leases: Leases;
  /** Connections on which the next statement can run, leased or idle. */
  readonly #usable: Set<pg.PoolClient> = new Set();
  /** Every connection that is not closed, whoever has it. */
  readonly #alive: Set<pg.PoolClient> = new Set();
  readonly #leave: () => void;
  #everConnected = false;
  /** Attempts fail, and none has succeeded since. */
  #strained = false;
  /** Whoever waits, waits for a server or for a pause to end, and has a deadline. */
  #bounding = false;
  /** There is a connection, and nothing keeps anybody from it but their turn. */
  #calm = false;
  #pulsing = false;

  constructor(options: KeeperOptions) {
    const { pool, queue, endpoint, failover } = options;
    this.#options = options;
    this.#pool = pool;
    this.#queue = queue;
    this.#endpoint = endpoint;
    const madeRoom = (): void => this.#pulseSoon();
    this.#side = { pool, failover, drained: (leased) => this.#drain(leased), madeRoom };
    this.#leases = new Leases({ pool, isCurrent: (address) => endpoint.has(address), madeRoom });
    const deadlineMillis = pool.options.connectionTimeoutMillis || failover.deadlineMillis;
    const expire = (item: PendingItem, waitedMillis: number): void => this.#expire(item, waitedMillis);
    this.#deadlines = new AcquireDeadlines(endpoint.clock, deadlineMillis, expire);
    this.#admission = new Admission(endpoint.clock, endpoint.name, failover, () => this.#entrance.scout());
    this.#roles = failover.role === 'any' ? null : new Roles({ pool, endpoint, lost: (client) => this.#lose(client) });
    this.#entrance = new Entrance({
      ...options,
      admission: this.#admission,
      isServed: () => this.#usable.size > 0,
      isMaking: () => this.#pending.size > 0,
      boundLatest: () => this.#boundLatest(),
      deadlineError: (waitedMillis) => this.#deadlineError(WAITED, waitedMillis),
    });
    const forget = [
      endpoint.onMove(() => this.#leases.moved()),
      endpoint.neededWhile(() => this.#pool.waitingCount > 0),
    ];
    this.#leave = () => forget.forEach((each) => each());
  }

  get drainingCount(): number {
    return this.#leases.draining.size;
  }

  /** Connections in callers' hands, wherever they lead. */
  get leaseCount(): number {
    return this.#pool.totalCount - this.#pool.idleCount - this.#pending.size + this.drainingCount;
  }

  /** Whether there is nothing that a caller would have to be asked, or wait for, but their turn. */
  get isCalm(): boolean {
    return this.#calm;
  }

  /** `pool.connect`, unless it {@link isCalm}. */
  get(callback: ConnectCallback): void {
    this.#entrance.get(callback);
  }

  /** Is a place in the queue all that a statement gets that comes now, since there is no server for anybody? */
  get takesPlaces(): boolean {
    if (!this.#bounding || this.#admission.limited || this.#pool.ending) return false;
    const { idleCount, options } = this.#pool;
    // What pg-pool bounds for a busy pool's callers too, it bounds itself.
    return idleCount === 0 && isFull(this.#pool) && !options.connectionTimeoutMillis;
  }

  /** It gets that place. */
  queue(item: PendingItem): void {
    this.#queue.push(item);
    this.#deadlines.begin(item);
  }

  /** May the caller have it at once? One that has been idle for long has to answer first. */
  serves(item: PendingItem, client: pg.PoolClient, isNew: boolean): boolean {
    if (isNew) {
      if (this.#roles === null) this.#made((item as PendingAttempt).pending, client);
      return true;
    }
    const socket = socketOf(client);
    const doubted =
      socket !== undefined && (this.#endpoint.slept || isQuiet(socket) || this.#roles?.doubts(client) === true);
    if (doubted && !isExpired(this.#pool, client)) return false;
    this.#deadlines.end(item);
    return true;
  }

  /** Hands out one that may not be at once, if its server answers; else the caller gets another. */
  askFirst(handOut: HandOut): void {
    const socket = socketOf(handOut.client)!;
    void this.#answers(socket, handOut.client).then((answers) => {
      if (answers) this.#deadlines.end(handOut.item);
      // In a turn of its own, so that what a caller's callback throws is his.
      process.nextTick(() => (answers ? this.#handOld(handOut) : this.#replace(socket, handOut)));
    });
  }

  /** pg-pool calls this for a caller for whom there is room. */
  make(item: PendingItem): void {
    this.#deadlines.begin(item);
    this.#queue.note(item);
    if (this.#options.pause.on) return this.#queue.queueAgain(item);
    const pending = this.#pending.add(item);
    const attempt: PendingAttempt = {
      pending,
      callback: (error, made, release) => {
        if (made === undefined) this.#failed(pending, error);
        else this.#hand(pending, made, release);
      },
    };
    try {
      makeClient(this.#options.stock, this.#pool, attempt);
    } catch (error) {
      pending.settle();
      this.#deadlines.end(item);
      throw error;
    }
    const client = newestClient(this.#pool);
    if (client !== undefined && !pending.isSettled) this.#look(client, pending);
  }

  /** The pool was told to end: nobody waits any longer. The clients that drain are waited for. */
  prepareEnd(): PendingItem[] {
    putBack(this.#pool, this.#leases.draining);
    return this.#queue.clear();
  }

  /** `pool.end` was called. A connection that is being made is awaited, as pg does; in a failover there is no point. */
  ending(waiters: readonly PendingItem[]): void {
    for (const item of waiters) this.#answer(item, endedError());
    if (!this.#strained) return;
    for (const { socket } of [...this.#pending]) socket?.destroy(endedError());
  }

  ended(): void {
    this.#leave();
    this.#deadlines.endAll();
    this.#admission.up();
    for (const client of this.#alive) socketOf(client)?.expectEnd();
  }

  /** A caller gave it back, and pg-pool has not dealt with it yet. */
  released(client: pg.PoolClient): void {
    this.#leases.released(client);
    if (this.#pending.size === 0) return;
    this.#exchange();
    process.nextTick(() => this.#relieve());
  }

  resumed(): void {
    if (this.#usable.size > 0) this.#unbound();
    this.#pulseSoon();
  }

  /** Whoever waits longest gets what becomes free, also where attempts are made for it that its server refuses. */
  #exchange(): void {
    const waiting = this.#pending.exchange(this.#queue);
    if (waiting !== null) this.#deadlines.begin(waiting);
  }

  /** A connection became free: the first caller whose own cannot even be dialled yet takes it. */
  #relieve(): void {
    if (this.#pool.idleCount === 0 || this.#pool.waitingCount > 0) return;
    const pending = this.#pending.stuck();
    if (pending === undefined) return;
    const caller = pending.relieve();
    if (caller !== null) this.#again(caller);
    pending.socket?.destroy();
  }

  async #answers(socket: TrackedSocket, client: pg.PoolClient): Promise<boolean> {
    if (this.#endpoint.slept) await this.#endpoint.wake();
    if (!socket.isCurrent) return false;
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
    // Its own time may have been over meanwhile.
    if (isMember(this.#pool, client)) closeClient(this.#pool, client);
    this.#again(item);
  }

  #look(client: pg.PoolClient, pending: Pending): void {
    const stream = streamOf(client);
    const socket = stream instanceof TrackedSocket ? stream : null;
    pending.begin(client, socket);
    if (socket === null) return;
    this.#alive.add(client);
    keepSocket(client, socket);
    onEnd(client, () => this.#onEnd(client, socket, pending));
    const handshake = followHandshake(client, socket);
    if (this.#roles === null) client.once('connect', () => this.#arrived(pending));
    else {
      handshake.deferred = true;
      this.#roles.watch(client, () => [...this.#alive]);
    }
    if (client.listenerCount('error') === 0 && !('endpoint' in client)) client.on('error', () => {});
    socket.follow({ persist: (cause) => this.#persistsAfter(cause) });
    socket.carry(new PooledConnection(this.#side, client));
  }

  #arrived(pending: Pending): void {
    const caller = pending.arrive();
    if (caller !== null) this.#deadlines.end(caller);
  }

  /** What became of one that was still being made, pg-pool tells its {@link PendingAttempt}. */
  #onEnd(client: pg.PoolClient, { dialledAddress }: TrackedSocket, pending: Pending): void {
    this.#alive.delete(client);
    keepSocket(client, undefined);
    this.#roles?.forget(client);
    this.#lose(client);
    if (pending.isSettled) this.#leases.ended(client, dialledAddress);
  }

  /** It has logged in, and the hook for new connections is done. */
  #made(pending: Pending, client: pg.PoolClient): void {
    this.#arrived(pending);
    if (pending.socket !== null && !pending.socket.isCurrent) return;
    this.#everConnected = true;
    this.#usable.add(client);
    this.#relax();
  }

  /** Design, endpoint rule 1: at the hand-out the address is compared once more, since hooks take their time. */
  #hand(pending: Pending, client: pg.PoolClient, release: Release): void {
    const { socket } = pending;
    if (this.#endpoint.slept) {
      const hand = (): void => process.nextTick(() => this.#hand(pending, client, release));
      void this.#endpoint.wake().then(hand);
    } else if (socket !== null && !socket.isCurrent) {
      const caller = pending.settle();
      release(true);
      if (caller !== null) this.#again(caller);
    } else if (this.#roles !== null && socket !== null && !this.#usable.has(client)) {
      void this.#roles.examine(client, socket).then((refusal) => {
        process.nextTick(() => this.#examined(pending, client, release, refusal));
      });
    } else this.#give(pending.settle(), client, release);
  }

  #give(caller: PendingItem | null, client: pg.PoolClient, release: Release): void {
    if (caller === null || caller.timedOut === true) return release();
    if (this.#options.pause.on) {
      release();
      return this.#again(caller);
    }
    this.#deadlines.end(caller);
    caller.timedOut = true;
    internally(() => caller.callback(undefined, client, release));
  }

  #examined(pending: Pending, client: pg.PoolClient, release: Release, refusal: unknown): void {
    if (refusal === null) {
      this.#made(pending, client);
      return this.#hand(pending, client, release);
    }
    // It is settled before the pool hears of it: what the pool does then may serve others.
    const { socket } = pending;
    const caller = pending.settle();
    release(true);
    this.#refused(caller, socket, refusal as Error);
  }

  #failed(pending: Pending, error: Error | undefined): void {
    const { socket } = pending;
    // pg leaves the socket open where it failed by itself, as by a password function: it would keep its place at the gate.
    if (socket?.state.kind === 'handshake') socket.destroy();
    const caller = pending.settle();
    if (error?.message === TERMINATED) this.#terminated(caller, socket);
    else this.#refused(caller, socket, error);
  }

  /** pg-pool's timer was set in the turn in which the caller's deadline began, and is first now and then. */
  #terminated(caller: PendingItem | null, socket: TrackedSocket | null): void {
    if (socket !== null) this.#trouble.noteUnfinished(socket);
    if (caller === null) return;
    this.#answer(caller, this.#deadlineError(TERMINATED, this.#pool.options.connectionTimeoutMillis ?? 0));
  }

  #refused(caller: PendingItem | null, socket: TrackedSocket | null, error: Error | undefined): void {
    const failures = new Map(socket?.failures);
    if (socket?.dialledAddress != null) failures.set(socket.dialledAddress, error);
    this.#trouble.note(failures, error);
    if (caller === null) return;
    // An address that was left in the middle is no failure of anything, so even a first connection is dialled again.
    const address = socket?.dialledAddress;
    const left = address != null && !this.#endpoint.has(address);
    const again = left || isLeft(error) ? this.#open : refusalOf(error).kind === 'not-ready' && this.#persists();
    if (again) this.#again(caller, error);
    else this.#answer(caller, error ?? new Error('the connection failed'));
  }

  /** There is no usable server for this caller yet; it keeps its turn in the queue. */
  #again(item: PendingItem, cause?: unknown): void {
    if (item.timedOut === true) return this.#pulseSoon();
    if (!this.#open) return this.#answer(item, endedError());
    this.#queue.queueAgain(item);
    if (this.#bounding) this.#deadlines.begin(item);
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
    this.bound();
  }

  #drain(client: pg.PoolClient): void {
    // One whose hooks still run was never handed out, so nobody will release it.
    for (const { connection } of this.#pending) if (connection === client) return;
    this.#leases.drain(client);
    this.#lose(client);
  }

  /** The next statement cannot run on it. Without any other, whoever waits now waits for a server, not for his turn. */
  #lose(client: pg.PoolClient): void {
    if (this.#usable.delete(client) && this.#usable.size === 0) this.bound();
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
    if (!this.#options.pause.on) this.#unbound();
  }

  /** Whoever waits, or comes now, waits for a server, or for a pause to end, until its deadline. */
  bound(): void {
    this.#calm = false;
    if (this.#bounding) return;
    this.#bounding = true;
    for (const item of this.#queue) this.#deadlines.begin(item);
  }

  #boundLatest(): void {
    if (this.#usable.size === 0 || this.#options.pause.on) this.bound();
    const { latest } = this.#queue;
    if (this.#bounding && latest !== undefined) this.#deadlines.begin(latest);
  }

  /** From here on they wait as in any busy pool. */
  #unbound(): void {
    this.#calm = !this.#admission.limited;
    if (!this.#bounding && !this.#deadlines.any) return;
    this.#bounding = false;
    for (const item of this.#queue) this.#deadlines.end(item);
  }

  #expire(item: PendingItem, waitedMillis: number): void {
    // pg-pool's own timeout may have told the caller just before.
    if (item.timedOut === true) return;
    // Whoever is in the queue is none of those for whom a connection is made.
    const pending = this.#queue.remove(item) ? undefined : this.#pending.of(item);
    const socket = pending?.socket;
    if (socket != null) this.#trouble.noteUnfinished(socket);
    // What pg-pool bounds, it ends; nobody else gets it.
    const ends = pending !== undefined && Boolean(this.#pool.options.connectionTimeoutMillis);
    this.#answer(item, this.#deadlineError(ends ? TERMINATED : WAITED, waitedMillis));
    this.#strain();
    const next = ends || pending === undefined || this.#options.pause.on ? undefined : this.#queue.shift();
    if (next === undefined) socket?.destroy();
    else pending?.takeOver(next);
  }

  #deadlineError(said: string, waitedMillis: number): Error {
    const { totalCount: total, idleCount: idle, waitingCount: waiting } = this.#pool;
    const opening = this.#pending.size;
    const pool = { total, opening, active: total - idle - opening, idle, waiting };
    const paused = this.#options.pause.on;
    return this.#trouble.deadlineError({ said, name: this.#endpoint.name, waitedMillis, paused, pool });
  }

  /** Tells the caller once that there is nothing for it, whoever else would. */
  #answer(item: PendingItem, error: Error): void {
    this.#deadlines.end(item);
    if (item.timedOut === true) return;
    item.timedOut = true;
    internally(() => item.callback(error, undefined, () => {}));
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
