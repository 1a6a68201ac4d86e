import genericPool from 'generic-pool';
import type { Bounded } from '../failover/acquire-deadlines.js';

/**
 * Every private member of generic-pool that this adapter touches, in one place; test/generic-pool/internals.test.ts
 * says what breaks if one goes. Measured with generic-pool 3.9.
 */

/** One waiting caller. */
export interface Request extends Bounded {
  readonly state: string;
  resolve(resource: unknown): void;
  reject(error: unknown): void;
}

interface Queue {
  readonly length: number;
  readonly _slots: readonly Iterable<Request>[];
  enqueue(request: Request, priority?: number): void;
  dequeue(): Request | undefined;
}

interface PooledResource {
  readonly obj: unknown;
}

interface Iterator {
  next(): { readonly done?: boolean; readonly value?: PooledResource };
  remove(): void;
}

interface PoolPrivate {
  readonly _draining: boolean;
  readonly _waitingClientsQueue: TellingQueue;
  readonly _allObjects: Set<PooledResource>;
  readonly _availableObjects: { readonly length: number; iterator(): Iterator };
  readonly _testOnBorrowResources: { readonly size: number };
  readonly _factoryCreateOperations: { readonly size: number };
  readonly _resourceLoans: Map<unknown, { readonly pooledResource: PooledResource }>;
  readonly _Promise: PromiseConstructor;
  _dispense(): void;
  _createResource(): void;
  _destroy(resource: PooledResource): void;
  _addPooledResourceToAvailableObjects(resource: PooledResource): void;
  _dispatchPooledResourceToNextWaitingClient(resource: PooledResource): boolean;
}

/** What generic-pool exports and its types do not tell. */
interface Driver {
  readonly Pool: new (
    Evictor: unknown,
    Deque: unknown,
    PriorityQueue: unknown,
    factory: object,
    options: object,
  ) => genericPool.Pool<unknown> & PoolPrivate;
  readonly DefaultEvictor: unknown;
  readonly Deque: unknown;
  readonly PriorityQueue: new (size: number) => Queue;
}

const driver = genericPool as unknown as Driver;
const PENDING = 'PENDING';

class TellingQueue extends driver.PriorityQueue {
  /** The request that `acquire` is just making. */
  newest: Request | undefined;

  override enqueue(request: Request, priority?: number): void {
    this.newest = request;
    super.enqueue(request, priority);
  }

  /** A caller whose time is over keeps its place until it comes to it, where it must not use up what another could get. */
  override dequeue(): Request | undefined {
    for (;;) {
      const next = super.dequeue();
      if (next === undefined || next.state === PENDING) return next;
    }
  }
}

/** generic-pool's own class, whose constructor takes what its `createPool` gives it. */
export abstract class StockPool extends driver.Pool {
  /** It is serving whoever waits, after it asked whether the name is known to be what it was. */
  #serving = false;

  constructor(factory: object, options: object) {
    super(driver.DefaultEvictor, driver.Deque, TellingQueue, factory, options);
  }

  /**
   * Asked before anybody is served: may the pool hand out anything, or make it for a caller, now? `isAwake`: the process
   * is known not to have been suspended since the last answer.
   */
  protected abstract mayServe(isAwake: boolean): boolean;

  /** Asked when a caller gets it. What no caller may get is destroyed, and the caller keeps its turn. */
  protected abstract mayLend(resource: unknown): boolean;

  override _dispense(): void {
    if (this._waitingClientsQueue.length === 0 || !this.mayServe(false)) return;
    this.#serving = true;
    try {
      super._dispense();
    } finally {
      this.#serving = false;
    }
  }

  override _dispatchPooledResourceToNextWaitingClient(resource: PooledResource): boolean {
    if (!this.mayServe(this.#serving)) {
      this._addPooledResourceToAvailableObjects(resource);
      return false;
    }
    if (this.mayLend(resource.obj)) return super._dispatchPooledResourceToNextWaitingClient(resource);
    // `clear()` may have destroyed it while it was on its way.
    if (this._allObjects.has(resource)) this._destroy(resource);
    this._dispense();
    return false;
  }
}

/** What `acquire` returned, and its request; undefined if it was refused, or has its resource already. */
export interface Acquired {
  readonly promise: Promise<unknown>;
  readonly request: Request | undefined;
}

export function acquired(pool: object, acquire: () => Promise<unknown>): Acquired {
  const { _waitingClientsQueue: queue } = priv(pool);
  queue.newest = undefined;
  const promise = acquire();
  const request = queue.newest as Request | undefined;
  return { promise, request: request?.state === PENDING ? request : undefined };
}

/** The pool's own kind of promise, for a caller who is refused. */
export function refused(pool: object, error: Error): Promise<never> {
  return priv(pool)._Promise.reject(error);
}

/** Tells when a request is settled, by whomever; `explain` says what its caller is told of an error. */
export function onSettled(request: Request, settled: () => void, explain: (error: unknown) => unknown): void {
  const { resolve, reject } = request;
  request.resolve = (resource) => {
    settled();
    resolve.call(request, resource);
  };
  request.reject = (error) => {
    settled();
    reject.call(request, explain(error));
  };
}

/** The requests of all who wait. */
export function allWaiting(pool: object): Request[] {
  const { _waitingClientsQueue: queue } = priv(pool);
  return queue._slots.flatMap((slot) => [...slot]).filter(({ state }) => state === PENDING);
}

/** Which place in the queue one more caller would get; 0 if there is a resource for it, or room for one. */
export function nextPlace(pool: genericPool.Pool<unknown>): number {
  const { _allObjects: all, _availableObjects: idle, _testOnBorrowResources: tested } = priv(pool);
  const free = pool.max - (all.size - idle.length - tested.size);
  return Math.max(0, priv(pool)._waitingClientsQueue.length + 1 - free);
}

function priv(pool: object): PoolPrivate {
  return pool as PoolPrivate;
}

export function isDraining(pool: object): boolean {
  return priv(pool)._draining;
}

/** How many resources the factory is making. */
export function openingCount(pool: object): number {
  return priv(pool)._factoryCreateOperations.size;
}

/** Makes one for nobody in particular. */
export function makeOne(pool: object): void {
  priv(pool)._createResource();
}

/** Takes an idle resource out, so that nobody gets it; the returned function destroys it. Null if it is not idle. */
export function takeIdle(pool: object, resource: unknown): (() => void) | null {
  const own = priv(pool);
  const iterator = own._availableObjects.iterator();
  for (let item = iterator.next(); item.done !== true; item = iterator.next()) {
    const { value } = item;
    if (value === undefined || value.obj !== resource) continue;
    iterator.remove();
    own._allObjects.delete(value);
    return () => own._destroy(value);
  }
  return null;
}

/** A borrowed resource no longer counts against `max`; it is still its borrower's. */
export function uncount(pool: object, resource: unknown): void {
  const loan = priv(pool)._resourceLoans.get(resource);
  if (loan !== undefined) priv(pool)._allObjects.delete(loan.pooledResource);
}

/** Serves waiting callers while there is a resource, or room for one. */
export function dispense(pool: object): void {
  priv(pool)._dispense();
}
