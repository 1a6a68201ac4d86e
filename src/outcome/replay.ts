import { type Outcome, outcomeOf } from './outcome.js';

/** What may be run again; see `FailoverOptions.replay`. */
export type ReplayOption = 'none' | 'unsent' | 'reads';

/**
 * The outcome of a statement that was given a connection: what its error says of it. That nothing of it was written no
 * error can say, since a function of the server's or of the application's may raise any; the adapter has to have seen it.
 */
export function outcomeOfRun(error: unknown, written: boolean): Outcome | undefined {
  if (!written) return 'not-sent';
  const outcome = outcomeOf(error);
  return outcome === 'not-sent' ? undefined : outcome;
}

/** One statement that was run through the pool itself, and failed after it had been given a connection. */
export interface CutOff {
  readonly outcome: Outcome | undefined;
  /** The driver's own time-out ended it, while the server may still work on it. */
  readonly timedOut: boolean;
  readonly replay: ReplayOption;
  readonly role: 'any' | 'writable';
  /** The caller vouches that a second run does no harm. */
  readonly idempotent: boolean;
  /** Is it one statement that only reads? Asked only where it matters. */
  readonly reads: () => boolean;
}

/**
 * What to do with it.
 * - `again`: it had no effect, so it is run on a good connection as if for the first time, and that run's result counts.
 * - `if-abandoned`: it may have been done. Once there is a good connection, and if by then the server that it ran
 *   on is gone, it is repeated; any error of that returns the first error.
 */
export type Replay =
  | { readonly kind: 'none' }
  | { readonly kind: 'again'; readonly why: 'not-sent' | 'rejected' }
  | { readonly kind: 'if-abandoned'; readonly why: 'reads' | 'idempotent' };

/** One of the two ways to run it once more. */
export type Again = Exclude<Replay, { readonly kind: 'none' }>;

const NONE: Replay = { kind: 'none' };

/**
 * Design, pools rule 5. The caller asks once for each statement, and never for one of a transaction, on a lease, of a
 * stream or of a cursor. What ended by a word of the server alone (57P01, KILL) is `if-abandoned` like any other loss,
 * so while the server stays it is not run again; a cancelled statement has no outcome.
 */
export function replayOf({ outcome, timedOut, replay, role, idempotent, reads }: CutOff): Replay {
  if (timedOut) return NONE;
  switch (outcome) {
    case undefined:
      return NONE;
    case 'not-sent':
      return replay === 'none' && !idempotent ? NONE : { kind: 'again', why: 'not-sent' };
    case 'rejected':
      return role === 'any' || (replay === 'none' && !idempotent) ? NONE : { kind: 'again', why: 'rejected' };
    case 'unknown':
      if (idempotent) return { kind: 'if-abandoned', why: 'idempotent' };
      return replay === 'reads' && reads() ? { kind: 'if-abandoned', why: 'reads' } : NONE;
  }
}
