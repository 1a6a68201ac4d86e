import type { Verdict } from './evidence.js';

/** Design, sockets rule 3: when is a service asked whether it lives? Pure; the watch owns the timer and asks. */
export interface Silence {
  /** How long work has waited without a byte from the service, as far as the event loop could have read one. */
  readonly silentMillis: number;
  /** How long it may be silent, since it has just been found busy; 0 before. */
  readonly patienceMillis: number;
}

export const noSilence: Silence = { silentMillis: 0, patienceMillis: 0 };

/** One look at all sockets of a service. */
export interface Look {
  /** A byte came on one of them since the last look. */
  readonly heard: boolean;
  /** Work, a login too, waits for the server on one of them. */
  readonly waiting: boolean;
  /** Since the last look, as {@link readableMillis} counts it. */
  readonly elapsedMillis: number;
}

/** How often the sockets are looked at. */
export const LOOK_MILLIS = 250;
const LONGEST_PATIENCE_MILLIS = 30_000;

/** A late look is the event loop's fault: in that time nobody could have read a byte that was there. */
export function readableMillis(elapsedMillis: number): number {
  return Math.min(elapsedMillis, LOOK_MILLIS);
}

export function afterLook(silence: Silence, { heard, waiting, elapsedMillis }: Look): Silence {
  if (heard || !waiting) return noSilence;
  return { ...silence, silentMillis: silence.silentMillis + elapsedMillis };
}

/** Is it time to ask the server whether it lives? */
export function isDue({ silentMillis, patienceMillis }: Silence, silenceMillis: number): boolean {
  return silentMillis >= Math.max(silenceMillis, patienceMillis);
}

/** One that lives is busy, and is asked ever less often. Where nothing was learned, it is asked again as before. */
export function afterVerdict({ patienceMillis }: Silence, verdict: Verdict, silenceMillis: number): Silence {
  switch (verdict) {
    case 'alive':
      return {
        silentMillis: 0,
        patienceMillis: Math.min(LONGEST_PATIENCE_MILLIS, 2 * Math.max(silenceMillis, patienceMillis)),
      };
    case 'unknown':
      return { silentMillis: 0, patienceMillis };
    case 'dead':
      return noSilence;
  }
}
