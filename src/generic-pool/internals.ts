import genericPool from 'generic-pool';

/**
 * Every private member of generic-pool that this adapter touches, in one place; test/generic-pool/internals.test.ts
 * says what breaks if one goes. Measured with generic-pool 3.9.
 */

/** One waiting caller. */
export interface Request {
  readonly state: string;
  reject(error: unknown): void;
}

interface Queue {
  readonly _slots: readonly Iterable<Request>[];
  enqueue(request: Request, priority?: number): void;
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
  readonly _availableObjects: { iterator(): Iterator };
  readonly _resourceLoans: Map<unknown, { readonly pooledResource: PooledResource }>;
  _dispense(): void;
  _destroy(resource: PooledResource): void;
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

/** Remembers the request that `acquire` has just made. */
class TellingQueue extends driver.PriorityQueue {
  newest: Request | undefined;

  override enqueue(request: Request, priority?: number): void {
    this.newest = request;
    super.enqueue(request, priority);
  }
}

/** generic-pool's own class, whose constructor takes what its `createPool` gives it. */
export abstract class StockPool extends driver.Pool {
  constructor(factory: object, options: object) {
    super(driver.DefaultEvictor, driver.Deque, TellingQueue, factory, options);
  }

  /** Asked when a caller gets it. What he must not get is destroyed, and he keeps his turn. */
  protected abstract mayLend(resource: unknown): boolean;

  override _dispatchPooledResourceToNextWaitingClient(resource: PooledResource): boolean {
    if (this.mayLend(resource.obj)) return super._dispatchPooledResourceToNextWaitingClient(resource);
    this._destroy(resource);
    this._dispense();
    return false;
  }
}

/** The request of the `acquire` that has just returned; undefined if it was refused, or has its resource already. */
export function takeWaiting(pool: object): Request | undefined {
  const { _waitingClientsQueue: queue } = priv(pool);
  const request = queue.newest;
  queue.newest = undefined;
  return request?.state === 'PENDING' ? request : undefined;
}

/** The requests of all who wait. */
export function allWaiting(pool: object): Request[] {
  const { _waitingClientsQueue: queue } = priv(pool);
  return queue._slots.flatMap((slot) => [...slot]).filter(({ state }) => state === 'PENDING');
}

function priv(pool: object): PoolPrivate {
  return pool as PoolPrivate;
}

export function isDraining(pool: object): boolean {
  return priv(pool)._draining;
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
