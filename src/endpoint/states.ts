/** Design, endpoint rules 3 and 8: the states of an endpoint, every transition between them, and how often each asks. */

export type EndpointState =
  /** No answer yet. */
  | { readonly kind: 'resolving'; readonly since: number }
  | { readonly kind: 'steady' }
  /** Something failed since `since`; the name may be moving. */
  | { readonly kind: 'suspect'; readonly since: number; readonly failedAt: number; readonly cause: unknown }
  /** No present address takes a connection. */
  | { readonly kind: 'down'; readonly since: number; readonly failedAt: number; readonly cause: unknown }
  | { readonly kind: 'closed' };

export type StateKind = EndpointState['kind'];

export type StateEvent =
  | { readonly kind: 'answered' }
  | { readonly kind: 'moved' }
  /** Work or an attempt on a present address failed; `everywhere`: every present address has failed. */
  | { readonly kind: 'failed'; readonly cause: unknown; readonly everywhere: boolean }
  /** A service at a present address answered; `trouble`: another one still does not. */
  | { readonly kind: 'worked'; readonly elsewhere: 'well' | 'trouble' }
  | { readonly kind: 'closed' };

export function transition(state: EndpointState, event: StateEvent, now: number): EndpointState {
  if (state.kind === 'closed') return state;
  switch (event.kind) {
    case 'closed':
      return { kind: 'closed' };
    case 'answered':
      return state.kind === 'resolving' ? { kind: 'steady' } : state;
    case 'moved':
      // Nothing is known yet of the new address, and the time to ask often begins anew.
      return state.kind === 'suspect' || state.kind === 'down'
        ? { kind: 'suspect', since: now, failedAt: state.failedAt, cause: state.cause }
        : state;
    case 'failed':
      return onFailure(state, event, now);
    case 'worked':
      if (state.kind !== 'suspect' && state.kind !== 'down') return state;
      return event.elsewhere === 'well' ? { kind: 'steady' } : { ...state, kind: 'suspect' };
  }
}

function onFailure(
  state: Exclude<EndpointState, { kind: 'closed' }>,
  { cause, everywhere }: { readonly cause: unknown; readonly everywhere: boolean },
  now: number,
): EndpointState {
  switch (state.kind) {
    case 'resolving':
      return state;
    case 'steady':
      return { kind: everywhere ? 'down' : 'suspect', since: now, failedAt: now, cause };
    case 'suspect':
    case 'down':
      return { ...state, kind: everywhere ? 'down' : state.kind, cause };
  }
}

export interface Pace {
  readonly intervalMillis: number;
  readonly suspectIntervalMillis: number;
}

/** Asking often is for the time in which names usually move. */
const SUSPECT_FOR_MILLIS = 30_000;
const DOUBLES_EVERY_MILLIS = 5_000;
const JITTER = 0.1;

/** Milliseconds from one question to the next. `random` is in [0, 1). */
export function nextQuestionIn(state: EndpointState, now: number, pace: Pace, random: number): number {
  return basePace(state, now, pace) * (1 - JITTER + 2 * JITTER * random);
}

function basePace(state: EndpointState, now: number, pace: Pace): number {
  if (state.kind === 'steady' || state.kind === 'closed') return pace.intervalMillis;
  const over = now - state.since - SUSPECT_FOR_MILLIS;
  if (over < 0) return Math.min(pace.suspectIntervalMillis, pace.intervalMillis);
  return Math.min(pace.intervalMillis, pace.suspectIntervalMillis * 2 ** (1 + Math.floor(over / DOUBLES_EVERY_MILLIS)));
}
