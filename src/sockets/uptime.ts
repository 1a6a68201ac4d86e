import type { Service } from '../endpoint/address.js';

/** For how long a server has run, as it says itself. */
export interface Uptime {
  readonly millis: number;
  /** How much less it may say than it is, or more. */
  readonly resolutionMillis: number;
  /** The number of the session in which it says so; not there if its server does not number them in their order. */
  readonly sessionId?: number;
  /** How long ago it ended all its sessions after a crash of one, without being started anew; not there if it never did. */
  readonly recoveredMillis?: number;
}

/** A session that was lost, on the endpoint's clock. */
export interface LostSession {
  readonly service: Service;
  /** The server's number for it; null if it told none. */
  readonly sessionId: number | null;
  /** When its server is known to have been there: it had logged in, or said its last word. */
  readonly knownAt: number;
  readonly lostAt: number;
}

/** How much slower a server's clock may go than ours. */
const DRIFT = 0.001;

/** Has another server taken the place of a session's? */
export type Succession =
  | 'yes'
  | 'no'
  /** What was said may be true of both. Asked again, it tells more: its seconds end at another moment than ours. */
  | 'unsure';

/**
 * Has the server that said so at `askedAt`, or later, begun after the session? Only durations are compared, so no clocks
 * have to agree.
 */
export function successionOf(uptime: Uptime, lost: LostSession, askedAt: number): Succession {
  const { millis, resolutionMillis, recoveredMillis = Infinity, sessionId = Infinity } = uptime;
  const { knownAt, lostAt } = lost;
  // Less than nothing says a server whose clock was set back.
  const isWithin = (since: number, ago: number): boolean => since >= 0 && since * (1 + DRIFT) + resolutionMillis < ago;
  // What is known of a recovery can be reset by hand at any time, so only one right after the loss counts.
  if (isWithin(millis, askedAt - knownAt) || isWithin(recoveredMillis, askedAt - lostAt)) return 'yes';
  if (millis < 0 || (millis - resolutionMillis) * (1 - DRIFT) >= askedAt - knownAt) return 'no';
  // On one server a later session has a higher number, until it has counted all that there are.
  return sessionId < (lost.sessionId ?? -Infinity) ? 'yes' : 'unsure';
}
