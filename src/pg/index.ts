import pg from 'pg';
import { type Client as ClientInstance, type ClientClass, createClientClass } from './client.js';
import { forRequire, unhooked, withOverrides } from '../failover/driver-module.js';
import type { Driver } from './internals.js';
import { makePoolClass, type Pool as PoolInstance, type PoolClass } from './pool.js';

export * from 'pg';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export type { IsolationLevel, TransactionOptions } from '../failover/transaction-options.js';
export { createClientClass, type ClientClass, type ClientConfig } from './client.js';
export type { Driver } from './internals.js';
export type { PoolClass, PoolConfig } from './pool.js';
export type { Transaction } from './transaction.js';

/** The same for another copy of pg: for a library that brings its own. */
export function createPoolClass(driver: Driver): PoolClass {
  return makePoolClass(unhooked(driver), createClientClass(driver));
}

export type Client = ClientInstance;
export const Client: ClientClass = createClientClass(pg);

export type Pool = PoolInstance;
export const Pool: PoolClass = makePoolClass(unhooked(pg), Client);

type Following = Omit<typeof pg, 'Pool' | 'Client'> & { readonly Pool: typeof Pool; readonly Client: typeof Client };

/** pg's own default export, with the pool and the client that follow. */
const following: Following = withOverrides(unhooked(pg), { Pool, Client }) as unknown as Following;
/** @internal */
const required: Following = forRequire(following, { createClientClass, createPoolClass });

export default following;
/** @internal What `require` gives: types are those of the exports above. */
export { required as 'module.exports' };
