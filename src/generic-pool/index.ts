import genericPool from 'generic-pool';
import { createPool } from './pool.js';

export * from 'generic-pool';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { Factory, Options, Target } from './options.js';
export { type Pool } from './pool.js';
export { createPool };

type Following = Omit<typeof genericPool, 'createPool'> & { readonly createPool: typeof createPool };

/** generic-pool's own default export, with the pools that follow. */
const following: Following = Object.create(Object.getPrototypeOf(genericPool) as object, {
  ...Object.getOwnPropertyDescriptors(genericPool),
  createPool: { value: createPool, enumerable: true, configurable: true, writable: true },
}) as Following;

export default following;
