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
