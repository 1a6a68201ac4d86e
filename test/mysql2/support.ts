import { existsSync } from 'node:fs';
import path from 'node:path';
import type { PoolConnection } from 'mysql2';
import type promise from 'mysql2/promise';
import { describe, expect } from 'vitest';
import { isEipPoolError, type MoveEvent } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import { createPool, type Pool, type PoolOptions } from '../../src/mysql2/index.js';
import type { Pool as PromisePool } from '../../src/mysql2/promise.js';

/** Which server runs here, or why none does. */
interface Probed {
  readonly version: string;
  /** Where its plug-ins are. */
  readonly pluginFolder: string;
  readonly missing: string | null;
}

async function probe(): Promise<Probed> {
  try {
    await using lab = await startLab({ databases: 'mariadb', hosts: 1 });
    const [row] = await lab.hosts[0]!.database.query<Omit<Probed, 'missing'>>(
      'select version() as version, @@plugin_dir as pluginFolder',
    );
    return { ...row!, missing: null };
  } catch (error) {
    if (isEipPoolError(error) && error.code === 'LAB_UNAVAILABLE')
      return { version: '', pluginFolder: '', missing: error.message };
    throw error;
  }
}

const { version, pluginFolder, missing } = await probe();
/** What the tests bring along where no MariaDB is installed. */
const isOld = version.startsWith('5.6.');

/** The tests of a suite on real servers; skipped, with the reason in the suite's name, where there are none. */
export function onServers(name: string, body: () => void): void {
  if (missing === null) describe(name, body);
  else describe.skip(`${name} (skipped: ${missing})`, body);
}

/** The same for what MySQL 5.6 lacks. */
export function onServersWith(need: string, name: string, body: () => void): void {
  if (isOld) describe.skip(`${name} (skipped: MySQL ${version} has no ${need})`, body);
  else onServers(name, body);
}

/** The same for what a plug-in of MariaDB's brings along, which Debian has in a package. */
export function onServersWithPlugin(library: string, debian: string, name: string, body: () => void): void {
  const has = missing !== null || isOld || existsSync(path.join(pluginFolder, `${library}.so`));
  if (has) onServersWith(library, name, body);
  else describe.skip(`${name} (skipped: no ${library}, which is in ${debian})`, body);
}

export async function startServers(options: Parameters<typeof startLab>[0] = {}): Promise<Lab> {
  return await startLab({ databases: 'mariadb', hosts: 2, ...options });
}

export async function resetLab(lab: Lab): Promise<void> {
  lab.dns.setMode({ kind: 'normal' });
  for (const host of lab.hosts) await host.restore();
  await lab.move(lab.hosts[0]!);
}

export function configOf(lab: Lab, extra: PoolOptions = {}): PoolOptions {
  return {
    host: lab.name,
    port: lab.port,
    ...lab.connection,
    connectionLimit: 10,
    ...extra,
    follow: { servers: lab.servers, ...extra.follow },
  };
}

export function makePool(lab: Lab, extra: PoolOptions = {}): Pool {
  return createPool(configOf(lab, extra));
}

/** Which server answers: the port of the database itself, which no proxy changes. */
export async function serverOf(from: Pool | PoolConnection | PromisePool | promise.Connection): Promise<number> {
  const queryable = 'promise' in from ? from.promise() : from;
  const [rows] = await queryable.query('select @@port as port');
  return (rows as { port: number }[])[0]!.port;
}

export function portOf(lab: Lab, index: number): number {
  return lab.hosts[index]!.database.port;
}

export async function lease(pool: Pool): Promise<PoolConnection> {
  return await new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error === null ? resolve(connection) : reject(error)));
  });
}

/** As many connections as the pool may have, all made and idle. */
export async function fill(pool: Pool, count: number = 10): Promise<void> {
  const connections = await Promise.all(Array.from({ length: count }, () => lease(pool)));
  for (const connection of connections) connection.release();
}

export async function end(pool: Pool): Promise<void> {
  await new Promise<void>((resolve) => pool.end(() => resolve()));
}

/** What mysql2 shows to nobody. */
export function countsOf(pool: Pool): { readonly total: number; readonly idle: number; readonly waiting: number } {
  const own = pool as unknown as Record<
    '_allConnections' | '_freeConnections' | '_connectionQueue',
    { length: number }
  >;
  return {
    total: own._allConnections.length,
    idle: own._freeConnections.length,
    waiting: own._connectionQueue.length,
  };
}

export async function next<T>(emitter: NodeJS.EventEmitter, event: string): Promise<T> {
  return await new Promise((resolve) => emitter.once(event, resolve));
}

export async function moved(pool: Pool): Promise<MoveEvent> {
  return await next<MoveEvent>(pool.endpoint!, 'move');
}

export async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: Error & { code?: string } }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Kills the first host; resolves when every idle connection of the pool knows that its server is gone. */
export async function kill(lab: Lab, pool: Pool): Promise<void> {
  lab.hosts[0]!.kill();
  await expect.poll(() => countsOf(pool).idle).toBe(0);
}
