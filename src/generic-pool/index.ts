export * from 'generic-pool';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { Factory, Options, Target } from './options.js';
export { createPool, type Pool } from './pool.js';
