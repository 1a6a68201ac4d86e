import type { Clock } from '../../clock.js';
import { actions } from './actions.js';
import type { Cloud } from './cloud.js';
import { Ec2Fault, faults } from './faults.js';
import { errorBody, Query, successBody } from './query-protocol.js';
import { TokenBucket } from './token-bucket.js';

/** One call to the API, as it was answered. */
export interface Ec2Call {
  /** `performance.now()` when it was answered. */
  readonly at: number;
  readonly action: string;
  readonly params: Readonly<Record<string, string>>;
  /** The error's code; null for a success. */
  readonly error: string | null;
}

export interface ApiReply {
  readonly status: number;
  readonly body: string;
}

/** An error that the API gives instead of doing what it is asked. */
export interface Ec2Failure {
  /** For example `'InternalError'`. */
  readonly code: string;
  /** @defaultValue the code */
  readonly message?: string | undefined;
  /** @defaultValue 400 */
  readonly status?: number | undefined;
  /**
   * Only this action fails, for example `'DescribeAddresses'`.
   * @defaultValue every action
   */
  readonly action?: string | undefined;
  /**
   * For so many calls.
   * @defaultValue Infinity
   */
  readonly times?: number | undefined;
}

/**
 * EC2's quota for an account and Region: a bucket for what reads and one for what writes. Source: EC2 developer guide,
 * "Request throttling".
 */
const DESCRIBE: { readonly burst: number; readonly perSecond: number } = { burst: 100, perSecond: 20 };
const MUTATE: { readonly burst: number; readonly perSecond: number } = { burst: 50, perSecond: 5 };

/** The API without its HTTP: who may call, how often, and what comes back. */
export class Ec2Api {
  readonly #cloud: Cloud;
  readonly #clock: Clock;
  readonly #buckets: Map<string, TokenBucket> = new Map();
  readonly #denied: Set<string> = new Set();
  readonly #calls: Ec2Call[] = [];
  #failures: { readonly failure: Ec2Failure; left: number }[] = [];
  #requests: number = 0;

  constructor(cloud: Cloud, clock: Clock) {
    this.#cloud = cloud;
    this.#clock = clock;
  }

  /** Every call so far, oldest first. */
  get calls(): readonly Ec2Call[] {
    return this.#calls;
  }

  /** Takes the permission for an action (`'DescribeAddresses'`) away. */
  deny(action: string): void {
    this.#denied.add(action);
  }

  permit(action: string): void {
    this.#denied.delete(action);
  }

  fail(failure: Ec2Failure): void {
    this.#failures.push({ failure, left: failure.times ?? Infinity });
  }

  /** No failure is left; permissions stay. */
  recover(): void {
    this.#failures = [];
  }

  /** @param signed whether the request carries credentials; their signature is not checked */
  call(body: string, signed: boolean): ApiReply {
    const query = new Query(body);
    const requestId = `00000000-0000-4000-8000-${String(++this.#requests).padStart(12, '0')}`;
    let error: string | null = null;
    try {
      const content = this.#run(query, signed);
      return { status: 200, body: successBody(query.action, requestId, content) };
    } catch (thrown) {
      if (!(thrown instanceof Ec2Fault)) throw thrown;
      error = thrown.code;
      return { status: thrown.status, body: errorBody(thrown.code, thrown.message, requestId) };
    } finally {
      this.#calls.push({ at: this.#clock.now(), action: query.action, params: query.params, error });
    }
  }

  #run(query: Query, signed: boolean): ReturnType<NonNullable<(typeof actions)[string]>> {
    const action = actions[query.action];
    if (action === undefined) throw faults.unknownAction(query.action);
    if (!signed) throw faults.authFailure();
    if (!this.#bucket(query.action).take()) throw faults.throttled();
    this.#failIfTold(query.action);
    if (this.#denied.has(query.action)) throw faults.unauthorized(query.action);
    return action(this.#cloud, query);
  }

  #failIfTold(action: string): void {
    const found = this.#failures.find(({ failure, left }) => left > 0 && (failure.action ?? action) === action);
    if (found === undefined) return;
    found.left--;
    const { code, message = code, status } = found.failure;
    throw new Ec2Fault(code, message, status);
  }

  #bucket(action: string): TokenBucket {
    let bucket = this.#buckets.get(action);
    if (bucket === undefined) {
      const { burst, perSecond } = action.startsWith('Describe') ? DESCRIBE : MUTATE;
      bucket = new TokenBucket(this.#clock, burst, perSecond);
      this.#buckets.set(action, bucket);
    }
    return bucket;
  }
}
