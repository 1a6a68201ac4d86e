import type * as mysql from 'mysql2';
import type { FollowingConfig } from '../failover/options.js';
import { viewOf } from '../options.js';

export interface PoolOptions extends mysql.PoolOptions, FollowingConfig {
  /** The promise class of what `eip-pool/mysql2/promise` returns. */
  Promise?: PromiseConstructor;
}

export interface ConnectionOptions extends mysql.ConnectionOptions, FollowingConfig {
  Promise?: PromiseConstructor;
}

/** mysql2's options of one statement. */
export interface QueryOptions extends mysql.QueryOptions {
  /**
   * For `pool.query` and `pool.execute`: a second run does no harm, so that it may be run again, at most once, if its
   * connection is lost and the server that ran it is gone.
   */
  idempotent?: boolean | undefined;
}

/** `query` and `execute` of a promise pool with {@link QueryOptions}. */
export type RunsAgain = <T extends mysql.QueryResult>(
  options: QueryOptions,
  values?: unknown,
) => Promise<[T, mysql.FieldPacket[]]>;

/** Our keys, and what mysql2 may see: it prints every option that it does not know. */
export function splitOptions<T extends mysql.ConnectionOptions>(
  given: string | (T & FollowingConfig),
): { readonly ours: FollowingConfig; readonly theirs: string | T } {
  if (typeof given === 'string') return { ours: {}, theirs: given };
  const { follow, failover, endpoint } = given;
  const theirs = viewOf<T>(given, { follow: undefined, failover: undefined, endpoint: undefined });
  return { ours: { follow, failover, endpoint }, theirs };
}
