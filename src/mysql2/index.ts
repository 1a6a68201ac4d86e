import mysql2 from 'mysql2';
import { forRequire } from '../failover/driver-module.js';
import { type Wrapped, wrap } from './wrap.js';
import type { Pool as FollowingPool } from './pool.js';
import type { PoolCluster as FollowingCluster } from './cluster.js';

export * from 'mysql2';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { ConnectionOptions, PoolOptions, QueryOptions } from './options.js';
export type { PromisePool } from './promise-pool.js';
export { wrap, type Wrapped };

const own: Wrapped<typeof mysql2> = wrap(mysql2);

export const Pool: typeof own.Pool = own.Pool;
export type Pool = FollowingPool;
export const PoolCluster: typeof own.PoolCluster = own.PoolCluster;
export type PoolCluster = FollowingCluster;
export const createPool: typeof own.createPool = own.createPool;
export const createPoolCluster: typeof own.createPoolCluster = own.createPoolCluster;
export const createConnection: typeof own.createConnection = own.createConnection;
export const connect: typeof own.connect = own.connect;

/** @internal */
const required: typeof own = forRequire(own, { wrap });

export default own;
/** @internal What `require` gives: types are those of the exports above. */
export { required as 'module.exports' };
