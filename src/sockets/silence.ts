/**
 * Design, sockets rule 3: is the server at one address alive? Pure; the watch owns the timer and asks the server.
 */
export interface Silence {
  /** How long work has waited without a byte on the address, as far as the event loop could have read one. */
  readonly silentMillis: number;
  /** How long the address may be silent, since the server has just been found busy; 0 before. */
  readonly patienceMillis: number;
  /** Questions in a row that the server did not answer. */
  readonly unanswered: number;
}

export const noSilence: Silence = { silentMillis: 0, patienceMillis: 0, unanswered: 0 };

/** One look at all sockets of an address. */
export interface Look {
  /** A byte came on one of them since the last look. */
  readonly heard: boolean;
  /** Work, a log-in too, waits for the server on one of them. */
  readonly waiting: boolean;
  /** Since the last look. */
  readonly elapsedMillis: number;
}

/** How often the sockets are looked at. */
export const LOOK_MILLIS = 250;
const LONGEST_PATIENCE_MILLIS = 30_000;

export function afterLook(silence: Silence, { heard, waiting, elapsedMillis }: Look): Silence {
  if (heard || !waiting) return noSilence;
  // A late look is the event loop's fault: in that time nobody could have read a byte that was there.
  const counted = Math.min(elapsedMillis, LOOK_MILLIS);
  return { ...silence, silentMillis: silence.silentMillis + counted };
}

/** Is it time to ask the server whether it lives? */
export function isDue({ silentMillis, patienceMillis, unanswered }: Silence, silenceMillis: number): boolean {
  return unanswered > 0 || silentMillis >= Math.max(silenceMillis, patienceMillis);
}

export type Finding = 'alive' | 'suspect' | 'dead';

/** The server was asked. It is dead at the second question in a row that it does not answer. */
export function afterQuestion(silence: Silence, answered: boolean, silenceMillis: number): [Silence, Finding] {
  if (answered) {
    const patienceMillis = Math.min(LONGEST_PATIENCE_MILLIS, 2 * Math.max(silenceMillis, silence.patienceMillis));
    return [{ silentMillis: 0, patienceMillis, unanswered: 0 }, 'alive'];
  }
  if (silence.unanswered === 0) return [{ ...silence, unanswered: 1 }, 'suspect'];
  return [noSilence, 'dead'];
}
