import type { FlowFacts } from './kernel.js';

/**
 * Is a connection lost while its server lives? A NAT or a firewall has forgotten it, and tells neither side. Pure: the kernel
 * is the witness, whoever asks it owns the sockets and the time.
 */
export interface Trail {
  /** Unanswered when it was first looked at. */
  readonly unanswered: number;
  /** When one more was, so one that was sent after that look; null before. */
  readonly grewAt: number | null;
}

export type FlowState =
  /** What was sent has arrived, or is on its way. */
  | { readonly kind: 'carries' }
  /** Not all of it was answered: worth another look soon. */
  | { readonly kind: 'doubtful'; readonly trail: Trail | null }
  | { readonly kind: 'lost' };

export interface Witnessed {
  readonly now: number;
  /** How long an answer may take. */
  readonly boundMillis: number;
  /** Has the server been heard on another connection since this one fell silent? */
  readonly alive: boolean;
}

/** As many may get lost on a bad line, one after the other. */
const FEWEST_UNANSWERED = 3;
/** So many in a row take more than six seconds: no line that still carries is as bad. */
const ENOUGH_UNANSWERED = 5;

/** One look at it. The server is known to live, so what it was sent after that was known should have been answered. */
export function afterFacts(trail: Trail | null, facts: FlowFacts, { now, boundMillis, alive }: Witnessed): FlowState {
  const { unanswered, unread } = facts;
  // What has come and was not read is this side's to read.
  if (unanswered === 0 || unread > 0) return { kind: 'carries' };
  if (!alive) return unanswered < ENOUGH_UNANSWERED ? { kind: 'doubtful', trail: null } : { kind: 'lost' };
  if (trail === null || unanswered < trail.unanswered) return { kind: 'doubtful', trail: fresh(facts) };
  const grewAt = trail.grewAt ?? (unanswered > trail.unanswered ? now : null);
  const late = grewAt !== null && now - grewAt >= boundMillis && unanswered >= FEWEST_UNANSWERED;
  return late ? { kind: 'lost' } : { kind: 'doubtful', trail: { unanswered: trail.unanswered, grewAt } };
}

function fresh({ unanswered }: FlowFacts): Trail {
  return { unanswered, grewAt: null };
}
