import { type Clock, systemClock } from '../src/clock.js';

/** The system's clock for a process that can be suspended: its timers stand still, and the time of day does not. */
export interface SuspendableClock extends Clock {
  suspend(): void;
}

export function suspendableClock(): SuspendableClock {
  let awayMillis = 0;
  return {
    ...systemClock,
    wallNow: () => systemClock.wallNow() + awayMillis,
    suspend: () => (awayMillis += 3_600_000),
  };
}

/** The name is asked so seldom that nobody but who needs the answer will, and who does waits for it. */
export const SELDOM = { intervalMillis: 60_000, lookupTimeoutMillis: 30_000 } as const;
