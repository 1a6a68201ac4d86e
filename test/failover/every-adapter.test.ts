import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createPool } from '../../src/generic-pool/index.js';
import type { Lab } from '../../src/lab/index.js';
import * as mysql from '../mysql2/support.js';
import * as postgres from '../pg/support.js';

/** What an application does with one of the adapters: which server answers a read, by its port. */
interface Subject {
  read(): Promise<number>;
  /** Connections that it takes for alive. */
  readonly size?: () => number;
  end(): Promise<unknown>;
}

/** A failover as people have it: the server dies, and the name is given to another one. Runs on every Node. */
async function failsOver(lab: Lab, { read, size, end }: Subject): Promise<void> {
  const [dead, fresh] = lab.hosts.map(({ database }) => database.port);
  expect(await read()).toBe(dead);
  lab.hosts[0]!.kill();
  // What is in flight there is run again by an adapter that knows it for a read: not by generic-pool.
  if (size !== undefined) await expect.poll(size).toBe(0);
  // Whoever comes before the name has moved waits.
  const waiting = [read(), read(), read()];
  await lab.move(lab.hosts[1]!);
  expect(await Promise.all(waiting)).toEqual([fresh, fresh, fresh]);
  expect(await read()).toBe(fresh);
  await end();
}

describe('one failover', () => {
  it('of pg', async () => {
    await using lab = await postgres.startServers();
    const pool = postgres.makePool(lab);
    await failsOver(lab, { read: () => postgres.serverOf(pool), end: () => pool.end() });
  });

  it('of generic-pool, with clients of pg', async () => {
    await using lab = await postgres.startServers();
    const pool = createPool(
      {
        create: async (target) => {
          const client = new pg.Client({ ...lab.connection, port: lab.port, stream: () => target.connect() });
          client.on('error', () => {});
          await client.connect();
          return client;
        },
        destroy: (client) => client.end(),
      },
      { host: lab.name, port: lab.port, max: 5, follow: { servers: lab.servers } },
    );
    await failsOver(lab, {
      size: () => pool.size,
      read: () => pool.use<number>(postgres.serverOf),
      end: async () => {
        await pool.drain();
        await pool.clear();
      },
    });
  });
});

mysql.onServers('one failover', () => {
  it('of mysql2', async () => {
    await using lab = await mysql.startServers();
    const pool = mysql.makePool(lab);
    await failsOver(lab, { read: () => mysql.serverOf(pool), end: () => pool.promise().end() });
  });
});
