import { EipPoolError } from '../errors.js';

interface Waiting {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: EipPoolError) => void;
}

/** Design, pools rule 7: the pool holds new work while its operator switches servers. */
export class Pause {
  readonly #leases: () => number;
  /** Read only, but for this class: every statement looks at it. */
  on = false;
  #waiting: Waiting | null = null;

  /** @param leases how many connections are in callers' hands, those included that finish on an address that was left */
  constructor(leases: () => number) {
    this.#leases = leases;
  }

  /** From now on nothing is handed out. Resolves when no lease is out. */
  begin(): Promise<void> {
    this.on = true;
    const { promise } = (this.#waiting ??= newWaiting());
    this.released();
    return promise;
  }

  /** A lease may have come back. */
  released(): void {
    if (this.#waiting === null || this.#leases() > 0) return;
    this.#waiting.resolve();
    this.#waiting = null;
  }

  end(): void {
    this.on = false;
    const leases = this.#leases();
    this.#waiting?.reject(
      new EipPoolError('PAUSE_ENDED', `the pool was resumed while ${leases} leases were still out`),
    );
    this.#waiting = null;
  }
}

function newWaiting(): Waiting {
  let resolve = (): void => {};
  let reject = (_error: EipPoolError): void => {};
  const promise = new Promise<void>((onResolve, onReject) => ([resolve, reject] = [onResolve, onReject]));
  // Who paused without waiting for the leases must not be hurt by the news that some were out.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
