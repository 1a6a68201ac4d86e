import { inNobodysContext } from '../async-context.js';
import type genericPool from 'generic-pool';
import { routeOf } from '../failover/options.js';
import { integer } from '../options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { Callers } from './callers.js';
import { dispense, isDraining, StockPool } from './internals.js';
import { Keeper } from './keeper.js';
import { type Factory, fixedFactory, type Options, readFailover, wrapFactory } from './options.js';

/** generic-pool's pool, whose resources follow a name. */
export interface Pool<T> extends genericPool.Pool<T> {
  /** What the pool follows; null where there is no name that could move: then this is generic-pool's pool. */
  readonly endpoint: Endpoint | null;
  /**
   * For a planned switch: from now on nothing is handed out, and callers wait, each until its deadline. Resolves when no
   * resource is borrowed.
   */
  pause(): Promise<void>;
  /** Ends {@link pause}; one that had not resolved rejects with `PAUSE_ENDED`. */
  resume(): void;
}

class FollowingPool extends StockPool {
  readonly #callers: Callers;
  readonly #keeper: Keeper | null;
  #isDrained = false;
  #isCleared = false;

  constructor(factory: object, options: genericPool.Options, callers: Callers, keeper: Keeper | null) {
    super(factory, options);
    this.#callers = callers;
    this.#keeper = keeper;
    const destroyBorrowed = (resource: unknown): Promise<void> => this.#ended(super.destroy(resource));
    if (keeper === null) callers.attach(this, () => true);
    else keeper.attach(Object.assign(this, { destroyBorrowed }));
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return inNobodysContext(() => super.emit(event, ...args));
  }

  get endpoint(): Endpoint | null {
    return this.#keeper?.endpoint ?? null;
  }

  /** Every caller comes by: while there is a resource, it gets generic-pool's own promise. */
  override acquire(priority?: number): Promise<unknown> {
    if (this.#callers.areCalm || isDraining(this)) return super.acquire(priority);
    return this.#callers.enter(this, () => super.acquire(priority), this.#keeper?.refusal ?? null);
  }

  protected override mayServe(isAwake: boolean): boolean {
    return !this.#callers.pause.on && (isAwake || this.#keeper === null || this.#keeper.isAwake(this));
  }

  /** Design, endpoint rule 1: the answer of the moment in which the caller gets it. */
  protected override mayLend(resource: unknown): boolean {
    return this.#keeper === null || this.#keeper.isGood(resource);
  }

  /** One that the pool destroyed while it was borrowed may be given back all the same. */
  override release(resource: unknown): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === null || keeper.isUnscathed || keeper.isGood(resource)) return this.#ended(super.release(resource));
    if (this.isBorrowedResource(resource)) return this.#ended(super.destroy(resource));
    return keeper.takesBack(resource) ? Promise.resolve() : super.release(resource);
  }

  override destroy(resource: unknown): Promise<void> {
    const taken = !this.isBorrowedResource(resource) && this.#keeper?.takesBack(resource) === true;
    return taken ? Promise.resolve() : this.#ended(super.destroy(resource));
  }

  pause(): Promise<void> {
    const paused = this.#callers.pause.begin();
    this.#callers.boundAll();
    return paused;
  }

  resume(): void {
    const { pause } = this.#callers;
    if (!pause.on) return;
    pause.end();
    this.#callers.resumed();
    dispense(this);
  }

  /** Whoever waits for a pause to end would keep it from being drained. */
  override drain(): Promise<void> {
    if (this.#callers.pause.on) {
      for (const request of this.#callers.all()) request.reject(new Error('pool is draining and cannot accept work'));
    }
    const drained = super.drain();
    void drained.then(() => {
      this.#isDrained = true;
      this.#closeIfEnded();
    });
    return drained;
  }

  /** Settles when generic-pool's does. */
  override clear(): Promise<void> {
    const cleared = super.clear();
    void cleared.then(() => {
      this.#isCleared = true;
      this.#closeIfEnded();
    });
    return cleared;
  }

  /**
   * generic-pool has no other word for the end of a pool: it was drained, and cleared. One that is cleared first has to be
   * cleared again, if what was borrowed then is there.
   */
  #closeIfEnded(): void {
    if (this.#isDrained && this.#isCleared && this.size === 0) this.#keeper?.close();
  }

  /** A lease has ended. */
  #ended(result: Promise<void>): Promise<void> {
    if (this.#callers.pause.on) this.#callers.pause.released();
    return result;
  }
}

const METHODS = ['create', 'destroy', 'validate', 'ping'] as const;

/** What is made for one caller, and examined for another one, is everybody's: the factory runs in nobody's context. */
function inNobodys(factory: Factory<unknown>): Factory<unknown> {
  if (typeof factory !== 'object' || factory === null) return factory;
  const own = Object.create(factory) as Record<string, unknown>;
  for (const name of METHODS) {
    if (typeof factory[name] !== 'function') continue;
    own[name] = (...args: unknown[]) =>
      inNobodysContext(() => Reflect.apply(factory[name] as () => unknown, factory, args));
  }
  return own as unknown as Factory<unknown>;
}

/**
 * `createPool` of generic-pool for resources that connect to a name. Resources on an address that the name has left are
 * never acquired; idle ones are destroyed at once, borrowed ones when they are given back or when `drainMillis` ends. A
 * failing `create` backs off; while there is no resource at all, `acquire` fails at its deadline with the last failure
 * as its cause. Which failures are worth waiting for, only the driver knows: all of them are, once the name has had a
 * good answer.
 * @throws `INVALID_OPTION` that names the option
 */
export function createPool<T>(factory: Factory<T>, options: Options = {}): Pool<T> {
  const { host, port, follow, endpoint } = options;
  const own = inNobodys(factory);
  const read = readFailover(options, own);
  const checkedPort = integer(0, 0, 65_535)(port, 'port');
  const failover = { ...read, deadlineMillis: options.acquireTimeoutMillis || read.deadlineMillis };
  const route = routeOf({ follow, endpoint }, host ?? '');
  const callers = new Callers({
    endpoint: route?.endpoint ?? null,
    name: host ?? route?.endpoint.name ?? '',
    failover,
  });
  if (route === null) {
    return new FollowingPool(fixedFactory(own, host, checkedPort), options, callers, null) as unknown as Pool<T>;
  }
  const keeper = new Keeper({ factory: own, route, port: checkedPort, failover, callers });
  const kept = wrapFactory(own, {
    create: () => keeper.create(),
    destroy: (resource) => keeper.destroy(resource),
  });
  return new FollowingPool(kept, options, callers, keeper) as unknown as Pool<T>;
}
