/** What takes the place of a driver's module. Loaded with the first driver: it brings the adapters. */
import { hooked, unhooked } from '../failover/driver-module.js';
import type { Defaults } from '../failover/options.js';
import { following, withPromises } from '../mysql2/wrap.js';
import { type CreateStockCluster, promiseFollowing } from '../mysql2/promise-following.js';
import { makeClientClass } from '../pg/client.js';
import type { Driver } from '../pg/internals.js';
import { makePoolClass } from '../pg/pool.js';
import type { Entry } from './entries.js';

/** @param load loads a file of the same copy, in its application's own way */
export function takeOver(entry: Entry, module: object, load: (file: string) => object, defaults: Defaults): object {
  switch (entry.file) {
    case 'lib/index.js':
      return takeOverPg(module as Driver, defaults);
    case 'index.js': {
      const core = following(module, defaults);
      return hooked(module, Object.defineProperties({}, overridesOf(module, core)));
    }
    case 'promise.js': {
      const { createPoolCluster } = module as { readonly createPoolCluster: CreateStockCluster };
      const core = following(unhooked(load('index.js')), defaults);
      return hooked(module, promiseFollowing(core, createPoolCluster));
    }
  }
}

function takeOverPg(driver: Driver, defaults: Defaults): object {
  const Client = makeClientClass(driver, defaults);
  return hooked(driver, { Pool: makePoolClass(driver, Client, defaults), Client });
}

/** The parts that mysql2 makes late are made late here too. */
function overridesOf(module: object, core: ReturnType<typeof following>): PropertyDescriptorMap {
  const promises = Object.getOwnPropertyDescriptors(withPromises(module, core));
  const late = Object.entries(promises).filter(([name]) => /^create\w+Promise$/.test(name));
  return { ...Object.getOwnPropertyDescriptors(core), ...Object.fromEntries(late) };
}
