/** Every code that an error of this library can carry. */
export type ErrorCode =
  /** An option has a wrong value, or is not known. Nothing was started. */
  | 'INVALID_OPTION'
  /** The name answered with addresses that may not be dialled. Nothing was sent to them. */
  | 'PUBLIC_ADDRESS'
  /** The last good answer is older than `maxAnswerAgeMillis`. */
  | 'ANSWER_TOO_OLD'
  /** No usable server until the caller's deadline. */
  | 'DEADLINE_EXCEEDED'
  /** The name left the address of this connection. */
  | 'ADDRESS_LEFT'
  /** The address was judged dead while work was waiting for it. */
  | 'ADDRESS_DEAD'
  /** This connection was lost while work was waiting on it, and its server lives. */
  | 'CONNECTION_LOST'
  /** One connection attempt took longer than `connectTimeoutMillis`. */
  | 'CONNECT_TIMEOUT'
  /** A resolver did not answer within `lookupTimeoutMillis`. */
  | 'LOOKUP_TIMEOUT'
  /** The name resolved to nothing, or to nothing that is an address. */
  | 'NO_ADDRESS'
  /** As many callers wait for a connection as `maxWaiting` lets. */
  | 'TOO_MANY_WAITING'
  /** There has been no usable server for `failFastAfterMillis`. */
  | 'FAILING_FAST'
  /** The server takes no writes, and `role: 'writable'` was asked for. */
  | 'READ_ONLY_SERVER'
  /** `resume()` ended a pause before every lease was back. */
  | 'PAUSE_ENDED'
  /** COMMIT was sent, and nobody can say whether it was done. */
  | 'COMMIT_UNKNOWN'
  /** COMMIT was answered with ROLLBACK, since a statement of the transaction had failed. Nothing of it was done. */
  | 'TRANSACTION_FAILED'
  /** The transaction was no longer open after one of its statements, which had not been asked to end it. */
  | 'TRANSACTION_LEFT'
  /** A statement came for a transaction in which a nested one was open. */
  | 'TRANSACTION_NESTED'
  /** A statement came for a transaction that was over. */
  | 'TRANSACTION_OVER'
  /** The endpoint was closed. */
  | 'ENDPOINT_CLOSED'
  /** The pool was ended while the caller waited. */
  | 'POOL_ENDED'
  /** The lab cannot start what was asked for on this machine. */
  | 'LAB_UNAVAILABLE'
  /** A package that is an optional peer is not installed. */
  | 'PEER_MISSING'
  /** A permission is missing: the message names it. */
  | 'API_UNAUTHORIZED'
  /** There are no credentials, or they are not valid. */
  | 'API_CREDENTIALS'
  /** The account's quota of calls is used up for now. */
  | 'API_THROTTLED'
  /** The service failed, or could not be reached. */
  | 'API_UNAVAILABLE'
  /** The service refused a call for a reason that has no code of its own here. */
  | 'API_REJECTED'
  /** A dry run: the call would have succeeded. */
  | 'DRY_RUN'
  /** The id or address that the message names does not exist in this account and Region. */
  | 'ALLOCATION_NOT_FOUND'
  | 'ADDRESS_NOT_FOUND'
  | 'INSTANCE_NOT_FOUND'
  | 'INTERFACE_NOT_FOUND'
  | 'ASSOCIATION_NOT_FOUND'
  /** The instance is not running. */
  | 'INSTANCE_STATE'
  /** The account has as many Elastic IPs as it may have. */
  | 'ADDRESS_LIMIT'
  /** The Elastic IP is associated with something else, and may not be taken from there. */
  | 'ALREADY_ASSOCIATED'
  /** The Elastic IP is associated, so it cannot be released. */
  | 'ADDRESS_IN_USE'
  /** A change was made, but did not show everywhere within its deadline. */
  | 'NOT_SETTLED';

const BRAND: unique symbol = Symbol.for('eip-pool.error') as never;

/**
 * What this library throws. A driver's own errors are never wrapped in it.
 * `code` is stable; the message is for people.
 */
export class EipPoolError extends Error {
  override readonly name: string = 'EipPoolError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * COMMIT was sent, and the connection broke before its answer: the transaction was done in whole, or not at all. `cause`
 * is what the connection failed with.
 */
export class CommitUnknownError extends EipPoolError {
  override readonly name: string = 'CommitUnknownError';

  constructor(message: string, options?: { cause?: unknown }) {
    super('COMMIT_UNKNOWN', message, options);
  }
}

/** Why something of ours ends. Each thing that ends by it makes an error of its own: what is known of one is no other's. */
export interface EndReason {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause?: unknown;
}

export function errorFor({ code, message, cause }: EndReason): EipPoolError {
  return new EipPoolError(code, message, cause === undefined ? undefined : { cause });
}

/** The same once more, for one more who is told of it. */
export function ownCopy(error: Error): Error {
  const copy = new Error(error.message);
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object);
  return Object.defineProperties(copy, Object.getOwnPropertyDescriptors(error));
}

/** True for an error of this library, also of another loaded copy of it. */
export function isEipPoolError(error: unknown): error is EipPoolError {
  return isBranded(error, BRAND);
}

/** Is it one of ours, also of another loaded copy of this library? */
export function isBranded(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value;
}

/** The `code` of whatever was thrown, Node's or a driver's; undefined where it has none. */
export function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null | undefined)?.code;
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
