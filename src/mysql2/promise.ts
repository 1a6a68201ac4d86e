import mysql2 from 'mysql2';
import promise from 'mysql2/promise';
import { forRequire, unhooked, withOverrides } from '../failover/driver-module.js';
import { type CreateStockCluster, promiseFollowing, type PromiseFollowing } from './promise-following.js';
import type { PromisePool as Pool } from './promise-pool.js';
import { following } from './wrap.js';

export * from 'mysql2/promise';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { TransactionOptions } from '../failover/transaction-options.js';
export type { ConnectionOptions, PoolOptions, QueryOptions } from './options.js';
export type { PromisePoolCluster as PoolCluster } from './promise-following.js';
export type { Transaction } from './transaction.js';
export type { Pool };

/** A promise module with what follows in the place of what does not. */
export type Wrapped<M> = Omit<M, keyof PromiseFollowing> & PromiseFollowing;

/** The same for another copy of mysql2, given as its `mysql2/promise` and its `mysql2`. */
export function wrap<M extends object>(promiseModule: M, coreModule: object): Wrapped<M> {
  const stock = unhooked(promiseModule);
  const { createPoolCluster } = stock as unknown as { readonly createPoolCluster: CreateStockCluster };
  return withOverrides(stock, promiseFollowing(following(coreModule), createPoolCluster)) as Wrapped<M>;
}

const own: Wrapped<typeof promise> = wrap(promise, mysql2);

export const createPool: typeof own.createPool = own.createPool;
export const createPoolCluster: typeof own.createPoolCluster = own.createPoolCluster;
export const createConnection: typeof own.createConnection = own.createConnection;

/** @internal */
const required: typeof own = forRequire(own, { wrap });

export default own;
/** @internal What `require` gives: types are those of the exports above. */
export { required as 'module.exports' };
