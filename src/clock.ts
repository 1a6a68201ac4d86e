/** A timer that was set; hand it back to {@link Clock.clear} to cancel it. */
export interface Timer {
  readonly id: unknown;
}

/** The only way to time in this library, so that tests can own time. All durations are milliseconds. */
export interface Clock {
  /** Monotonic milliseconds; the zero is arbitrary. */
  now(): number;
  /** Milliseconds since the Unix epoch. Differs from {@link now} across a suspended machine. */
  wallNow(): number;
  /** A timer that never keeps the process alive. */
  set(fn: () => void, delayMillis: number): Timer;
  /** A timer that keeps the process alive, for work that a caller is waiting for. */
  setAwaited(fn: () => void, delayMillis: number): Timer;
  clear(timer: Timer | undefined): void;
  /** A number in [0, 1), for jitter. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  set: (fn, delayMillis) => ({ id: setTimeout(fn, delayMillis).unref() }),
  setAwaited: (fn, delayMillis) => ({ id: setTimeout(fn, delayMillis) }),
  clear: (timer) => {
    if (timer !== undefined) clearTimeout(timer.id as NodeJS.Timeout);
  },
  random: () => Math.random(),
};
