import type { Address } from '../endpoint/address.js';
import { EipPoolError } from '../errors.js';
import type { ReadFailoverOptions, Route } from '../failover/options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { deadline } from '../sockets/deadline.js';
import { backoff } from '../sockets/gate.js';
import { Attempt } from './attempt.js';
import type { Callers, Pooled } from './callers.js';
import { dispense, takeIdle, uncount } from './internals.js';
import type { Factory } from './options.js';
import { type PoolSide, Resource } from './resource.js';

/** How long a ping may take where no socket of ours tells how long a connect does; longer where leases have long to drain. */
const SILENCE_MILLIS = 500;
const LONGEST_SILENCE_MILLIS = 3_000;

/** What of the pool the keeper needs. */
export interface KeptPool extends Pooled {
  isBorrowedResource(resource: unknown): boolean;
  /** generic-pool's own. */
  destroyBorrowed(resource: unknown): Promise<void>;
}

export interface KeeperOptions {
  readonly factory: Factory<unknown>;
  readonly route: Route;
  readonly port: number;
  readonly failover: ReadFailoverOptions;
  readonly callers: Callers;
}

/** What a pool of generic-pool's lacks when its name moves: its resources are where the name points. */
export class Keeper {
  readonly endpoint: Endpoint;
  readonly #options: KeeperOptions;
  readonly #callers: Callers;
  readonly #resources: Map<unknown, Resource> = new Map();
  /** Destroyed by the pool while they were borrowed: their borrowers may still give them back, once. */
  readonly #cutOff: { readonly objects: WeakSet<object>; readonly others: Set<unknown> } = {
    objects: new WeakSet(),
    others: new Set(),
  };
  readonly #usable: Set<Resource> = new Set();
  readonly #leave: () => void;
  readonly #side: PoolSide;
  #pool: KeptPool | null = null;
  #failures = 0;
  #unscathed = true;
  readonly #attempts: Set<Attempt> = new Set();
  /** Ends the pauses before their time. */
  readonly #wakers: Set<() => void> = new Set();

  constructor(options: KeeperOptions) {
    const { factory, route, failover, callers } = options;
    this.endpoint = route.endpoint;
    this.#options = options;
    this.#callers = callers;
    this.#side = {
      drainMillis: failover.drainMillis,
      has: (address) => this.endpoint.has(address),
      isBorrowed: (value) => this.#pool?.isBorrowedResource(value) === true,
      ping: factory.ping && (async (value) => void (await factory.ping?.(value))),
      retire: (entry) => this.#retire(entry),
      lost: (entry) => this.#lost(entry),
    };
    const forget = [
      this.endpoint.onMove(() => this.#moved()),
      // A resource of the factory's own has no socket that the endpoint knows.
      this.endpoint.neededWhile(() => this.#resources.size > 0 || this.#callers.all().length > 0),
    ];
    this.#leave = () => forget.forEach((each) => each());
  }

  attach(pool: KeptPool): void {
    this.#pool = pool;
    this.#callers.attach(pool, () => this.#usable.size > 0);
  }

  /** The factory's `create`, with a place to connect to, and with a pause after a failure. */
  async create(): Promise<unknown> {
    for (;;) {
      let address: Address = '';
      try {
        ({ address } = await this.#target());
        const made = await this.#make(address);
        if (made !== null) return made.value;
      } catch (error) {
        await this.#failed(address, error);
        throw error;
      }
    }
  }

  /** Why no caller can be served that comes now: the name has had no good answer yet, and none is to be had. */
  get refusal(): Error | null {
    return this.#neverFollowed ? this.endpoint.refusal : null;
  }

  /** False after the process was suspended, until the name was asked; then the pool serves whoever waits. */
  isAwake(pool: object): boolean {
    if (!this.endpoint.slept) return true;
    void this.endpoint.wake().then(() => dispense(pool));
    return false;
  }

  async destroy(value: unknown): Promise<void> {
    const entry = this.#resources.get(value);
    this.#forget(value);
    try {
      await this.#options.factory.destroy(value);
    } finally {
      entry?.expectEnd();
    }
  }

  isGood(value: unknown): boolean {
    return this.#resources.get(value)?.isCurrent === true;
  }

  /** Nothing has been lost so far: whatever is given back may be kept, and is looked at when it is borrowed again. */
  get isUnscathed(): boolean {
    return this.#unscathed;
  }

  /** Did the pool destroy it in its borrower's hands, who now gives it back? */
  takesBack(value: unknown): boolean {
    const { objects, others } = this.#cutOff;
    return typeof value === 'object' && value !== null ? objects.delete(value) : others.delete(value);
  }

  /** The pool is drained and cleared. */
  close(): void {
    this.#callers.close();
    this.#leave();
    this.#wake();
    if (this.#options.route.owned) this.endpoint.close();
  }

  /** A wrong name, or one seen from outside its VPC, must not look like a failover. */
  get #neverFollowed(): boolean {
    return this.endpoint.current === null && !this.#options.failover.waitAtStart;
  }

  async #target(): Promise<{ readonly address: Address }> {
    const { refusal } = this.endpoint;
    if (refusal !== null) throw refusal;
    const { addresses } = await this.endpoint.known();
    // The next of several after each failure.
    const address = addresses[this.#failures % addresses.length];
    if (address === undefined) throw new EipPoolError('NO_ADDRESS', `${this.endpoint.name} has no address`);
    return { address };
  }

  /** Null where the name left the address meanwhile: that is no failure of anything. */
  async #make(address: Address): Promise<Resource | null> {
    const { factory, port, failover } = this.#options;
    const attempt = new Attempt(this.endpoint, port, address);
    this.#attempts.add(attempt);
    try {
      const value = await factory.create(attempt.target);
      const writable = failover.role === 'any' || (await this.#isWritable(value));
      const sockets = attempt.sockets();
      const entry = new Resource(this.#side, value, address, sockets ?? []);
      if (sockets !== null && entry.isCurrent && writable) return this.#adopt(attempt, entry);
      this.#discard(value);
      if (!writable) throw attempt.readOnly();
    } catch (error) {
      attempt.failed(error);
      if (this.endpoint.has(address)) throw error;
    } finally {
      this.#attempts.delete(attempt);
    }
    return null;
  }

  async #isWritable(value: unknown): Promise<boolean> {
    try {
      return (await this.#options.factory.isWritable?.(value)) !== false;
    } catch (error) {
      this.#discard(value);
      throw error;
    }
  }

  /** It was never the pool's. */
  #discard(value: unknown): void {
    void (async () => await this.#options.factory.destroy(value))().catch(() => {});
  }

  async #failed(address: Address, error: unknown): Promise<void> {
    const { trouble } = this.#callers;
    trouble.note(new Map(address === '' ? [] : [[address, error]]), error);
    if (this.#neverFollowed) for (const request of this.#callers.all()) request.reject(error);
    this.#callers.failed(error);
    // generic-pool creates the next one at once.
    await this.#pause(backoff(this.#failures++, this.endpoint.clock.random()));
  }

  #adopt(attempt: Attempt, entry: Resource): Resource {
    this.#resources.set(entry.value, entry);
    this.#usable.add(entry);
    this.#failures = 0;
    attempt.made();
    if (!entry.hasSockets) this.endpoint.report(attempt.target, 'usable');
    this.#callers.served();
    return entry;
  }

  /** A socket that it lived on has closed. */
  #lost(entry: Resource): void {
    const pool = this.#pool;
    if (pool === null || this.#resources.get(entry.value) !== entry) return;
    if (entry.retired) return this.#cut(pool, entry);
    this.#unscathed = false;
    this.#lose(entry);
    const destroyIdle = takeIdle(pool, entry.value);
    entry.retired = true;
    destroyIdle?.();
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

  /** What ends a socket of ours says why, which the driver's own goodbye would not; then it is cut. */
  #drain(pool: KeptPool, entry: Resource): void {
    uncount(pool, entry.value);
    if (!entry.hasSockets) this.endpoint.clock.set(() => this.#cut(pool, entry), this.#options.failover.drainMillis);
  }

  /** Its time to drain is over, or its address is dead. */
  #cut(pool: KeptPool, entry: Resource): void {
    const { value } = entry;
    if (this.#resources.get(value) !== entry || !pool.isBorrowedResource(value)) return;
    const { objects, others } = this.#cutOff;
    if (typeof value === 'object' && value !== null) objects.add(value);
    else others.add(value);
    void pool.destroyBorrowed(value);
  }

  /** Resources that do not live on a socket of ours, which is told by itself. */
  #moved(): void {
    this.#wake();
    this.#failures = 0;
    const left = [...this.#resources.values()].filter(
      (entry) => !entry.hasSockets && !entry.retired && !entry.isCurrent,
    );
    const leased = left.filter((entry) => entry.isLeased());
    const idle = left.filter((entry) => !leased.includes(entry));
    for (const entry of left) entry.retire();
    const [witness, ...others] = idle;
    for (const entry of others) entry.goodbye();
    if (witness !== undefined) void this.#examine(witness, leased);
  }

  async #examine(witness: Resource, leased: readonly Resource[]): Promise<void> {
    const silent = leased.length > 0 && (await this.#isSilent(witness));
    if (silent) for (const entry of leased) if (this.#pool !== null) this.#cut(this.#pool, entry);
    witness.goodbye();
  }

  /** No byte of it is ours to see, so only a ping that nothing comes of is evidence; one that fails has failed on this side. */
  async #isSilent({ ping }: Resource): Promise<boolean> {
    if (ping === undefined) return false;
    const silenceMillis = Math.min(LONGEST_SILENCE_MILLIS, Math.max(SILENCE_MILLIS, this.#side.drainMillis / 4));
    return await new Promise<boolean>((resolve) => {
      const callOff = deadline(this.endpoint.clock, silenceMillis, () => resolve(true));
      const settled = (): void => resolve(false);
      ping().finally(callOff).then(settled, settled);
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
    if (this.#usable.delete(entry) && this.#usable.size === 0) this.#callers.boundAll();
  }

  /** Whatever is being made, or waited with, for an address that the name has left. */
  #wake(): void {
    for (const attempt of this.#attempts) attempt.abort();
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
