import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool } from '../../src/pg/index.js';
import { postgres } from '../chaos/dialect.js';
import { Replication, REPLICATION_SETTINGS } from '../chaos/replication.js';
import { fill, makePool, portOf, startServers } from './support.js';

/** A primary and its streaming standby, which takes its place. */
let lab: Lab;
let cluster: Replication;
let pool: Pool;
const WRITE = 'insert into ledger (id, part) values (1, 0) returning inet_server_port() as port';

beforeAll(async () => {
  lab = await startServers({ postgres: { settings: REPLICATION_SETTINGS } });
  cluster = new Replication(lab, postgres);
  await cluster.prepare();
}, 60_000);
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function make(waitAtStart = false): void {
  // The standby that is promoted has no standby of its own to wait for.
  const options = '-c synchronous_commit=local';
  pool = makePool(lab, { max: 3, options, failover: { role: 'writable', waitAtStart } });
}

async function write(): Promise<number> {
  return (await pool.query<{ port: number }>(WRITE)).rows[0]!.port;
}

/** It was tried, and refused for its role. */
async function turnedDown(index: number): Promise<void> {
  const before = lab.hosts[index]!.accepted;
  await expect.poll(() => lab.hosts[index]!.accepted - before).toBeGreaterThan(2);
}

describe('a pool that asks for a server which takes writes', () => {
  it('waits at a name that points to a standby until that is promoted', async () => {
    const [primary, standby] = lab.hosts as [Lab['hosts'][0], Lab['hosts'][0]];
    make();
    await fill(pool);
    expect(await write()).toBe(portOf(lab, 0));
    await lab.move(standby);
    await expect.poll(() => pool.endpoint!.generation).toBe(1);
    const writes = [write(), write(), write(), write()];
    await turnedDown(1);
    expect(pool.waitingCount + pool.totalCount).toBeGreaterThan(0);
    await cluster.fence(primary, false);
    await cluster.promote(standby);
    expect(new Set(await Promise.all(writes))).toEqual(new Set([portOf(lab, 1)]));
    await cluster.rejoin(primary);
  }, 30_000);

  it('waits there at its start too, and for the name to leave it', async () => {
    make(true);
    await lab.move(lab.hosts[0]!);
    const first = write();
    await turnedDown(0);
    await lab.move(lab.hosts[1]!);
    expect(await first).toBe(portOf(lab, 1));
  }, 30_000);
});

describe('a pool that takes any server', () => {
  it('reads on a standby', async () => {
    pool = makePool(lab);
    await lab.move(lab.hosts[0]!);
    const { rows } = await pool.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
    expect(rows[0]?.standby).toBe(true);
  });
});
