/**
 * When a source with a quota (`asked: 'on-suspicion'`) is asked. A whole fleet suspects in the same moment, and shares
 * the quota: 200 processes must get through a bucket of 100 that 20 a second refill, none of them twice in vain.
 */
export interface Turn {
  /** When it is asked next, on the monotonic clock; null while all is well. */
  readonly at: number | null;
  /** Not before this, whatever happens. */
  readonly notBefore: number;
  /** Answers, and failures in a row, since the trouble began. */
  readonly answers: number;
  readonly failures: number;
}

export const noTurn: Turn = { at: null, notBefore: -Infinity, answers: 0, failures: 0 };

/** The first question after a suspicion is spread over this time. */
const FIRST_WITHIN_MILLIS = 2_000;
/** 200 processes that each ask this often use up 20 questions a second. Doubles with each answer. */
const AGAIN_AFTER_MILLIS = 10_000;
/** What the burst did not serve comes back in this time: few enough a second to be served, soon enough for a failover. */
const RETRY_FROM_MILLIS = 2_000;
const RETRY_WITHIN_MILLIS = 5_500;
const LONGEST_PAUSE_MILLIS = 30_000;

/** Something failed, or sources disagree. `random` is in [0, 1), here and below. */
export function onTrouble(turn: Turn, now: number, random: number): Turn {
  if (turn.at !== null) return turn;
  const jitter = random * FIRST_WITHIN_MILLIS;
  // While a pause lasts it is still the same trouble: sources that disagree look calm each time that one confirms.
  return turn.notBefore > now ? { ...turn, at: turn.notBefore + jitter } : { ...noTurn, at: now + jitter };
}

export function onCalm(turn: Turn): Turn {
  return turn.at === null ? turn : { ...turn, at: null };
}

/** It answered in its turn. */
export function onAnswer(turn: Turn, now: number, random: number): Turn {
  const pause = Math.min(LONGEST_PAUSE_MILLIS, AGAIN_AFTER_MILLIS * 2 ** turn.answers) * (0.75 + 0.5 * random);
  return after(turn, now + pause, turn.answers + 1, 0);
}

/** It is throttled, or down. */
export function onFailure(turn: Turn, now: number, random: number): Turn {
  const pause = (RETRY_FROM_MILLIS + RETRY_WITHIN_MILLIS * random) * 2 ** turn.failures;
  return after(turn, now + Math.min(LONGEST_PAUSE_MILLIS, pause), turn.answers, turn.failures + 1);
}

function after(turn: Turn, notBefore: number, answers: number, failures: number): Turn {
  return { at: turn.at === null ? null : notBefore, notBefore, answers, failures };
}
