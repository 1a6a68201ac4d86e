import { performance } from 'node:perf_hooks';
import timers from 'node:timers';
import { inNobodysContext } from './async-context.js';

/**
 * Node's own, as they are when this module loads. A test environment may put others in the global ones' place: some whose
 * timers are plain numbers (jsdom, Electron's renderer), and some that leap days ahead at a test's word.
 */
const { setTimeout, clearTimeout } = timers;
const now: () => number = performance.now.bind(performance);
const wallNow: () => number = Date.now;

/** Runs after the event loop has read what had arrived. */
export const setImmediate: (fn: () => void) => NodeJS.Immediate = timers.setImmediate;

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
  now,
  wallNow,
  set: (fn, delayMillis) => ({ id: inNobodysContext(setTimeout, fn, delayMillis).unref() }),
  setAwaited: (fn, delayMillis) => ({ id: inNobodysContext(setTimeout, fn, delayMillis) }),
  clear: (timer) => {
    if (timer !== undefined) clearTimeout(timer.id as NodeJS.Timeout);
  },
  random: () => Math.random(),
};
