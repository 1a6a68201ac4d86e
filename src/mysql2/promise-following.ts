import type * as mysql from 'mysql2';
import type promise from 'mysql2/promise';
import type { ConnectionOptions, PoolOptions } from './options.js';
import type { PromisePool } from './promise-pool.js';
import type { Following } from './wrap.js';

/** {@link promise.PoolCluster} whose pools follow the names of their hosts. */
export interface PromisePoolCluster extends promise.PoolCluster {
  add(config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
  add(group: string, config: PoolOptions): void;
}

/** What follows its name, in the shape of `mysql2/promise`. */
export interface PromiseFollowing {
  createPool(options: string | PoolOptions): PromisePool;
  createPoolCluster(options?: mysql.PoolClusterOptions): PromisePoolCluster;
  createConnection(options: string | ConnectionOptions): Promise<promise.Connection>;
}

type ClusterConstructor = new (core: mysql.PoolCluster, Chosen: PromiseConstructor) => PromisePoolCluster;
/** mysql2's own `createPoolCluster` for promises. */
export type CreateStockCluster = (options?: mysql.PoolClusterOptions) => object;

export function promiseFollowing(core: Following, createStockCluster: CreateStockCluster): PromiseFollowing {
  const Cluster = clusterOf(createStockCluster);
  const following: PromiseFollowing = {
    createPool: (options) => core.createPool(options).promise(promiseOf(options)),
    createPoolCluster: (options) => new Cluster(core.createPoolCluster(options), promiseOf(options)),
    createConnection: (options) => {
      const connection = core.createConnection(options);
      const caller: { readonly stack?: string } = {};
      Error.captureStackTrace(caller, following.createConnection);
      const Chosen = promiseOf(options);
      return new Chosen((resolve, reject) => {
        connection.once('connect', () => resolve(connection.promise(Chosen)));
        connection.once('error', (error) => reject(withFrames(error, caller.stack)));
      });
    },
  };
  return following;
}

/** As mysql2 does: the stack leads to whoever asked for the connection, not to a socket. */
function withFrames(error: Error, stack: string = ''): Error {
  error.stack = [`${error.name}: ${error.message}`, ...stack.split('\n').slice(1)].join('\n');
  return error;
}

/** mysql2 does not export its class, whose `add` goes past the cluster inside, to that of mysql2's own prototype. */
function clusterOf(createStockCluster: CreateStockCluster): ClusterConstructor {
  const Stock = createStockCluster().constructor as new (...args: unknown[]) => {
    readonly poolCluster: { add(...args: unknown[]): void };
  };
  class PoolCluster extends Stock {
    add(...args: unknown[]): void {
      this.poolCluster.add(...args);
    }
  }
  return PoolCluster as unknown as ClusterConstructor;
}

function promiseOf(options: string | object | undefined): PromiseConstructor {
  const given = typeof options === 'object' ? (options as { Promise?: PromiseConstructor }).Promise : undefined;
  return given ?? Promise;
}
