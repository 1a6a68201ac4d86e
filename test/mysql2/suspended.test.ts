import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Lab } from '../../src/lab/index.js';
import type { Pool, PoolOptions } from '../../src/mysql2/index.js';
import { SELDOM, type SuspendableClock, suspendableClock } from '../suspension-support.js';
import { end, fill, lease, makePool, onServers, portOf, resetLab, serverOf, startServers } from './support.js';

onServers('after the process was suspended, the name is asked before anybody gets', () => {
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
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  function make(extra: PoolOptions): void {
    pool = makePool(lab, { ...extra, follow: { clock, ...SELDOM } });
  }

  /** The name moves meanwhile, and the old server lives. */
  async function suspended(): Promise<void> {
    clock.suspend();
    await lab.move(lab.hosts[1]!);
  }

  it('a connection that was idle', async () => {
    make({ connectionLimit: 2 });
    await fill(pool, 2);
    await suspended();
    expect(await serverOf(pool)).toBe(portOf(lab, 1));
  });

  it.each([
    ['as in any busy pool', () => {}],
    [
      'and have a deadline',
      () => {
        // A pool without a usable server, or one that is paused, notes when each of its callers must be answered.
        void pool.pause().catch(() => {});
        pool.resume();
      },
    ],
  ])('one that is given back while others wait for it, %s', async (_, before) => {
    make({ connectionLimit: 1 });
    const held = await lease(pool);
    const waiting = [serverOf(pool), serverOf(pool)];
    before();
    await suspended();
    held.release();
    expect(await Promise.all(waiting)).toEqual([portOf(lab, 1), portOf(lab, 1)]);
  });
});
