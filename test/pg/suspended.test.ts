import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolConfig } from '../../src/pg/index.js';
import { SELDOM, type SuspendableClock, suspendableClock } from '../suspension-support.js';
import { fill, makePool, portOf, resetLab, serverOf, startServers } from './support.js';

let lab: Lab;
let pool: Pool;
let clock: SuspendableClock;

beforeAll(async () => {
  lab = await startServers();
}, 60_000);
beforeEach(async () => {
  await resetLab(lab);
  clock = suspendableClock();
});
afterEach(async () => {
  await pool.end();
});
afterAll(async () => {
  await lab?.close();
});

function make(extra: PoolConfig): void {
  pool = makePool(lab, { ...extra, follow: { clock, ...SELDOM } });
}

/** The name moves meanwhile, and the old server lives. */
async function suspended(): Promise<void> {
  clock.suspend();
  await lab.move(lab.hosts[1]!);
}

describe('after the process was suspended, the name is asked before anybody gets', () => {
  it('a connection that was idle', async () => {
    make({ max: 2 });
    await fill(pool);
    await suspended();
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
  });

  it('one that is given back while others wait for it', async () => {
    make({ max: 1 });
    const held = await pool.connect();
    const waiting = [serverOf(pool), serverOf(pool)];
    await suspended();
    held.release();
    expect(await Promise.all(waiting)).toEqual([portOf(lab, 1), portOf(lab, 1)]);
  });

  it('one whose login was under way', async () => {
    const passwords: ((password: string) => void)[] = [];
    make({ max: 1, password: () => new Promise<string>((resolve) => passwords.push(resolve)) });
    const lease = serverOf(pool);
    await expect.poll(() => passwords.length).toBe(1);
    await suspended();
    passwords[0]!(lab.connection!.password);
    await expect.poll(() => passwords.length).toBe(2);
    passwords[1]!(lab.connection!.password);
    expect(await lease).toBe(portOf(lab, 1));
  });
});
