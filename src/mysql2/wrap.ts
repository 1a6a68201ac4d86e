import type * as mysql from 'mysql2';
import { named, unhooked, withOverrides } from '../failover/driver-module.js';
import { type Defaults, NO_DEFAULTS } from '../failover/options.js';
import { makeClusterClass, type PoolCluster, type PoolClusterConstructor } from './cluster.js';
import { connect } from './connection.js';
import type { Driver } from './internals.js';
import type { ConnectionOptions, PoolOptions } from './options.js';
import { makePoolClass, type Pool, type PoolConstructor } from './pool.js';
import { type CreateStockCluster, promiseFollowing, type PromiseFollowing } from './promise-following.js';

/** What follows its name, in mysql2's shape. */
export interface Following {
  readonly Pool: PoolConstructor;
  readonly PoolCluster: PoolClusterConstructor;
  createPool(options: string | PoolOptions): Pool;
  createPoolCluster(options?: mysql.PoolClusterOptions): PoolCluster;
  createConnection(options: string | ConnectionOptions): mysql.Connection;
  connect(options: string | ConnectionOptions): mysql.Connection;
}

/** A driver module with what follows in the place of what does not. */
export type Wrapped<M> = Omit<M, keyof Following> & Following;

export function following(module: object, defaults: Defaults = NO_DEFAULTS): Following {
  const driver = unhooked(module) as Driver;
  const Pool = makePoolClass(driver, defaults);
  const Cluster = makeClusterClass(driver, Pool);
  const createConnection = (options: string | ConnectionOptions): mysql.Connection =>
    connect(driver, options, defaults);
  return {
    Pool,
    PoolCluster: Cluster,
    createPool: (options) => new Pool(options),
    createPoolCluster: (options) => new Cluster(options),
    createConnection,
    connect: createConnection,
  };
}

/**
 * The same for another copy of mysql2: for a library that brings its own. Everything that does not connect is the
 * module's own.
 */
export function wrap<M extends object>(module: M): Wrapped<M> {
  const core = following(module);
  return withOverrides(withPromises(unhooked(module), core), core) as Wrapped<M>;
}

/** mysql2's types do not tell of these. */
const WITH_PROMISES = {
  createPoolPromise: 'createPool',
  createPoolClusterPromise: 'createPoolCluster',
  createConnectionPromise: 'createConnection',
} as const satisfies Readonly<Record<string, keyof PromiseFollowing>>;

export function withPromises(given: object, core: Following): object {
  const module = given as Record<keyof typeof WITH_PROMISES, CreateStockCluster>;
  let made: PromiseFollowing | undefined;
  const promises = (): PromiseFollowing => (made ??= promiseFollowing(core, module.createPoolClusterPromise));
  const overrides = (Object.keys(WITH_PROMISES) as (keyof typeof WITH_PROMISES)[])
    .filter((name) => name in module)
    .map((name) => [name, WITH_PROMISES[name]] as const)
    .map(
      ([name, method]) =>
        [name, { get: () => named(promises()[method], module[name]), enumerable: true, configurable: true }] as const,
    );
  return withOverrides(module, Object.defineProperties({}, Object.fromEntries(overrides)));
}
