import mysql2 from 'mysql2/promise';
import type { Socket } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { createPool, type Factory, type Options, type Pool } from '../../src/generic-pool/index.js';
import type { MoveEvent } from '../../src/index.js';
import { type Lab, startLab } from '../../src/lab/index.js';

export let lab: Lab;
const open: Map<object, () => Promise<void>> = new Map();

export function make<T>(factory: Factory<T>, options: Options = {}): Pool<T> {
  const follow = { servers: lab.servers, intervalMillis: 100, ...options.follow };
  const pool = createPool(factory, { host: lab.name, port: lab.port, max: 5, ...options, follow });
  open.set(pool, () => shut(pool));
  return pool;
}

/** It will never be drained. */
export function forget(pool: object): void {
  open.delete(pool);
}

export async function shut<T>(pool: Pool<T>): Promise<void> {
  await pool.drain();
  await pool.clear();
}

/** Points the name to that host; resolves when the pool has moved. */
export async function moveTo<T>(pool: Pool<T>, index: number): Promise<void> {
  const seen = new Promise<MoveEvent>((resolve) => pool.endpoint!.once('move', resolve));
  await lab.move(lab.hosts[index]!);
  await seen;
}

/** A lab for the tests of one `describe`; it ends their pools. */
export function useLab(options: Parameters<typeof startLab>[0]): void {
  beforeAll(async () => {
    lab = await startLab(options);
  }, 60_000);
  beforeEach(async () => {
    lab.dns.setMode({ kind: 'normal' });
    for (const host of lab.hosts) await host.restore();
    await lab.move(lab.hosts[0]!);
  });
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
    await Promise.all([...open.values()].map((end) => end()));
    open.clear();
  });
  afterAll(async () => {
    await lab?.close();
  });
}

/** The factories that one writes for a driver with a `stream` hook. */
export const pgFactory: Factory<pg.Client> = {
  create: async (target) => {
    const client = new pg.Client({ ...lab.connection!, host: target.host, stream: () => target.connect() });
    client.on('error', () => {});
    await client.connect();
    return client;
  },
  destroy: (client) => client.end(),
  ping: (client) => client.query(''),
};

export const mysqlFactory: Factory<mysql2.Connection> = {
  create: async (target) => {
    const stream = (): Socket => target.connect();
    const connection = await mysql2.createConnection({ ...lab.connection!, host: target.host, stream });
    return connection.on('error', () => {});
  },
  destroy: (connection) => connection.end(),
  ping: (connection) => connection.ping(),
};

/** Which server answers: the port of the database itself, which no proxy changes. */
export async function pgPort(client: pg.Client): Promise<number> {
  return (await client.query<{ port: number }>('select inet_server_port() as port')).rows[0]!.port;
}
