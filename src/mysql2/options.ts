import type * as mysql from 'mysql2';
import type { FollowingConfig } from '../failover/options.js';

export interface PoolOptions extends mysql.PoolOptions, FollowingConfig {
  /** The promise class of what `eip-pool/mysql2/promise` returns. */
  Promise?: PromiseConstructor;
}

export interface ConnectionOptions extends mysql.ConnectionOptions, FollowingConfig {
  Promise?: PromiseConstructor;
}

/** Our keys, and what mysql2 may see: it prints every option that it does not know. */
export function splitOptions<T extends mysql.ConnectionOptions>(
  given: string | (T & FollowingConfig),
): { readonly ours: FollowingConfig; readonly theirs: T } {
  if (typeof given === 'string') return { ours: {}, theirs: { uri: given } as T };
  const { follow, failover, endpoint, ...theirs } = given;
  return { ours: { follow, failover, endpoint }, theirs: theirs as unknown as T };
}
