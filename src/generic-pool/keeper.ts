import type { Address } from '../endpoint/address.js';
import type { Answer } from '../endpoint/answer.js';
import { answerLookup, type LookupFunction } from '../endpoint/lookup.js';
import { EipPoolError } from '../errors.js';
import type { ReadFailoverOptions, Route } from '../failover/options.js';
import { networkRefusal } from '../failover/refusal.js';
import { Trouble } from '../failover/trouble.js';
import { Waits } from '../failover/waits.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { deadline } from '../sockets/deadline.js';
import { backoff } from '../sockets/gate.js';
import type { TrackedSocket } from '../sockets/tracked-socket.js';
import { allWaiting, dispense, type Request, takeIdle, uncount } from './internals.js';
import type { Factory, Target } from './options.js';
import { type PoolSide, Resource } from './resource.js';

/** How long a ping may take where no socket of ours tells how long a connect does. */
const PING_MILLIS = 250;

/** What of the pool the keeper needs. */
export interface Pooled {
  readonly size: number;
  readonly available: number;
  readonly borrowed: number;
  readonly pending: number;
  isBorrowedResource(resource: unknown): boolean;
  /** generic-pool's own. */
  destroyBorrowed(resource: unknown): Promise<void>;
}

/** What a pool of generic-pool's lacks when its name moves. */
export class Keeper {
  readonly endpoint: Endpoint;
  readonly #factory: Factory<unknown>;
  readonly #port: number;
  readonly #failover: ReadFailoverOptions;
  readonly #owned: boolean;
  readonly #waits: Waits<Request>;
  readonly #trouble: Trouble = new Trouble();
  readonly #resources: Map<unknown, Resource> = new Map();
  /** Destroyed by the pool while they were borrowed: their borrowers may still give them back. */
  readonly #destroyed: WeakSet<object> = new WeakSet();
  readonly #usable: Set<Resource> = new Set();
  readonly #onMove = (): void => this.#moved();
  readonly #side: PoolSide;
  #pool: Pooled | null = null;
  #failures = 0;
  #unscathed = true;
  readonly #making: Set<AbortController> = new Set();
  /** Ends the pauses before their time. */
  readonly #wakers: Set<() => void> = new Set();

  constructor(factory: Factory<unknown>, route: Route, port: number, failover: ReadFailoverOptions) {
    this.endpoint = route.endpoint;
    this.#owned = route.owned;
    this.#factory = factory;
    this.#port = port;
    this.#failover = failover;
    this.#waits = new Waits(this.endpoint.clock, failover.deadlineMillis, (request, waited) => {
      this.#expire(request, waited);
    });
    this.#side = {
      drainMillis: failover.drainMillis,
      isBorrowed: (value) => this.#pool?.isBorrowedResource(value) === true,
      ping: (value) => this.#factory.ping?.(value),
      retire: (entry) => this.#retire(entry),
    };
    this.endpoint.on('move', this.#onMove);
  }

  attach(pool: Pooled): void {
    this.#pool = pool;
  }

  /** The factory's `create`, with a place to connect to, and with a pause after a failure. */
  async create(): Promise<unknown> {
    const { clock } = this.endpoint;
    for (;;) {
      let address: Address = '';
      try {
        ({ address } = await this.#target());
        const made = await this.#make(address);
        if (made !== null) return made;
      } catch (error) {
        this.#trouble.note(new Map(address === '' ? [] : [[address, error]]), error);
        if (this.#neverFollowed) for (const request of this.#waiting()) request.reject(error);
        const refusal = networkRefusal(error);
        if (refusal?.kind === 'not-ready') this.endpoint.report(address, refusal.condition, error);
        // generic-pool creates the next one at once.
        await this.#pause(backoff(this.#failures++, clock.random()));
        throw error;
      }
    }
  }

  /** Is there nothing that a caller has to be asked, or wait for, but his turn? */
  get isCalm(): boolean {
    return this.#usable.size > 0 && !this.endpoint.slept;
  }

  /** Rejects where a caller would wait for a name that has had no good answer yet. */
  async ready(): Promise<void> {
    const { refusal } = this.endpoint;
    if (refusal !== null && this.#neverFollowed) throw refusal;
    if (this.endpoint.slept) await this.endpoint.wake();
  }

  async destroy(value: unknown): Promise<void> {
    const entry = this.#resources.get(value);
    this.#forget(value);
    try {
      await this.#factory.destroy(value);
    } finally {
      entry?.socket?.expectEnd();
    }
  }

  isGood(value: unknown): boolean {
    const entry = this.#resources.get(value);
    return (
      entry !== undefined && !entry.retired && this.endpoint.has(entry.address) && entry.socket?.destroyed !== true
    );
  }

  /** Nothing has been lost so far: whatever is given back may be kept, and is looked at when it is borrowed again. */
  get isUnscathed(): boolean {
    return this.#unscathed;
  }

  wasDestroyed(value: unknown): boolean {
    return typeof value === 'object' && value !== null && this.#destroyed.has(value);
  }

  /** A caller waits: for a server, if there is no resource at all. */
  wait(request: Request): void {
    if (this.#usable.size === 0) this.#waits.begin(request);
  }

  settled(request: Request): void {
    this.#waits.end(request);
  }

  /** While there is no server, generic-pool's own time-out says what the pool has met. */
  explain(error: unknown): unknown {
    const timedOut = error instanceof Error && error.message === TIMED_OUT && this.#usable.size === 0;
    return timedOut ? this.#deadlineError(this.#failover.deadlineMillis) : error;
  }

  /** The pool is drained and cleared. */
  close(): void {
    this.#waits.endAll();
    this.endpoint.off('move', this.#onMove);
    this.#wake();
    if (this.#owned) this.endpoint.close();
  }

  /** A wrong name, or one seen from outside its VPC, must not look like a failover. */
  get #neverFollowed(): boolean {
    return this.endpoint.current === null && !this.#failover.waitAtStart;
  }

  async #target(): Promise<{ readonly address: Address }> {
    const { refusal } = this.endpoint;
    if (refusal !== null) throw refusal;
    const { addresses } = await this.endpoint.ready();
    // The next of several after each failure.
    const address = addresses[this.#failures % addresses.length];
    if (address === undefined) throw new EipPoolError('NO_ADDRESS', `${this.endpoint.name} has no address`);
    return { address };
  }

  /** Null where the name left the address meanwhile: that is no failure of anything. */
  async #make(address: Address): Promise<unknown> {
    const controller = new AbortController();
    let socket: TrackedSocket | null = null;
    const target: Target = {
      address,
      port: this.#port,
      host: this.endpoint.name,
      connect: () => (socket = this.#connect()),
      lookup: this.#lookup(address),
      signal: controller.signal,
    };
    let value: unknown;
    this.#making.add(controller);
    try {
      value = await this.#factory.create(target);
    } catch (error) {
      const notReady = networkRefusal(error)?.kind === 'not-ready';
      (socket as TrackedSocket | null)?.settle(notReady ? 'unusable' : 'answered', 'refusing', error);
      if (!this.endpoint.has(address)) return null;
      throw error;
    } finally {
      this.#making.delete(controller);
    }
    const own = socket as TrackedSocket | null;
    const entry = new Resource(this.#side, value, own?.dialledAddress ?? address, own);
    if (!this.endpoint.has(entry.address) || own?.destroyed === true) {
      void Promise.resolve(this.#factory.destroy(value)).catch(() => {});
      return null;
    }
    this.#adopt(entry);
    return value;
  }

  /** Until `create` is done, this is an attempt: the gate has the next ones wait, else all log in at the same time. */
  #connect(): TrackedSocket {
    const socket = this.endpoint.connect(this.#port);
    socket.expectHandshake();
    return socket;
  }

  /** Of several addresses the one that the resource will be known by. */
  #lookup(address: Address): LookupFunction {
    const { name, refusal } = this.endpoint;
    const ready = async (): Promise<Answer> => ({ ...(await this.endpoint.ready()), addresses: [address] });
    return (hostname, options, callback) => answerLookup({ name, refusal, ready }, hostname, options, callback);
  }

  #adopt(entry: Resource): void {
    this.#resources.set(entry.value, entry);
    this.#usable.add(entry);
    this.#failures = 0;
    this.#trouble.clear();
    this.#waits.endAll();
    entry.socket?.carry(entry);
    entry.socket?.settle('usable');
    entry.socket?.once('close', () => {
      if (!entry.retired) this.#unscathed = false;
      this.#lose(entry);
      const destroyIdle = entry.retired || this.#pool === null ? null : takeIdle(this.#pool, entry.value);
      entry.retired = true;
      destroyIdle?.();
    });
    this.endpoint.report(entry.address, 'usable');
  }

  #retire(entry: Resource): (() => void) | null {
    const pool = this.#pool;
    if (pool === null) return null;
    this.#unscathed = false;
    this.#lose(entry);
    const destroyIdle = takeIdle(pool, entry.value);
    if (destroyIdle === null) this.#drain(pool, entry);
    dispense(pool);
    return destroyIdle;
  }

  #drain(pool: Pooled, entry: Resource): void {
    uncount(pool, entry.value);
    const cut = (): void => this.#cut(pool, entry);
    // What ends a socket of ours says why, which the driver's own goodbye would not.
    if (entry.socket !== null) entry.socket.once('close', cut);
    else this.endpoint.clock.set(cut, this.#failover.drainMillis);
  }

  /** Its time to drain is over, or its address is dead. */
  #cut(pool: Pooled, { value }: Resource): void {
    if (!pool.isBorrowedResource(value)) return;
    if (typeof value === 'object' && value !== null) this.#destroyed.add(value);
    void pool.destroyBorrowed(value);
  }

  /** Resources that do not live on a socket of ours, which is told by itself. */
  #moved(): void {
    this.#wake();
    this.#failures = 0;
    const left = [...this.#resources.values()].filter(
      ({ socket, retired, address }) => socket === null && !retired && !this.endpoint.has(address),
    );
    const leased = left.filter((entry) => entry.isLeased());
    const idle = left.filter((entry) => !leased.includes(entry));
    for (const entry of left) entry.retire();
    const [witness, ...others] = idle;
    for (const entry of others) entry.goodbye();
    if (witness !== undefined) void this.#examine(witness, leased);
  }

  async #examine(witness: Resource, leased: readonly Resource[]): Promise<void> {
    try {
      if (leased.length > 0) await this.#pinged(witness);
    } catch {
      for (const entry of leased) if (this.#pool !== null) this.#cut(this.#pool, entry);
    }
    witness.goodbye();
  }

  async #pinged(witness: Resource): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = (): void => reject(new Error(`no reply within ${PING_MILLIS} ms`));
      const callOff = deadline(this.endpoint.clock, PING_MILLIS, late);
      witness.ping().finally(callOff).then(resolve, reject);
    });
  }

  #forget(value: unknown): void {
    const entry = this.#resources.get(value);
    if (entry === undefined) return;
    entry.retired = true;
    this.#resources.delete(value);
    this.#lose(entry);
  }

  /** The next caller cannot get it. Without any other, whoever waits now waits for a server. */
  #lose(entry: Resource): void {
    if (!this.#usable.delete(entry) || this.#usable.size > 0) return;
    for (const request of this.#waiting()) this.#waits.begin(request);
  }

  #waiting(): Request[] {
    return this.#pool === null ? [] : allWaiting(this.#pool);
  }

  #expire(request: Request, waitedMillis: number): void {
    request.reject(this.#deadlineError(waitedMillis));
  }

  #deadlineError(waitedMillis: number): EipPoolError {
    const { size, available, borrowed, pending } = this.#pool ?? { size: 0, available: 0, borrowed: 0, pending: 0 };
    const pool = { total: size, active: borrowed, idle: available, waiting: pending };
    return this.#trouble.deadlineError(TIMED_OUT, this.endpoint.name, waitedMillis, pool);
  }

  /** Whatever is being made, or waited with, for an address that the name has left. */
  #wake(): void {
    for (const controller of this.#making) controller.abort();
    for (const wake of this.#wakers) wake();
  }

  /** Ends early when the name moves: then the address that failed is no longer the one to wait for. */
  async #pause(millis: number): Promise<void> {
    const { clock } = this.endpoint;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clock.clear(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = clock.setAwaited(wake, millis);
      this.#wakers.add(wake);
    });
  }
}

/** generic-pool's own words. */
const TIMED_OUT = 'ResourceRequest timed out';
