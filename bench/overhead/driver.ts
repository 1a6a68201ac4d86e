import type { DatabaseKind } from '../../src/cli/failover/client.js';
import type { Work } from './compare.js';
import type { Server } from './lab-process.js';

/** One driver, by this library and by itself. */
export interface Driver {
  readonly databases: DatabaseKind;
  /** What is compared. */
  work(server: Server, poolSize: number): readonly Work[];
  /** Makes a pool with so many connections, all of them idle. */
  fill(server: Server, kind: Kind, connections: number): Promise<void>;
}

export type Kind = 'ours' | 'stock';

export const DRIVERS = ['pg', 'mysql2', 'generic-pool'] as const;
export type DriverName = (typeof DRIVERS)[number];

export async function loadDriver(name: DriverName): Promise<Driver> {
  switch (name) {
    case 'pg':
      return (await import('./pg.js')).pgDriver;
    case 'mysql2':
      return (await import('./mysql2.js')).mysql2Driver;
    case 'generic-pool':
      return (await import('./generic-pool.js')).genericPoolDriver;
  }
}

/** Borrows all at the same time, so that there are as many, and gives them back. */
export async function fillPool<T>(
  count: number,
  acquire: () => PromiseLike<T>,
  release: (lease: T) => unknown,
): Promise<void> {
  const leases = await Promise.all(Array.from({ length: count }, acquire));
  await Promise.all(leases.map((lease) => release(lease)));
}
