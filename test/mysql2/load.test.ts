import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/index.js';
import type { Lab } from '../../src/lab/index.js';
import { createPool, type Pool, type PoolOptions } from '../../src/mysql2/index.js';
import {
  countsOf,
  end,
  fill,
  kill,
  lease,
  makePool,
  moved,
  onServers,
  onServersWith,
  portOf,
  resetLab,
  serverOf,
  settled,
  startServers,
} from './support.js';

let lab: Lab;
let pool: Pool;

const make = (extra: PoolOptions = {}): void => {
  pool = makePool(lab, extra);
};

onServers('a pool of mysql2 under load, or before a planned switch', () => {
  beforeAll(async () => {
    lab = await startServers();
  }, 60_000);
  beforeEach(async () => {
    await resetLab(lab);
  });
  afterEach(async () => {
    for (const host of lab.hosts) await host.restore();
    await end(pool);
  });
  afterAll(async () => {
    await lab?.close();
  });

  describe('maxWaiting', () => {
    it('lets so many wait for a busy pool, and fails who comes then at once', async () => {
      make({ connectionLimit: 1, failover: { maxWaiting: 2 } });
      const held = await lease(pool);
      const waiting = [serverOf(pool), serverOf(pool)];
      const { error } = await settled(pool.promise().query('select 1'));
      expect([error?.code, outcomeOf(error)]).toEqual(['TOO_MANY_WAITING', 'not-sent']);
      held.release();
      expect(await Promise.all(waiting)).toEqual([portOf(lab, 0), portOf(lab, 0)]);
    });

    it('holds in a failover too', async () => {
      make({ connectionLimit: 1, failover: { maxWaiting: 0 } });
      await fill(pool, 1);
      await kill(lab, pool);
      const first = serverOf(pool);
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('TOO_MANY_WAITING');
      await lab.move(lab.hosts[1]!);
      expect(await first).toBe(portOf(lab, 1));
    });
  });

  describe('failFastAfterMillis', () => {
    it('fails callers at once with the cause while there is no server, and finds out by itself that there is one', async () => {
      make({ failover: { failFastAfterMillis: 100, deadlineMillis: 300 } });
      await fill(pool, 1);
      await kill(lab, pool);
      expect((await settled(pool.promise().query('select 1'))).error?.code).toBe('DEADLINE_EXCEEDED');
      const { error } = await settled(pool.promise().query('select 1'));
      expect([error?.code, outcomeOf(error)]).toEqual(['FAILING_FAST', 'not-sent']);
      expect(error?.message).toContain('ECONNREFUSED');
      await lab.hosts[0]!.restore();
      await expect.poll(() => countsOf(pool)).toMatchObject({ total: 1, idle: 1 });
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
    });
  });

  describe('pause', () => {
    it('holds new work, waits for the leases, and goes on where the name points then', async () => {
      make({ connectionLimit: 2 });
      const [held, other] = [await lease(pool), await lease(pool)];
      const running = other.promise().query('select sleep(0.2)');
      let paused = false;
      const pausing = pool.pause().then(() => (paused = true));
      const later = [serverOf(pool), serverOf(pool.promise()), lease(pool)] as const;
      await running;
      other.release();
      expect([paused, countsOf(pool).idle]).toEqual([false, 1]);
      held.release();
      await pausing;
      const move = moved(pool);
      await lab.move(lab.hosts[1]!);
      await move;
      pool.resume();
      const [one, two, three] = await Promise.all(later);
      expect([one, two, await serverOf(three)]).toEqual(Array(3).fill(portOf(lab, 1)));
      three.release();
    });

    it('keeps who waited before it waiting, in their order', async () => {
      make({ connectionLimit: 1 });
      const held = await lease(pool);
      const order: number[] = [];
      const work = [1, 2, 3].map((n) => serverOf(pool).then(() => order.push(n)));
      const pausing = pool.pause();
      held.release();
      await pausing;
      work.push(serverOf(pool).then(() => order.push(4)));
      expect([order, countsOf(pool).idle]).toEqual([[], 1]);
      pool.resume();
      await Promise.all(work);
      expect(order).toEqual([1, 2, 3, 4]);
    });

    onServersWith('COM_RESET_CONNECTION', 'whose connections are reset as they are given back,', () => {
      it('resolves with the last release', async () => {
        pool = makePool(lab, { connectionLimit: 1, resetOnRelease: true });
        const leased = await lease(pool);
        const pausing = pool.pause();
        leased.release();
        await pausing;
        expect(countsOf(pool).idle).toBe(1);
        pool.resume();
      });
    });

    it('ends with an error if it is over before the leases are back', async () => {
      make();
      const held = await lease(pool);
      const pausing = settled(pool.promise().pause());
      pool.promise().resume();
      expect((await pausing).error?.code).toBe('PAUSE_ENDED');
      held.release();
      expect(await serverOf(pool)).toBe(portOf(lab, 0));
    });

    it('that is never over lets nobody wait beyond his deadline, and the pool be ended', async () => {
      make({ failover: { deadlineMillis: 200 } });
      await fill(pool, 1);
      await pool.pause();
      const { error } = await settled(pool.promise().query('select 1'));
      expect([error?.code, error?.message]).toEqual(['DEADLINE_EXCEEDED', expect.stringContaining('paused')]);
      const waiting = settled(pool.promise().query('select 1'));
      await end(pool);
      expect((await waiting).error?.message).toBe('Pool is closed.');
    });

    it('is over with its pool, whoever still has a lease', async () => {
      make();
      await lease(pool);
      const pausing = pool.pause();
      await end(pool);
      await pausing;
    });

    it('is for pools that follow a name', async () => {
      make();
      const fixed = createPool({ host: lab.hosts[0]!.address, port: lab.port, ...lab.connection });
      expect((await settled(fixed.pause())).error?.code).toBe('INVALID_OPTION');
      await end(fixed);
    });
  });

  describe('its callers’ turns', () => {
    it('are kept through attempts that fail', async () => {
      const { database } = lab.hosts[0]!;
      make({ connectionLimit: 3, follow: { connectConcurrency: 1 }, failover: { role: 'writable' } });
      await fill(pool, 3);
      await kill(lab, pool);
      await database.query('set global read_only = 1');
      await lab.hosts[0]!.restore();
      const { accepted } = lab.hosts[0]!;
      const order: number[] = [];
      const work = Array.from({ length: 9 }, async (_, n) => {
        const connection = await lease(pool);
        order.push(n);
        connection.release();
      });
      // Each of the first three has failed at least once.
      await expect.poll(() => lab.hosts[0]!.accepted - accepted).toBeGreaterThan(3);
      await database.query('set global read_only = 0');
      await Promise.all(work);
      expect(order).toHaveLength(9);
      // For the first three connections are made, one after the other in a circle; the others take what is released.
      expect(order.filter((n) => n >= 3)).toEqual([3, 4, 5, 6, 7, 8]);
    });

    it('a lease that its caller does not release after its server died takes nobody’s place', async () => {
      make({ connectionLimit: 1 });
      const held = await lease(pool);
      lab.hosts[0]!.kill();
      const later = serverOf(pool);
      await lab.move(lab.hosts[1]!);
      expect(await later).toBe(portOf(lab, 1));
      held.release();
      expect(countsOf(pool)).toMatchObject({ total: 1, idle: 1 });
    });
  });
});
