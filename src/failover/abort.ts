interface Listening {
  readonly all: Set<() => void>;
  readonly stop: () => void;
}

/** The signals that somebody waits for. */
const listening: WeakMap<AbortSignal, Listening> = new WeakMap();

/**
 * Calls `told` once when the signal aborts, unless the returned function was called before. Applications share one signal
 * among many calls, and Node warns of a leak when there are more than ten listeners on one: here they are one.
 */
export function onAbort(signal: AbortSignal, told: () => void): () => void {
  const { all, stop } = listening.get(signal) ?? listen(signal);
  // One of its own, since two calls may bring the same function.
  const one = (): void => told();
  all.add(one);
  return () => {
    if (all.delete(one) && all.size === 0) stop();
  };
}

function listen(signal: AbortSignal): Listening {
  const all = new Set<() => void>();
  const stop = (): void => {
    listening.delete(signal);
    signal.removeEventListener('abort', onEvent);
  };
  const onEvent = (): void => {
    stop();
    const tell = [...all];
    all.clear();
    for (const one of tell) one();
  };
  const made: Listening = { all, stop };
  listening.set(signal, made);
  signal.addEventListener('abort', onEvent);
  return made;
}

/** What one caller's signal calls off: every wait of one call, from the lease to the last one before COMMIT. */
export class Cancellation {
  readonly #signal: AbortSignal | null;
  readonly #requested: Promise<never> | null;
  readonly #stop: () => void;

  constructor(signal: AbortSignal | null) {
    this.#signal = signal;
    let reject = (_reason: unknown): void => {};
    this.#requested = signal === null ? null : new Promise<never>((_, onReject) => (reject = onReject));
    // Nobody may be waiting at that moment.
    this.#requested?.catch(() => {});
    if (signal === null) this.#stop = () => {};
    else if (signal.aborted) {
      reject(signal.reason);
      this.#stop = () => {};
    } else this.#stop = onAbort(signal, () => reject(signal.reason));
  }

  get requested(): boolean {
    return this.#signal?.aborted === true;
  }

  throwIfRequested(): void {
    this.#signal?.throwIfAborted();
  }

  /** The work's result; or the signal's reason at once, whatever the work does from then on. */
  async race<T>(work: Promise<T>): Promise<T> {
    return await (this.#requested === null ? work : Promise.race([work, this.#requested]));
  }

  /** From now on the signal is not heard. */
  end(): void {
    this.#stop();
  }
}
