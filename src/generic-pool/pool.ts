import type genericPool from 'generic-pool';
import dns from 'node:dns';
import { connect, isIP } from 'node:net';
import type { LookupFunction } from '../endpoint/lookup.js';
import { readFailoverOptions, routeOf } from '../failover/options.js';
import { integer } from '../options.js';
import type { Endpoint } from '../sockets/endpoint.js';
import { isDraining, StockPool, takeWaiting } from './internals.js';
import { Keeper } from './keeper.js';
import type { Factory, Options, Target } from './options.js';

/** generic-pool's pool, whose resources follow a name. */
export interface Pool<T> extends genericPool.Pool<T> {
  /** What the pool follows; null where there is no name that could move: then this is generic-pool's pool. */
  readonly endpoint: Endpoint | null;
}

class FollowingPool extends StockPool {
  readonly #keeper: Keeper | null;
  readonly #timesOut: boolean;

  constructor(factory: Factory<unknown>, options: genericPool.Options, keeper: Keeper | null) {
    super(keeper === null ? factory : wrapFactory(factory, keeper), options);
    this.#keeper = keeper;
    this.#timesOut = Boolean(options.acquireTimeoutMillis);
    const destroyBorrowed = (resource: unknown): Promise<void> => super.destroy(resource);
    keeper?.attach(Object.assign(this, { destroyBorrowed }));
  }

  get endpoint(): Endpoint | null {
    return this.#keeper?.endpoint ?? null;
  }

  override acquire(priority?: number): Promise<unknown> {
    const keeper = this.#keeper;
    // Every caller comes by: while there is a resource, he gets generic-pool's own promise.
    if (keeper === null) return super.acquire(priority);
    if (!keeper.isCalm) return this.#enter(keeper, priority);
    return this.#timesOut ? this.#explained(keeper, super.acquire(priority)) : super.acquire(priority);
  }

  async #enter(keeper: Keeper, priority: number | undefined): Promise<unknown> {
    await keeper.ready();
    return await this.#explained(keeper, super.acquire(priority));
  }

  async #explained(keeper: Keeper, acquired: Promise<unknown>): Promise<unknown> {
    const request = takeWaiting(this);
    if (request !== undefined) keeper.wait(request);
    try {
      return await acquired;
    } catch (error) {
      throw keeper.explain(error);
    } finally {
      if (request !== undefined) keeper.settled(request);
    }
  }

  /** Design, endpoint rule 1: the answer of the moment in which the caller gets it. */
  protected override mayLend(resource: unknown): boolean {
    return this.#keeper === null || this.#keeper.isGood(resource);
  }

  /** One that the pool destroyed while it was borrowed may be given back all the same. */
  override release(resource: unknown): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === null || keeper.isUnscathed || keeper.isGood(resource)) return super.release(resource);
    if (this.isBorrowedResource(resource)) return super.destroy(resource);
    return keeper.wasDestroyed(resource) ? Promise.resolve() : super.release(resource);
  }

  override destroy(resource: unknown): Promise<void> {
    const taken = this.#keeper?.wasDestroyed(resource) === true && !this.isBorrowedResource(resource);
    return taken ? Promise.resolve() : super.destroy(resource);
  }

  /** generic-pool has no other word for the end of a pool: after `drain()`, this is it. */
  override async clear(): Promise<void> {
    await super.clear();
    if (isDraining(this)) this.#keeper?.close();
  }
}

function wrapFactory(factory: Factory<unknown>, keeper: Keeper): object {
  const { validate } = factory;
  return {
    create: () => keeper.create(),
    destroy: (resource: unknown) => keeper.destroy(resource),
    ...(validate === undefined ? {} : { validate: (resource: unknown) => validate.call(factory, resource) }),
  };
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
  const { host, port, follow, failover, endpoint, ...theirs } = options;
  const own = factory as unknown as Factory<unknown>;
  const read = readFailoverOptions(failover);
  const checkedPort = integer(0, 0, 65_535)(port, 'port');
  const deadlineMillis = theirs.acquireTimeoutMillis || read.deadlineMillis;
  const route = routeOf({ follow, endpoint }, host ?? '');
  const made = route === null ? fixed(own, host, checkedPort) : own;
  const keeper = route === null ? null : new Keeper(own, route, checkedPort, { ...read, deadlineMillis });
  return new FollowingPool(made, theirs, keeper) as unknown as Pool<T>;
}

/** An address does not move, but the factory gets it in the same way. */
function fixed(factory: Factory<unknown>, host: string | undefined, port: number): Factory<unknown> {
  if (host === undefined || isIP(host) === 0) return factory;
  const target: Target = {
    address: host,
    port,
    host,
    connect: () => connect({ host, port, noDelay: true, keepAlive: true }),
    lookup: dns.lookup as unknown as LookupFunction,
    signal: new AbortController().signal,
  };
  const create = (): Promise<unknown> => factory.create(target);
  return Object.assign(Object.create(factory) as Factory<unknown>, { create });
}
