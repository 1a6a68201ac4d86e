import pg from 'pg';
import { Client } from './client.js';
import { Pool } from './pool.js';

export * from 'pg';
export { Client, type ClientConfig } from './client.js';
export type { FailoverOptions, FollowingConfig } from '../failover/options.js';
export { Pool, type PoolConfig } from './pool.js';

type Following = Omit<typeof pg, 'Pool' | 'Client'> & { readonly Pool: typeof Pool; readonly Client: typeof Client };

/** pg's own default export, with the pool and the client that follow. */
const following: Following = Object.create(Object.getPrototypeOf(pg) as object, {
  ...Object.getOwnPropertyDescriptors(pg),
  Pool: { value: Pool, enumerable: true, configurable: true, writable: true },
  Client: { value: Client, enumerable: true, configurable: true, writable: true },
}) as Following;

export default following;
