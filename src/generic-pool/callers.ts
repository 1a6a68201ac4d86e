import { systemClock } from '../clock.js';
import type { ReadFailoverOptions } from '../failover/options.js';
import { AcquireDeadlines } from '../failover/acquire-deadlines.js';
import { Admission } from '../failover/admission.js';
import { Pause } from '../failover/pause.js';
import { Trouble } from '../failover/trouble.js';
import type { Endpoint } from '../sockets/endpoint.js';
import {
  acquired,
  allWaiting,
  makeOne,
  nextPlace,
  onSettled,
  openingCount,
  refused,
  type Request,
} from './internals.js';

/** What of the pool its callers' side needs. */
export interface Pooled {
  readonly size: number;
  readonly max: number;
  readonly available: number;
  readonly borrowed: number;
  readonly pending: number;
}

export interface CallersOptions {
  /** Null for a pool that follows no name: then its callers wait as generic-pool's do, but for a pause. */
  readonly endpoint: Endpoint | null;
  readonly name: string;
  readonly failover: ReadFailoverOptions;
}

/** generic-pool's own words. */
const TIMED_OUT = 'ResourceRequest timed out';

/** Who waits for a resource of a pool, for what and until when. */
export class Callers {
  readonly trouble: Trouble = new Trouble();
  readonly pause: Pause = new Pause(() => this.#pool?.borrowed ?? 0);
  readonly #options: CallersOptions;
  readonly #waits: AcquireDeadlines<Request>;
  readonly #admission: Admission | null;
  readonly #heard: WeakSet<Request> = new WeakSet();
  #pool: (Pooled & object) | null = null;
  /** Is there a resource that the next caller could get? */
  #anyUsable: () => boolean = () => true;

  constructor(options: CallersOptions) {
    const { endpoint, name, failover } = options;
    this.#options = options;
    const clock = endpoint?.clock ?? systemClock;
    this.#waits = new AcquireDeadlines(clock, failover.deadlineMillis, (request, waited) => {
      request.reject(this.#deadlineError(waited));
    });
    this.#admission = endpoint === null ? null : new Admission(clock, name, failover, () => this.#lookOut());
  }

  attach(pool: Pooled & object, anyUsable: () => boolean): void {
    this.#pool = pool;
    this.#anyUsable = anyUsable;
  }

  /** Is there nothing that a caller would have to be asked, or wait for, but its turn? */
  get areCalm(): boolean {
    return !this.pause.on && this.#anyUsable() && this.#admission?.limited !== true;
  }

  /** For a caller who comes while they are not calm. `refusal`: why nobody can be served as things are. */
  enter(pool: Pooled & object, acquire: () => Promise<unknown>, refusal: Error | null): Promise<unknown> {
    const error = this.#admission?.refusal(this.#place(pool)) ?? null;
    if (error !== null) return refused(pool, error);
    const { promise, request } = acquired(pool, acquire);
    if (request === undefined) return promise;
    if (refusal !== null) request.reject(refusal);
    else if (this.pause.on || !this.#anyUsable()) this.#bound(request);
    return promise;
  }

  all(): Request[] {
    return this.#pool === null ? [] : allWaiting(this.#pool);
  }

  /** Whoever waits now does so for a server, or for a pause to end: until its deadline. */
  boundAll(): void {
    for (const request of this.all()) this.#bound(request);
  }

  /** An attempt to make a resource failed. */
  failed(cause: unknown): void {
    if (!this.#anyUsable()) this.#admission?.down(cause);
  }

  /** There is a server: whoever waits does so for its turn, as in any busy pool. */
  served(): void {
    this.trouble.clear();
    this.#admission?.up();
    if (!this.pause.on) this.#waits.endAll();
  }

  resumed(): void {
    if (this.#anyUsable()) this.#waits.endAll();
  }

  close(): void {
    this.#waits.endAll();
    this.#admission?.up();
  }

  #place(pool: Pooled & object): number {
    return this.pause.on ? pool.pending + 1 : nextPlace(pool as never);
  }

  #bound(request: Request): void {
    this.#waits.begin(request);
    if (this.#heard.has(request)) return;
    this.#heard.add(request);
    onSettled(
      request,
      () => this.#waits.end(request),
      (error) => this.#explain(error),
    );
  }

  /** While there is no server, or a pause, generic-pool's own timeout says so. */
  #explain(error: unknown): unknown {
    const timedOut = error instanceof Error && error.message === TIMED_OUT;
    const inVain = timedOut && (this.pause.on || !this.#anyUsable());
    return inVain ? this.#deadlineError(this.#options.failover.deadlineMillis) : error;
  }

  #deadlineError(waitedMillis: number): Error {
    const { size: total, available: idle, borrowed: active, pending: waiting } = this.#pool!;
    const pool = { total, opening: openingCount(this.#pool!), active, idle, waiting };
    const { name } = this.#options;
    return this.trouble.deadlineError({ said: TIMED_OUT, name, waitedMillis, paused: this.pause.on, pool });
  }

  /** Nobody waits, since everybody fails at once; somebody has to find out when there is a server again. */
  #lookOut(): void {
    const pool = this.#pool;
    if (pool === null || this.pause.on || openingCount(pool) > 0 || this.all().length > 0) return;
    makeOne(pool);
  }
}
