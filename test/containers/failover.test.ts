import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type MoveEvent, outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { next, settled } from '../pg/support.js';
import { startContainers } from './container-database.js';
import { DRIVERS, type DriverPool } from './driver.js';
import { suiteFor } from './suite.js';

for (const driver of DRIVERS) {
  await suiteFor(`${driver.name} with ${driver.server.kind} in containers`, [driver.server], () => {
    let lab: Lab;
    let pool: DriverPool;
    /** Which server stands behind each host. */
    let ids: string[];

    beforeAll(async () => {
      const started = await startContainers(driver.server);
      lab = started.lab;
      ids = await Promise.all(started.databases.map((database) => database.identity()));
    }, 180_000);
    beforeEach(async () => {
      await lab.move(lab.hosts[0]!);
      pool = driver.open(lab, { failover: { drainMillis: 60_000 } });
      await fill();
    });
    afterEach(async () => {
      await pool.end();
    }, 40_000);
    afterAll(async () => {
      await lab?.close();
    });

    /** So many connections, made and idle. */
    async function fill(count: number = 5): Promise<void> {
      const leases = await Promise.all(Array.from({ length: count }, () => pool.lease()));
      for (const lease of leases) lease.release();
    }

    /** Resolves when the pool has seen the name move to the second host. */
    async function move(): Promise<void> {
      const seen = next<MoveEvent>(pool.endpoint, 'move');
      const { from, to } = await lab.move(lab.hosts[1]!);
      expect(await seen).toMatchObject({ from: [from], to: [to] });
    }

    it('runs its statements on the server that the name points to', async () => {
      expect(ids[0]).not.toBe(ids[1]);
      expect(await Promise.all(Array.from({ length: 20 }, () => pool.server()))).toEqual(Array(20).fill(ids[0]));
    });

    it('the name moves and the old server lives: new work on the new one, leased work ends where it began', async () => {
      const lease = await pool.lease();
      await move();
      expect(await Promise.all(Array.from({ length: 20 }, () => pool.server()))).toEqual(Array(20).fill(ids[1]));
      expect(await lease.server()).toBe(ids[0]);
      lease.release();
      await expect.poll(() => lab.hosts[0]!.connections).toBe(0);
    });

    it('the container is killed and the name moves: what was in flight fails, callers wait and are served', async () => {
      const lease = await pool.lease();
      const inFlight = settled(lease.sleep());
      await lab.hosts[0]!.database.kill();
      try {
        expect(outcomeOf((await inFlight).error)).toBe('unknown');
        lease.release();
        await expect.poll(() => pool.endpoint.snapshot().sockets.open).toBe(0);
        const waiting = Array.from({ length: 20 }, () => pool.server());
        await move();
        expect(await Promise.all(waiting)).toEqual(Array(20).fill(ids[1]));
      } finally {
        await lab.hosts[0]!.database.restart();
      }
    }, 60_000);

    it('the container is killed and started again: callers wait until the same server serves them', async () => {
      const lease = await pool.lease();
      const inFlight = settled(lease.sleep());
      await lab.hosts[0]!.database.kill();
      const restarted = inFlight.then(() => lab.hosts[0]!.database.restart());
      expect((await inFlight).error).toBeInstanceOf(Error);
      lease.release();
      await expect.poll(() => pool.endpoint.snapshot().sockets.open).toBe(0);
      expect(await pool.server()).toBe(ids[0]);
      expect(pool.endpoint.generation).toBe(0);
      await restarted;
    }, 60_000);

    it('the container is paused and the name moves: the stalled server is found dead, nobody waits for it', async () => {
      const lease = await pool.lease();
      const inFlight = settled(lease.sleep());
      await lab.hosts[0]!.database.suspend();
      try {
        await move();
        expect(await pool.server()).toBe(ids[1]);
        expect((await inFlight).error).toMatchObject({ code: 'ADDRESS_DEAD' });
        lease.release();
      } finally {
        await lab.hosts[0]!.database.resume();
      }
    });

    it('the container is paused and the name stays: what runs there is cut, callers wait until it goes on', async () => {
      const lease = await pool.lease();
      const inFlight = settled(lease.sleep());
      await lab.hosts[0]!.database.suspend();
      let waiting: Promise<string>;
      try {
        expect((await inFlight).error).toMatchObject({ code: 'ADDRESS_DEAD' });
        lease.release();
        waiting = pool.server();
      } finally {
        await lab.hosts[0]!.database.resume();
      }
      expect(await waiting).toBe(ids[0]);
      expect(pool.endpoint.generation).toBe(0);
    }, 30_000);

    it('the container is paused for a moment: its clients wait, and notice nothing else', async () => {
      const lease = await pool.lease();
      await lab.hosts[0]!.database.suspend();
      const waiting = Promise.all([lease.server(), pool.server()]);
      await lab.hosts[0]!.database.resume();
      expect(await waiting).toEqual([ids[0], ids[0]]);
      lease.release();
      expect(pool.endpoint.generation).toBe(0);
    });
  });
}
