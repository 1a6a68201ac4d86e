import type * as mysql from 'mysql2';
import mysql2 from 'mysql2';
import promise from 'mysql2/promise';
import { addFollowing } from './cluster.js';
import type { ConnectionOptions, PoolOptions } from './options.js';
import type { PromisePool as Pool } from './promise-pool.js';
import { following, withOverrides } from './wrap.js';

export * from 'mysql2/promise';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { TransactionOptions } from '../failover/transaction-options.js';
export type { ConnectionOptions, PoolOptions, QueryOptions } from './options.js';
export type { Transaction } from './transaction.js';
export type { Pool };

/** {@link promise.PoolCluster} whose pools follow the names of their hosts. */
export interface PoolCluster extends promise.PoolCluster {
  add(config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
  add(group: string, config: PoolOptions): void;
}

interface Following {
  createPool(options: string | PoolOptions): Pool;
  createPoolCluster(options?: mysql.PoolClusterOptions): PoolCluster;
  createConnection(options: string | ConnectionOptions): Promise<promise.Connection>;
}

/** A promise module with what follows in the place of what does not. */
export type Wrapped<M> = Omit<M, keyof Following> & Following;

/** What the types of mysql2/promise do not tell. */
interface PromiseDriver {
  readonly PromiseConnection: new (core: mysql.Connection, Chosen: PromiseConstructor) => promise.Connection;
  createPoolCluster(options?: mysql.PoolClusterOptions): promise.PoolCluster & {
    readonly poolCluster: mysql.PoolCluster;
  };
}

/** The same for another copy of mysql2, given as its `mysql2/promise` and its `mysql2`. */
export function wrap<M extends object>(promiseModule: M, coreModule: object): Wrapped<M> {
  const core = following(coreModule);
  const driver = promiseModule as unknown as PromiseDriver;
  const overrides: Following = {
    createPool: (options) => core.createPool(options).promise(promiseOf(options)),
    createPoolCluster: (options) => {
      const cluster = driver.createPoolCluster(options);
      const inside = cluster.poolCluster;
      const stock = inside.add.bind(inside) as (...args: AddArguments) => void;
      const add = (...args: AddArguments): void => addFollowing(inside, core.Pool, stock, args);
      return Object.assign(cluster, { add });
    },
    createConnection: (options) => {
      const connection = core.createConnection(options);
      const Chosen = promiseOf(options);
      return new Chosen((resolve, reject) => {
        connection.once('connect', () => resolve(new driver.PromiseConnection(connection, Chosen)));
        connection.once('error', reject);
      });
    },
  };
  return withOverrides(promiseModule, overrides) as Wrapped<M>;
}

type AddArguments = Parameters<typeof addFollowing>[3];

function promiseOf(options: string | mysql.ConnectionOptions): PromiseConstructor {
  const given = typeof options === 'string' ? undefined : (options.Promise as PromiseConstructor | undefined);
  return given ?? Promise;
}

const own: Wrapped<typeof promise> = wrap(promise, mysql2);

export const createPool: typeof own.createPool = own.createPool;
export const createPoolCluster: typeof own.createPoolCluster = own.createPoolCluster;
export const createConnection: typeof own.createConnection = own.createConnection;

export default own;
