import type { EipPoolError } from '../errors.js';
import type { Address } from './address.js';
import type { Answer } from './answer.js';

export interface MoveEvent {
  /** The addresses that were current. */
  readonly from: readonly Address[];
  /** The addresses that are current now. */
  readonly to: readonly Address[];
  readonly generation: number;
  /** The resolver that said so. */
  readonly source: string;
  readonly answer: Answer;
}

export type WarningCode =
  /** The name answers addresses that may not be dialled; the last good answer stays. */
  | 'PUBLIC_ADDRESS'
  /** The name keeps changing: perhaps it rotates by design, see `mode: 'set'`. */
  | 'ROTATING'
  /** A source may not be asked: it stepped aside, and the others go on. */
  | 'SOURCE_ASIDE'
  /** A pool's `'error'` that nobody listens to; it would have ended the process. */
  | 'UNHANDLED_POOL_ERROR'
  /** TLS without a comparison of the certificate with the name: its driver's default. */
  | 'NAME_NOT_VERIFIED';

export interface WarningEvent {
  readonly code: WarningCode;
  readonly message: string;
  readonly error?: unknown;
}

export interface ReplayEvent {
  /** What its connection had failed with: `not-sent`, `rejected` or `unknown`. */
  readonly outcome: 'not-sent' | 'rejected' | 'unknown';
  /** What made it fit to be run again. */
  readonly why: 'not-sent' | 'rejected' | 'reads' | 'idempotent';
  /** The statement's first word, in lower case; never more of it, and no values. */
  readonly statement: string;
  readonly error: unknown;
}

/** Each is also published on the `node:diagnostics_channel` `eip-pool:NAME`, with the name as `endpoint`. */
export interface EndpointEvents {
  /** A resolver answered. `verdict` tells what the answer meant. */
  answer: [{ readonly answer: Answer; readonly verdict: 'adopted' | 'confirmed' | 'held' }];
  /** The endpoint left at least one address. Every socket has been dealt with when this is told. */
  move: [MoveEvent];
  /** Something failed; the name is asked often. */
  suspect: [{ readonly cause: unknown; readonly address: Address }];
  /** No current address takes a connection. */
  down: [{ readonly cause: unknown; readonly addresses: readonly Address[] }];
  /** A server answers again after `suspect` or `down`. */
  recovered: [{ readonly address: Address; readonly afterMillis: number }];
  /** A resolver failed, or knew no address. Nothing else changes. */
  resolveError: [{ readonly error: unknown; readonly source: string }];
  /** A statement whose connection was lost is run again. */
  replay: [ReplayEvent];
  warning: [WarningEvent];
}

export interface EndpointSnapshot {
  readonly name: string;
  readonly state: 'resolving' | 'steady' | 'suspect' | 'down' | 'closed';
  readonly generation: number;
  readonly addresses: readonly Address[];
  readonly chain: readonly string[];
  readonly ttlSeconds: number | null;
  readonly source: string | null;
  /** Milliseconds since the answer was last confirmed; null before the first. */
  readonly answerAgeMillis: number | null;
  readonly quarantined: readonly Address[];
  /** Why new connections are refused, if they are. */
  readonly refusal: EipPoolError | null;
  readonly lastResolveError: unknown;
}
