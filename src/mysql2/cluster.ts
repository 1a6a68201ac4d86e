import type * as mysql from 'mysql2';
import { inNobodysContext } from '../async-context.js';
import { named } from '../failover/driver-module.js';
import { type Driver, nodesOf } from './internals.js';
import type { PoolOptions } from './options.js';
import type { NodeConstructor } from './pool.js';

/** mysql2's cluster of pools, each of which follows the name of its own host, and fails over as mysql2's does. */
export interface PoolCluster extends mysql.PoolCluster {
  add(config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
  add(group: string, config: PoolOptions): void;
}

export type PoolClusterConstructor = new (config?: mysql.PoolClusterOptions) => PoolCluster;

interface Base {
  add(id: string | object, config?: object): void;
  emit(event: string | symbol, ...args: unknown[]): boolean;
}

export function makeClusterClass(driver: Driver, Pool: NodeConstructor): PoolClusterConstructor {
  const Stock = driver.PoolCluster as unknown as new (config?: mysql.PoolClusterOptions) => Base;

  class PoolCluster extends Stock {
    override emit(event: string | symbol, ...args: unknown[]): boolean {
      return inNobodysContext(() => super.emit(event, ...args));
    }

    /** mysql2 makes a node with a pool of its own, which has no connection yet; ours takes its place. */
    override add(id: string | PoolOptions, config?: string | PoolOptions): void {
      const nodes = nodesOf(this as unknown as mysql.PoolCluster);
      const hasName = typeof id !== 'object';
      // As mysql2 does.
      if (hasName && nodes[id] !== undefined) return;
      // First of all: options that are refused must not leave half a node behind.
      const pool = new Pool((hasName ? config : id) as string | PoolOptions, 'node');
      const before = new Set(Object.keys(nodes));
      if (hasName) super.add(id, {});
      else super.add({});
      for (const [added, node] of Object.entries(nodes)) {
        if (before.has(added) || node === undefined) continue;
        node.pool.end();
        node.pool = pool;
      }
    }
  }
  return named(PoolCluster, driver.PoolCluster) as unknown as PoolClusterConstructor;
}
