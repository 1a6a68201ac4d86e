import type * as mysql from 'mysql2';
import { type Driver, nodesOf } from './internals.js';
import { type PoolOptions, splitOptions } from './options.js';
import type { PoolConstructor } from './pool.js';

/** mysql2's cluster of pools, each of which follows the name of its own host. */
export interface PoolCluster extends mysql.PoolCluster {
  add(config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
  add(group: string, config: PoolOptions): void;
}

export type PoolClusterConstructor = new (config?: mysql.PoolClusterOptions) => PoolCluster;

type AddArguments = [config: PoolOptions] | [group: string, config: string | PoolOptions];

export function makeClusterClass(driver: Driver, Pool: PoolConstructor): PoolClusterConstructor {
  const Stock = driver.PoolCluster as unknown as new (config?: mysql.PoolClusterOptions) => {
    add(...args: AddArguments): void;
  };

  class PoolCluster extends Stock {
    override add(...args: AddArguments): void {
      const add = (...own: AddArguments): void => super.add(...own);
      addFollowing(this as unknown as mysql.PoolCluster, Pool, add, args);
    }
  }
  return PoolCluster as unknown as PoolClusterConstructor;
}

/** mysql2 makes a node with a pool of its own, which has no connection yet; ours takes its place. */
export function addFollowing(
  cluster: mysql.PoolCluster,
  Pool: PoolConstructor,
  add: (...args: AddArguments) => void,
  args: AddArguments,
): void {
  const config = args.length === 1 ? args[0] : args[1];
  const { theirs } = splitOptions<mysql.PoolOptions>(config);
  const before = new Set(Object.keys(nodesOf(cluster)));
  if (args.length === 1) add({ ...theirs });
  else add(args[0], { ...theirs });
  for (const [id, node] of Object.entries(nodesOf(cluster))) {
    if (before.has(id) || node === undefined) continue;
    node.pool.end();
    node.pool = new Pool(config);
  }
}
