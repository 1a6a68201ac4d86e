import genericPool from 'generic-pool';
import { withOverrides, forRequire } from '../failover/driver-module.js';
import { createPool } from './pool.js';

export * from 'generic-pool';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { Factory, Options, Target } from './options.js';
export { type Pool } from './pool.js';
export { createPool };

type Following = Omit<typeof genericPool, 'createPool'> & { readonly createPool: typeof createPool };

/** generic-pool's own default export, with the pools that follow. */
const following: Following = withOverrides(genericPool, { createPool }) as unknown as Following;
/** @internal */
const required: Following = forRequire(following, {});

export default following;
/** @internal What `require` gives: types are those of the exports above. */
export { required as 'module.exports' };
